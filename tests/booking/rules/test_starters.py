"""What the answers of the usual rules become."""

from __future__ import annotations

from typing import Any

import pytest

from booking.rules.starters import add_starter


@pytest.mark.parametrize(
    ("code", "answers", "made"),
    [
        ("length", {}, []),
        ("length", {"longest": 120}, [("preset-length", {"max": 120})]),
        ("length", {"step": 30}, [("preset-length", {"step": 30}), ("preset-grid", {"step": 30})]),
        ("horizon", {}, []),
        ("horizon", {"lead_hours": 2}, [("preset-lead", {"latest": "start -2h"})]),
        ("horizon", {"horizon_days": 14}, [("preset-horizon", {"earliest": "start -14d"})]),
        ("training", {"whom": "self"}, [("preset-training", {"if": {"mode": "self"}})]),
        ("training", {"whom": "everybody"}, [("preset-training", {"that": {"person.trained": True}})]),
    ],
)
def test_only_what_was_answered_becomes_a_rule(
    code: str, answers: dict[str, Any], made: list[tuple[str, dict[str, Any]]]
) -> None:
    rules = add_starter({"rules": []}, code, answers)["rules"]

    assert [rule["id"] for rule in rules] == [identity for identity, _parts in made]
    for rule, (_identity, parts) in zip(rules, made, strict=True):
        assert {name: rule[name] for name in parts} == parts


def test_training_for_everybody_has_no_condition() -> None:
    (rule,) = add_starter({}, "training", {"whom": "everybody"})["rules"]

    assert "if" not in rule
