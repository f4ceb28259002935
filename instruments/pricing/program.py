"""A price list made ready to run: codes resolved, tallies allotted, pick groups gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from typing import Any, Literal, cast

from instruments.pricing.facts import Facts
from instruments.pricing.model import PriceList, Quantity, Ref, Row, Rule, Scope, Span, Term
from instruments.pricing.tallies import Journal, Tally
from instruments.pricing.units import unit_of

Measure = Literal["amount", "exact", "quantity", "weight"]


class Books:
    """All tallies of a run, found by what they add up; shared by the versions of a price list."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[Measure, frozenset[str], tuple[str, ...], Span], Tally] = {}
        self._by_code: dict[tuple[Measure, str], list[Tally]] = {}

    def tally(self, measure: Measure, codes: frozenset[str], scope: Scope) -> Tally:
        key = measure, codes, scope.per, scope.span
        if key not in self._tallies:
            tally = self._tallies[key] = Tally(scope.per, scope.span)
            for code in codes:
                self._by_code.setdefault((measure, code), []).append(tally)
        return self._tallies[key]

    def post(self, journal: Journal, facts: Facts, code: str, measure: Measure, value: Fraction) -> None:
        if value:
            for tally in self._by_code.get((measure, code), ()):
                journal.add(tally, tally.place(facts), value)


@dataclass(frozen=True, slots=True, eq=False)
class Scoped:
    """The tallies of a rule in its scope: what it came to exactly, what it posted, what it counts."""

    exact: Tally
    posted: Tally
    quantity: Tally
    weight: Tally
    held: Tally
    base: Tally


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A rule with the codes above that it is taken of and the factors that belong to each row."""

    rule: Rule
    position: int
    on: frozenset[str]
    rows: tuple[tuple[Row, tuple[Term, ...]], ...]
    unit: str
    scoped: Scoped | None


def select(rules: Sequence[Rule], names: Iterable[str]) -> frozenset[str]:
    """The codes meant by codes, tags, ``*`` (all that go on the invoice) and ``-x`` (without x).

    Exclusions alone are exclusions from ``*``.
    """
    wanted: set[str] = set()
    unwanted: set[str] = set()
    listed = list(names)
    if listed and all(name.startswith("-") for name in listed):
        listed.append("*")
    for name in listed:
        plain = name.removeprefix("-")
        found = {rule.code for rule in rules if _is_meant(rule, plain)}
        (unwanted if name.startswith("-") else wanted).update(found)
    return frozenset(wanted - unwanted)


def _is_meant(rule: Rule, name: str) -> bool:
    return name == rule.code or name in rule.tags or (name == "*" and rule.account == "invoice")


class Program:
    """``steps``: single rules, and contiguous rules of one pick group, from top to bottom."""

    def __init__(self, price_list: PriceList, books: Books) -> None:
        self.price_list = price_list
        self._codes: dict[tuple[str, ...], frozenset[str]] = {}
        compiled = [self._compile(position, rule, books) for position, rule in enumerate(price_list.rules)]
        self.steps: list[list[Compiled]] = []
        by_group: Callable[[Compiled], Any] = lambda item: item.rule.pick.group if item.rule.pick else item  # noqa: E731
        self.steps.extend(list(members) for _key, members in groupby(compiled, by_group))

    def codes(self, names: tuple[str, ...]) -> frozenset[str]:
        """Selected from all rules of the list."""
        if names not in self._codes:
            self._codes[names] = select(self.price_list.rules, names)
        return self._codes[names]

    def _compile(self, position: int, rule: Rule, books: Books) -> Compiled:
        above = [other for other in self.price_list.rules[:position] if other.code != rule.code]
        on = select(above, rule.on)
        return Compiled(
            rule=rule,
            position=position,
            on=on,
            rows=tuple((row, self._factors(rule, row)) for row in self.price_list.rows_of(rule)),
            unit=unit_of(rule, self.price_list),
            scoped=self._scoped(rule, rule.scope, on, books) if rule.scope else None,
        )

    def _scoped(self, rule: Rule, scope: Scope, on: frozenset[str], books: Books) -> Scoped:
        own = frozenset({rule.code})
        counted = own if scope.on is None else self.codes(scope.on)
        return Scoped(
            exact=books.tally("exact", own, scope),
            posted=books.tally("amount", own, scope),
            quantity=books.tally("quantity", own, scope),
            weight=books.tally("weight", own, scope),
            held=books.tally("quantity", counted, scope),
            base=books.tally("amount", on, scope),
        )

    def _factors(self, rule: Rule, row: Row) -> tuple[Term, ...]:
        """The row's ``adjust`` replaces what the first factor says of the same things."""
        if not row.adjust:
            return rule.factors
        first = rule.factors[0] if rule.factors else Fraction(1)
        if isinstance(first, Ref) and first.kind == "quantity":
            first = self.price_list.quantities[first.name]
        quantity = first if isinstance(first, Quantity) else Quantity((first,))
        changed = replace(quantity, **cast("dict[str, Any]", dict(row.adjust)))
        return (changed, *rule.factors[1:])
