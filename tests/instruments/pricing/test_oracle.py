"""A naive second opinion on simple lists: minutes counted one by one, money in whole cents."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.instruments.pricing.building import MONTH, priced, record

MONDAY = datetime(2026, 3, 9)
CENT = Decimal("0.01")
STARTS = st.integers(0, 13 * 24 * 60)
LENGTHS = st.integers(0, 30 * 60)
RATES = st.decimals(0, 500, places=2)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def _peak_minutes(start: int, length: int) -> int:
    moments = (MONDAY + timedelta(minutes=start + minute) for minute in range(length))
    return sum(1 for moment in moments if moment.isoweekday() <= 5 and 9 <= moment.hour < 17)


def _session(number: int, start: int, length: int) -> dict[str, Any]:
    begin = MONDAY + timedelta(minutes=start)
    times = [[begin.isoformat(), (begin + timedelta(minutes=length)).isoformat()]]
    return record(id=str(number), at=begin.isoformat(), booked=times)


@settings(max_examples=60)
@given(STARTS, LENGTHS, RATES, RATES)
def test_peak_and_off_peak(start: int, length: int, peak: Decimal, off: Decimal) -> None:
    rules = (
        {"qty": [{"of": "booked", "band": "peak"}], "rate": peak},
        {"qty": [{"of": "booked", "band": "!peak"}], "rate": off},
    )

    inside = _peak_minutes(start, length)
    expected = _cents(peak * inside / 60) + _cents(off * (length - inside) / 60)

    assert priced(*rules, records=[_session(0, start, length)]).total() == expected


@settings(max_examples=60)
@given(LENGTHS, RATES, st.sampled_from([6, 15, 30, 60]), st.integers(0, 4))
def test_step_and_minimum(length: int, rate: Decimal, step: int, least: int) -> None:
    rule = {"qty": [{"of": "booked", "min": least, "step": Decimal(step) / 60}], "rate": rate}

    minutes = max(length, least * 60) if length else 0
    steps = (Decimal(minutes) / step).to_integral_value(rounding=ROUND_CEILING)
    expected = _cents(rate * steps * step / 60)

    assert priced(rule, records=[_session(0, 600, length)]).total() == expected


@settings(max_examples=60)
@given(st.lists(st.tuples(STARTS, LENGTHS), min_size=1, max_size=8), RATES, RATES, st.integers(-50, 50))
def test_cap_and_tax(sessions: list[tuple[int, int]], rate: Decimal, cap: Decimal, tax: int) -> None:
    rules = (
        {"qty": ["booked"], "rate": rate},
        {"kind": "limit", "limit": "max", "rate": cap, "scope": MONTH},
        {"kind": "percent", "rate": tax},
    )
    records = [_session(number, *session) for number, session in enumerate(sessions)]

    charged, billed = Decimal(0), Decimal(0)
    for _start, length in sessions:
        before = min(charged, cap)
        charged += _cents(rate * length / 60)
        net = min(charged, cap) - before
        billed += net + _cents(net * tax / 100)

    assert priced(*rules, records=records).total() == billed


@settings(max_examples=60)
@given(st.integers(0, 60), st.booleans())
def test_price_by_count(samples: int, whole: bool) -> None:
    prices = [(0, 200), (4, 160), (20, 99)]
    tiers = [{"from": start, "rate": rate} for start, rate in prices]
    rule = {"qty": ["samples"], "tiers": tiers, "mode": "all" if whole else "marginal"}

    def rate_of(number: int) -> int:
        return next(rate for start, rate in reversed(prices) if start <= number)

    # The k-th unit lies between k-1 and k: it has the price of the tier in force at k-1.
    expected = samples * rate_of(samples) if whole else sum(rate_of(number) for number in range(samples))

    assert priced(rule, records=[record(samples=samples)]).total() == expected
