"""A price list as frozen values: what `reading.parse_price_list` makes of its JSON.

    PriceList ─ bands: windows of the week        ─ quantities: what is counted
              ─ tables: rows shared by rules      ─ rules, from top to bottom

All numbers are exact (`Fraction`); times of day are minutes after local midnight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from backend.core.errors import Refusal

Scalar = str | bool | Fraction | None
MonthDay = tuple[int, int]

CLOCKS = frozenset({"booked", "used", "union", "longer", "overrun", "unused", "notice", "late"})
ADJUSTMENTS = ("unit", "free", "min", "step", "dir", "tolerance", "max", "band", "whole", "each", "count")
DAY_MINUTES = 24 * 60

Account = Literal["invoice", "credit", "memo"]
Direction = Literal["up", "down", "nearest"]
Kind = Literal["price", "percent", "limit"]
Operator = Literal["=", "!=", ">=", ">", "<=", "<"]
Mode = Literal["marginal", "all"]
Take = Literal["first", "lowest", "highest"]
Unit = Literal["use", "day", "week", "month", "quarter", "half", "year", "ever", "rolling"]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of certain local days; ``end`` beyond 1440 runs past midnight.

    ``holidays``: False leaves holidays out; True means holidays only or, where ``days`` are given,
    those days and holidays. The day that counts is the one on which the window opens.
    """

    days: frozenset[int] | None
    start: int
    end: int
    season: tuple[MonthDay, MonthDay] | None
    holidays: bool | None

    @property
    def is_whole_day(self) -> bool:
        return self.start == 0 and self.end == DAY_MINUTES


@dataclass(frozen=True, slots=True)
class BandRef:
    """A band, or with ``outside`` all time that lies outside it (``!name``)."""

    name: str
    outside: bool

    def __str__(self) -> str:
        return f"!{self.name}" if self.outside else self.name


@dataclass(frozen=True, slots=True)
class Span:
    """A charging period. ``day``: its first day (weekday 1–7 of a week); ``days``: length if rolling."""

    unit: Unit
    day: int = 1
    month: int = 1
    days: int = 0


@dataclass(frozen=True, slots=True)
class Ref:
    """A name in a rule, already told apart. ``sum`` carries the code or tag whose lines are added."""

    kind: Literal["quantity", "clock", "sum", "notice_days", "date", "fact"]
    name: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison. ``=`` holds for any of ``values``, the others compare with the one value."""

    ref: Ref
    op: Operator
    values: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    options: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


@dataclass(frozen=True, slots=True)
class StartIn:
    band: BandRef


@dataclass(frozen=True, slots=True)
class Condition:
    """All of its parts; none at all holds always."""

    parts: tuple[Part, ...] = ()


Part = Comparison | AnyOf | Not | StartIn


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What earlier records of a party hold in a period; compared by identity, one tally each."""

    measure: Literal["count", "sum", "amount"]
    of: Term | None
    codes: tuple[str, ...]
    when: Condition
    per: tuple[str, ...]
    span: Span
    previous: bool
    now: bool
    times: Fraction


@dataclass(frozen=True, slots=True)
class Quantity:
    """``of`` added up (or ``history``), then unit → free → min → step → max; see `quantities`."""

    of: tuple[Term, ...]
    history: History | None = None
    unit: Term | None = None
    free: Term | None = None
    min: Term | None = None
    step: Term | None = None
    dir: Direction = "up"
    tolerance: Term | None = None
    max: Term | None = None
    band: BandRef | None = None
    whole: bool = False
    each: bool = False
    count: bool = False


Term = Fraction | Ref | Quantity
Operand = Scalar | Ref | Quantity
Adjustment = Term | BandRef | bool | str | None


@dataclass(frozen=True, slots=True)
class Tier:
    """Reached at ``bound``, or only beyond it if ``strict``."""

    bound: Fraction
    strict: bool
    rate: Term | None
    pct: Term | None
    flat: Term | None


@dataclass(frozen=True, slots=True)
class Row:
    when: Condition
    rate: Term | None
    tiers: tuple[Tier, ...]
    adjust: tuple[tuple[str, Adjustment], ...]


@dataclass(frozen=True, slots=True)
class Pick:
    group: str
    option: str
    take: Take


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose records in which period are looked at together; ``on``: codes whose quantities count."""

    per: tuple[str, ...]
    span: Span
    on: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Due:
    """Falls due in the ``after``-th period following that of the record."""

    span: Span
    after: int


@dataclass(frozen=True, slots=True)
class Rule:
    code: str
    name: str
    kind: Kind
    tags: frozenset[str]
    when: Condition
    required: bool
    account: Account
    due: Due | None
    pick: Pick | None
    scope: Scope | None
    mode: Mode
    factors: tuple[Term, ...]
    rate: Term | None
    rows: tuple[Row, ...]
    table: str | None
    tiers: tuple[Tier, ...]
    on: tuple[str, ...]
    as_if: tuple[tuple[str, Scalar], ...]
    limit: Literal["max", "min"]


@dataclass(frozen=True, slots=True)
class PriceList:
    """``notes`` are remarks of the reader that do not prevent pricing; `checks` reports them.

    ``labels``: what a code is called, by language (any language: ``""``).
    """

    name: str
    currency: str
    places: int
    valid_from: date | None
    holidays: frozenset[date]
    bands: Mapping[str, tuple[Window, ...]]
    quantities: Mapping[str, Quantity]
    tables: Mapping[str, tuple[Row, ...]]
    rules: tuple[Rule, ...]
    histories: tuple[History, ...]
    notes: tuple[Refusal, ...]
    labels: Mapping[str, Mapping[str, str]]

    def rows_of(self, rule: Rule) -> tuple[Row, ...]:
        return self.tables[rule.table] if rule.table is not None else rule.rows
