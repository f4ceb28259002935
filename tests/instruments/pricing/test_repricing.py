"""Late facts become correction lines; nothing posted is edited."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from instruments.pricing.engine import price
from instruments.pricing.repricing import reprice
from tests.instruments.pricing.building import MONTH, SHANGHAI, price_list, record

RULES = (
    {"code": "time", "name": "Time", "qty": ["hours"], "rate": 10, "when": {"event": "use"}},
    {"code": "cap", "kind": "limit", "limit": "max", "rate": 100, "scope": MONTH},
    {"code": "no_show", "rate": 50, "when": {"event": "no_show"}},
)
LIST = price_list(*RULES)
USE = record(id="1", hours=8)
MISSED = record(id="2", event="no_show")


def test_unchanged_facts_need_no_correction() -> None:
    posted = price(LIST, [USE, MISSED], tz=SHANGHAI).lines

    assert reprice(LIST, [USE, MISSED], posted, tz=SHANGHAI) == []


def test_corrected_hours_give_the_difference() -> None:
    posted = [replace(line, uid=f"L{n}") for n, line in enumerate(price(LIST, [USE], tz=SHANGHAI).lines)]

    line = reprice(LIST, [{**USE, "hours": 6}], posted, tz=SHANGHAI)[0]

    assert (line.record, line.code, line.quantity, line.unit_price) == ("1", "time", -2, Decimal("10.00"))
    assert (line.amount, line.corrects) == (Decimal("-20.00"), ("L0",))
    assert line.why == "Correction of Time: 60.00 instead of 80.00 = -20.00 (Time: 6 h × 10.00 = 60.00)"


def test_corrections_are_corrected_in_turn() -> None:
    posted = price(LIST, [USE], tz=SHANGHAI).lines
    once = reprice(LIST, [{**USE, "hours": 6}], posted, tz=SHANGHAI)

    twice = reprice(LIST, [{**USE, "hours": 7}], posted + once, tz=SHANGHAI)

    assert [(line.amount, line.quantity, line.corrects) for line in twice] == [
        (Decimal("10.00"), 1, ("1/time", "1/time"))
    ]


def test_excused_no_show_is_given_back() -> None:
    posted = price(LIST, [MISSED], tz=SHANGHAI).lines

    line = reprice(LIST, [{**MISSED, "event": "excused"}], posted, tz=SHANGHAI)[0]

    assert (line.code, line.amount, line.quantity, line.unit_price) == ("no_show", Decimal("-50.00"), -1, None)
    assert line.why.endswith("(no longer charged)")


def test_removed_record_is_given_back_and_the_cap_follows() -> None:
    other = record(id="3", hours=5)
    posted = price(LIST, [USE, other], tz=SHANGHAI).lines

    corrections = reprice(LIST, [other], posted, tz=SHANGHAI)

    assert sum(line.amount for line in [*posted, *corrections]) == Decimal("50.00")


def test_late_record_is_a_line_of_its_own_period() -> None:
    posted = price(LIST, [USE], tz=SHANGHAI).lines
    late = record(id="late", hours=5, at="2026-03-02T09:00")

    corrections = reprice(LIST, [USE, late], posted, tz=SHANGHAI)

    assert [(line.record, line.code, line.amount, line.corrects) for line in corrections] == [
        ("late", "time", Decimal("50.00"), ()),
        ("late", "cap", Decimal("-30.00"), ()),
    ]


def test_history_is_left_alone() -> None:
    posted = price(LIST, [USE, MISSED], tz=SHANGHAI).lines

    assert reprice(LIST, [MISSED], posted, tz=SHANGHAI, history=[{**USE, "hours": 1}]) == []
    assert reprice(LIST, [MISSED, {**USE, "history": True}], posted, tz=SHANGHAI) == []
