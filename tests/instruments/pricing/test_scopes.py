"""Parties and periods: running targets, continued tiers, rounding, histories, versions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from backend.core.errors import Invalid
from instruments.pricing.engine import answer, in_force, price
from tests.instruments.pricing.building import MONTH, SHANGHAI, amounts, price_list, priced, record

TIERS = [{"from": 0, "rate": 10}, {"from": 5, "rate": 4}]


def _uses(*numbers: float, **given: Any) -> list[dict[str, Any]]:
    return [record(id=str(position), n=number, **given) for position, number in enumerate(numbers)]


def _column(code: str, *rules: dict[str, Any], records: list[dict[str, Any]]) -> list[str]:
    return [str(line.amount) for line in priced(*rules, records=records).lines if line.code == code]


def test_tiers_continue_from_what_the_scope_holds() -> None:
    rule = {"qty": ["n"], "tiers": TIERS, "scope": MONTH}

    assert _column("r1", rule, records=_uses(3, 3, 3)) == ["30.00", "24.00", "12.00"]
    lines = priced(rule, records=_uses(3, 3)).lines
    assert lines[1].why == "r1: after 3 n before, 2 n × 10.00 + 1 n × 4.00 = 24.00"


def test_party_and_period_have_their_own_count() -> None:
    rule = {"qty": ["n"], "tiers": TIERS, "scope": MONTH}
    records = [
        record(id="1", n=5),
        record(id="2", n=5, person="q"),
        record(id="3", n=5, at="2026-04-01T00:00"),
        record(id="4", n=1, at="2026-03-31T23:59"),
    ]

    assert _column("r1", rule, records=records) == ["50.00", "50.00", "50.00", "4.00"]


def test_all_units_are_adjusted_when_the_tier_changes() -> None:
    rule = {"qty": ["n"], "tiers": TIERS, "scope": MONTH, "mode": "all"}

    assert _column("r1", rule, records=_uses(4, 1, 1)) == ["40.00", "-20.00", "4.00"]
    assert priced(rule, records=_uses(4, 1)).lines[1].why == (
        "r1: 5 n × 4.00 = 20.00 in all, less 40.00 posted before = -20.00"
    )


def test_all_units_without_tiers_follow_the_present_price() -> None:
    rule = {"qty": ["n"], "rate": "price", "scope": MONTH, "mode": "all"}

    assert _column("r1", rule, records=[record(id="1", n=2, price=10), record(id="2", n=1, price=8)]) == [
        "20.00",
        "4.00",
    ]


def test_shares_of_different_prices_are_adjusted_together() -> None:
    rule = {
        "qty": ["n"],
        "rows": [{"when": {"audience": "in"}, "rate": 10}, {"rate": 20}],
        "tiers": [{"from": 0, "pct": 100}, {"from": 4, "pct": 50}],
        "scope": MONTH,
        "mode": "all",
    }
    records = [record(id="1", n=2, audience="in"), record(id="2", n=2)]

    assert _column("r1", rule, records=records) == ["20.00", "10.00"]


def test_nothing_new_posts_what_is_still_due() -> None:
    first = {"code": "a", "qty": ["n"], "tiers": TIERS, "mode": "all", "scope": {**MONTH, "on": ["a", "b"]}}
    second = {"code": "b", "qty": ["m"], "rate": 1, "scope": MONTH}
    records = [record(id="1", n=2, m=9), record(id="2", n=0), record(id="3", n=0)]

    assert amounts(priced(first, second, records=records)) == [
        ("1", "a", Decimal("20.00")),
        ("1", "b", Decimal("9.00")),
        ("2", "a", Decimal("-12.00")),
        ("3", "", Decimal("0.00")),
    ]


def test_scope_may_count_other_rules_also_below() -> None:
    on = {**MONTH, "on": ["t"]}
    first = {"code": "a", "tags": ["t"], "qty": ["n"], "tiers": TIERS, "scope": on}
    second = {"code": "b", "tags": ["t"], "qty": ["m"], "tiers": TIERS, "scope": on}

    pricing = priced(first, second, records=[record(id="1", n=3, m=3), record(id="2", n=1)])

    assert [str(line.amount) for line in pricing.lines] == ["30.00", "24.00", "4.00"]


def test_below_the_first_tier_of_a_scope_is_free() -> None:
    rule = {"qty": ["n"], "tiers": [{"from": 3, "rate": 10}], "scope": MONTH, "mode": "all"}

    assert _column("r1", rule, records=_uses(2, 1)) == ["0.00", "30.00"]


def test_cents_do_not_drift_in_a_scope() -> None:
    rule = {"qty": ["n"], "rate": 10, "scope": MONTH}
    third = float(Fraction(1, 3))

    assert _column("r1", rule, records=_uses(third, third, third)) == ["3.33", "3.34", "3.33"]
    assert _column("r1", {"qty": ["n"], "rate": 10}, records=_uses(third, third, third)) == ["3.33"] * 3


def test_halves_round_away_from_zero() -> None:
    assert _column("r1", {"qty": ["n"], "rate": 1}, records=_uses(0.005, -0.005, 0.015)) == ["0.01", "-0.01", "0.02"]


def test_cap_gives_back_what_is_too_much() -> None:
    rules = ({"qty": ["n"], "rate": 1}, {"kind": "limit", "limit": "max", "rate": 100, "scope": MONTH})

    assert _column("r2", *rules, records=_uses(80, 30, 10, -15)) == ["-10.00", "-10.00", "15.00"]


def test_least_fee_comes_with_the_end_of_the_period() -> None:
    rules = (
        {"code": "time", "qty": ["n"], "rate": 1, "when": {"event": "use"}},
        {"kind": "limit", "limit": "min", "on": ["time"], "rate": 50, "scope": MONTH, "when": {"event": "period_end"}},
    )
    end = record(id="end", event="period_end", at="2026-03-31T23:59")

    assert _column("r2", *rules, records=[*_uses(20), end]) == ["30.00"]
    assert _column("r2", *rules, records=[*_uses(60), end]) == []
    assert _column("r2", *rules, records=[end]) == ["50.00"]


def test_discount_on_the_whole_period() -> None:
    time = {"code": "time", "qty": ["n"], "rate": 1}
    ladder = [{"from": 0, "rate": 0}, {"from": 100, "rate": -10}]
    percent = {"kind": "percent", "on": ["time"], "tiers": ladder, "scope": MONTH}

    assert _column("r2", time, {**percent, "mode": "all"}, records=_uses(60, 60, 10)) == ["-12.00", "-1.00"]
    assert _column("r2", time, percent, records=_uses(60, 60, 10)) == ["-2.00", "-1.00"]


def test_discount_by_the_quantity_of_the_period() -> None:
    time = {"code": "time", "qty": ["n"], "rate": 3}
    ladder = [{"from": 0, "rate": 0}, {"over": 10, "rate": -10}]
    counted = {"kind": "percent", "on": ["time"], "tiers": ladder, "mode": "all", "scope": {**MONTH, "on": ["time"]}}
    own = {"kind": "percent", "on": ["time"], "tiers": ladder, "mode": "all", "scope": MONTH, "qty": ["n"]}

    assert _column("r2", time, counted, records=_uses(10, 1)) == ["-3.30"]
    assert _column("r2", time, own, records=_uses(6, 6)) == ["-3.60"]


def test_percentage_with_a_scope_shares_its_rounding() -> None:
    rules = ({"rate": 0.33}, {"kind": "percent", "rate": 10, "scope": MONTH})

    assert _column("r2", *rules, records=_uses(0, 0, 0)) == ["0.03", "0.04", "0.03"]


def test_without_a_party_the_record_is_one_of_its_own_and_production_is_told() -> None:
    rules = ({"qty": ["n"], "rate": 1}, {"kind": "limit", "limit": "max", "rate": 100, "scope": MONTH, "name": "Cap"})
    pricing = priced(*rules, records=_uses(80, 120, person=None))

    assert [str(line.amount) for line in pricing.lines] == ["80.00", "120.00", "-20.00"]
    assert [(refusal.code, refusal.detail) for refusal in pricing.refusals] == [
        ("party_missing", "Cap: it must be known whose it is (person).")
    ]


def test_scope_of_one_use_needs_no_party() -> None:
    rules = ({"rate": 1}, {"kind": "percent", "rate": 50, "scope": {"per": ["person"], "period": "use"}})

    assert priced(*rules, records=[record(person=None)]).refusals == []


def test_scope_of_one_use() -> None:
    rules = ({"qty": ["n"], "rate": 1}, {"kind": "limit", "limit": "max", "rate": 5, "scope": {"period": "use"}})

    assert _column("r2", *rules, records=_uses(6, 7)) == ["-1.00", "-2.00"]


def test_rolling_period_looks_back_from_each_start() -> None:
    scope = {"per": ["person"], "period": {"unit": "rolling", "days": 7}}
    rule = {"qty": ["n"], "tiers": TIERS, "scope": scope}
    days = ["2026-03-01", "2026-03-07", "2026-03-08", "2026-03-07"]
    records = [record(id=str(n), n=5, at=f"{day}T09:00") for n, day in enumerate(days)]

    assert _column("r1", rule, records=records) == ["50.00", "20.00", "20.00", "20.00"]


def test_history_counts_earlier_records_of_the_party() -> None:
    quantities = {"earlier": {"history": {"when": {"event": "training"}, "per": ["person"]}}}
    rule = {"rate": 10, "when": {"earlier": {">=": 1}}}
    records = [
        record(id="1", event="training"),
        record(id="2", event="training", person="q"),
        record(id="3"),
        record(id="4", person="r"),
    ]

    assert amounts(priced(rule, records=records, quantities=quantities))[2] == ("3", "r1", Decimal("10.00"))
    assert str(priced(rule, records=records, quantities=quantities).total()) == "10.00"


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ({}, ["0", "1", "2", "0"]),
        ({"now": True}, ["1", "2", "3", "1"]),
        ({"sum": "n"}, ["0", "2", "5", "0"]),
        ({"sum": "n", "now": True, "times": -2}, ["-4", "-10", "-18", "-10"]),
        ({"amount": ["*"]}, ["0", "20", "50", "0"]),
        ({"amount": ["r1"], "now": True}, ["20", "50", "90", "50"]),
        ({"previous": True}, ["0", "0", "0", "3"]),
        ({"previous": True, "sum": {"of": "n", "free": 2}, "now": True}, ["0", "0", "0", "3"]),
        ({"when": {"n": {">": 2}}, "now": True}, ["0", "1", "2", "1"]),
    ],
)
def test_history_of_a_month(history: dict[str, Any], expected: list[str]) -> None:
    quantities = {"h": {"history": {"per": ["person"], "period": "month", **history}}}
    records = [*_uses(2, 3, 4), record(id="april", n=5, at="2026-04-02T09:00")]
    pricing = priced(
        {"qty": ["n"], "rate": 10}, {"rate": "h", "account": "memo"}, records=records, quantities=quantities
    )

    assert [str(line.amount) for line in pricing.lines if line.code == "r2"] == [f"{n}.00" for n in expected]


def test_history_of_a_rolling_period_and_the_one_before() -> None:
    rolling = {"unit": "rolling", "days": 10}
    quantities = {
        "last": {"history": {"per": ["person"], "period": rolling}},
        "before": {"history": {"per": ["person"], "period": rolling, "previous": True}},
    }
    days = ["2026-03-01", "2026-03-08", "2026-03-11", "2026-03-18"]
    records = [record(id=day, at=f"{day}T09:00") for day in days]
    pricing = priced({"rate": "last"}, {"rate": "before"}, records=records, quantities=quantities)

    assert [line.amount for line in pricing.lines if line.code == "r1"] == [Decimal(n) for n in ("0", "1", "1", "1")]
    assert [line.amount for line in pricing.lines if line.code == "r2"] == [Decimal(n) for n in ("0", "0", "1", "2")]


def test_history_sums_the_quantity_that_it_stands_in() -> None:
    quantities = {"h": {"of": "n", "history": {"per": ["person"]}, "step": 10}}

    assert _values("h", quantities, _uses(2, 3, 1)) == 10


def _values(name: str, quantities: dict[str, Any], records: list[dict[str, Any]]) -> Fraction:
    return answer(price_list({"rate": 1}, quantities=quantities), records, name, tz=SHANGHAI)


def test_answer_is_the_quantity_after_the_last_record() -> None:
    left = {"left": {"history": {"per": ["person"], "amount": ["*"], "times": -1, "now": True}}}

    assert _values("left", left, _uses(1, 2)) == -2


def test_answer_may_be_a_sum_of_lines_on_any_account() -> None:
    found = price_list({"rate": 3, "account": "credit", "tags": ["t"]}, {"rate": 4})
    records = [record(id="1", history=True), record(id="2"), record(id="3")]

    assert answer(found, records, "sum:t", tz=SHANGHAI) == 6


def test_answer_to_an_unknown_question_is_invalid() -> None:
    with pytest.raises(Invalid):
        answer(price_list({"rate": 3}), [record()], "unknown", tz=SHANGHAI)
    with pytest.raises(Invalid):
        _values("h", {"h": {"of": "n"}}, [])


def test_history_counts_but_is_not_in_the_total() -> None:
    found = price_list({"qty": ["n"], "tiers": TIERS, "scope": MONTH})
    first, second = record(id="1", n=5), record(id="2", n=1)

    passed = price(found, [second], tz=SHANGHAI, history=[first])
    marked = price(found, [{**first, "history": True}, second], tz=SHANGHAI)

    assert amounts(passed) == amounts(marked) == [("2", "r1", Decimal("4.00"))]


def test_version_in_force_on_the_start_date_applies_and_scopes_run_on() -> None:
    rule = {"code": "n", "qty": ["n"], "rate": 10}
    cap = {"code": "cap", "kind": "limit", "limit": "max", "rate": 100, "scope": {"per": ["person"], "period": "year"}}
    quantities = {"uses": {"history": {"per": ["person"], "now": True}}}
    old = price_list(rule, cap, quantities=quantities)
    new = price_list({**rule, "rate": 20}, cap, {"code": "m", "rate": "uses", "account": "memo"},
                     valid_from="2026-04-01", quantities=quantities)  # fmt: skip
    records = [record(id="1", n=7), record(id="2", n=3, at="2026-04-01T00:00"), record(id="3", n=1)]

    assert amounts(price([new, old], records, tz=SHANGHAI)) == [
        ("1", "n", Decimal("70.00")),
        ("2", "n", Decimal("60.00")),
        ("2", "cap", Decimal("-30.00")),
        ("2", "m", Decimal("2.00")),
        ("3", "n", Decimal("10.00")),
        ("3", "cap", Decimal("-10.00")),
    ]


def test_before_all_versions_the_earliest_applies() -> None:
    late, later = price_list({"rate": 1}, valid_from="2027-01-01"), price_list({"rate": 2}, valid_from="2028-01-01")

    assert in_force([later, late], late.valid_from or later.valid_from) is late  # type: ignore[arg-type]
    assert price([later, late], [record()], tz=SHANGHAI).total() == 1
