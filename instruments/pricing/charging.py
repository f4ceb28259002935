"""Prices and limits on one record: first row → quantities → tiers → money → line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from instruments.pricing import reasons
from instruments.pricing.conditions import holds
from instruments.pricing.facts import Facts
from instruments.pricing.ladders import Part, Step, all_at_one, cost, marginal, reached
from instruments.pricing.model import Rule, Term, Tier
from instruments.pricing.program import Compiled, Scoped
from instruments.pricing.quantities import value_of
from instruments.pricing.session import Charge, Session
from instruments.pricing.units import unit_of_term
from instruments.pricing.wording import terminating

NOTHING, ONE, HUNDRED = Fraction(0), Fraction(1), Fraction(100)


@dataclass(frozen=True, slots=True)
class Terms:
    """The numbers of the row that applies. ``shares`` are those of the steps that are a share of ``rate``."""

    rate: Fraction
    steps: tuple[Step, ...]
    shares: tuple[Fraction | None, ...]
    values: tuple[Fraction, ...]
    units: tuple[str, ...]

    @property
    def quantity(self) -> Fraction:
        return prod(self.values, start=ONE)


def terms_of(session: Session, item: Compiled) -> Terms | None:
    """None, and a refusal if the rule is required, where no row applies."""
    rule, facts = item.rule, session.facts
    rate, tiers, factors = rule.rate, rule.tiers, rule.factors
    if item.rows:
        found = next(((row, terms) for row, terms in item.rows if holds(row.when, facts)), None)
        if found is not None:
            row, factors = found
            rate, tiers = (rate if row.rate is None else row.rate), (row.tiers or tiers)
        elif rate is None:
            if rule.required:
                session.not_offered(rule)
            return None
    base = None if rate is None else value_of(rate, facts)
    steps, shares = _steps(rule, tiers, base, facts)
    return Terms(
        rate=NOTHING if base is None else base,
        steps=steps,
        shares=shares,
        values=tuple(value_of(term, facts) for term in factors),
        units=tuple(unit_of_term(term, session.program.price_list) for term in factors),
    )


def _steps(
    rule: Rule, tiers: tuple[Tier, ...], base: Fraction | None, facts: Facts
) -> tuple[tuple[Step, ...], tuple[Fraction | None, ...]]:
    """Below the first tier the price is the rule's own, if it has one."""
    steps: list[Step] = []
    shares: list[Fraction | None] = []
    if tiers and tiers[0].bound > 0 and base is not None:
        steps.append(Step(NOTHING, strict=False, rate=base, flat=NOTHING))
        shares.append(ONE)
    for tier in tiers:
        share = None if tier.pct is None or rule.kind == "percent" else value_of(tier.pct, facts) / HUNDRED
        rate = _number(tier.rate if tier.pct is None else tier.pct, facts)
        rate = rate if share is None else (base or NOTHING) * share
        steps.append(Step(tier.bound, tier.strict, rate, _number(tier.flat, facts)))
        shares.append(share)
    return tuple(steps), tuple(shares)


def _number(term: Term | None, facts: Facts) -> Fraction:
    return NOTHING if term is None else value_of(term, facts)


def charge_price(session: Session, item: Compiled, terms: Terms) -> None:
    if item.scoped is not None:
        if item.rule.mode == "all":
            _charge_all_in_scope(session, item, item.scoped, terms)
        else:
            _charge_continued(session, item, item.scoped, terms)
        return
    first, rest = (terms.values[0], terms.values[1:]) if terms.values else (ONE, ())
    parts = [Part(first, terms.rate, NOTHING)]
    if terms.steps:
        parts = all_at_one(terms.steps, first) if item.rule.mode == "all" else marginal(terms.steps, NOTHING, first)
    amount = cost(parts) * prod(rest, start=ONE)
    factors = list(zip(rest, terms.units[1:], strict=True))
    charge = Charge(terms.quantity, amount, quantity=terms.quantity, weight=terms.quantity * terms.rate)
    _post_price(session, item, terms, charge, parts, factors)


def _charge_continued(session: Session, item: Compiled, scoped: Scoped, terms: Terms) -> None:
    """Tiers go on from what the scope holds; without tiers only the rounding is shared."""
    quantity = terms.quantity
    parts, held = [Part(quantity, terms.rate, NOTHING)], None
    if terms.steps:
        held = scoped.held.total(scoped.held.place(session.facts))
        parts = marginal(terms.steps, held, held + quantity)
    charge = Charge(quantity, cost(parts), quantity=quantity, weight=quantity * terms.rate)
    _post_price(session, item, terms, charge, parts, [], held)


def _charge_all_in_scope(session: Session, item: Compiled, scoped: Scoped, terms: Terms) -> None:
    """Everything in the scope at the price now reached, less what is posted."""
    place = scoped.held.place(session.facts)
    quantity, weight = terms.quantity, terms.quantity * terms.rate
    in_all = scoped.quantity.total(place) + quantity
    part = Part(in_all, terms.rate, NOTHING)
    if terms.steps:
        part = _part_at_reached(terms, scoped.held.total(place) + quantity, in_all, scoped.weight.total(place) + weight)
    charge = Charge(quantity, target=part.cost, quantity=quantity, weight=weight)
    _post_price(session, item, terms, charge, [part], [])


def _part_at_reached(terms: Terms, held: Fraction, in_all: Fraction, weight: Fraction) -> Part:
    """Percentages apply to what the units cost at full price, which may differ from record to record."""
    step = reached(terms.steps, held)
    if step is None:
        return Part(in_all, NOTHING, NOTHING)
    share = terms.shares[terms.steps.index(step)]
    rate = weight * share / in_all if share is not None and in_all else step.rate
    return Part(in_all, rate, step.flat)


def _post_price(
    session: Session,
    item: Compiled,
    terms: Terms,
    charge: Charge,
    parts: list[Part],
    factors: list[tuple[Fraction, str]],
    held: Fraction | None = None,
) -> None:
    posting = session.settle(item, charge)
    if not charge.shown and not posting.amount:
        return
    if posting.before is None and len(parts) == 1 and not parts[0].flat:
        charge = replace(charge, unit_price=terminating(parts[0].rate, session.places))
    session.post(item, charge, posting, reasons.price(session, item, posting, parts, factors, held))


def charge_limit(session: Session, item: Compiled, terms: Terms) -> None:
    """What the lines come to beyond the bound is given back, what they lack is added."""
    rule, facts = item.rule, session.facts
    bound = terms.rate * terms.quantity
    if item.scoped is not None:
        total = item.scoped.base.total(item.scoped.base.place(facts))
    elif any(line.code in item.on for line in session.lines):
        total = session.sum_of_codes(item.on)
    else:
        return
    gap = min(NOTHING, bound - total) if rule.limit == "max" else max(NOTHING, bound - total)
    charge = Charge(ONE, target=gap)
    posting = session.settle(item, charge)
    if posting.amount:
        session.post(item, charge, posting, reasons.limit(session, item, posting, total, bound))
