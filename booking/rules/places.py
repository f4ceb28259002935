"""Why somebody stands where they stand among competing requests."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from backend.core.periods import to_utc

from . import phrases
from .kinds.priority import Priority
from .model import Policy
from .situation import Facts, Situation, Source, read_subject


def reasons(policy: Policy, request: Source, *, now: datetime, act: str = "create", facts: Facts) -> list[str]:
    """For each rule of priority that concerns the request, the first of its conditions that holds, in words."""
    subject = read_subject(request, policy.calendar)
    situation = Situation(policy.calendar, subject, act, to_utc(now), facts)
    out: list[str] = []
    for rule in policy.of_kind("priority"):
        case = rule.case_for(subject, situation)
        if case is None or not isinstance(case.parameters, Priority):
            continue
        order = case.parameters.order
        place = case.parameters.place(subject, situation)
        words = phrases.condition(order[place]) if place < len(order) else _("the others")
        out.append(_("%(place)s. %(class)s") % {"place": place + 1, "class": words})
    return out
