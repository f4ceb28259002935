"""The same facts cost the same, in whatever order and in however many pieces they become known.

Promised for running targets (limits, ``mode: all``), continued tiers and the rounding in a scope.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.pricing.engine import price
from instruments.pricing.repricing import reprice
from tests.instruments.pricing.building import SHANGHAI, price_list, record

TIERS = [{"from": 0, "rate": 7.77}, {"over": 5, "rate": 3.33}, {"from": 20, "rate": 1, "flat": 9}]
PERIODS: list[Any] = [
    "day",
    "week",
    "month",
    "year",
    "ever",
    {"unit": "month", "day": 16},
    {"unit": "year", "month": 3},
]


def _rules(period: Any) -> list[dict[str, Any]]:
    scope = {"per": ["person"], "period": period}
    amount = {"code": "a", "qty": ["n"], "rate": 3.337, "scope": scope}
    return [
        amount,
        {"code": "b", "qty": ["n"], "tiers": TIERS, "scope": scope},
        {"code": "c", "qty": ["n"], "tiers": TIERS, "mode": "all", "scope": scope},
        {"code": "cap", "kind": "limit", "limit": "max", "on": ["a", "b"], "rate": 60.5, "scope": scope},
        {"code": "less", "kind": "percent", "on": ["a"], "tiers": [{"from": 0, "rate": 0}, {"from": 30, "rate": -15}],
         "mode": "all", "scope": scope},
    ]  # fmt: skip


AMOUNTS = st.integers(1, 40).map(lambda quarters: Fraction(quarters, 4))
USES = st.lists(st.tuples(AMOUNTS, st.integers(1, 28), st.sampled_from("pq")), min_size=1, max_size=6)


def _records(uses: list[tuple[Fraction, int, str]]) -> list[dict[str, Any]]:
    return [
        record(id=str(number), n=float(amount), at=f"2026-03-{day:02}T09:00", person=person)
        for number, (amount, day, person) in enumerate(uses)
    ]


def _totals(rules: list[dict[str, Any]], records: list[dict[str, Any]]) -> dict[str, Decimal]:
    lines = price(price_list(*rules), records, tz=SHANGHAI).lines
    return {
        rule["code"]: sum((line.amount for line in lines if line.code == rule["code"]), Decimal()) for rule in rules
    }


@pytest.mark.parametrize("period", PERIODS)
@settings(max_examples=30)
@given(data=st.data())
def test_any_order_costs_the_same(period: Any, data: st.DataObject) -> None:
    records = _records(data.draw(USES))
    shuffled = data.draw(st.permutations(records))

    assert _totals(_rules(period), shuffled) == _totals(_rules(period), records)


@settings(max_examples=30)
@given(USES, st.data())
def test_pieces_cost_as_much_as_the_whole(uses: list[tuple[Fraction, int, str]], data: st.DataObject) -> None:
    records = _records(uses)
    parts = data.draw(st.lists(st.integers(1, 4), min_size=len(uses), max_size=len(uses)))

    pieces = [
        {**one, "id": f"{one['id']}.{piece}", "n": float(amount / part)}
        for (one, (amount, _day, _person), part) in zip(records, uses, parts, strict=True)
        for piece in range(part)
    ]

    assert _totals(_rules("month"), pieces) == _totals(_rules("month"), records)


@settings(max_examples=30)
@given(USES, st.data())
def test_late_arrival_costs_the_same_as_a_fresh_run(uses: list[tuple[Fraction, int, str]], data: st.DataObject) -> None:
    found = price_list(*_rules("month"))
    records = _records(uses)
    late = data.draw(st.sampled_from(records))
    known = [one for one in records if one is not late]

    posted = price(found, known, tz=SHANGHAI).lines
    posted += reprice(found, [*known, late], posted, tz=SHANGHAI)

    assert sum(line.amount for line in posted) == price(found, records, tz=SHANGHAI).total()


@settings(max_examples=30)
@given(USES, AMOUNTS)
def test_correction_leads_to_what_the_right_facts_cost(uses: list[tuple[Fraction, int, str]], right: Fraction) -> None:
    found = price_list(*_rules("month"), {"code": "vat", "kind": "percent", "rate": 6})
    records = _records(uses)
    corrected = [{**records[0], "n": float(right)}, *records[1:]]

    posted = price(found, records, tz=SHANGHAI).lines
    posted += reprice(found, corrected, posted, tz=SHANGHAI)

    assert sum(line.amount for line in posted) == price(found, corrected, tz=SHANGHAI).total()
    assert reprice(found, corrected, posted, tz=SHANGHAI) == []
