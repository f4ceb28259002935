"""Credit from what happened: every entry, both bounds, and what time gives back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from booking.rules.credit import Counting, Happening, score

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
COUNTING = Counting(
    start=100, floor=0, ceiling=102, points={"no_show": 60, "*": 5}, completed=1, recovery=10, recovery_days=30
)


def day(number: int) -> datetime:
    return BEGIN + timedelta(days=number)


def happened(*what: tuple[int, str]) -> list[Happening]:
    return [Happening(day(number), name) for number, name in what]


@pytest.mark.parametrize(
    ("what", "now", "totals"),
    [
        ([], 0, [100]),
        ([(0, "no_show")], 29, [100, 40]),
        ([(0, "no_show")], 30, [100, 40, 50]),
        ([(0, "no_show")], 300, [100, 40, 50, 60, 70, 80, 90, 100]),
        ([(0, "no_show"), (1, "no_show")], 1, [100, 40, 0]),
        ([(0, "left_dirty")], 29, [100, 95]),
        ([(0, "left_dirty")], 30, [100, 95, 100]),
        ([(0, ""), (1, ""), (2, "")], 3, [100, 101, 102, 102]),
        ([(0, "no_show"), (29, "left_dirty"), (58, "")], 58, [100, 40, 35, 36]),
        ([(0, "no_show"), (29, "left_dirty")], 59, [100, 40, 35, 45]),
        ([(5, "no_show")], 4, [100]),
    ],
)
def test_the_score_is_the_sum_of_its_entries(what: list[tuple[int, str]], now: int, totals: list[int]) -> None:
    found = score(COUNTING, happened(*what), now=day(now))

    assert [entry.total for entry in found.entries] == totals
    assert found.total == COUNTING.start + sum(entry.points for entry in found.entries[1:])


def test_the_order_in_which_they_are_given_does_not_matter() -> None:
    what = happened((0, "no_show"), (3, ""), (40, "left_dirty"))

    assert score(COUNTING, what, now=day(90)) == score(COUNTING, reversed(what), now=day(90))


def test_without_recovery_nothing_comes_back() -> None:
    counting = Counting(start=100, points={"no_show": 20}, recovery=0)

    assert score(counting, happened((0, "no_show")), now=day(999)).total == 80


def test_completed_bookings_may_count_nothing() -> None:
    counting = Counting(start=100, floor=0, ceiling=120, completed=0)

    assert [entry.total for entry in score(counting, happened((0, ""), (1, "")), now=day(2)).entries] == [100]
