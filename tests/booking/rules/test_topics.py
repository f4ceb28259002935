"""The headings under which people read the rules."""

from __future__ import annotations

from booking.rules.cards import placed
from booking.rules.places import reasons
from booking.rules.topics import by_topic
from tests.booking.rules.making import instant, make_booking, make_policy

RULES = [
    {"kind": "require", "that": {"audience": "internal"}},
    {"kind": "lapse", "since": ["person.last_used"], "after": "3mo", "set": ["person.level", "B"]},
    {"kind": "deadline", "earliest": "start -7d"},
    {"kind": "slots", "step": 30},
    {"kind": "length", "max": 60},
    {"kind": "quota", "over": "week", "max": 3},
    {"kind": "priority", "order": [{"audience": "internal"}]},
    {"kind": "deadline", "act": ["cancel"], "latest": "start -24h"},
    {"kind": "event", "on": "checkin", "after": "start +10min", "name": "late"},
    {"kind": "ladder", "count": ["late"], "steps": [{"at": 3, "do": "warn"}]},
]


def test_every_rule_stands_under_its_heading() -> None:
    found = by_topic(make_policy(*RULES), {})

    assert [(heading, len(sentences)) for heading, sentences in found] == [
        ("Who may book, and what is needed", 2),
        ("When to book", 2),
        ("How long and how much", 2),
        ("Who comes first", 1),
        ("Changing and cancelling", 1),
        ("Lateness and no-shows", 2),
    ]


def test_rules_for_others_are_left_out() -> None:
    only_academic = {"kind": "length", "if": {"audience": "academic"}, "max": 60}

    assert by_topic(make_policy(only_academic), {"audience": "enterprise"}) == []
    assert len(by_topic(make_policy(only_academic), {"audience": "academic"})) == 1


def test_no_layer_has_no_cards() -> None:
    assert placed([]) == []


def test_a_priority_for_others_gives_no_reason() -> None:
    policy = make_policy(
        {"kind": "priority", "if": {"mode": "sample"}, "order": [{"audience": "internal"}]},
        {"kind": "priority", "order": [{"audience": "internal"}]},
    )
    request = make_booking("2026-03-10 09:00", "2026-03-10 10:00", audience="enterprise")

    found = reasons(policy, request, now=instant(policy, "2026-03-01 09:00"), facts={})

    assert found == ["2. the others"]
