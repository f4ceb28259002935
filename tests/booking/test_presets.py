"""The usual rules as answers, and what the engine makes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from booking.rules.decide import decide
from booking.rules.layers import parse_policy
from booking.rules.presets import Answers, apply_presets, read_presets

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
