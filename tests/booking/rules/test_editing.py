"""Changing a booking: itself left out, cut-offs by the old start, smaller is never worse."""

from __future__ import annotations

from typing import Any

import pytest

from booking.rules.dependence import broken_by_cancelling
from tests.booking.rules.making import ask, codes, instant, make_booking, make_policy

OLD = make_booking("2026-03-10 09:00", "2026-03-10 13:00", id=1, made="2026-03-01 09:00")


def change(rules: list[dict[str, Any]], new: dict[str, Any], **known: Any) -> list[str]:
    return codes(ask(make_policy(*rules), {**OLD, "made": None, **new}, act="change", **known))


def test_booking_does_not_count_against_itself() -> None:
    rule = {"kind": "quota", "over": "day", "max": 1}

    assert change([rule], {"start": "2026-03-10 14:00", "end": "2026-03-10 15:00"}, bookings=[OLD]) == []
    assert codes(ask(make_policy(rule), {**OLD, "id": None}, bookings=[OLD])) == ["quota"]


def test_booking_as_it_was_is_left_out_when_the_request_has_no_id() -> None:
    rule = {"kind": "quota", "over": "day", "max": 1}

    assert (
        change([rule], {"id": None, "start": "2026-03-10 14:00", "end": "2026-03-10 15:00"}, bookings=[OLD], before=OLD)
        == []
    )


def test_cut_off_looks_at_the_old_start() -> None:
    cutoff = {"kind": "deadline", "act": "change", "latest": "start -24h"}
    later = {"start": "2026-03-20 09:00", "end": "2026-03-20 13:00"}

    assert change([cutoff], later, before=OLD, now="2026-03-09 09:00") == []
    assert change([cutoff], later, before=OLD, now="2026-03-09 09:01") == ["too_late"]
    assert change([cutoff], later, bookings=[OLD], now="2026-03-09 09:01") == ["too_late"]


def test_cut_off_holds_for_making_it_smaller_too() -> None:
    cutoff = {"kind": "deadline", "act": ["change", "cancel"], "latest": "start -24h"}

    assert change([cutoff], {"end": "2026-03-10 10:00"}, before=OLD, now="2026-03-10 08:00") == ["too_late"]


def test_lead_time_looks_at_the_new_start() -> None:
    lead = {"kind": "deadline", "latest": "start -72h"}
    now = "2026-03-06 09:00"

    assert change([lead], {"start": "2026-03-09 09:00", "end": "2026-03-09 13:00"}, before=OLD, now=now) == []
    assert change([lead], {"start": "2026-03-09 08:59", "end": "2026-03-09 13:00"}, before=OLD, now=now) == ["too_late"]


RULES = [
    {"kind": "length", "min": 60, "max": 180},
    {"kind": "deadline", "latest": "start -72h"},
    {"kind": "quota", "measure": "hours", "over": "week", "max": 2},
    {"kind": "require", "that": {"audience": "inside"}},
]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({"end": "2026-03-10 12:30"}, []),
        ({"start": "2026-03-10 09:30"}, []),
        ({}, []),
        ({"end": "2026-03-10 09:30"}, ["too_short"]),
        ({"end": "2026-03-10 14:00"}, ["too_long", "too_late", "quota", "require"]),
        ({"start": "2026-03-10 08:30", "end": "2026-03-10 12:00"}, ["too_long", "too_late", "quota", "require"]),
        ({"end": "2026-03-10 10:00", "instrument": "J"}, ["too_late", "require"]),
        ({"end": "2026-03-10 10:00", "samples": 3}, []),
        ({"end": "2026-03-10 10:00", "samples": 5}, ["too_late", "require"]),
    ],
)
def test_making_it_smaller_brings_back_no_reason_it_had(new: dict[str, Any], expected: list[str]) -> None:
    old = {**OLD, "samples": 4}

    assert change(RULES, {"samples": 4, **new}, before=old) == expected


def test_smaller_sample_order_has_no_slot() -> None:
    order = make_booking(id=1, samples=9)
    policy = make_policy({"kind": "require", "that": {"samples": {"max": 5}}})

    assert codes(ask(policy, {**order, "samples": 8}, act="change", before=order)) == []
    assert codes(ask(policy, {**order, "samples": 10}, act="change", before=order)) == ["require"]


def test_who_is_suspended_may_make_a_booking_smaller() -> None:
    policy = make_policy(
        {"kind": "ladder", "count": "late", "steps": [{"at": 1, "do": {"do": "suspend", "for": "1mo"}}]}
    )
    events = [{"name": "late", "at": "2026-03-08 09:00", "person": "p"}]
    known: dict[str, Any] = {"act": "change", "before": OLD, "events": events}

    assert codes(ask(policy, {**OLD, "end": "2026-03-10 10:00"}, **known)) == []
    assert codes(ask(policy, {**OLD, "end": "2026-03-10 14:00"}, **known)) == ["suspend"]


def test_exemption_keeps_the_first_made_and_looks_at_the_new_start() -> None:
    exempt = {"kind": "quota", "over": "day", "max": 0, "of": {"unless": {"made_after": "start -24h"}}}
    new = {"start": "2026-03-02 08:00", "end": "2026-03-02 09:00"}

    assert change([exempt], new, before=OLD, now="2026-03-01 10:00") == []
    assert change([exempt], {"start": "2026-03-02 10:00", "end": "2026-03-02 11:00"}, before=OLD) == ["quota"]


def test_what_is_asked_of_changes_only_is_never_forgiven() -> None:
    rule = {"kind": "require", "act": "change", "that": {"person.role": "staff"}}

    assert change([rule], {"end": "2026-03-10 10:00"}, before=OLD) == ["require"]


def test_cancelling_breaks_what_needs_the_booking() -> None:
    of = {"instrument": "prep"}
    policy = make_policy({"kind": "quota", "if": {"instrument": "I"}, "over": "day", "min": 1, "of": of}, RULES[0])
    prep = make_booking("2026-03-10 08:00", "2026-03-10 09:00", id=2) | of
    over = make_booking("2026-03-08 08:00", "2026-03-08 09:00", id=3)
    now = instant(policy, "2026-03-09 10:00")

    ((broken, entry),) = broken_by_cancelling(policy, prep, now=now, bookings=[OLD, prep, over])

    assert (broken, entry.code) == (1, "needs_booking")
    assert broken_by_cancelling(policy, OLD, now=now, bookings=[OLD, prep, over]) == []
