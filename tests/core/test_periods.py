"""Half-open periods: properties, and the two nights a year when clocks change."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.periods import (
    AmbiguousLocalTime,
    NonexistentLocalTime,
    Period,
    as_hours,
    clock_words,
    days_touched,
    depth,
    hours,
    intersect,
    local_boundary,
    local_day,
    local_instant,
    merge,
    subtract,
    to_utc,
    total,
)

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
ZERO = datetime(2026, 3, 1, tzinfo=UTC)
# Zones with gaps and folds at midnight, of half an hour, and of a whole day.
ZONES = ["Europe/Berlin", "Asia/Shanghai", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Beirut"]


def minute(n: int) -> datetime:
    return ZERO + timedelta(minutes=n)


def period(start: int, end: int) -> Period:
    return Period(minute(start), minute(end))


a_period = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda pair: period(*pair))
periods = st.lists(a_period, max_size=12)


def minutes_of(found: list[Period]) -> set[int]:
    """The minutes covered: the model against which the functions are checked."""
    out: set[int] = set()
    for start, end in found:
        out.update(range(int((start - ZERO).total_seconds() // 60), int((end - ZERO).total_seconds() // 60)))
    return out


def is_normal(found: list[Period]) -> bool:
    return all(p.start < p.end for p in found) and all(a.end < b.start for a, b in itertools.pairwise(found))


@given(periods)
def test_merge_covers_the_same_minutes(given_periods: list[Period]) -> None:
    found = merge(given_periods)

    assert minutes_of(found) == minutes_of(given_periods)
    assert is_normal(found)


@given(periods, periods)
def test_subtract_leaves_what_lies_outside(left: list[Period], right: list[Period]) -> None:
    found = subtract(left, right)

    assert minutes_of(found) == minutes_of(left) - minutes_of(right)
    assert is_normal(found)


@given(periods, periods)
def test_intersect_is_what_both_cover(left: list[Period], right: list[Period]) -> None:
    found = intersect(left, right)

    assert minutes_of(found) == minutes_of(left) & minutes_of(right)
    assert is_normal(found)


@given(periods, periods)
def test_parts_add_up(left: list[Period], right: list[Period]) -> None:
    assert total(subtract(left, right)) + total(intersect(left, right)) == total(left)


@given(periods)
def test_depth_counts_each_minute(given_periods: list[Period]) -> None:
    expected: dict[int, int] = {}
    for one in given_periods:
        for n in minutes_of([one]):
            expected[n] = expected.get(n, 0) + 1

    found = {n: times for stretch, times in depth(given_periods) for n in minutes_of([stretch])}

    assert found == expected


@given(a_period, a_period)
def test_overlap_is_a_common_minute(one: Period, other: Period) -> None:
    if one.start < one.end and other.start < other.end:
        assert one.overlaps(other) is bool(minutes_of([one]) & minutes_of([other]))
        assert one.contains(other) is (minutes_of([other]) <= minutes_of([one]))


def test_hours_are_exact() -> None:
    assert hours([period(0, 460)]) == Fraction(23, 3)
    assert as_hours(timedelta(microseconds=1)) == Fraction(1, 3_600_000_000)


def test_hours_count_overlap_once() -> None:
    assert hours([period(0, 60), period(30, 90)]) == Fraction(3, 2)


def test_duration_is_elapsed_time_across_a_change_of_clocks() -> None:
    night = Period(datetime(2026, 3, 28, 20, tzinfo=BERLIN), datetime(2026, 3, 29, 8, tzinfo=BERLIN))

    assert night.duration == timedelta(hours=11)
    assert hours([night]) == 11


def test_overlap_compares_instants_not_wall_clocks() -> None:
    # 02:30 occurs twice: the first one ends before the second begins, although the clock shows the same.
    first = Period(datetime(2026, 10, 25, 1, tzinfo=BERLIN), datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0))
    second = Period(datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=1), datetime(2026, 10, 25, 4, tzinfo=BERLIN))

    assert not first.overlaps(second)


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        to_utc(datetime(2026, 3, 1))


def test_local_time_in_a_gap_is_refused() -> None:
    with pytest.raises(NonexistentLocalTime):
        local_instant(date(2026, 3, 29), time(2, 30), BERLIN)


def test_local_time_in_a_fold_needs_to_be_told_which() -> None:
    with pytest.raises(AmbiguousLocalTime):
        local_instant(date(2026, 10, 25), time(2, 30), BERLIN)

    assert local_instant(date(2026, 10, 25), time(2, 30), BERLIN, fold=0) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert local_instant(date(2026, 10, 25), time(2, 30), BERLIN, fold=1) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_boundary_in_a_gap_is_its_end() -> None:
    assert local_boundary(date(2026, 3, 29), time(2, 30), BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_boundary_in_a_fold_is_the_earlier() -> None:
    assert local_boundary(date(2026, 10, 25), time(2, 30), BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_day_that_begins_in_a_gap_begins_after_it() -> None:
    # Beirut's clocks go from 00:00 to 01:00 in spring.
    zone = ZoneInfo("Asia/Beirut")

    assert local_day(date(2026, 3, 29), zone).duration == timedelta(hours=23)


def test_day_that_does_not_exist_is_empty() -> None:
    # Apia skipped 30 December 2011.
    assert local_day(date(2011, 12, 30), ZoneInfo("Pacific/Apia")).duration == timedelta(0)


@given(
    st.sampled_from(ZONES), st.dates(date(2010, 1, 2), date(2030, 12, 30)), st.times().map(lambda t: t.replace(fold=0))
)
def test_instant_shows_the_clock_it_was_made_of(zone_name: str, day: date, clock: time) -> None:
    zone = ZoneInfo(zone_name)
    try:
        instant = local_instant(day, clock, zone)
    except NonexistentLocalTime:
        return
    except AmbiguousLocalTime:
        instant = local_instant(day, clock, zone, fold=1)
        assert instant > local_instant(day, clock, zone, fold=0)

    assert instant.astimezone(zone).replace(tzinfo=None) == datetime.combine(day, clock)


@given(st.sampled_from(ZONES), st.dates(date(2010, 1, 2), date(2030, 12, 30)))
def test_days_follow_each_other_without_gap(zone_name: str, day: date) -> None:
    zone = ZoneInfo(zone_name)

    assert local_day(day, zone).end == local_day(day + timedelta(days=1), zone).start


@given(st.sampled_from(ZONES), st.dates(date(2010, 1, 2), date(2030, 12, 30)), st.integers(1, 4))
def test_days_touched_cover_the_period(zone_name: str, day: date, length: int) -> None:
    zone = ZoneInfo(zone_name)
    whole = Period(local_day(day, zone).start, local_day(day + timedelta(days=length), zone).start)
    if whole.start == whole.end:
        return

    touched = list(days_touched(whole, zone))

    assert merge(local_day(one, zone) for one in touched) == [whole]


def test_shanghai_day_is_that_of_beijing_time() -> None:
    assert local_day(date(2026, 12, 1), SHANGHAI) == Period(
        datetime(2026, 11, 30, 16, tzinfo=UTC), datetime(2026, 12, 1, 16, tzinfo=UTC)
    )


mixed = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai"])).map(
        lambda three: Period(*(minute(n).astimezone(ZoneInfo(three[2])) for n in three[:2]))
    ),
    max_size=12,
)


@given(mixed, mixed)
def test_zones_of_the_instants_make_no_difference(left: list[Period], right: list[Period]) -> None:
    plain = [[Period(*map(to_utc, one)) for one in side] for side in (left, right)]

    assert merge(left) == merge(plain[0])
    assert subtract(left, right) == subtract(*plain)
    assert intersect(left, right) == intersect(*plain)


@given(periods, periods, periods)
def test_sets_obey_their_laws(a: list[Period], b: list[Period], c: list[Period]) -> None:
    assert merge(a + b) == merge(b + a)
    assert intersect(a, b) == intersect(b, a)
    assert intersect(a, merge(b + c)) == merge(intersect(a, b) + intersect(a, c))
    assert subtract(a, merge(b + c)) == subtract(subtract(a, b), c)
    assert merge(merge(a)) == merge(a) == intersect(a, a)
    assert subtract(a, a) == []


@given(st.integers(0, 300), st.integers(1, 100), st.integers(1, 100))
def test_half_open_neighbours_touch_but_do_not_overlap(start: int, first: int, second: int) -> None:
    one, other = period(start, start + first), period(start + first, start + first + second)

    assert not one.overlaps(other)
    assert intersect([one], [other]) == []
    assert subtract([one], [other]) == [one]
    assert merge([one, other]) == [period(start, start + first + second)]


# The nights on which Berlin's clocks jump and Lord Howe's move by half an hour, minute by minute.
NIGHTS = [("Europe/Berlin", date(2026, 3, 29)), ("Europe/Berlin", date(2026, 10, 25)),
          ("Australia/Lord_Howe", date(2026, 4, 5)), ("Australia/Lord_Howe", date(2026, 10, 4))]  # fmt: skip


@given(st.sampled_from(NIGHTS), st.integers(0, 24 * 60 - 1), st.integers(0, 24 * 60 - 1))
def test_local_windows_hold_the_minutes_that_the_clock_shows(night: tuple[str, date], opens: int, closes: int) -> None:
    """Against a clock that is read every minute: a window is open from the first time it shows ``opens`` or later."""
    zone, day = ZoneInfo(night[0]), night[1]
    opens, closes = min(opens, closes), max(opens, closes)
    whole = local_day(day, zone)
    minutes = [whole.start + timedelta(minutes=n) for n in range(int(whole.duration.total_seconds() // 60))]
    shown = [(at.astimezone(zone).hour * 60 + at.astimezone(zone).minute, at) for at in minutes]

    def boundary(wanted: int) -> datetime:
        return next((at for clock, at in shown if clock >= wanted), whole.end)

    start = local_boundary(day, time(opens // 60, opens % 60), zone)
    end = local_boundary(day, time(closes // 60, closes % 60), zone)

    assert (start, end) == (boundary(opens), boundary(closes))


def test_clock_words_are_by_the_clock_of_the_zone() -> None:
    start = datetime(2026, 3, 5, 1, tzinfo=UTC)

    assert clock_words(start, start + timedelta(hours=3), SHANGHAI) == "2026-03-05 09:00–12:00"
    assert clock_words(start, start + timedelta(hours=16), SHANGHAI) == "2026-03-05 09:00 – 2026-03-06 01:00"
