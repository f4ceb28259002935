"""Short ways to ask the policy engine. Times are local text of the policy's zone, UTC unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from booking.rules.decide import decide
from booking.rules.layers import parse_policy
from booking.rules.model import Policy
from booking.rules.results import Decision
from booking.rules.values import as_instant

WEEKDAY_PEAK = {"peak": "Mon-Fri 09:00-18:00"}


def make_policy(*rules: dict[str, Any], **settings: Any) -> Policy:
    return parse_policy({"rules": list(rules), **settings})


def make_booking(start: str | None = None, end: str | None = None, **fields: Any) -> dict[str, Any]:
    """Person p of group g on instrument I."""
    return {"person": "p", "group": "g", "instrument": "I", "mode": "self", "start": start, "end": end, **fields}


def instant(policy: Policy, text: str) -> Any:
    found = as_instant(text, policy.calendar)
    assert found is not None
    return found


def ask(
    policy: Policy, request: dict[str, Any], *, now: str = "2026-03-09 10:00", act: str = "create", **known: Any
) -> Decision:
    return decide(policy, request, act=act, now=instant(policy, now), **known)


def codes(decision: Decision) -> list[str]:
    return [entry.code for entry in decision.refuse]
