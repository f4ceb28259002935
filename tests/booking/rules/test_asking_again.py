"""What is asked again when a booking is extended or handed over."""

from __future__ import annotations

import pytest

from booking.rules.asking_again import rules_for
from tests.booking.rules.making import make_policy

LEAD = {"id": "lead", "kind": "deadline", "earliest": "start -7d", "latest": "start -2h"}
CUTOFF = {"id": "cutoff", "kind": "deadline", "act": ["change", "cancel"], "latest": "start -24h"}
ACCESS = {"id": "access", "kind": "require", "act": ["access"], "that": {"person.trained": True}}
OWN = {"id": "own", "kind": "length", "act": ["extend"], "max": 60}


@pytest.mark.parametrize(
    ("act", "begun", "asked"),
    [
        ("change", False, ["lead", "cutoff"]),
        ("extend", False, ["lead", "cutoff", "own"]),
        ("extend", True, ["lead", "own"]),
        ("transfer", False, ["lead", "cutoff"]),
        ("transfer", True, ["lead"]),
    ],
)
def test_the_rules_of_booking_and_those_for_the_act_are_asked(act: str, begun: bool, asked: list[str]) -> None:
    policy = rules_for(make_policy(LEAD, CUTOFF, ACCESS, OWN), act, begun=begun)

    assert [rule.id for rule in policy.rules if rule.applies_to(act)] == asked


@pytest.mark.parametrize(("act", "begun", "kept"), [("extend", False, True), ("extend", True, False)])
def test_what_has_begun_needs_no_lead_time(act: str, begun: bool, kept: bool) -> None:
    (rule,) = rules_for(make_policy(LEAD), act, begun=begun).rules

    parameters = rule.cases[0].parameters
    assert (parameters.latest is not None) is kept  # type: ignore[union-attr]
    assert parameters.earliest is not None  # type: ignore[union-attr]
