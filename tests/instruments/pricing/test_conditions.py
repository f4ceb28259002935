"""Whether a condition holds."""

from __future__ import annotations

from typing import Any

import pytest

from instruments.pricing.conditions import holds
from tests.instruments.pricing.building import booked, condition, facts

SESSION = booked(
    "2026-03-10T09:00",
    "2026-03-10T11:00",
    audience="inside",
    samples=10,
    tests=["xrd", "sem"],
    rush=True,
    approved="2024-07-15",
    until="2026-03-10",
    limit=10,
    used=[["2026-03-10T09:00", "2026-03-10T11:30"]],
)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, True),
        ({"audience": "inside"}, True),
        ({"audience": "outside"}, False),
        ({"audience": ["outside", "inside"]}, True),
        ({"audience": None}, False),
        ({"stage": None}, True),
        ({"stage": ["high", None]}, True),
        ({"stage": "high"}, False),
        ({"audience": []}, False),
        ({"event": "use", "audience": "outside"}, False),
        ({"samples": 10}, True),
        ({"samples": 10.0}, True),
        ({"samples": "10"}, False),
        ({"rush": True}, True),
        ({"rush": 1}, False),
        ({"rush": False}, False),
        ({"stage": False}, False),
        ({"samples": {">=": 10}}, True),
        ({"samples": {">": 10}}, False),
        ({"samples": {"<=": 10}}, True),
        ({"samples": {"<": 10}}, False),
        ({"samples": {">=": 5, "<": 20}}, True),
        ({"samples": {">=": 5, "<": 9}}, False),
        ({"samples": {"!=": 10}}, False),
        ({"samples": {"==": 10}}, True),
        ({"stage": {"!=": "high"}}, True),
        ({"stage": {">": 1}}, False),
        ({"audience": {">": 1}}, False),
        ({"samples": {">": "booked"}}, True),
        ({"samples": {"<=": "limit"}}, True),
        ({"samples": {">": "nowhere"}}, False),
        ({"used": {">": "booked"}}, True),
        ({"overrun": {">": 0.5}}, False),
        ({"overrun": {">=": 0.5}}, True),
        ({"overrun": {">": {"of": "booked", "max": 0.25}}}, True),
        ({"overrun": None}, False),
        ({"unused": None}, True),
        ({"unused": 0}, True),
        ({"notice": {"<": 24}}, True),
        ({"notice_days": 0}, True),
        ({"tests": "sem"}, True),
        ({"tests": "tem"}, False),
        ({"tests": {"!=": "sem"}}, False),
        ({"tests": {"!=": "tem"}}, True),
        ({"tests": {">": 1}}, False),
        ({"date": "2026-03-10"}, True),
        ({"date": {">=": "2026-03-10", "<": "2026-03-11"}}, True),
        ({"date": {">": "2026-03-10"}}, False),
        ({"date": {"<=": "until"}}, True),
        ({"date": {"<": "nowhere"}}, False),
        ({"approved": {"<": "2024-08-01"}}, True),
        ({"audience": {"<": "outside"}}, True),
        ({"any": [{"audience": "outside"}, {"samples": 10}]}, True),
        ({"any": []}, False),
        ({"not": {"audience": "outside"}}, True),
        ({"not": {"audience": "inside", "samples": 3}}, True),
        ({"not": [{"audience": "outside"}, {"samples": 10}]}, False),
        ({"not": [{"audience": "outside"}, {"samples": 3}]}, True),
        ({"not": {"stage": None}}, False),
        ({"start_in": "peak"}, True),
        ({"start_in": "!peak"}, False),
        ({"sum:abcd": 4}, True),
        ({"sum:abcd": {">": "sum:abc"}}, True),
    ],
)
def test_condition(when: dict[str, Any], expected: bool) -> None:
    assert holds(condition(when), facts(SESSION)) is expected


def test_named_quantity_is_compared() -> None:
    quantities = {"double": {"of": ["samples", "samples"]}}
    found = facts(SESSION, quantities=quantities)

    assert holds(condition({"double": {">=": 20}}, ("double",)), found)
    assert holds(condition({"samples": {"<": "double"}}, ("double",)), found)


def test_five_minutes_written_as_a_float_are_five_minutes() -> None:
    late = booked("2026-03-10T09:00", "2026-03-10T10:00", used=[["2026-03-10T09:00", "2026-03-10T10:05"]])

    assert not holds(condition({"overrun": {">": 0.08333333333333333}}), facts(late))
