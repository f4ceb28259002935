"""Charging periods: anchored, clamped, shifted."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.pricing.model import Due, Span
from instruments.pricing.spans import MONTHS, due_day, first_day, shifted


@pytest.mark.parametrize(
    ("span", "day", "first"),
    [
        (Span("day"), "2026-03-10", "2026-03-10"),
        (Span("week"), "2026-03-15", "2026-03-09"),
        (Span("week", day=7), "2026-03-15", "2026-03-15"),
        (Span("week", day=7), "2026-03-14", "2026-03-08"),
        (Span("month"), "2026-03-31", "2026-03-01"),
        (Span("month", day=16), "2026-03-15", "2026-02-16"),
        (Span("month", day=16), "2026-03-16", "2026-03-16"),
        (Span("month", day=31), "2026-02-28", "2026-02-28"),
        (Span("month", day=31), "2026-03-30", "2026-02-28"),
        (Span("quarter"), "2026-06-30", "2026-04-01"),
        (Span("quarter", month=2), "2026-01-31", "2025-11-01"),
        (Span("half"), "2026-06-30", "2026-01-01"),
        (Span("half", month=8), "2026-07-31", "2026-02-01"),
        (Span("year"), "2026-12-31", "2026-01-01"),
        (Span("year", month=8), "2026-07-31", "2025-08-01"),
        (Span("year", month=8), "2026-08-01", "2026-08-01"),
        (Span("year", month=2, day=29), "2026-02-28", "2026-02-28"),
        (Span("rolling", days=30), "2026-02-28", "2026-02-28"),
    ],
)
def test_first_day(span: Span, day: str, first: str) -> None:
    assert first_day(span, date.fromisoformat(day)) == date.fromisoformat(first)


@given(
    st.sampled_from(["week", *MONTHS]),
    st.integers(1, 31),
    st.integers(1, 12),
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
)
def test_periods_follow_one_another_without_a_gap(unit: str, day: int, month: int, today: date) -> None:
    span = Span(unit, min(day, 7) if unit == "week" else day, month)  # type: ignore[arg-type]

    first = first_day(span, today)
    following = shifted(span, first, 1)

    assert first <= today < following
    assert first_day(span, following - timedelta(days=1)) == first
    assert shifted(span, following, -1) == first


def test_shifted_days_and_rolling_periods() -> None:
    assert shifted(Span("day"), date(2026, 3, 1), -1) == date(2026, 2, 28)
    assert shifted(Span("rolling", days=30), date(2026, 3, 31), -1) == date(2026, 3, 1)


def test_due_in_the_period_after() -> None:
    assert due_day(Due(Span("quarter"), 1), date(2026, 2, 10)) == date(2026, 4, 1)
    assert due_day(Due(Span("year"), 2), date(2026, 2, 10)) == date(2028, 1, 1)
