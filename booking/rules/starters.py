"""The ten usual rules, each from two or three answers: a document with the rules added, or put anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .presets import APPROVALS, CANCEL, GRID, HORIZON, LEAD, LENGTH

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """Rules with ids of their own, and the windows that they name."""

    rules: list[Rule]
    windows: dict[str, str] = field(default_factory=dict)


def add_starter(document: Mapping[str, Any], code: str, answers: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of the same id is replaced where it stands; the others come to the end. Its windows are set anew."""
    made = STARTERS[code](answers)
    rules = list(document.get("rules", []))
    for rule in made.rules:
        at = next((at for at, each in enumerate(rules) if each.get("id") == rule["id"]), len(rules))
        rules[at : at + 1] = [rule]
    windows = {**document.get("windows", {}), **made.windows}
    return {**document, **({"windows": windows} if windows else {}), "rules": rules}


def _length(answers: Mapping[str, Any]) -> Made:
    """Minutes."""
    limits = {"min": answers.get("shortest"), "max": answers.get("longest"), "step": answers.get("step")}
    given = {name: value for name, value in limits.items() if value}
    rules = [{"id": LENGTH, "kind": "length", "topic": "length", **given}] if given else []
    if answers.get("step"):
        rules.append({"id": GRID, "kind": "slots", "topic": "grid", "step": answers["step"]})
    return Made(rules)


def _horizon(answers: Mapping[str, Any]) -> Made:
    rules = []
    if answers.get("lead_hours"):
        latest = f"start -{answers['lead_hours']}h"
        rules.append({"id": LEAD, "kind": "deadline", "topic": "lead", "latest": latest})
    if answers.get("horizon_days"):
        earliest = f"start -{answers['horizon_days']}d"
        rules.append({"id": HORIZON, "kind": "deadline", "topic": "horizon", "earliest": earliest})
    return Made(rules)


def _cancel(answers: Mapping[str, Any]) -> Made:
    latest = f"start -{answers['cancel_hours']}h"
    return Made([{"id": CANCEL, "kind": "deadline", "topic": "cancel", "act": ["cancel"], "latest": latest}])


def _quota(answers: Mapping[str, Any]) -> Made:
    rule = {"id": "preset-quota", "kind": "quota", "topic": "quota", "measure": "hours", "over": "week"}
    return Made([{**rule, "max": answers["hours"], "per": [answers["per"], "instrument"]}])


def _prime(answers: Mapping[str, Any]) -> Made:
    rule = {
        "id": "preset-prime",
        "kind": "quota",
        "topic": "prime",
        "measure": "hours",
        "over": "week",
        "part": "prime",
    }
    times = f"workday {answers['opens']:%H:%M}-{answers['closes']:%H:%M}"
    return Made([{**rule, "max": answers["hours"], "per": ["person", "instrument"]}], {"prime": times})


def _night(answers: Mapping[str, Any]) -> Made:
    levels = [each.strip() for each in answers["levels"].replace("，", ",").split(",") if each.strip()]
    rule = {
        "id": "preset-night",
        "kind": "require",
        "topic": "night",
        "if": {"touches": "night"},
        "code": "night_level",
    }
    times = f"daily {answers['opens']:%H:%M}-{answers['closes']:%H:%M}"
    return Made([{**rule, "that": {"person.level": levels}}], {"night": times})


def _training(answers: Mapping[str, Any]) -> Made:
    rule: Rule = {"id": "preset-training", "kind": "require", "topic": "training", "code": "not_trained"}
    if answers["whom"] == "self":
        rule["if"] = {"mode": "self"}
    return Made([{**rule, "that": {"person.trained": True}}])


def _approval(answers: Mapping[str, Any]) -> Made:
    role = answers["role"]
    that = {"audience": "internal"} if answers["whom"] == "external" else {"approved_in_advance": True}
    rule = {"id": APPROVALS[role], "kind": "require", "topic": "approval", "act": ["create", "change"]}
    return Made([{**rule, "else": f"approve:{role}", "that": that}])


def _no_show(answers: Mapping[str, Any]) -> Made:
    """Who has not come within the minutes is absent; so often in twelve months: denied; late as often: a month."""
    after = f"start +{answers['grace']}min"
    absent = {"after": after, "name": "no_show", "with": {"forfeit": True}}
    ladder = {"kind": "ladder", "window": "12mo", "restart": True}
    month = {"do": "suspend", "for": "1mo"}
    return Made(
        [
            {
                "id": "preset-checkin",
                "kind": "event",
                "on": ["checkin"],
                "cases": [absent, {"after": "start", "name": "late"}],
            },
            {"id": "preset-never", "kind": "event", "on": ["never"], **absent},
            {
                "id": "preset-no-show",
                "topic": "no_show",
                "count": ["no_show"],
                **ladder,
                "steps": [{"at": answers["absences"], "do": [{"do": "deny"}]}],
            },
            {
                "id": "preset-late",
                "topic": "late",
                "count": ["late"],
                **ladder,
                "steps": [{"at": answers["lates"], "do": [month]}],
            },
        ]
    )


def _bands(answers: Mapping[str, Any]) -> Made:
    times = "; ".join(
        f"daily {each.strip()}" for each in answers["bands"].replace("，", ",").split(",") if each.strip()
    )
    rule = {"id": "preset-bands", "kind": "slots", "topic": "bands", "bands": "bands"}
    return Made([{**rule, **({"join": answers["join"]} if answers.get("join") else {})}], {"bands": times})


STARTERS: dict[str, Callable[[Mapping[str, Any]], Made]] = {
    "length": _length,
    "horizon": _horizon,
    "cancel": _cancel,
    "quota": _quota,
    "prime": _prime,
    "night": _night,
    "training": _training,
    "approval": _approval,
    "no_show": _no_show,
    "bands": _bands,
}
