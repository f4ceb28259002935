"""The usual rules as a handful of answers: from a document to answers and back.

Rules of a document that no preset made are kept as they are, so that an expert's rule is not lost
when somebody changes a number in the form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

LENGTH, GRID, HORIZON, LEAD, CANCEL, APPROVAL, SELF, WHO = (
    "preset-length",
    "preset-grid",
    "preset-horizon",
    "preset-lead",
    "preset-cancel",
    "preset-approval",
    "preset-self",
    "preset-who",
)
# Who can be asked to approve; the manager's rule has the plain name.
APPROVERS = ("manager", "finance", "admin")
APPROVALS = {role: APPROVAL if role == "manager" else f"{APPROVAL}-{role}" for role in APPROVERS}
PRESETS = (LENGTH, GRID, HORIZON, LEAD, CANCEL, *APPROVALS.values(), SELF, WHO)
WHO_MAY = {"internal": ["internal"], "institutions": ["internal", "academic"]}


@dataclass(frozen=True, slots=True)
class Answers:
    """Lengths in minutes, notice in hours, the horizon in days; None asks for nothing.

    ``approval`` is nobody, external or everybody, asked of every role of ``approvers``; ``self_operation``
    everybody or internal; ``who`` may book at all everybody, internal or institutions. ``lifted`` are ids of
    rules of wider layers that do not hold here.
    """

    shortest: int | None = None
    longest: int | None = None
    step: int | None = None
    horizon_days: int | None = None
    lead_hours: int | None = None
    cancel_hours: int | None = None
    approval: str = "nobody"
    self_operation: str = "everybody"
    who: str = "everybody"
    approvers: tuple[str, ...] = ("manager",)
    lifted: tuple[str, ...] = ()


def apply_presets(document: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    """The document with the presets' rules and those lifted replaced by what the answers say."""
    kept = [rule for rule in document.get("rules", []) if not _is_ours(rule)]
    mine = _rules(answers)
    taken = {rule.get("id") for rule in (*mine, *kept)}
    lifted = [{"id": name, "off": True} for name in answers.lifted if name not in taken]
    return {**document, "rules": [*mine, *lifted, *kept]}


def fits_the_form(document: Mapping[str, Any]) -> bool:
    """Whether the answers say all that the presets' rules do; else somebody edited these as a file."""
    ours = [rule for rule in document.get("rules", []) if _is_ours(rule)]
    again = apply_presets({}, read_presets(document))["rules"]
    return sorted(map(repr, map(_plain, ours))) == sorted(map(repr, map(_plain, again)))


def _plain(rule: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(rule.items())


def _is_ours(rule: Any) -> bool:
    return isinstance(rule, Mapping) and (rule.get("id") in PRESETS or _is_lifting(rule))


def _is_lifting(rule: Mapping[str, Any]) -> bool:
    return set(rule) == {"id", "off"} and rule["off"] is True


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
    if answers.who in WHO_MAY:
        that = {"audience": list(WHO_MAY[answers.who])}
        out.append({"id": WHO, "kind": "require", "topic": "who", "code": "not_for_you", "that": that})
    if answers.self_operation == "internal":
        rule = {"kind": "require", "topic": "mode", "code": "mode_not_offered", "if": {"mode": "self"}}
        out.append({"id": SELF, **rule, "that": {"audience": "internal"}})
    if answers.approval != "nobody":
        asked = [role for role in APPROVERS if role in answers.approvers]
        out += [{"id": APPROVALS[role], **_approval(answers.approval, role)} for role in asked]
    return out


def _approval(whom: str, role: str) -> dict[str, Any]:
    rule = {"kind": "require", "topic": "approval", "act": ["create", "change"], "else": f"approve:{role}"}
    if whom == "external":
        return {**rule, "that": {"audience": "internal"}}
    # Nobody has this field, so the requirement always fails and approval is always asked for.
    return {**rule, "that": {"approved_in_advance": True}}


def read_presets(document: Mapping[str, Any]) -> Answers:
    """The answers that a document's preset rules give; a rule that was edited otherwise counts as not given."""
    all_rules = [rule for rule in document.get("rules", []) if isinstance(rule, Mapping)]
    rules = {rule.get("id"): rule for rule in all_rules if not _is_lifting(rule)}
    length = rules.get(LENGTH, {})
    asked = tuple(role for role in APPROVERS if APPROVALS[role] in rules)
    return Answers(
        shortest=_number(length.get("min")),
        longest=_number(length.get("max")),
        step=_number(length.get("step")) or _number(rules.get(GRID, {}).get("step")),
        horizon_days=_before(rules.get(HORIZON, {}).get("earliest"), "d"),
        lead_hours=_before(rules.get(LEAD, {}).get("latest"), "h"),
        cancel_hours=_before(rules.get(CANCEL, {}).get("latest"), "h"),
        approval=_whom(rules[APPROVALS[asked[0]]]) if asked else "nobody",
        self_operation="internal" if SELF in rules else "everybody",
        who=_who(rules.get(WHO)),
        approvers=asked or ("manager",),
        lifted=tuple(str(rule["id"]) for rule in all_rules if _is_lifting(rule)),
    )


def _whom(rule: Mapping[str, Any]) -> str:
    that = rule.get("that")
    return "external" if isinstance(that, Mapping) and "audience" in that else "everybody"


def _who(rule: Mapping[str, Any] | None) -> str:
    that = rule.get("that") if rule else None
    asked = that.get("audience") if isinstance(that, Mapping) else None
    return next((name for name, audiences in WHO_MAY.items() if audiences == asked), "everybody")


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _before(moment: Any, unit: str) -> int | None:
    """72 for ``start -72h``."""
    text = str(moment or "")
    number = text.removeprefix("start -").removesuffix(unit)
    return int(number) if text == f"start -{number}{unit}" and number.isdecimal() else None


def misfits(answers: Answers) -> list[tuple[str, str]]:
    """What makes no sense together, by the name of the answer; nothing could be booked, or less than was said."""
    out = []
    if answers.shortest and answers.longest and answers.shortest > answers.longest:
        out.append(("longest", _("The longest booking cannot be shorter than the shortest one.")))
    for name, minutes in (("shortest", answers.shortest), ("longest", answers.longest)):
        if answers.step and minutes and minutes % answers.step:
            out.append((name, _off_step(minutes, answers.step)))
    if answers.horizon_days and answers.lead_hours and answers.lead_hours >= answers.horizon_days * 24:
        out.append(("lead_hours", _("Nothing could be booked: so many hours are more than the days above.")))
    if answers.approval != "nobody" and not answers.approvers:
        out.append(("approvers", _("Please say who approves.")))
    if {rule["id"] for rule in _rules(answers)} & set(answers.lifted):
        out.append(("lifted", _("A field above replaces this rule. Empty the field, or leave the rule in place.")))
    return out


def _off_step(minutes: int, step: int) -> str:
    below = minutes // step * step
    fitting = [each for each in (below, below + step) if each]
    shown = {"step": step, "fitting": _(" or ").join(str(each) for each in fitting)}
    return _("With a step of %(step)s minutes no booking lasts that long. Choose %(fitting)s.") % shown
