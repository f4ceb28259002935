"""The usual rules as a handful of answers: from a document to answers and back.

Rules of a document that no preset made are kept as they are, so that an expert's rule is not lost
when somebody changes a number in the form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LENGTH, GRID, HORIZON, LEAD, CANCEL, APPROVAL, SELF = (
    "preset-length",
    "preset-grid",
    "preset-horizon",
    "preset-lead",
    "preset-cancel",
    "preset-approval",
    "preset-self",
)
PRESETS = (LENGTH, GRID, HORIZON, LEAD, CANCEL, APPROVAL, SELF)


@dataclass(frozen=True, slots=True)
class Answers:
    """Lengths in minutes, notice in hours, the horizon in days; None asks for nothing.

    ``approval`` is nobody, external or everybody; ``self_operation`` everybody or internal.
    """

    shortest: int | None = None
    longest: int | None = None
    step: int | None = None
    horizon_days: int | None = None
    lead_hours: int | None = None
    cancel_hours: int | None = None
    approval: str = "nobody"
    self_operation: str = "everybody"


def apply_presets(document: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    """The document with the presets' rules replaced by what the answers say."""
    kept = [rule for rule in document.get("rules", []) if rule.get("id") not in PRESETS]
    return {**document, "rules": [*_rules(answers), *kept]}


def _rules(answers: Answers) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    limits = {"min": answers.shortest, "max": answers.longest, "step": answers.step}
    given = {name: value for name, value in limits.items() if value}
    if given:
        out.append({"id": LENGTH, "kind": "length", "topic": "length", **given})
    if answers.step:
        out.append({"id": GRID, "kind": "slots", "topic": "grid", "step": answers.step})
    if answers.horizon_days:
        out.append(
            {"id": HORIZON, "kind": "deadline", "topic": "horizon", "earliest": f"start -{answers.horizon_days}d"}
        )
    if answers.lead_hours:
        out.append({"id": LEAD, "kind": "deadline", "topic": "lead", "latest": f"start -{answers.lead_hours}h"})
    if answers.cancel_hours:
        latest = f"start -{answers.cancel_hours}h"
        out.append({"id": CANCEL, "kind": "deadline", "topic": "cancel", "act": ["cancel"], "latest": latest})
    if answers.self_operation == "internal":
        rule = {"kind": "require", "topic": "mode", "code": "mode_not_offered", "if": {"mode": "self"}}
        out.append({"id": SELF, **rule, "that": {"audience": "internal"}})
    if answers.approval != "nobody":
        out.append({"id": APPROVAL, **_approval(answers.approval)})
    return out


def _approval(whom: str) -> dict[str, Any]:
    rule = {"kind": "require", "topic": "approval", "act": ["create", "change"], "else": "approve:manager"}
    if whom == "external":
        return {**rule, "that": {"audience": "internal"}}
    # Nobody has this field, so the requirement always fails and approval is always asked for.
    return {**rule, "that": {"approved_in_advance": True}}


def read_presets(document: Mapping[str, Any]) -> Answers:
    """The answers that a document's preset rules give; a rule that was edited otherwise counts as not given."""
    rules = {rule.get("id"): rule for rule in document.get("rules", []) if isinstance(rule, Mapping)}
    length, approval = rules.get(LENGTH, {}), rules.get(APPROVAL)
    return Answers(
        shortest=_number(length.get("min")),
        longest=_number(length.get("max")),
        step=_number(length.get("step")) or _number(rules.get(GRID, {}).get("step")),
        horizon_days=_before(rules.get(HORIZON, {}).get("earliest"), "d"),
        lead_hours=_before(rules.get(LEAD, {}).get("latest"), "h"),
        cancel_hours=_before(rules.get(CANCEL, {}).get("latest"), "h"),
        approval="nobody"
        if approval is None
        else "external"
        if "audience" in approval.get("that", {})
        else "everybody",
        self_operation="internal" if SELF in rules else "everybody",
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _before(moment: Any, unit: str) -> int | None:
    """72 for ``start -72h``."""
    text = str(moment or "")
    number = text.removeprefix("start -").removesuffix(unit)
    return int(number) if text == f"start -{number}{unit}" and number.isdecimal() else None
