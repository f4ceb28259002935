"""Prices, percentages, limits, choices: what each kind of rule posts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.instruments.pricing.building import MONTH, amounts, booked, priced, record

TIERS = [{"from": 0, "rate": 20}, {"from": 10, "rate": 15}]


def _charged(*rules: dict[str, Any], **given: Any) -> list[str]:
    return [str(line.amount) for line in priced(*rules, records=[record(**given)]).lines]


def test_price_multiplies_its_factors() -> None:
    line = priced({"qty": ["samples", "points"], "rate": 12.5}, records=[record(samples=3, points=8)]).lines[0]

    assert (line.quantity, line.unit, line.unit_price, line.amount) == (
        24,
        "sample",
        Decimal("12.50"),
        Decimal("300.00"),
    )
    assert line.why == "r1: 3 samples × 8 points × 12.50 = 300.00"


def test_fixed_fee_needs_no_quantity() -> None:
    line = priced({"rate": 58, "name": "Set-up"}).lines[0]

    assert (line.quantity, line.unit, line.amount, line.why) == (1, "use", Decimal("58.00"), "Set-up: 58.00")


def test_first_matching_row_counts_and_the_rate_is_the_default() -> None:
    rows = [{"when": {"audience": "in"}, "rate": 1}, {"when": {"samples": 3}, "rate": 2}]

    assert _charged({"rows": rows}, audience="in", samples=3) == ["1.00"]
    assert _charged({"rows": rows}, samples=3) == ["2.00"]
    assert _charged({"rows": rows, "rate": 9}, samples=4) == ["9.00"]


def test_row_adjusts_the_first_factor() -> None:
    rows = [{"when": {"mode": "x"}, "rate": 10, "adjust": {"min": 2}}, {"rate": 10}]
    half_hour = booked("2026-03-10T09:00", "2026-03-10T09:30")
    stepped = {"of": "booked", "step": 1}

    for factor, without in [("booked", "5.00"), (stepped, "10.00"), ("named", "10.00")]:
        rule = {"qty": [factor, "n"], "rows": rows}
        quantities = {"named": stepped}
        adjusted = priced(rule, records=[{**half_hour, "mode": "x", "n": 1}], quantities=quantities)
        plain = priced(rule, records=[{**half_hour, "n": 1}], quantities=quantities)
        assert [str(adjusted.total()), str(plain.total())] == ["20.00", without]


def test_row_adjusts_a_price_without_factors() -> None:
    assert _charged({"rows": [{"rate": 10, "adjust": {"min": 3}}]}) == ["30.00"]


def test_rate_may_be_a_fact() -> None:
    assert _charged({"rate": "quoted"}, quoted=12.34) == ["12.34"]
    assert _charged({"rate": "12.50"}) == ["12.50"]


def test_tables_are_shared() -> None:
    tables = {"hour": [{"when": {"audience": "in"}, "rate": 5}, {"rate": 8}]}
    pricing = priced({"table": "hour"}, {"table": "hour", "qty": [2]}, tables=tables)

    assert [line.amount for line in pricing.lines] == [Decimal("8.00"), Decimal("16.00")]


@pytest.mark.parametrize(
    ("samples", "mode", "amount"),
    [(9, "marginal", "180.00"), (10, "marginal", "200.00"), (12, "marginal", "230.00"), (9, "all", "180.00"),
     (10, "all", "150.00"), (12, "all", "180.00")],
)  # fmt: skip
def test_tiers(samples: int, mode: str, amount: str) -> None:
    assert _charged({"qty": ["samples"], "tiers": TIERS, "mode": mode}, samples=samples) == [amount]


def test_tiers_run_over_the_first_factor_and_the_others_multiply() -> None:
    line = priced({"qty": ["hours", "samples"], "tiers": TIERS}, records=[record(hours=12, samples=2)]).lines[0]

    assert (line.amount, line.unit_price, line.quantity) == (Decimal("460.00"), None, 24)
    assert line.why == "r1: (10 h × 20.00 + 2 h × 15.00) × 2 samples = 460.00"


def test_tiers_as_shares_of_the_price_leave_the_beginning_at_full_price() -> None:
    rule = {"qty": ["n"], "rate": 10, "tiers": [{"from": 5, "pct": 50}]}

    assert _charged(rule, n=4) == ["40.00"]
    assert _charged(rule, n=7) == ["60.00"]
    assert _charged({**rule, "mode": "all"}, n=7) == ["35.00"]


def test_flat_tiers_are_packages() -> None:
    rule = {"qty": ["n"], "tiers": [{"from": 0, "flat": 100}, {"over": 10, "rate": 4}]}

    assert _charged(rule, n=10) == ["100.00"]
    assert _charged(rule, n=12) == ["108.00"]
    assert priced(rule, records=[record(n=12)]).lines[0].why == "r1: 100.00 + 2 n × 4.00 = 108.00"
    assert _charged(rule, n=0) == ["0.00"]


def test_nothing_costs_nothing_and_says_so() -> None:
    pricing = priced({"qty": ["n"], "rate": 3}, {"rate": 4, "when": {"event": "cancel"}})

    assert amounts(pricing) == [("a", "", Decimal("0.00"))]
    assert pricing.lines[0].why == "No rule of the price list charges for this."


def test_free_is_a_line_of_its_own() -> None:
    assert amounts(priced({"qty": ["n"], "rate": 0}, records=[record(n=3)])) == [("a", "r1", Decimal("0.00"))]


def test_required_rule_without_a_row_is_not_offered() -> None:
    pricing = priced({"rows": [{"when": {"mode": "x"}, "rate": 1}], "required": True, "name": "Self-operation"})

    assert [(refusal.code, refusal.detail) for refusal in pricing.refusals] == [
        ("not_offered", "Self-operation: not offered, there is no price for this.")
    ]
    assert pricing.refusals[0].params == {"rule": "r1", "record": "a"}
    assert pricing.lines[0].why == "There is no price for this."


def test_required_rule_that_does_not_apply_refuses_nothing() -> None:
    assert (
        priced({"rows": [{"when": {"mode": "x"}, "rate": 1}], "required": True, "when": {"mode": "y"}}).refusals == []
    )


def test_percentage_is_of_what_stands_above() -> None:
    pricing = priced(
        {"rate": 100, "code": "time", "tags": ["work"]},
        {"rate": 10, "code": "setup"},
        {"kind": "percent", "on": ["work"], "rate": 50, "code": "rush", "name": "Rush"},
        {"kind": "percent", "on": ["*", "-setup"], "rate": -10, "code": "less"},
        {"rate": 7, "code": "below"},
    )

    assert [line.amount for line in pricing.lines] == [
        Decimal(n) for n in ("100.00", "10.00", "50.00", "-15.00", "7.00")
    ]
    assert pricing.lines[2].why == "Rush: 50 % of 100.00 = 50.00"
    assert (pricing.lines[2].quantity, pricing.lines[2].unit, pricing.lines[2].unit_price) == (50, "percent", None)


def test_exclusions_alone_are_exclusions_from_everything() -> None:
    rules = ({"rate": 100, "tags": "gas"}, {"rate": 10}, {"kind": "percent", "on": ["-gas"], "rate": 50})

    assert str(priced(*rules).total()) == "115.00"


def test_percentage_of_nothing_posts_nothing() -> None:
    assert [line.code for line in priced({"kind": "percent", "on": ["x"], "rate": 5}, {"rate": 1}).lines] == ["r2"]


def test_ladder_of_nothing_posts_nothing() -> None:
    ladder = {"kind": "percent", "on": ["r1"], "tiers": [{"from": 0, "rate": 5}]}

    assert _charged({"rate": 0}, ladder) == ["0.00"]


def test_percentage_times_a_quantity() -> None:
    pricing = priced({"rate": 200}, {"kind": "percent", "rate": 2, "qty": ["days_late"]}, records=[record(days_late=3)])

    assert pricing.total() == Decimal("212.00")


def test_percentage_tiers_run_over_the_money_or_over_a_quantity() -> None:
    ladder = [{"from": 0, "rate": 0}, {"from": 100, "rate": -10}]
    by_money = {"kind": "percent", "tiers": ladder}

    assert _charged({"rate": 150}, by_money) == ["150.00", "-5.00"]
    assert _charged({"rate": 150}, {**by_money, "mode": "all"}) == ["150.00", "-15.00"]
    assert _charged({"rate": 150}, {**by_money, "qty": ["n"]}, n=200) == ["150.00", "-7.50"]
    assert _charged({"rate": 150}, {**by_money, "qty": ["n"], "mode": "all"}, n=100) == ["150.00", "-15.00"]
    assert _charged({"rate": 150}, {**by_money, "qty": ["n"], "mode": "all"}, n=0) == ["150.00", "0.00"]
    assert _charged({"rate": 150}, {**by_money, "qty": ["n"]}, n=0) == ["150.00", "0.00"]
    assert _charged({"rate": 150}, {"kind": "percent", "tiers": [{"from": 100, "pct": 1, "flat": 3}]}) == [
        "150.00",
        "3.50",
    ]


def test_cancellation_costs_half_of_what_the_use_would_have_cost() -> None:
    rules = (
        {"code": "time", "qty": ["booked"], "rate": 30, "when": {"event": "use"}},
        {"code": "vat", "kind": "percent", "rate": 10, "when": {"event": "use"}},
        {"kind": "percent", "on": ["time"], "rate": 50, "as_if": {"event": "use"}, "when": {"event": "cancel"}},
        {"kind": "percent", "on": ["*"], "rate": 50, "as_if": {"event": "use"}, "when": {"event": "cancel"}},
    )
    pricing = priced(*rules, records=[booked("2026-03-10T09:00", "2026-03-10T11:00", event="cancel")])

    assert [line.amount for line in pricing.lines] == [Decimal("30.00"), Decimal("33.00")]
    assert pricing.lines[0].why == "r3: 50 % of 60.00 (as if it had been used) = 30.00"


def test_what_if_is_not_asked_within_a_what_if() -> None:
    as_if = {"kind": "percent", "on": ["*"], "rate": 50, "as_if": {"event": "use"}}
    pricing = priced({"rate": 100, "when": {"event": "use"}}, as_if, as_if, records=[record(event="cancel")])

    assert [line.amount for line in pricing.lines] == [Decimal("50.00"), Decimal("50.00")]


def test_as_if_everything_booked_had_been_used() -> None:
    rules = (
        {"code": "time", "qty": ["used"], "rate": 30},
        {"kind": "percent", "on": ["time"], "rate": 100, "as_if": {"used": None}, "when": {"event": "no_show"}},
    )

    no_show = booked("2026-03-10T09:00", "2026-03-10T11:00", event="no_show", used=[])
    assert amounts(priced(*rules, records=[no_show])) == [("a", "r2", Decimal("60.00"))]


def test_what_if_leaves_no_trace_in_the_scope() -> None:
    tiers = [{"from": 0, "rate": 10}, {"from": 5, "rate": 1}]
    rules = (
        {"code": "n", "qty": ["n"], "tiers": tiers, "scope": MONTH, "when": {"event": "use"}},
        {
            "code": "off",
            "kind": "percent",
            "on": ["n"],
            "rate": 50,
            "as_if": {"event": "use"},
            "when": {"event": "cancel"},
        },
    )

    pricing = priced(*rules, records=[record(id="1", n=5, event="cancel"), record(id="2", n=5)])

    assert amounts(pricing) == [("1", "off", Decimal("25.00")), ("2", "n", Decimal("50.00"))]


def test_limits_of_one_record() -> None:
    at_most = {"kind": "limit", "limit": "max", "rate": 50}
    at_least = {"kind": "limit", "limit": "min", "rate": 20}

    assert _charged({"rate": 70}, at_most, at_least) == ["70.00", "-20.00"]
    assert _charged({"rate": 15}, at_most, at_least) == ["15.00", "5.00"]
    assert _charged({"rate": 50}, at_most) == ["50.00"]
    assert _charged({"rate": 5, "when": {"event": "x"}}, at_least) == ["0.00"]
    assert _charged({"rate": 70}, {**at_most, "qty": ["n"]}, n=1.2) == ["70.00", "-10.00"]


def test_limit_says_why() -> None:
    rules = ({"rate": 30}, {"kind": "limit", "limit": "max", "rate": 50, "name": "Cap", "scope": MONTH})
    lines = priced(*rules, records=[record(id=str(n)) for n in range(3)]).lines

    assert [line.why for line in lines if line.code == "r2"] == [
        "Cap: at most 50.00 instead of 60.00: -10.00",
        "Cap: at most 50.00 instead of 90.00; -40.00 less -10.00 posted before = -30.00",
    ]
    smallest = priced({"rate": 3}, {"kind": "limit", "limit": "min", "rate": 5, "name": "Least"}).lines[1]
    assert smallest.why == "Least: at least 5.00 instead of 3.00: 2.00"


def _option(code: str, rate: object, take: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "name": code, "qty": ["n"], "rate": rate, "pick": {"group": "g", "take": take}, **more}


@pytest.mark.parametrize(("take", "code"), [("first", "a"), ("lowest", "b"), ("highest", "c")])
def test_choice_takes_one_option(take: str, code: str) -> None:
    options = [_option("a", 20, take), _option("b", 10, take), _option("c", 30, take)]

    assert [line.code for line in priced(*options, records=[record(n=1)]).lines] == [code]


def test_choice_names_the_alternative() -> None:
    def why(take: str) -> str:
        return priced(_option("Hours", 20, take), _option("Day", 30, take), records=[record(n=1)]).lines[0].why

    assert why("lowest").endswith("(cheaper than Day: 30.00)")
    assert why("highest").endswith("(more than Hours: 20.00)")
    assert why("first").endswith("(takes precedence over Day: 30.00)")


def test_option_of_several_rules_is_taken_or_left_as_a_whole() -> None:
    def option(code: str, rate: int, name: str) -> dict[str, Any]:
        return {"code": code, "rate": rate, "pick": {"group": "g", "option": name, "take": "lowest"}}

    pricing = priced(option("h1", 10, "hours"), option("d", 14, "day"), option("h2", 5, "hours"))

    assert amounts(pricing) == [("a", "d", Decimal("14.00"))]
    assert pricing.lines[0].why == "d: 14.00 (cheaper than h1 + h2: 15.00)"


def test_option_that_does_not_apply_is_not_the_cheapest() -> None:
    options = (_option("a", 20, "lowest"), _option("b", 1, "lowest", when={"mode": "x"}))
    pricing = priced(*options, {"rate": 2, "kind": "percent"}, records=[record(n=1)])

    assert [line.why for line in pricing.lines] == ["a: 1 n × 20.00 = 20.00", "r3: 2 % of 20.00 = 0.40"]


def test_choice_without_a_price_is_not_offered() -> None:
    never = {"rows": [{"when": {"mode": "x"}, "rate": 1}], "required": True}

    refused = priced(_option("a", None, "first", **never), _option("b", None, "first", **never), records=[record(n=1)])
    offered = priced(_option("a", None, "first", **never), _option("b", 1, "first"), records=[record(n=1)])

    assert [refusal.params["rule"] for refusal in refused.refusals] == ["a", "b"]
    assert (offered.refusals, offered.total()) == ([], Decimal("1.00"))


def test_cancelling_within_a_choice_sees_its_own_option_only() -> None:
    def option(code: str, name: str, **rule: Any) -> dict[str, Any]:
        return {"code": code, "pick": {"group": "g", "option": name, "take": "lowest"}, **rule}

    late: dict[str, Any] = {"kind": "percent", "rate": 50, "as_if": {"event": "use"}, "when": {"event": "cancel"}}
    pricing = priced(
        {"code": "setup", "rate": 2, "when": {"event": "use"}},
        option("a", "a", rate=10, when={"event": "use"}),
        option("b", "b", rate=6, when={"event": "use"}),
        option("a2", "a", **late),
        option("b2", "b", **late),
        records=[record(event="cancel")],
    )

    assert amounts(pricing) == [("a", "b2", Decimal("4.00"))]


def test_accounts_are_added_up_apart_and_stars_mean_the_invoice() -> None:
    pricing = priced(
        {"rate": 100},
        {"rate": 40, "account": "credit"},
        {"rate": 9, "account": "memo"},
        {"kind": "percent", "rate": 10},
    )

    assert [str(pricing.total(account)) for account in ("invoice", "credit", "memo")] == ["110.00", "40.00", "9.00"]  # type: ignore[arg-type]


def test_line_may_fall_due_later() -> None:
    lines = priced({"rate": 1, "due": "year"}, {"rate": 1, "due": {"period": "month", "after": 2}}, {"rate": 1}).lines

    assert [line.due for line in lines] == [date(2027, 1, 1), date(2026, 5, 1), None]


def test_places_of_the_currency() -> None:
    pricing = priced({"rate": 10.5}, {"rate": 0.4}, places=0, currency="JPY")

    assert [str(line.amount) for line in pricing.lines] == ["11", "0"]
    assert str(pricing.total()) == "11"


def test_sum_of_lines_is_a_condition_and_a_quantity() -> None:
    shipping = {"rate": 15, "when": {"sum:goods": {"<": 50}}}

    assert _charged({"code": "goods", "qty": ["n"], "rate": 10}, shipping, n=4) == ["40.00", "15.00"]
    assert _charged({"code": "goods", "qty": ["n"], "rate": 10}, shipping, n=5) == ["50.00"]
    assert _charged({"rate": 10, "tags": ["t"]}, {"qty": ["sum:t"], "rate": 0.5}) == ["10.00", "5.00"]


def test_quantity_that_is_no_decimal() -> None:
    line = priced({"qty": ["used"], "rate": 150}, records=[booked("2026-03-10T09:00", "2026-03-10T16:40")]).lines[0]

    assert (line.quantity, line.amount) == (Fraction(23, 3), Decimal("1150.00"))
    assert line.why == "r1: 7 h 40 min × 150.00 = 1150.00"
