"""What would fix a refusal: re-evaluated before it is shown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.booking.rules.making import WEEKDAY_PEAK, ask, instant, make_booking, make_policy

TUESDAY = make_booking("2026-03-10 09:10", "2026-03-10 10:10")


def fix_of(rules: list[dict[str, Any]], request: dict[str, Any] = TUESDAY, **known: Any) -> str | None:
    policy = make_policy(*rules, windows={**WEEKDAY_PEAK, "bands": "daily 09:00-10:00, 10:00-12:00"})
    entry = ask(policy, request, **known).refuse[0]
    return f"{entry.fix:%Y-%m-%d %H:%M}" if entry.fix else None


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"kind": "deadline", "latest": "start -72h"}], "2026-03-12 10:00"),
        ([{"kind": "deadline", "latest": "start -3d @24:00"}], "2026-03-12 00:00"),
        ([{"kind": "deadline", "latest": "start -1w Thu @12:00"}], "2026-03-16 00:00"),
        ([{"kind": "deadline", "latest": "2026-03-01"}], None),
        ([{"kind": "slots", "step": 60}], "2026-03-10 10:00"),
        ([{"kind": "slots", "starts": ["08:00", "13:00"]}], "2026-03-10 13:00"),
        ([{"kind": "slots", "bands": "bands"}], "2026-03-10 09:00"),
        ([{"kind": "require", "that": {"inside": "Wed 14:00-16:00"}}], "2026-03-11 14:00"),
        ([{"kind": "require", "that": {"starts_in": "Wed 14:00-14:30"}}], "2026-03-11 14:00"),
        ([{"kind": "require", "that": {"inside": "Wed 14:00-14:30"}}], None),
        ([{"kind": "require", "that": {"any": [{"inside": "Wed 14:00-16:00"}, {"x": 1}]}}], "2026-03-11 14:00"),
    ],
)
def test_fix(rules: list[dict[str, Any]], expected: str | None) -> None:
    assert fix_of(rules) == expected


def test_fix_avoids_what_another_rule_forbids() -> None:
    lead = {"kind": "deadline", "latest": "start -3d @24:00"}

    assert fix_of([lead, {"kind": "require", "that": {"inside": "peak"}}]) == "2026-03-12 09:10"
    assert fix_of([lead, {"kind": "require", "that": {"inside": "Mon-Tue"}}]) == "2026-03-16 09:10"
    assert fix_of([lead, {"kind": "deadline", "earliest": "start -1d"}]) is None


def test_fix_avoids_a_full_quota() -> None:
    taken = make_booking("2026-03-12 20:00", "2026-03-12 21:00", id=1)
    rules = [{"kind": "deadline", "latest": "start -72h"}, {"kind": "quota", "over": "day", "max": 1}]

    assert fix_of(rules, bookings=[taken]) == "2026-03-13 09:10"


def test_fix_may_still_need_approval() -> None:
    rules = [{"kind": "slots", "step": 60}, {"kind": "length", "max": 30, "else": "approve"}]

    assert fix_of(rules) == "2026-03-10 10:00"


def test_cancelling_has_no_other_time() -> None:
    rules = [{"kind": "deadline", "act": "cancel", "latest": "start -24h", "fix": "telephone the manager"}]
    policy = make_policy(*rules)

    (entry,) = ask(policy, TUESDAY, act="cancel").refuse

    assert (entry.fix, entry.fix_text) == (None, "telephone the manager")


def test_fix_for_a_start_alone() -> None:
    order = make_booking("2026-03-10 09:10", mode="sample")

    assert fix_of([{"kind": "deadline", "latest": "start -72h"}], order) == "2026-03-12 10:00"


def test_waiting_says_until_when() -> None:
    policy = make_policy(
        {"kind": "require", "that": {"person.since": {"older": "3mo"}, "person.trained": {"older": "1w"}}}
    )

    (entry,) = ask(policy, TUESDAY, facts={"person": {"since": "2026-01-05", "trained": "2026-03-08"}}).refuse
    assert entry.until == instant(policy, "2026-04-05")
    (entry,) = ask(policy, TUESDAY, facts={"person": {"since": "2026-01-05"}}).refuse
    assert entry.until is None
