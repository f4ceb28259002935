"""Quotas: measures, periods, who shares them, and a naive model of the whole."""

from __future__ import annotations

import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.rules.decide import decide
from tests.booking.rules.making import WEEKDAY_PEAK, ask, codes, instant, make_booking, make_policy


def stored(*times: str, **fields: Any) -> list[dict[str, Any]]:
    """Bookings ``03-10 09:00/12:00``, or with a date at the end too."""
    found = []
    for number, text in enumerate(times):
        start, _, end = text.partition("/")
        end = end if "-" in end else f"{start[:5]} {end}"
        found.append(make_booking(f"2026-{start}", f"2026-{end}", id=number, **fields))
    return found


def refused(rule: dict[str, Any], request: str, *others: str, **fields: Any) -> list[str]:
    policy = make_policy({"kind": "quota", **rule}, windows=WEEKDAY_PEAK)
    return codes(ask(policy, stored(request, **fields)[0] | {"id": None}, bookings=stored(*others)))


TWO_DAYS = ("03-10 09:00/12:00", "03-12 09:00/13:00")
CASES: list[tuple[dict[str, Any], str, tuple[str, ...], list[str]]] = [
    # rule, request, others, refusals
    ({"over": "day", "max": 2}, "03-10 15:00/16:00", ("03-10 09:00/10:00",), []),
    ({"over": "day", "max": 1}, "03-10 15:00/16:00", ("03-10 09:00/10:00",), ["quota"]),
    ({"over": "day", "max": 1}, "03-11 00:00/01:00", ("03-10 23:00/03-11 00:00",), []),
    ({"over": "day", "max": 1}, "03-11 02:00/03:00", ("03-10 23:00/03-11 02:00",), []),
    ({"over": "week", "max": 2}, "03-13 09:00/10:00", TWO_DAYS, ["quota"]),
    ({"over": "week", "max": 2}, "03-16 09:00/10:00", TWO_DAYS, []),
    ({"over": "month", "max": 2}, "03-31 09:00/10:00", TWO_DAYS, ["quota"]),
    ({"over": "month", "max": 2}, "04-01 09:00/10:00", TWO_DAYS, []),
    ({"over": "quarter", "max": 2}, "03-31 09:00/10:00", TWO_DAYS, ["quota"]),
    ({"over": "quarter", "max": 2}, "04-01 09:00/10:00", TWO_DAYS, []),
    ({"over": "halfyear", "max": 2}, "06-30 09:00/10:00", TWO_DAYS, ["quota"]),
    ({"over": "halfyear", "max": 2}, "07-01 09:00/10:00", TWO_DAYS, []),
    ({"over": "year", "max": 2}, "12-31 09:00/10:00", TWO_DAYS, ["quota"]),
    ({"over": "ever", "max": 2}, "12-31 09:00/10:00", TWO_DAYS, ["quota"]),
    ({"over": "open", "max": 2}, "03-20 09:00/10:00", TWO_DAYS, ["quota"]),
    ({"over": "open", "max": 2}, "03-20 09:00/10:00", ("03-09 08:00/10:00", "03-12 09:00/13:00"), []),
    ({"measure": "hours", "over": "day", "max": 4}, "03-10 15:00/16:00", TWO_DAYS, []),
    ({"measure": "hours", "over": "day", "max": 4}, "03-10 15:00/16:01", TWO_DAYS, ["quota"]),
    ({"measure": "hours", "over": "week", "max": 4}, "03-15 22:00/03-16 04:00", (), []),
    ({"measure": "hours", "over": "week", "max": 4}, "03-15 22:00/03-16 04:01", (), ["quota"]),
    ({"measure": "hours", "over": "week", "max": 4}, "03-15 19:59/03-16 04:00", (), ["quota"]),
    ({"measure": "hours", "part": "peak", "over": "day", "max": 4}, "03-10 17:00/23:00", TWO_DAYS, []),
    ({"measure": "hours", "part": "peak", "over": "day", "max": 3}, "03-10 17:00/23:00", TWO_DAYS, ["quota"]),
    ({"part": "peak", "over": "day", "max": 1}, "03-10 18:00/23:00", TWO_DAYS, []),
    ({"measure": "days", "over": "week", "max": 2}, "03-12 15:00/16:00", TWO_DAYS, []),
    ({"measure": "days", "over": "week", "max": 2}, "03-13 15:00/16:00", TWO_DAYS, ["quota"]),
    ({"measure": "days", "over": "week", "max": 2}, "03-10 15:00/03-11 15:00", TWO_DAYS, ["quota"]),
    ({"measure": "days", "part": "peak", "over": "week", "max": 2}, "03-10 20:00/03-11 05:00", TWO_DAYS, []),
    # rolling windows look backward and forward
    ({"over": "7d", "max": 1}, "03-17 09:00/10:00", ("03-10 09:00/10:00",), []),
    ({"over": "7d", "max": 1}, "03-17 08:59/10:00", ("03-10 09:00/10:00",), ["quota"]),
    ({"over": "7d", "max": 1}, "03-03 09:00/10:00", ("03-10 09:00/10:00",), []),
    ({"over": "7d", "max": 1}, "03-03 09:01/10:00", ("03-10 09:00/10:00",), ["quota"]),
    ({"over": "7d", "max": 2}, "03-11 09:00/10:00", ("03-06 09:00/10:00", "03-14 09:00/10:00"), []),
    ({"over": "7d", "max": 2}, "03-11 09:00/10:00", ("03-08 09:00/10:00", "03-14 09:00/10:00"), ["quota"]),
    ({"measure": "hours", "over": "24h", "max": 4}, "03-11 09:00/11:00", ("03-10 09:00/12:00",), []),
    ({"measure": "hours", "over": "24h", "max": 4}, "03-11 08:00/11:00", ("03-10 09:00/12:00",), []),
    ({"measure": "hours", "over": "24h", "max": 4}, "03-11 07:59/11:00", ("03-10 09:00/12:00",), ["quota"]),
    ({"measure": "days", "over": "7d", "max": 1}, "03-16 09:00/10:00", ("03-10 09:00/10:00",), ["quota"]),
    ({"measure": "days", "over": "7d", "max": 1}, "03-17 09:00/10:00", ("03-10 09:00/10:00",), []),
    # at once, near, unbroken
    ({"over": "overlap", "max": 2}, "03-10 09:00/12:00", ("03-10 09:00/10:00", "03-10 11:00/13:00"), []),
    ({"over": "overlap", "max": 2}, "03-10 09:00/12:00", ("03-10 08:00/11:30", "03-10 11:00/13:00"), ["quota"]),
    ({"over": "overlap", "max": 1}, "03-10 09:00/12:00", ("03-10 12:00/13:00",), []),
    ({"measure": "hours", "over": "overlap", "max": 5}, "03-10 09:00/12:00", ("03-10 10:00/13:00",), []),
    ({"over": "near 2h", "max": 1}, "03-10 14:00/15:00", ("03-10 09:00/12:00",), []),
    ({"over": "near 2h", "max": 1}, "03-10 13:59/15:00", ("03-10 09:00/12:00",), ["quota"]),
    ({"over": "near 2h", "max": 0}, "03-10 06:00/07:01", ("03-10 09:00/12:00",), ["quota"]),
    ({"over": "near 2h", "max": 0}, "03-10 06:00/07:00", ("03-10 09:00/12:00",), []),
    ({"over": "near 0min", "max": 2}, "03-10 12:00/13:00", ("03-10 09:00/12:00", "03-10 13:00/14:00"), ["quota"]),
    ({"over": "near 0min", "max": 2}, "03-10 12:01/13:00", ("03-10 09:00/12:00", "03-10 13:00/14:00"), []),
    ({"measure": "hours", "over": "near 0min", "max": 5}, "03-10 12:00/14:00", ("03-10 09:00/12:00",), []),
    ({"measure": "hours", "over": "near 0min", "max": 5}, "03-10 12:00/14:01", ("03-10 09:00/12:00",), ["quota"]),
    ({"measure": "hours", "part": "peak", "over": "near 0min", "max": 2}, "03-10 16:00/03-11 11:00", (), []),
    (
        {"measure": "hours", "part": "peak", "over": "near 0min", "max": 1},
        "03-10 17:00/20:00",
        ("03-10 20:00/03-11 12:00",),
        [],
    ),
    # the least
    ({"over": "week", "min": 2, "others": True}, "03-13 09:00/10:00", TWO_DAYS, []),
    ({"over": "week", "min": 3, "others": True}, "03-13 09:00/10:00", TWO_DAYS, ["needs_booking"]),
    ({"over": "week", "min": 3}, "03-13 09:00/10:00", TWO_DAYS, []),
    ({"over": "7d", "min": 1, "others": True}, "03-13 09:00/10:00", (), ["needs_booking"]),
    ({"over": "overlap", "min": 1, "others": True}, "03-10 12:00/13:00", TWO_DAYS, ["needs_booking"]),
    ({"over": "overlap", "min": 1, "others": True}, "03-10 11:59/13:00", TWO_DAYS, []),
    ({"measure": "hours", "over": "7d", "min": 5, "others": True}, "03-10 12:00/13:00", TWO_DAYS, []),
    ({"measure": "hours", "over": "near 0min", "min": 3, "others": True}, "03-10 12:00/13:00", TWO_DAYS, []),
    ({"over": "day", "max": 0, "others": True}, "03-10 12:00/13:00", TWO_DAYS, ["quota"]),
]


@pytest.mark.parametrize(("rule", "request_", "others", "expected"), CASES)
def test_quota(rule: dict[str, Any], request_: str, others: tuple[str, ...], expected: list[str]) -> None:
    assert refused(rule, request_, *others) == expected


def test_values_tell_all() -> None:
    policy = make_policy({"kind": "quota", "topic": "peak", "measure": "hours", "over": "week", "max": 4.5})

    (entry,) = ask(policy, stored("03-13 09:00/11:00")[0] | {"id": 9}, bookings=stored(*TWO_DAYS[:1])).refuse

    assert entry.topic == "peak"
    assert {name: entry.values[name] for name in ("is", "max", "left", "over")} == {
        "is": 5,
        "max": 4.5,
        "left": 1.5,
        "over": "week",
    }
    assert (entry.values["from"], entry.values["to"]) == (instant(policy, "2026-03-09"), instant(policy, "2026-03-16"))


def test_week_starts_where_the_policy_says() -> None:
    rule = {"kind": "quota", "over": "week", "max": 1}
    saturday, sunday = stored("03-14 09:00/10:00", "03-15 09:00/10:00")

    assert codes(ask(make_policy(rule), sunday, bookings=[saturday])) == ["quota"]
    assert codes(ask(make_policy(rule, week_start="Sun"), sunday, bookings=[saturday])) == []


def test_pieces_people_and_instruments() -> None:
    request = stored("03-13 09:00/11:00", samples=3)[0] | {"id": 9}
    others = [
        stored("03-10 09:00/11:00", samples=4)[0],
        stored("03-11 09:00/11:00", person="q", pieces=2, instrument="J")[0],
        stored("03-12 09:00/11:00", person="q", instrument="J")[0],
    ]

    def is_refused(measure: str, most: int, over: str = "week") -> bool:
        rule = {"kind": "quota", "measure": measure, "over": over, "max": most, "per": "group"}
        bookings = [{**each, "id": None} for each in others]
        return codes(ask(make_policy(rule), request, bookings=bookings)) == ["quota"]

    assert (is_refused("pieces", 9), is_refused("pieces", 8)) == (False, True)
    assert (is_refused("pieces", 9, "7d"), is_refused("pieces", 8, "7d")) == (False, True)
    # The person and the instrument are there already: this request adds none.
    assert (is_refused("people", 1), is_refused("instruments", 1)) == (False, False)
    request["person"] = "r"
    request["instrument"] = "K"
    assert (is_refused("people", 3), is_refused("people", 2)) == (False, True)
    assert (is_refused("people", 3, "7d"), is_refused("people", 2, "7d")) == (False, True)
    assert (is_refused("instruments", 3), is_refused("instruments", 2)) == (False, True)


def test_orders_without_a_slot_count_when_they_are_made() -> None:
    policy = make_policy(
        {"kind": "quota", "measure": "pieces", "over": "month", "max": 20},
        {"kind": "quota", "measure": "days", "over": "month", "max": 1},
        {"kind": "quota", "measure": "days", "over": "year", "max": 9},
        {"kind": "quota", "over": "open", "max": 2},
        {"kind": "quota", "over": "overlap", "max": 2},
    )
    old = make_booking(samples=15, made="2026-03-09 09:00", id=1)

    assert codes(ask(policy, make_booking(samples=5), bookings=[old])) == []
    assert codes(ask(policy, make_booking(samples=6), bookings=[old])) == ["quota"]
    assert codes(ask(policy, make_booking(samples=6), bookings=[old], now="2026-04-01 09:00")) == []


def test_a_quota_belongs_to_its_parties() -> None:
    others = stored("03-10 09:00/10:00", person="q")

    assert refused({"over": "day", "max": 1}, "03-10 11:00/12:00") == []
    policy = make_policy({"kind": "quota", "over": "day", "max": 1, "per": ["group"]})
    request = stored("03-10 11:00/12:00")[0] | {"id": 9}
    assert codes(ask(policy, request, bookings=others)) == ["quota"]
    assert codes(ask(policy, {**request, "group": None}, bookings=[{**others[0], "group": None}])) == []
    everybody = make_policy({"kind": "quota", "over": "day", "max": 1, "per": []})
    assert codes(ask(everybody, {**request, "group": "h"}, bookings=others)) == ["quota"]


def test_conditions_on_strangers_use_their_own_snapshot() -> None:
    rule = {"kind": "quota", "over": "day", "max": 1, "per": "group", "of": {"person.level": "B"}}
    others = stored("03-10 09:00/10:00", person="q")
    request = stored("03-10 11:00/12:00")[0] | {"id": 9}
    facts = {"person": {"level": "B"}}

    assert codes(ask(make_policy(rule), request, bookings=others, facts=facts)) == []
    others[0]["person.level"] = "B"
    assert codes(ask(make_policy(rule), request, bookings=others, facts=facts)) == ["quota"]


def test_exempt_request_is_not_refused_when_others_are_over() -> None:
    exempt = {"unless": {"made_after": "start -24h"}}
    policy = make_policy({"kind": "quota", "measure": "hours", "over": "week", "max": 2, "of": exempt})
    others = [{**each, "made": "2026-03-01 09:00"} for each in stored(*TWO_DAYS)]
    request = stored("03-13 09:00/10:00")[0] | {"id": 9}

    assert codes(ask(policy, request, bookings=others, now="2026-03-12 09:01")) == []
    assert codes(ask(policy, request, bookings=others, now="2026-03-12 09:00")) == ["quota"]


@pytest.mark.parametrize("unit", ["7d", "near 0min", "overlap", "week"])
def test_exempt_request_adds_nothing(unit: str) -> None:
    rule = {"measure": "hours", "over": unit, "max": 1, "of": {"mode": "self"}}

    assert refused(rule, "03-10 12:00/13:00", "03-10 09:00/12:00", mode="sample") == []


def test_limit_may_come_from_a_fact() -> None:
    policy = make_policy({"kind": "quota", "over": "day", "max": {"fact": "person.allowance"}})
    request = stored("03-10 11:00/12:00")[0]

    assert codes(ask(policy, request, facts={"person": {"allowance": 1}})) == []
    assert codes(ask(policy, request)) == ["quota"]


def test_hours_of_a_local_day_follow_the_clock() -> None:
    policy = make_policy({"kind": "quota", "measure": "hours", "over": "day", "max": 23}, tz="Europe/Berlin")

    assert codes(ask(policy, make_booking("2026-03-29 00:00", "2026-03-30 00:00"))) == []
    assert codes(ask(policy, make_booking("2026-10-25 00:00", "2026-10-26 00:00"))) == ["quota"]


def test_a_rolling_day_follows_the_clock() -> None:
    policy = make_policy({"kind": "quota", "over": "1d", "max": 1}, tz="Europe/Berlin")
    before = make_booking("2026-03-28 10:00", "2026-03-28 11:00", id=1)

    assert codes(ask(policy, make_booking("2026-03-29 10:00", "2026-03-29 11:00"), bookings=[before])) == []
    assert codes(ask(policy, make_booking("2026-03-29 09:59", "2026-03-29 11:00"), bookings=[before])) == ["quota"]


MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
quarters = st.integers(0, 4 * 24 * 21)
slots = st.tuples(quarters, st.integers(1, 4 * 30)).map(
    lambda slot: (MONDAY + timedelta(minutes=15 * slot[0]), MONDAY + timedelta(minutes=15 * (slot[0] + slot[1])))
)


def booking_of(slot: tuple[datetime, datetime]) -> dict[str, Any]:
    return make_booking() | {"start": slot[0], "end": slot[1]}


@given(request=slots, others=st.lists(slots, max_size=8), most=st.integers(0, 60))
def test_hours_of_a_week_agree_with_adding_up_quarters(
    request: tuple[datetime, datetime], others: list[tuple[datetime, datetime]], most: int
) -> None:
    policy = make_policy({"kind": "quota", "measure": "hours", "over": "week", "max": most})
    spent: Counter[int] = Counter()  # quarters of an hour by week
    for start, end in [request, *others]:
        for number in range((end - start) // QUARTER):
            spent[(start + number * QUARTER - MONDAY).days // 7] += 1
    touched = {(request[0] - MONDAY).days // 7, (request[1] - QUARTER - MONDAY).days // 7}

    decision = decide(policy, booking_of(request), act="create", now=MONDAY, bookings=map(booking_of, others))

    assert decision.allowed == all(spent[week] <= 4 * most for week in touched)


@given(request=slots, others=st.lists(slots, max_size=8), most=st.integers(0, 8), days=st.integers(1, 9))
def test_rolling_counts_agree_with_trying_every_window(
    request: tuple[datetime, datetime], others: list[tuple[datetime, datetime]], most: int, days: int
) -> None:
    policy = make_policy({"kind": "quota", "over": f"{days}d", "max": most})
    starts = [start for start, _end in [request, *others]]
    windows = [start for start in starts if start <= request[0] < start + timedelta(days=days)]
    worst = max(sum(first <= start < first + timedelta(days=days) for start in starts) for first in windows)

    decision = decide(policy, booking_of(request), act="create", now=MONDAY, bookings=map(booking_of, others))

    assert decision.allowed == (worst <= most)


@given(request=slots, others=st.lists(slots, max_size=6), most=st.integers(0, 60), hours=st.integers(1, 72))
def test_rolling_hours_agree_with_trying_every_quarter(
    request: tuple[datetime, datetime], others: list[tuple[datetime, datetime]], most: int, hours: int
) -> None:
    policy = make_policy({"kind": "quota", "measure": "hours", "over": f"{hours}h", "max": most})
    length, quarter = timedelta(hours=hours), timedelta(minutes=15)
    worst = timedelta()
    first = request[0] - length + quarter
    while first < request[1]:
        used = (min(end, first + length) - max(start, first) for start, end in [request, *others])
        worst = max(worst, sum((each for each in used if each > timedelta()), timedelta()))
        first += quarter

    decision = decide(policy, booking_of(request), act="create", now=MONDAY, bookings=map(booking_of, others))

    assert decision.allowed == (worst <= timedelta(hours=most))


@given(request=slots, others=st.lists(slots, max_size=8), most=st.integers(1, 8))
def test_simultaneous_bookings_agree_with_looking_at_every_quarter(
    request: tuple[datetime, datetime], others: list[tuple[datetime, datetime]], most: int
) -> None:
    policy = make_policy({"kind": "quota", "over": "overlap", "max": most})
    worst, at = 0, request[0]
    while at < request[1]:
        worst = max(worst, sum(start <= at < end for start, end in [request, *others]))
        at += timedelta(minutes=15)

    decision = decide(policy, booking_of(request), act="create", now=MONDAY, bookings=map(booking_of, others))

    assert decision.allowed == (worst <= most)


@pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer multiplies the time")
def test_fifteen_quotas_on_three_hundred_bookings_take_milliseconds() -> None:
    units = ("day", "week", "month", "quarter", "year", "7d", "30d", "open", "ever", "overlap", "near 2h", "90d")
    rules = [
        {"kind": "quota", "measure": measure, "part": "peak", "over": unit, "max": 9999, "of": {"mode": "self"}}
        for measure, unit in zip(("hours", "count") * 8, (*units, "near 0min", "halfyear", "week"), strict=False)
    ]
    policy = make_policy(*rules, windows=WEEKDAY_PEAK, tz="Asia/Shanghai")
    others = [
        booking_of((MONDAY + timedelta(hours=5 * number), MONDAY + timedelta(hours=5 * number + 3)))
        for number in range(300)
    ]
    request = booking_of((MONDAY + timedelta(hours=753), MONDAY + timedelta(hours=755)))

    def seconds() -> float:
        begun = time.process_time()
        assert decide(policy, request, act="create", now=MONDAY, bookings=others).allowed
        return time.process_time() - begun

    # The best of several runs: the machine may be busy with other things.
    assert len(policy.rules) == 15
    assert min(seconds() for _ in range(8)) < 0.02
