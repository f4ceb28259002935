"""What a policy needs to know: the same number of reads whatever the number of its rules."""

from __future__ import annotations

from typing import Any

import pytest

from backend.core.periods import Period
from booking.rules.facts import needs, recording_locks
from tests.booking.rules.making import instant, make_booking, make_policy

LADDER = {"kind": "ladder", "count": ["late", "no_show"], "per": "group", "steps": [{"at": 1, "do": "warn"}]}


def make_quota(over: str = "week", **more: Any) -> dict[str, Any]:
    return {"kind": "quota", "over": over, "max": 1, **more}


def test_facts_are_found_wherever_they_stand() -> None:
    policy = make_policy(
        {"kind": "require", "if": {"any": [{"person.a": 1}, {"unless": {"person.b": 1}}]}, "that": {"mode": "self"}},
        {"kind": "length", "max": {"fact": "group.c"}, "act": "extend"},
        make_quota(of={"person.d": 1}, max={"fact": "group.e"}),
        {"kind": "lapse", "if": {"person.f": 1}, "since": "person.g", "after": "1y", "set": ["person.h", None]},
        {"kind": "deadline", "latest": "person.i +1y"},
        {"kind": "event", "on": "checkin", "name": "late", "if": {"person.j": 1}},
    )

    assert sorted(needs(policy, "create").facts) == [
        "group.e", "person.a", "person.b", "person.d", "person.f", "person.g", "person.h", "person.i",
    ]  # fmt: skip
    assert "group.c" in needs(policy, "extend").facts


def test_one_branch_per_distinct_parties() -> None:
    rules = [
        make_quota(),
        make_quota("month"),
        make_quota(per=["person", "instrument"]),
        make_quota("day", per=["group"]),
    ]

    few, many = needs(make_policy(*rules), "create"), needs(make_policy(*rules * 5), "create")

    assert [read.per for read in few.booking_reads] == [("person",), ("person", "instrument"), ("group",)]
    assert [read.per for read in many.booking_reads] == [read.per for read in few.booking_reads]
    assert needs(make_policy(*rules), "cancel").booking_reads == ()


@pytest.mark.parametrize(
    ("overs", "first", "last"),
    [
        (["week"], "2026-03-09", "2026-03-16"),
        (["day", "month"], "2026-03-01", "2026-04-01"),
        (["7d"], "2026-03-03 10:00", "2026-03-17 12:00"),
        (["near 2h"], "2026-03-10 08:00", "2026-03-10 14:00"),
        (["overlap"], "2026-03-10 10:00", "2026-03-10 12:00"),
        (["near 0min"], "2026-02-07 10:00", "2026-04-10 12:00"),
    ],
)
def test_range_is_the_union_of_the_periods(overs: list[str], first: str, last: str) -> None:
    policy = make_policy(*map(make_quota, overs))
    request = make_booking("2026-03-10 10:00", "2026-03-10 12:00")

    (read,) = needs(policy, "create").booking_reads

    found = read.reach(policy, request, now=instant(policy, "2026-03-01"))
    assert found == Period(instant(policy, first), instant(policy, last))


def test_ever_has_no_limit() -> None:
    policy = make_policy(make_quota(), make_quota("ever"))

    (read,) = needs(policy, "create").booking_reads

    assert read.reach(policy, make_booking(), now=instant(policy, "2026-03-01")) is None


def test_what_is_open_ends_after_now() -> None:
    policy = make_policy(make_quota("open"))
    now = instant(policy, "2026-03-01 12:00")

    (read,) = needs(policy, "create").booking_reads

    found = read.reach(policy, make_booking(), now=now)
    assert found is not None
    assert found.start == now


def test_events_are_read_once_per_party() -> None:
    policy = make_policy(LADDER, {**LADDER, "count": {"*": 1}}, {**LADDER, "per": "person"})

    reads = needs(policy, "create").event_reads

    assert [(read.per, read.names) for read in reads] == [
        (("group",), ("late", "no_show", "*")),
        (("person",), ("late", "no_show")),
    ]


def test_locks_stand_in_their_order_one_party_per_quota() -> None:
    quotas = [
        make_quota(per=per) for per in (["instrument", "organisation"], ["group", "person"], ["project"], ["group"])
    ]

    assert needs(make_policy(*quotas), "create").locks == ("person", "group", "project", "organisation")
    assert needs(make_policy(make_quota(per=["audience"])), "create").locks == ("instrument",)
    assert needs(make_policy({"kind": "slots", "bands": "business"}), "create").locks == ("instrument",)
    assert needs(make_policy({"kind": "slots", "step": 15}), "create").locks == ()
    priority = make_policy({"kind": "priority", "order": [{"mode": "self"}]})
    assert (needs(priority, "create").locks, needs(priority, "cancel").locks) == (("instrument",), ())


def test_recording_a_violation_locks_by_whom_it_counts() -> None:
    policy = make_policy(LADDER, {**LADDER, "per": ["person"]}, {**LADDER, "per": ["room"]})

    assert recording_locks(policy) == ("person", "group", "instrument")
