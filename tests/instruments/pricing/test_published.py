"""The price list as a reader expects it."""

from __future__ import annotations

from typing import Any

from instruments.pricing.published import published_table
from tests.instruments.pricing.building import MONTH, price_list


def _rows(*rules: dict[str, Any], **more: Any) -> list[tuple[str, str, str, str, str]]:
    table = published_table(price_list(*rules, **more), {"inside": "Members", "outside": "Guests"})
    return [(row.item, row.audience, str(row.price), row.unit, row.note) for row in table]


def test_prices_by_audience() -> None:
    rows = [{"when": {"audience": "inside"}, "rate": 150}, {"when": {"audience": ["outside", "x"]}, "rate": 300.5}]
    rule = {"name": "Time", "qty": [{"of": "used", "min": 2}], "rows": rows, "when": {"event": "use"}}

    assert _rows(rule) == [
        ("Time", "Members", "150", "hour", "used time (at least 2 h)"),
        ("Time", "Guests, x", "300.5", "hour", "used time (at least 2 h)"),
    ]


def test_other_conditions_and_factors_are_noted() -> None:
    rule = {"name": "Points", "qty": ["samples", "points"], "rate": 100, "when": {"mode": "order"}}

    assert _rows(rule) == [("Points", "everyone", "100", "sample", "mode is order; × points")]


def test_named_quantity_is_written_out() -> None:
    rule = {"qty": ["q"], "rate": 5}

    assert _rows(rule, quantities={"q": {"of": "booked", "step": 1}})[0][4] == "booked time (rounded up to 1 h)"


def test_tiers_are_rows() -> None:
    rule = {"name": "Samples", "qty": ["samples"], "tiers": [{"from": 0, "rate": 200}, {"from": 4, "rate": 160}]}

    assert _rows(rule) == [
        ("Samples", "everyone", "200", "sample", "below 4 samples"),
        ("Samples", "everyone", "160", "sample", "from 4 samples"),
    ]
    assert _rows({**rule, "mode": "all"})[1][4] == "from 4 samples; for all units at the tier reached"


def test_percentages_say_of_what() -> None:
    assert _rows({"name": "Time", "rate": 1}, {"name": "VAT", "kind": "percent", "on": ["r1"], "rate": 6})[1] == (
        "VAT", "everyone", "6", "percent", "of Time",
    )  # fmt: skip


def test_rows_that_cannot_apply_are_left_out() -> None:
    rows = [{"when": {"class": "a"}, "rate": 1}, {"when": {"class": "b"}, "rate": 2}]

    assert [row[2] for row in _rows({"rows": rows, "when": {"not": {"class": "a"}}})] == ["2"]
    assert [row[2] for row in _rows({"rows": rows, "when": {"class": "a"}})] == ["1"]
    assert [row[2] for row in _rows({"rows": rows, "when": {"other": {">": 1}}})] == ["1", "2"]


def test_what_is_not_simple_appears_as_its_sentence() -> None:
    rules: list[dict[str, Any]] = [
        {"kind": "limit", "limit": "max", "rate": 200, "scope": MONTH, "on": ["r2"]},
        {"rate": 5, "scope": MONTH},
        {"rate": "quoted"},
        {"tiers": [{"flat": 5}]},
        {"rate": 1, "account": "memo"},
    ]

    assert [(row[1], row[2], row[4]) for row in _rows(*rules)] == [
        ("", "None", "R2: at most 200.00 in all. Counted per person and month."),
        ("everyone", "5", "Counted per person and month"),
        ("", "None", "Quoted."),
        ("", "None", "[from 0: 5.00 flat]."),
    ]


def test_late_cancellation_says_what_is_charged() -> None:
    time = {"name": "Machine time", "rate": 9, "when": {"event": "use"}}
    fee = {"name": "Late", "kind": "percent", "on": ["r1"], "rate": 50, "as_if": {"event": "use"}}

    assert _rows(time, {**fee, "when": {"event": "cancel", "notice": {"<": 24}}})[1] == (
        "Late", "everyone", "50", "percent", "Cancelled less than 24 h before: 50 % of Machine time",
    )  # fmt: skip
    assert _rows(time, {**fee, "as_if": {"used": None}})[1][4] == (
        "50 % of Machine time, as if all booked time had been used"
    )
