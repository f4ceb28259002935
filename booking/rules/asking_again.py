"""Which rules speak when a booking is extended or handed over: all that hold for asking, besides those named for it.

Extending and handing over are checked in full. What was fixed long ago is not asked again: a booking whose time has
begun cannot keep a lead time any more, nor need its colleague have been quicker than the one who booked.
"""

from __future__ import annotations

import dataclasses

from .kinds.deadline import Deadline
from .model import DEFAULT_ACTS, Case, Policy, Rule

EXTEND, TRANSFER = "extend", "transfer"


def rules_for(policy: Policy, act: str, *, begun: bool) -> Policy:
    """The policy as `decide` must be asked for the act; ``begun``: the booked time has begun."""
    if act not in (EXTEND, TRANSFER):
        return policy
    return dataclasses.replace(policy, rules=tuple(_for(rule, act, begun=begun) for rule in policy.rules))


def _for(rule: Rule, act: str, *, begun: bool) -> Rule:
    if rule.applies_to(act) or not any(rule.applies_to(each) for each in DEFAULT_ACTS):
        return rule
    if rule.is_cutoff:
        # Until when a booking may be changed says nothing of one that is running.
        return rule if begun else dataclasses.replace(rule, acts=(*rule.acts, act))
    cases = rule.cases if not begun and act == EXTEND else tuple(map(_without_lead_time, rule.cases))
    return dataclasses.replace(rule, acts=(*rule.acts, act), cases=cases)


def _without_lead_time(case: Case) -> Case:
    """How early one may ask still counts: nobody is handed what they could not have booked yet."""
    if not isinstance(case.parameters, Deadline):
        return case
    return dataclasses.replace(case, parameters=dataclasses.replace(case.parameters, latest=None))
