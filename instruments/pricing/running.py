"""Runs the rules of a price list on one record, from top to bottom; percentages and pick groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from backend.core.errors import Refusal
from backend.core.money import round_half_up
from instruments.pricing import reasons
from instruments.pricing.charging import HUNDRED, NOTHING, Terms, charge_limit, charge_price, terms_of
from instruments.pricing.conditions import holds
from instruments.pricing.ladders import Part, marginal, reached
from instruments.pricing.lines import ChargeLine, sum_of
from instruments.pricing.program import Compiled, Scoped
from instruments.pricing.session import Charge, Session


def run_steps(session: Session, steps: Iterable[Sequence[Compiled]]) -> None:
    for step in steps:
        if step[0].rule.pick is None:
            charge_rule(session, step[0])
        else:
            _settle_group(session, step)


def charge_rule(session: Session, item: Compiled) -> None:
    """Posts the line of the rule, if it comes to one."""
    if not holds(item.rule.when, session.facts):
        return
    if session.is_hypothetical and item.rule.as_if:
        return  # a what-if inside a what-if would be a cancellation of the cancelled
    terms = terms_of(session, item)
    if terms is None:
        return
    if item.rule.kind == "price":
        charge_price(session, item, terms)
    elif item.rule.kind == "limit":
        charge_limit(session, item, terms)
    else:
        _charge_percent(session, item, terms)


def _charge_percent(session: Session, item: Compiled, terms: Terms) -> None:
    """A share of posted amounts: of this record or, with tiers or ``mode: all``, of the whole scope."""
    rule, scoped = item.rule, item.scoped
    running = scoped if (terms.steps or rule.mode == "all") and not rule.as_if else None
    if running is not None:
        base = running.base.total(running.base.place(session.facts))
    else:
        base = _base_as_if(session, item) if rule.as_if else session.sum_of_codes(item.on)
    rate = terms.rate * terms.quantity
    parts = _percent_parts(session, item, terms, base, running) if terms.steps else []
    amount = sum((part.quantity * part.rate / HUNDRED + part.flat for part in parts), NOTHING)
    if not terms.steps:
        amount = base * rate / HUNDRED
    elif base:
        rate = amount * HUNDRED / base
    charge = Charge(rate, amount, quantity=terms.quantity if terms.values else NOTHING)
    if running is not None:
        charge = replace(charge, increment=NOTHING, target=amount)
    posting = session.settle(item, charge)
    if posting.amount or (base and running is None):
        session.post(item, charge, posting, reasons.percentage(session, item, posting, parts, rate, base))
    else:
        session.count(item, charge)


def _percent_parts(
    session: Session, item: Compiled, terms: Terms, base: Fraction, running: Scoped | None
) -> list[Part]:
    """Money by percentage. The tiers run over quantities where the rule names some, else over the money."""
    measure = _measure(session, item, terms, base, running)
    if item.rule.mode == "all":
        step = reached(terms.steps, measure)
        return [] if step is None else [Part(base, step.rate, step.flat)]
    parts = marginal(terms.steps, NOTHING, measure)
    return [replace(part, quantity=part.quantity * base / measure) for part in parts] if measure else []


def _measure(session: Session, item: Compiled, terms: Terms, base: Fraction, running: Scoped | None) -> Fraction:
    if running is None:
        return terms.quantity if terms.values else base
    place = running.held.place(session.facts)
    if item.rule.scope is not None and item.rule.scope.on is not None:
        return running.held.total(place)
    return running.quantity.total(place) + terms.quantity if terms.values else base


def _base_as_if(session: Session, item: Compiled) -> Fraction:
    """What the rules above would charge if the record were another; nothing of it stays posted."""
    other = session.as_if(item.rule.as_if)
    mark = session.journal.mark()
    for step in session.program.steps:
        above = [rule for rule in step if rule.position < item.position]
        if item not in step:
            run_steps(other, [above] if above else [])
            continue
        for rule in above:
            if rule.rule.pick == item.rule.pick:
                charge_rule(other, rule)
    session.journal.take_back(mark)
    return other.sum_of_codes(item.on)


def _settle_group(session: Session, group: Sequence[Compiled]) -> None:
    """Tries every option, takes back what it wrote, and runs the chosen one for good."""
    options: dict[str, list[Compiled]] = {}
    for item in group:
        assert item.rule.pick is not None
        options.setdefault(item.rule.pick.option, []).append(item)
    trials = {option: _tried(session, items) for option, items in options.items()}
    priced = {option: lines for option, (lines, _refusals) in trials.items() if lines}
    if not priced:
        for _lines, refusals in trials.values():
            session.refusals.extend(refusals)
        return
    chosen = _chosen(group, priced)
    before = len(session.lines)
    for item in options[chosen]:
        charge_rule(session, item)
    _name_alternative(session, group, before, chosen, priced)


def _tried(session: Session, items: Sequence[Compiled]) -> tuple[list[ChargeLine], list[Refusal]]:
    mark, lines, refusals = session.journal.mark(), len(session.lines), len(session.refusals)
    for item in items:
        charge_rule(session, item)
    result = session.lines[lines:], session.refusals[refusals:]
    del session.lines[lines:], session.refusals[refusals:]
    session.journal.take_back(mark)
    return result


def _total(lines: Sequence[ChargeLine]) -> Fraction:
    return sum_of(line.amount for line in lines)


def _take(group: Sequence[Compiled]) -> str:
    pick = group[0].rule.pick
    assert pick is not None
    return pick.take


def _chosen(group: Sequence[Compiled], priced: dict[str, list[ChargeLine]]) -> str:
    """The first of equals."""
    match _take(group):
        case "first":
            return next(iter(priced))
        case "lowest":
            return min(priced, key=lambda option: _total(priced[option]))
        case _:
            return max(priced, key=lambda option: _total(priced[option]))


def _name_alternative(
    session: Session, group: Sequence[Compiled], before: int, chosen: str, priced: dict[str, list[ChargeLine]]
) -> None:
    """The next best option, on every line of the chosen one."""
    others = {option: lines for option, lines in priced.items() if option != chosen}
    if not others:
        return
    lines = others[_chosen(group, others)]
    names = " + ".join(dict.fromkeys(line.name for line in lines))
    amount = round_half_up(_total(lines), session.places)
    for position in range(before, len(session.lines)):
        line = session.lines[position]
        session.lines[position] = replace(line, why=reasons.alternative(line.why, _take(group), names, amount))
