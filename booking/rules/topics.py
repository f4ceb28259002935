"""The sentences of the rules for one reader, under headings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from .model import DEFAULT_ACTS, Policy, Rule
from .sentences import sentence


def by_topic(policy: Policy, audience: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Headings with their sentences, without those that do not concern the ``audience``; see `sentences.describe`."""
    found: dict[str, list[str]] = {}
    for rule in policy.rules:
        text = sentence(rule, policy, audience)
        if text:
            found.setdefault(_topic(rule), []).append(text)
    return [(heading, found[topic]) for topic, heading in _headings().items() if topic in found]


def _topic(rule: Rule) -> str:
    if rule.kind in ("event", "ladder"):
        return "violations"
    if rule.kind in ("require", "lapse"):
        return "who"
    if rule.kind == "priority":
        return "order"
    if not set(rule.acts) & {"create"} and rule.acts != DEFAULT_ACTS:
        return "changing"
    return {"deadline": "when", "slots": "when", "length": "much", "quota": "much"}[rule.kind]


def _headings() -> dict[str, str]:
    return {
        "who": _("Who may book, and what is needed"),
        "when": _("When to book"),
        "much": _("How long and how much"),
        "order": _("Who comes first"),
        "changing": _("Changing and cancelling"),
        "violations": _("Lateness and no-shows"),
    }
