"""Requests and results as values: dataclasses, odd times, the form of a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from backend.core.errors import Invalid
from booking.rules.calendar import Calendar
from booking.rules.results import as_json
from booking.rules.values import as_instant, as_number
from tests.booking.rules.making import ask, codes, instant, make_booking, make_policy


@dataclass(frozen=True, slots=True)
class Wanted:
    person: str
    start: datetime
    end: datetime


def test_request_may_be_a_dataclass() -> None:
    start = datetime(2026, 3, 10, 9, tzinfo=UTC)
    policy = make_policy({"kind": "length", "max": 30})

    assert codes(ask(policy, Wanted("p", start, start.replace(hour=10)))) == ["too_long"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "request_",
    [
        3,
        {"start": "soon"},
        {"end": 5},
        {"start": "2026-03-10 10:00", "end": "2026-03-10 10:00"},
        {"made": "9999-12-31 24:00"},
    ],
)
def test_unreadable_request_is_invalid(request_: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        ask(make_policy(), request_)


def test_instants_are_read_in_the_zone_of_the_policy() -> None:
    calendar = Calendar(ZoneInfo("Asia/Shanghai"))
    midnight = datetime(2026, 3, 9, 16, tzinfo=UTC)

    assert as_instant("2026-03-10", calendar) == midnight
    assert as_instant("2026-03-09 24:00", calendar) == midnight
    assert as_instant(date(2026, 3, 10), calendar) == midnight
    assert as_instant(datetime(2026, 3, 10), calendar) == midnight
    assert as_instant("2026-03-09T18:00+02:00", calendar) == midnight
    assert as_instant(20260310, calendar) is None


def test_numbers_are_exact() -> None:
    assert as_number(0.1) == Fraction(1, 10)
    assert as_number(Decimal("0.1")) == Fraction(1, 10)
    assert as_number(True) is None
    assert as_number(float("inf")) is None


def test_entry_becomes_a_refusal_that_json_can_carry() -> None:
    policy = make_policy({"kind": "deadline", "latest": "start -72h", "fix": "call us", "dates": {"x": "now +1d"}})

    (entry,) = ask(policy, make_booking("2026-03-10 09:00", "2026-03-10 10:00")).refuse
    refusal = entry.as_refusal()

    assert refusal.params == {"to": "2026-03-07T09:00:00+00:00", "x": "2026-03-10T10:00:00+00:00"}
    assert (refusal.code, refusal.fix, refusal.fix_text) == ("too_late", instant(policy, "2026-03-12 10:00"), "call us")


def test_json_of_nested_values() -> None:
    assert as_json({"a": [Fraction(1, 2), Fraction(2)], "b": ("x",)}) == {"a": [0.5, 2], "b": ["x"]}
