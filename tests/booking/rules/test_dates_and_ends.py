"""Dates against moments, suspensions that end at a moment, bands of 24 hours, quotas by facts: at the boundary."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from backend.core.errors import Invalid
from booking.rules.facts import needs
from booking.rules.layers import parse_policy
from booking.rules.rank import may_displace, rank
from booking.rules.sentences import describe
from booking.rules.standing import standing
from tests.booking.rules.making import ask, codes, instant, make_booking, make_policy

SLOT = make_booking("2026-03-20 10:00", "2026-03-20 12:00")


@pytest.mark.parametrize(
    ("bound", "value", "held"),
    [
        ({"min": "end"}, "2026-03-20", True),
        ({"min": "end"}, "2026-03-19", False),
        ({"min": "end"}, "2026-03-20 12:00", True),
        ({"min": "end"}, "2026-03-20 11:59", False),
        ({"min": "end"}, date(2026, 3, 20), True),
        ({"min": "end"}, date(2026, 3, 19), False),
        ({"min": "end"}, datetime(2026, 3, 20, 11, 59, tzinfo=UTC), False),
        ({"min": "start +30d"}, "2026-04-19", True),
        ({"min": "start +30d"}, "2026-04-18", False),
        ({"max": "start -1w"}, "2026-03-13", True),
        ({"max": "start -1w"}, "2026-03-14", False),
        ({"max": "start -1w"}, "2026-03-13 10:01", False),
        ({"min": "2026-03-20"}, "2026-03-20", True),
        ({"min": "start -1d @24:00"}, "2026-03-19", True),
        ({"min": "person.since"}, "2026-01-01", True),
        ({"min": "end"}, None, False),
        ({"min": "end"}, 3, False),
    ],
)
def test_a_date_against_a_moment(bound: dict[str, Any], value: Any, held: bool) -> None:
    policy = make_policy({"kind": "require", "that": {"person.until": bound}})

    assert codes(ask(policy, SLOT, facts={"person": {"until": value}})) == ([] if held else ["require"])


def test_a_moment_that_is_unknown_binds_nothing() -> None:
    policy = make_policy({"kind": "require", "act": ["train"], "that": {"person.until": {"min": "end"}}})

    assert codes(ask(policy, {"person": "p"}, act="train", facts={"person": {"until": "2020-01-01"}})) == []


def test_what_is_no_moment_is_said_at_its_place() -> None:
    with pytest.raises(Invalid) as caught:
        parse_policy({"rules": [{"kind": "require", "that": {"person.until": {"min": "soon"}}}]})

    assert [each.field for each in caught.value.refusals] == ["rules[0].that.person.until.min"]


def test_in_words() -> None:
    policy = make_policy({"kind": "require", "that": {"person.until": {"min": "end", "max": "start +1y"}}})

    ((_id, sentence),) = describe(policy)
    assert sentence == "Needed: person.until: not before the end and person.until: not after 1 year after the start."


def test_waiting_helps_who_asked_too_early_for_a_new_booking() -> None:
    policy = make_policy({"kind": "require", "that": {"made_after": "start -48h"}})

    (entry,) = ask(policy, SLOT, now="2026-03-18 09:59").refuse
    (kept,) = ask(policy, {**SLOT, "made": "2026-03-01 10:00"}, now="2026-03-18 09:59").refuse

    assert entry.until == instant(policy, "2026-03-18 10:00")
    assert kept.until is None


LADDER = {"kind": "ladder", "count": "late", "steps": [{"at": 1, "do": {"do": "suspend", "for": "at #last @24:00"}}]}


def test_a_suspension_until_a_moment() -> None:
    policy = make_policy(LADDER)
    events = [{"name": "late", "person": "p", "at": "2026-02-10 10:00"}]

    (found,) = standing(policy, events, now=instant(policy, "2026-02-28 23:59"))
    over = standing(policy, events, now=instant(policy, "2026-03-01 00:00"))

    assert (found.until, over) == (instant(policy, "2026-03-01 00:00"), [])
    ((_id, sentence),) = describe(policy)
    assert "suspension until the event, day 31 of that month, end of that day" in sentence


def test_neither_duration_nor_moment_is_refused() -> None:
    step = {"at": 1, "do": {"do": "suspend", "for": "soon"}}
    with pytest.raises(Invalid) as caught:
        parse_policy({"rules": [{"kind": "ladder", "count": "late", "steps": [step]}]})

    assert [each.field for each in caught.value.refusals] == ["rules[0].steps[0].do.for"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-03-10 09:00", "2026-03-11 09:00", []),
        ("2026-03-10 09:00", "2026-03-11 08:59", ["band"]),
        ("2026-03-13 09:00", "2026-03-14 09:00", []),
        ("2026-03-14 09:00", "2026-03-15 09:00", []),
    ],
)
def test_bands_of_a_whole_day(start: str, end: str, expected: list[str]) -> None:
    policy = make_policy({"kind": "slots", "bands": "Mon-Fri 09:00-09:00"})

    assert codes(ask(policy, make_booking(start, end))) == expected
    ((_id, sentence),) = describe(policy)
    assert "09:00 to 09:00 of the next day" in sentence


def test_a_quota_by_a_fact_pools_its_holders_only() -> None:
    policy = make_policy({"kind": "quota", "over": "week", "per": ["person.department"], "max": 1})
    others = [
        make_booking("2026-03-18 10:00", "2026-03-18 11:00", id=1, person="q") | {"person.department": "chem"},
        make_booking("2026-03-18 10:00", "2026-03-18 11:00", id=2, person="r"),
    ]

    def asked(department: str | None) -> list[str]:
        return codes(ask(policy, SLOT, bookings=others, facts={"person": {"department": department}}))

    assert [asked(each) for each in ("chem", "bio", None)] == [["quota"], [], []]
    assert needs(policy, "create").facts == {"person.department"}
    assert needs(policy, "create").locks == ("instrument",)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (("2026-03-20 10:00", "2026-03-20 12:00"), []),
        (("2026-03-20 09:00", "2026-03-20 11:59"), ["needs_booking"]),
        (("2026-03-20 10:01", "2026-03-20 13:00"), ["needs_booking"]),
    ],
)
def test_nobody_is_alone_at_any_moment(other: tuple[str, str], expected: list[str]) -> None:
    policy = make_policy({"kind": "quota", "measure": "people", "over": "overlap", "per": ["instrument"], "min": 2})

    assert codes(ask(policy, SLOT, bookings=[make_booking(*other, id=1, person="q")])) == expected


def test_an_order_without_a_time_has_nobody_beside_it() -> None:
    policy = make_policy({"kind": "quota", "measure": "people", "over": "overlap", "per": ["instrument"], "min": 2})
    order = {name: value for name, value in SLOT.items() if name not in ("start", "end")}

    assert codes(ask(policy, order, bookings=[make_booking(id=1, person="q")])) == ["needs_booking"]


def test_whom_no_rule_of_priority_concerns_comes_after_all_classes() -> None:
    order = [{"audience": "inside"}, {"audience": "academic"}]
    policy = make_policy({"kind": "priority", "if": {"mode": "self"}, "order": order})
    requests = [
        {**SLOT, "id": "else", "mode": "operator", "made": "2026-03-01 09:00"},
        {**SLOT, "id": "second", "audience": "academic", "made": "2026-03-02 09:00"},
    ]

    found = rank(policy, requests, now=instant(policy, "2026-03-09 10:00"))

    assert [each.id for each in found] == ["second", "else"]


@pytest.mark.parametrize(
    ("displace", "now", "may"),
    [
        ("start -3d", "2026-03-17 10:00", True),
        ("start -3d", "2026-03-17 10:01", False),
        ("start -3d @24:00", "2026-03-17 23:59", True),
        ("start -3d @24:00", "2026-03-18 00:00", False),
    ],
)
def test_until_when_one_may_displace(displace: str, now: str, may: bool) -> None:
    policy = make_policy({"kind": "priority", "order": [{"audience": "inside"}], "displace": displace})
    first, second = {**SLOT, "audience": "inside"}, {**SLOT, "audience": "outside"}

    assert may_displace(policy, first, second, now=instant(policy, now)) is may
    assert not may_displace(policy, second, first, now=instant(policy, now))
