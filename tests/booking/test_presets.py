"""The usual rules as answers, and what the engine makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from booking.rules.decide import decide
from booking.rules.layers import parse_policy
from booking.rules.presets import Answers, apply_presets, fits_the_form, misfits, read_presets
from booking.rules.sentences import describe

AT = datetime(2026, 12, 3, 9, tzinfo=UTC)
EVERYTHING = Answers(30, 240, 30, 28, 24, 12, "external", "internal")


@pytest.mark.parametrize("answers", [Answers(), EVERYTHING, Answers(approval="everybody", longest=60)])
def test_answers_survive_the_document(answers: Answers) -> None:
    assert read_presets(apply_presets({}, answers)) == answers


def test_experts_rules_are_kept() -> None:
    own = {"id": "mine", "kind": "length", "max": 90}

    document = apply_presets(apply_presets({"tz": "UTC", "rules": [own]}, EVERYTHING), Answers())

    assert document == {"tz": "UTC", "rules": [own]}


def verdict(request: dict[str, Any], now: str = "2026-12-01T08:00") -> tuple[list[str], list[str]]:
    asked = {
        "person": 1,
        "mode": "operator",
        "audience": "internal",
        "start": datetime(2026, 12, 3, 9, tzinfo=UTC),
        "end": datetime(2026, 12, 3, 10, tzinfo=UTC),
        **request,
    }
    answer = decide(
        parse_policy(apply_presets({}, EVERYTHING)), asked, act="create", now=datetime.fromisoformat(now + "+00:00")
    )
    return [entry.code for entry in answer.refuse], [entry.role for entry in answer.approve]


@pytest.mark.parametrize(
    ("request_", "now", "expected"),
    [
        ({}, "2026-12-01T08:00", ([], [])),
        ({"audience": "enterprise"}, "2026-12-01T08:00", ([], ["manager"])),
        ({"mode": "self"}, "2026-12-01T08:00", ([], [])),
        ({"mode": "self", "audience": "enterprise"}, "2026-12-01T08:00", (["mode_not_offered"], ["manager"])),
        ({"end": datetime(2026, 12, 3, 13, tzinfo=UTC)}, "2026-12-01T08:00", ([], [])),
        ({"end": datetime(2026, 12, 3, 13, 30, tzinfo=UTC)}, "2026-12-01T08:00", (["too_long"], [])),
        ({}, "2026-12-02T09:00", ([], [])),
        ({}, "2026-12-02T09:01", (["too_late"], [])),
        ({}, "2026-11-05T09:00", ([], [])),
        ({}, "2026-11-05T08:59", (["too_early"], [])),
    ],
)
def test_presets_hold_at_their_boundaries(request_: dict[str, Any], now: str, expected: Any) -> None:
    assert verdict(request_, now) == expected


ONE_BY_ONE = [
    Answers(shortest=30),
    Answers(longest=240),
    Answers(step=30),
    Answers(horizon_days=28),
    Answers(lead_hours=24),
    Answers(cancel_hours=12),
    Answers(approval="external"),
    Answers(approval="everybody", approvers=("finance",)),
    Answers(approval="external", approvers=("manager", "admin")),
    Answers(self_operation="internal"),
    Answers(who="internal"),
    Answers(who="institutions"),
]


@pytest.mark.parametrize("answers", [*ONE_BY_ONE, Answers(lifted=("preset-length", "expert"))])
def test_every_answer_can_be_edited_later(answers: Answers) -> None:
    document = apply_presets({"rules": [{"id": "mine", "kind": "length", "max": 90}]}, answers)

    assert fits_the_form(document)
    assert read_presets(document) == answers
    assert apply_presets(document, answers) == document


@pytest.mark.parametrize("answers", ONE_BY_ONE)
def test_every_answer_has_a_sentence_in_both_languages(answers: Answers) -> None:
    policy = parse_policy(apply_presets({}, answers))
    spoken = {}
    for language in ("en", "zh-hans"):
        with translation.override(language):
            spoken[language] = [sentence for _id, sentence in describe(policy)]

    assert len(spoken["en"]) == len(spoken["zh-hans"]) == len(policy.rules) > 0
    assert all(sentence.isascii() or "’" in sentence for sentence in spoken["en"])


@pytest.mark.parametrize(
    "change",
    [
        {"part": "Mon-Fri 09:00-17:00"},
        {"if": {"mode": "self"}},
        {"id": "preset-horizon", "kind": "deadline", "earliest": "start -1w Thu @12:00"},
        {"id": "preset-approval", "kind": "require", "that": {"audience": "internal"}, "else": "approve:supervisor"},
        {"id": "preset-who", "kind": "require", "that": {"audience": ["academic"]}},
    ],
)
def test_what_the_form_cannot_show_is_noticed(change: dict[str, Any]) -> None:
    rule = (
        change if "id" in change else {"id": "preset-length", "kind": "length", "topic": "length", "max": 60} | change
    )

    assert not fits_the_form({"rules": [rule]})


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        (Answers(shortest=60, longest=30), "longest"),
        (Answers(step=30, longest=100), "longest"),
        (Answers(step=60, shortest=90), "shortest"),
        (Answers(step=60, longest=30), "longest"),
        (Answers(horizon_days=1, lead_hours=24), "lead_hours"),
        (Answers(approval="external", approvers=()), "approvers"),
        (Answers(longest=60, lifted=("preset-length",)), "lifted"),
    ],
)
def test_answers_that_do_not_fit_together(answers: Answers, field: str) -> None:
    assert [name for name, _sentence in misfits(answers)] == [field]


def test_answers_that_fit_together() -> None:
    assert misfits(EVERYTHING) == []
    assert misfits(Answers(step=30, shortest=30, longest=90)) == []


def test_who_may_book_is_refused_and_said() -> None:
    document = apply_presets({}, Answers(who="institutions"))
    asked = {
        "person": 1,
        "start": datetime(2026, 12, 3, 9, tzinfo=UTC),
        "end": datetime(2026, 12, 3, 10, tzinfo=UTC),
    }
    now = datetime(2026, 12, 1, tzinfo=UTC)

    answers = {
        audience: [
            entry.code
            for entry in decide(parse_policy(document), {**asked, "audience": audience}, act="create", now=now).refuse
        ]
        for audience in ("internal", "academic", "enterprise")
    }

    assert answers == {"internal": [], "academic": [], "enterprise": ["not_for_you"]}
    assert dict(describe(parse_policy(document)))["preset-who"] == "Only internal users and academic users may book."


def test_self_operation_for_members_is_said_and_refused_in_plain_words() -> None:
    policy = parse_policy(apply_presets({}, Answers(self_operation="internal")))
    asked = {"person": 1, "mode": "self", "audience": "enterprise", "start": AT, "end": AT + timedelta(hours=1)}

    (entry,) = decide(policy, asked, act="create", now=AT - timedelta(days=1)).refuse

    assert dict(describe(policy))["preset-self"] == "If mode is self-operated: only for internal users."
    assert (entry.code, entry.detail) == ("mode_not_offered", "Only for internal users.")


def test_the_same_code_for_something_else_is_no_audience() -> None:
    """The sentence about who may book is only for rules that name audiences."""
    rule = {"id": "x", "kind": "require", "that": {"mode": "self"}, "code": "not_for_you"}

    text = dict(describe(parse_policy({"rules": [rule]})))["x"]

    assert "may book" not in text
