"""How much: clocks, attributes and histories, adjusted in the fixed order unit → free → min → step → max.

Time counts in hours. Nothing stays nothing: no minimum, step or maximum applies to zero or less.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

from backend.core.periods import Period, hours, intersect, merge
from instruments.pricing.facts import Facts
from instruments.pricing.model import Quantity, Ref, Term
from instruments.pricing.records import as_number

NOTHING = Fraction(0)
LONGEST_HOURS = 87_600


def value_of(term: Term, facts: Facts) -> Fraction:
    """An absent attribute counts 0, true counts 1."""
    if isinstance(term, Fraction):
        return term
    return _value_of_ref(term, facts) if isinstance(term, Ref) else _value_of_quantity(term, facts)


def _value_of_ref(ref: Ref, facts: Facts) -> Fraction:
    match ref.kind:
        case "quantity":
            return _value_of_quantity(facts.price_list.quantities[ref.name], facts)
        case "clock":
            return hours(facts.clock(ref.name))
        case "sum":
            return facts.ledger.sum_of_lines(ref.name)
        case "notice_days":
            return facts.notice_days
        case _:
            return as_number(facts.attribute(ref.name))


def _value_of_quantity(quantity: Quantity, facts: Facts) -> Fraction:
    if quantity.history is not None:
        return adjusted(facts.ledger.history(quantity.history, facts), quantity, facts)
    timed = [term for term in quantity.of if isinstance(term, Ref) and term.kind == "clock"]
    if not timed or not (quantity.band or quantity.each or quantity.count):
        return adjusted(sum((value_of(term, facts) for term in quantity.of), NOTHING), quantity, facts)
    rest = sum((value_of(term, facts) for term in quantity.of if term not in timed), NOTHING)
    if quantity.count:
        count = sum(_count(quantity, facts.clock(ref.name), facts) for ref in timed)
        return adjusted(count + rest, quantity, facts)
    if quantity.each:
        pieces = [hours(piece) for ref in timed for piece in _pieces(quantity, facts.clock(ref.name), facts)]
        return sum((adjusted(piece, quantity, facts) for piece in pieces), adjusted(rest, quantity, facts))
    if quantity.whole:
        return sum((_cut_whole(quantity, facts.clock(ref.name), facts) for ref in timed), rest)
    inside = sum((_inside(quantity, facts.clock(ref.name), facts) for ref in timed), rest)
    return adjusted(inside, quantity, facts)


def adjusted(value: Fraction, quantity: Quantity, facts: Facts) -> Fraction:
    """``value`` after unit, free, min, step and max; an absent unit leaves nothing to charge."""
    if quantity.unit is not None:
        unit = value_of(quantity.unit, facts)
        value = value / unit if unit else NOTHING
    if quantity.free is not None and value > 0:
        value = max(NOTHING, value - value_of(quantity.free, facts))
    if value <= 0:
        return value
    if quantity.min is not None:
        value = max(value, value_of(quantity.min, facts))
    if quantity.step is not None:
        value = _stepped(value, quantity, facts)
    if quantity.max is not None:
        value = min(value, value_of(quantity.max, facts))
    return value


def _stepped(value: Fraction, quantity: Quantity, facts: Facts) -> Fraction:
    assert quantity.step is not None
    step = value_of(quantity.step, facts)
    if step <= 0:
        return value
    whole, rest = divmod(value, step)
    if quantity.dir == "nearest":
        return step * (whole + (1 if 2 * rest >= step else 0))
    tolerance = NOTHING if quantity.tolerance is None else value_of(quantity.tolerance, facts)
    return step * (whole + (1 if quantity.dir == "up" and rest > tolerance else 0))


def _inside(quantity: Quantity, periods: tuple[Period, ...], facts: Facts) -> Fraction:
    return hours(periods) if quantity.band is None else hours(facts.within(quantity.band, periods))


def _pieces(quantity: Quantity, periods: tuple[Period, ...], facts: Facts) -> list[list[Period]]:
    """The time in each occurrence of the band; without a band, each stretch of time by itself."""
    if quantity.band is None:
        return [[period] for period in periods]
    found = (intersect(periods, [occurrence]) for occurrence in facts.occurrences(quantity.band, periods))
    return [piece for piece in found if piece]


def _count(quantity: Quantity, periods: tuple[Period, ...], facts: Facts) -> int:
    return len(_pieces(quantity, periods, facts))


def _cut_whole(quantity: Quantity, periods: tuple[Period, ...], facts: Facts) -> Fraction:
    """Adjusts the whole time first: free time goes off its beginning, the rest is moved at its end."""
    wanted = adjusted(hours(periods), quantity, facts)
    if wanted <= 0:
        return wanted
    unit = Fraction(1) if quantity.unit is None else value_of(quantity.unit, facts)
    free = NOTHING if quantity.free is None else value_of(quantity.free, facts) * unit
    charged = tuple(merge(_ending_after(_without_first(periods, _time(free)), _time(wanted * unit))))
    return _inside(quantity, charged, facts) / unit


def _without_first(periods: Sequence[Period], skipped: timedelta) -> list[Period]:
    left: list[Period] = []
    for period in periods:
        gone = min(skipped, period.duration)
        skipped -= gone
        if gone < period.duration:
            left.append(Period(period.start + gone, period.end))
    return left


def _ending_after(periods: Sequence[Period], length: timedelta) -> list[Period]:
    """The periods up to that length in all; the last one is made longer if they do not reach it."""
    left: list[Period] = []
    for period in periods:
        left.append(Period(period.start, min(period.end, period.start + length)))
        length -= left[-1].duration
    last = left.pop()
    return [*left, Period(last.start, last.end + length)]


def _time(value: Fraction) -> timedelta:
    """Hours as a duration, to the microsecond; none is longer than ten years."""
    return timedelta(microseconds=round(min(value, Fraction(LONGEST_HOURS)) * 3_600_000_000))
