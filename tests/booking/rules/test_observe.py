"""From what happened to named violations."""

from __future__ import annotations

from typing import Any

import pytest

from booking.rules.model import Policy
from booking.rules.observe import observe
from booking.rules.results import Violation
from tests.booking.rules.making import instant, make_booking, make_policy

BOOKING = make_booking("2026-03-10 10:00", "2026-03-10 12:00", id=1, made="2026-03-01 09:00")


def seen(policy: Policy, what: str, at: str | None, booking: dict[str, Any] = BOOKING) -> list[Violation]:
    return observe(policy, booking, [(what, instant(policy, at) if at else None)])


@pytest.mark.parametrize(
    ("limit", "quiet", "named"),
    [
        ({"after": "start +15min"}, "10:15", "10:16"),
        ({"from": "start +15min"}, "10:14", "10:15"),
        ({"before": "start"}, "10:00", "09:59"),
        ({"after": "start", "before": "start +1h"}, "11:00", "10:59"),
        ({"after": "start -1d @24:00"}, "09 23:59", "00:00"),
    ],
)
def test_moment_is_part_of_the_match(limit: dict[str, str], quiet: str, named: str) -> None:
    policy = make_policy({"kind": "event", "on": "checkin", "name": "late", **limit})

    def names(clock: str) -> list[str]:
        at = f"2026-03-{clock}" if " " in clock else f"2026-03-10 {clock}"
        return [each.name for each in seen(policy, "checkin", at)]

    assert names(quiet) == []
    assert names(named) == ["late"]


def test_first_matching_case_names_it_and_one_without_a_name_is_no_event() -> None:
    cases: list[dict[str, Any]] = [
        {"if": {"reused": True}, "name": None},
        {"if": {"mode": "sample"}, "free": True},
        {"after": "start -24h", "with": {"share": 100}},
        {"after": "start -48h", "with": {"share": 50}, "dates": {"due": "at +14d"}},
    ]
    policy = make_policy({"kind": "event", "on": ["cancel", "withdraw"], "name": "late_cancel", "cases": cases})

    assert seen(policy, "cancel", "2026-03-10 09:00", {**BOOKING, "reused": True}) == []
    assert seen(policy, "cancel", "2026-03-10 09:00", {**BOOKING, "mode": "sample"}) == []
    assert [each.values for each in seen(policy, "withdraw", "2026-03-10 09:00")] == [{"share": 100}]
    (found,) = seen(policy, "cancel", "2026-03-09 10:00")
    assert found.values == {"share": 50, "due": instant(policy, "2026-03-23 10:00")}
    assert found.at == instant(policy, "2026-03-09 10:00")
    assert seen(policy, "cancel", "2026-03-08 10:00") == []
    assert seen(policy, "checkin", "2026-03-10 10:00") == []


def test_what_never_happened_dates_from_when_that_is_certain() -> None:
    policy = make_policy({"kind": "event", "on": "never", "after": "start +30min", "name": "no_show"})

    assert [each.at for each in seen(policy, "never", None)] == [instant(policy, "2026-03-10 10:30")]
    assert [each.at for each in seen(policy, "never", "2026-03-11 00:00")] == [instant(policy, "2026-03-10 10:30")]
    assert seen(policy, "never", "2026-03-10 10:30") == []


def test_without_a_moment_it_dates_from_the_end() -> None:
    policy = make_policy({"kind": "event", "on": "never", "name": "no_show"})

    assert [each.at for each in seen(policy, "never", None)] == [instant(policy, "2026-03-10 12:00")]
    assert seen(policy, "never", None, make_booking()) == []


def test_rule_condition_and_facts_are_heeded() -> None:
    policy = make_policy({"kind": "event", "on": "cancel", "name": "late_cancel", "if": {"person.role": "student"}})
    sequence = [("cancel", instant(policy, "2026-03-10 09:00"))]

    assert observe(policy, BOOKING, sequence) == []
    assert len(observe(policy, BOOKING, sequence, facts={"person": {"role": "student"}})) == 1
