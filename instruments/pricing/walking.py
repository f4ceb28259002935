"""Everything that a rule refers to, however deeply nested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from instruments.pricing.model import (
    AnyOf,
    Comparison,
    Condition,
    Not,
    PriceList,
    Quantity,
    Ref,
    Rule,
    Term,
    Tier,
)


def terms_of_rule(rule: Rule, price_list: PriceList) -> Iterator[Term]:
    """All terms of the rule and of its rows, with the terms that they are made of."""
    yield from terms_in(_given([*rule.factors, rule.rate]))
    yield from _terms_of_tiers(rule.tiers)
    yield from terms_of_condition(rule.when)
    for row in price_list.rows_of(rule):
        adjustments = (value for _key, value in row.adjust if isinstance(value, Quantity | Ref))
        yield from terms_in(_given([row.rate, *adjustments]))
        yield from _terms_of_tiers(row.tiers)
        yield from terms_of_condition(row.when)


def _given(terms: Iterable[Term | None]) -> list[Term]:
    return [term for term in terms if term is not None]


def _terms_of_tiers(tiers: Iterable[Tier]) -> Iterator[Term]:
    for tier in tiers:
        yield from terms_in(_given([tier.rate, tier.pct, tier.flat]))


def terms_in(terms: Iterable[Term]) -> Iterator[Term]:
    """The terms and what they are made of; named quantities are not followed."""
    for term in terms:
        yield term
        if not isinstance(term, Quantity):
            continue
        adjustments = [term.unit, term.free, term.min, term.step, term.tolerance, term.max]
        yield from terms_in([*term.of, *_given(adjustments)])
        if term.history is not None:
            yield from terms_in(_given([term.history.of]))
            yield from terms_of_condition(term.history.when)


def terms_of_condition(condition: Condition) -> Iterator[Term]:
    for part in condition.parts:
        if isinstance(part, Comparison):
            operands = [value for value in part.values if isinstance(value, Ref | Quantity)]
            yield from terms_in([part.ref, *operands])
        elif isinstance(part, AnyOf):
            for option in part.options:
                yield from terms_of_condition(option)
        elif isinstance(part, Not):
            yield from terms_of_condition(part.condition)


def is_timed(quantity: Quantity) -> bool:
    return any(isinstance(term, Ref) and term.kind == "clock" for term in quantity.of)
