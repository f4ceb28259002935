"""Rules, bands, quantities and conditions in words."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from django.utils import translation

from instruments.pricing import phrases
from instruments.pricing.model import Span
from instruments.pricing.sentences import describe, describe_bands, describe_quantities, describe_tables
from instruments.pricing.units import unit_label, unit_of
from instruments.pricing.wording import amount_of, money, number
from tests.instruments.pricing.building import MONTH, price_list

LABELS = {"audience": "customers", "audience:inside": "members", "outside": "guests", "n": "pieces", "group:2": "two"}


def _sentence(rule: dict[str, Any], *above: dict[str, Any], **more: Any) -> str:
    return describe(price_list(*above, {"code": "it", **rule}, **more), LABELS)[-1][1]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"rate": 58}, "58.00."),
        ({"rate": "quoted"}, "Quoted."),
        ({"qty": ["booked"], "rate": 0.125}, "Booked time × 0.125."),
        (
            {"qty": [{"of": "booked", "min": 0.5, "step": 0.25}], "table": "hour"},
            "Booked time (at least 0.5 h, rounded up to 0.25 h) × price (otherwise 1.00).",
        ),
        (
            {"rows": [{"when": {"audience": "inside"}, "rate": 1, "adjust": {"min": 2}}, {"rate": 2}]},
            "Members 1.00 (at least 2); otherwise 2.00.",
        ),
        ({"rows": [{"when": {"a_b": 1}}], "rate": 3}, "A b is 1."),
        (
            {"qty": ["n"], "tiers": [{"from": 0, "rate": 2}, {"from": 4, "rate": 1}], "mode": "all"},
            "Pieces × [below 4: 2.00, from 4: 1.00, for all units at the tier reached].",
        ),
        (
            {"qty": ["n"], "rate": 9, "tiers": [{"flat": 5}, {"over": 10, "pct": 50}]},
            "Pieces × 9.00 × [up to 10: 5.00 flat, over 10: 50 %].",
        ),
        ({"qty": ["n"], "rows": [{"tiers": [{"from": 1, "rate": 2}]}]}, "Pieces × price (otherwise: from 1: 2.00)."),
        ({"kind": "percent", "on": ["r1", "-r2"], "rate": 50}, "50 % of Time without r2."),
        (
            {"kind": "percent", "on": ["r1"], "rate": 50, "as_if": {"event": "use"}, "when": {"notice": {"<": 48}}},
            "If notice < 48 h: 50 % of Time, as if it had been used.",
        ),
        (
            {"kind": "percent", "qty": ["n"], "tiers": [{"from": 1, "rate": -5}]},
            "Pieces × [from 1: -5 %] of everything above.",
        ),
        (
            {"kind": "limit", "limit": "max", "rate": 200, "scope": MONTH},
            "Everything above: at most 200.00 in all. Counted per person and month.",
        ),
        (
            {"kind": "limit", "limit": "min", "on": ["r1", "r2"], "rate": 2, "qty": ["n"], "scope": {"period": "use"}},
            "Time and r2: at least pieces × 2.00 in all. Counted per single use.",
        ),
        (
            {"rate": 1, "mode": "all", "scope": MONTH, "account": "credit", "due": "year", "required": True},
            "1.00. Counted per person and month. Earlier records of the period are adjusted."
            " Goes to the credit account. Falls due in a later period (year). Not offered where no price applies.",
        ),
        ({"rate": 1, "account": "memo"}, "1.00. For information only."),
    ],
)
def test_rule_in_words(rule: dict[str, Any], sentence: str) -> None:
    above = ({"name": "Time", "rate": 1}, {"rate": 1})

    assert _sentence(rule, *above, tables={"hour": [{"rate": 1}]}) == sentence


@pytest.mark.parametrize(
    ("take", "chosen"), [("first", "the first that applies"), ("lowest", "the cheapest"), ("highest", "the dearest")]
)
def test_choice_in_words(take: str, chosen: str) -> None:
    rule = {"rate": 1, "pick": {"group": "g", "option": "o", "take": take}}

    assert _sentence(rule) == f"1.00. Option “o” of “g”: {chosen} is charged."


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({"audience": ["inside", "outside", "x"]}, "customers is members or guests or x"),
        ({"stage": None}, "without stage"),
        ({"not": {"stage": None}}, "with stage"),
        ({"not": {"stage": "a"}}, "stage is not a"),
        ({"not": {"stage": {"!=": "a"}}}, "stage is a"),
        ({"not": {"stage": "a", "n": 1}}, "not (stage is a and pieces is 1)"),
        ({"not": {"n": {">": 1}}}, "not (pieces > 1)"),
        ({"rush": True, "done": False}, "rush is yes and done is no"),
        ({"stage": ["a", None]}, "stage is a or nothing"),
        ({"any": [{"a": 1}, {"n": {">=": 2}}]}, "(a is 1 or pieces ≥ 2)"),
        ({"start_in": "!peak"}, "start outside “peak”"),
        ({"event": ["cancel", "no_show", "other"]}, "event is cancellation or no-show or other"),
        ({"date": {">=": "2026-08-01"}}, "date ≥ 2026-08-01"),
        ({"notice_days": {"<": 3}}, "days of notice < 3"),
        ({"overrun": {">": 0.08333333333333333}}, "time used outside the booking > 5 min"),
        ({"used": {">": "booked"}}, "used time > booked time"),
        ({"q": {"<=": {"of": "n", "free": 2}}}, "pieces ≤ pieces (the first 2 n free)"),
        ({"sum:r0": {"<": 5}}, "the sum of r0 < 5"),
        ({"group": 2}, "research group is two"),
    ],
)
def test_condition_in_words(when: dict[str, Any], words: str) -> None:
    sentence = _sentence({"rate": 1, "when": when}, quantities={"q": {"of": "n"}})

    assert sentence == f"If {words}: 1.00."


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ({"of": ["booked", 0.5]}, "booked time + 0.5"),
        ({"of": "used", "band": "!peak"}, "used time outside “peak”"),
        ({"of": "used", "band": "night", "count": True}, "how often used time touches “night”"),
        (
            {"of": "union", "unit": 0.5, "step": 1, "dir": "down"},
            "booked and used time together (in units of 0.5 h, rounded down to 1 half-hour)",
        ),
        (
            {"of": "longer", "step": 1, "dir": "nearest"},
            "booked or used time, whichever is longer (rounded to the nearest 1 h)",
        ),
        (
            {"of": "unused", "step": 1, "tolerance": 0.5},
            "booked time that was not used (rounded up to 1 h, up to 0.5 h over is ignored)",
        ),
        ({"of": "late", "max": 2, "each": True, "band": "day"}, "lateness in “day” (at most 2 h, each time by itself)"),
        (
            {"of": "used", "whole": True, "band": "day", "free": "left"},
            "used time in “day” (the first left free, adjusted before it is divided)",
        ),
        ({"of": "n", "unit": "size"}, "pieces (in units of size)"),
        ({"of": "used", "unit": 1}, "used time"),
        ({"history": {}}, "number of earlier records (all time)"),
        (
            {"history": {"when": {"event": "training"}, "per": ["person", "lab"], "period": "month", "now": True}},
            "number of earlier records with event is training of the same person and laboratory"
            " (month, including this one)",
        ),
        (
            {"history": {"sum": "used", "period": "day", "previous": True}},
            "used time of earlier records (previous day)",
        ),
        ({"history": {"amount": ["*"], "times": -1}}, "-1 × charged so far for everything above (all time)"),
    ],
)
def test_quantity_in_words(quantity: dict[str, Any], words: str) -> None:
    assert describe_quantities(price_list({"rate": 1}, quantities={"q": quantity}), LABELS) == [("q", words)]


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ([], "never"),
        ([{}], "every day"),
        ([{"days": [1, 2, 3, 5], "from": "09:00", "to": "17:00"}, {"days": [6]}], "Mon–Wed, Fri 09:00–17:00; Sat"),
        ([{"from": "22:00", "to": "06:00"}], "every day 22:00–06:00 (next day)"),
        ([{"season": ["11-01", "03-31"], "holidays": False}], "every day from 11-01 to 03-31 except holidays"),
        ([{"holidays": True}], "holidays"),
        ([{"days": [7], "holidays": True}], "Sun, holidays"),
    ],
)
def test_band_in_words(windows: list[dict[str, Any]], words: str) -> None:
    assert describe_bands(price_list({"rate": 1}, bands={"b": windows})) == [("b", words)]


def test_table_in_words() -> None:
    tables = {"t": [{"when": {"audience": "inside"}, "rate": 1}, {"rate": "quoted"}]}

    assert describe_tables(price_list({"table": "t"}, tables=tables)) == [("t", "inside 1.00, otherwise quoted")]


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (Span("rolling", days=30), "last 30 days"),
        (Span("week", day=7), "week from Sun"),
        (Span("month", day=16), "month from day 16"),
        (Span("year", month=8), "year from 08-01"),
        (Span("quarter"), "quarter"),
        (Span("half"), "half-year"),
        (Span("day"), "day"),
    ],
)
def test_period_in_words(span: Span, words: str) -> None:
    assert phrases.period(span) == words


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        ("booked", "hour"),
        ("notice_days", "day"),
        ("samples", "sample"),
        ("people", "person"),
        ("batteries", "battery"),
        ("glass", "glass"),
        ("prep_h", "hour"),
        ("ni_days", "day"),
        ("q", "half_hour"),
        (3, "use"),
        ({"of": "booked", "unit": 24}, "day"),
        ({"of": "booked", "unit": 3}, "block"),
        ({"of": "booked", "unit": "size"}, "block"),
        ({"of": "samples", "unit": 10}, "block"),
        ({"of": "booked", "count": True, "band": "day"}, "day"),
        ({"of": "booked", "count": True, "band": "night"}, "slot"),
        ({"of": "booked", "count": True, "band": "!night"}, "slot"),
        ({"of": []}, "use"),
        ({"history": {}}, "use"),
        ({"history": {"sum": "samples"}}, "sample"),
    ],
)
def test_unit_is_a_stable_word(quantity: Any, unit: str) -> None:
    found = price_list({"qty": [quantity], "rate": 1}, quantities={"q": {"of": "booked", "unit": 0.5}})

    assert unit_of(found.rules[0], found) == unit


def test_units_are_counted() -> None:
    known = ["minute", "quarter_hour", "day", "week", "use", "element", "component", "group", "piece", "slot", "block"]

    assert [unit_label(unit, 2) for unit in known[:4]] == ["minutes", "quarter-hours", "days", "weeks"]
    assert [unit_label(unit) for unit in [*known[4:], "percent", "adjustment", "other"]][-3:] == [
        "%",
        "adjustment",
        "other",
    ]


def test_numbers_in_words() -> None:
    assert [number(Fraction(n)) for n in ("5/2", "1/3", "100")] == ["2.5", "1/3", "100"]
    assert [money(Fraction(n), 2) for n in ("5/2", "1/3", "0.125")] == ["2.50", "0.33", "0.125"]
    assert amount_of(Fraction(-23, 3), "hour") == "−7 h 40 min"
    assert amount_of(Fraction(1, 7), "hour") == "1/7 h"
    assert amount_of(Fraction(5), "percent") == "5 %"


def test_words_of_a_list_are_of_the_language_of_the_reader() -> None:
    found = price_list({"rate": 1}, holidays=["2026-05-01", date(2026, 5, 2)])

    with translation.override("zh-hans"):
        assert describe(found)[0][1].startswith("1.00")


def test_rule_with_named_quantity_and_table_is_told_in_words() -> None:
    hour = [
        {"when": {"mode": "self", "audience": "inside"}, "rate": 30},
        {"when": {"mode": "self", "audience": "outside"}, "rate": 80},
    ]
    found = price_list(
        {"qty": ["hours"], "table": "hour"},
        {"kind": "percent", "on": ["r1"], "rate": 50, "when": {"event": "cancel", "notice": {"<": 24}}},
        quantities={"hours": {"of": "union", "min": 0.5}},
        tables={"hour": hour},
    )

    assert [sentence for _code, sentence in describe(found, LABELS)] == [
        "Booked and used time together (at least 0.5 h) × price"
        " (self-operated members 30.00, self-operated guests 80.00).",
        "If cancelled less than 24 h before: 50 % of r1.",
    ]


@pytest.mark.parametrize(
    ("assumed", "sentence"),
    [
        ((("event", "use"),), "as if it had been used"),
        ((("used", None),), "as if all booked time had been used"),
        ((("stage", None),), "as if without stage"),
        ((("audience", "inside"),), "as if customers were members"),
    ],
)
def test_what_a_percentage_assumes(assumed: Any, sentence: str) -> None:
    assert phrases.as_if(assumed, LABELS) == sentence
