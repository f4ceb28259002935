"""How far a price list looks beyond one record: at whose other records, and in which periods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from instruments.pricing.model import AnyOf, Comparison, Condition, Not, PriceList, Rule, Span
from instruments.pricing.spans import first_day, shifted

PERIOD_END = "period_end"
ONE_DAY = timedelta(days=1)
# Periods that do not fit into each other (a week and a month) reach back again from where the first began.
_TURNS = 2

Days = tuple[date | None, date | None]


@dataclass(frozen=True, slots=True)
class Reach:
    """``parties``: the attributes of each scope and history; ``spans``: their periods, True with the one before.

    ``closing``: the party attributes of the rules for the end of a period; None without such a rule.
    """

    parties: frozenset[frozenset[str]]
    spans: frozenset[tuple[Span, bool]]
    closing: tuple[str, ...] | None

    @property
    def names(self) -> frozenset[str]:
        return frozenset[str]().union(*self.parties)

    def days(self, *around: date) -> Days:
        """The first day whose records may matter for records of these days, and the last; None is without end."""
        first: date | None = min(around)
        last: date | None = max(around)
        for span, previous in self.spans:
            last = None if last is None else _last(span, previous, last)
        for _turn in range(_TURNS):
            for span, previous in self.spans:
                first = None if first is None else _first(span, previous, first)
        return first, last


def _first(span: Span, previous: bool, day: date) -> date | None:
    if span.unit == "ever":
        return None
    if span.unit == "rolling":
        return day - span.days * (2 if previous else 1) * ONE_DAY
    first = first_day(span, day)
    return shifted(span, first, -1) if previous else first


def _last(span: Span, previous: bool, day: date) -> date | None:
    """Records after the day matter where both lie in one period, or where theirs looks at the one before."""
    if span.unit == "ever":
        return None
    if span.unit == "rolling":
        return day + span.days * (2 if previous else 1) * ONE_DAY
    return shifted(span, first_day(span, day), 2 if previous else 1) - ONE_DAY


@lru_cache(maxsize=2048)
def _reach(key: _ById) -> Reach | None:
    prices = key.prices
    scopes = [(frozenset(rule.scope.per), rule.scope.span) for rule in prices.rules if rule.scope is not None]
    found = [(per, span, False) for per, span in scopes]
    found += [(frozenset(each.per), each.span, each.previous) for each in prices.histories]
    found = [each for each in found if each[1].unit != "use"]
    closing = [rule for rule in prices.rules if _is_closing(rule.when)]
    if not found and not closing:
        return None
    return Reach(
        parties=frozenset(per for per, _span, _previous in found),
        spans=frozenset((span, previous) for _per, span, previous in found),
        closing=tuple(sorted(_closing_party(closing, found))) if closing else None,
    )


@dataclass(frozen=True)
class _ById:
    """A parsed list is found again by itself: comparing two by what they say takes longer than reading one."""

    prices: PriceList

    def __hash__(self) -> int:
        return id(self.prices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and self.prices is other.prices


def reach_of(prices: PriceList) -> Reach | None:
    """None for a list that prices each record by itself."""
    return _reach(_ById(prices))


def _closing_party(rules: list[Rule], found: list[tuple[frozenset[str], Span, bool]]) -> frozenset[str]:
    """Whose period ends: the parties of these rules, else of all; without any it is the organisation's."""
    named = frozenset[str]().union(*(rule.scope.per for rule in rules if rule.scope is not None))
    return named or frozenset[str]().union(*(per for per, _span, _previous in found)) or frozenset({"organisation"})


def _is_closing(when: Condition) -> bool:
    return any(part.ref.name == "event" and part.op == "=" and PERIOD_END in part.values for part in _comparisons(when))


def _comparisons(condition: Condition) -> Iterator[Comparison]:
    for part in condition.parts:
        if isinstance(part, Comparison):
            yield part
        elif isinstance(part, AnyOf):
            for option in part.options:
                yield from _comparisons(option)
        elif isinstance(part, Not):
            yield from _comparisons(part.condition)
