"""The order among competing requests, and who may displace whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from backend.core.periods import to_utc

from .kinds.priority import Priority
from .model import Policy, Rule
from .moments import Moment
from .results import Ranked
from .situation import Facts, Situation, Source, Subject, read_subject


def rank(
    policy: Policy, requests: Iterable[Source], *, now: datetime, act: str = "create", facts: Facts | None = None
) -> list[Ranked]:
    """The requests in the order in which they are served: by priority, then who asked first.

    What conditions say about people must stand on each request (``person.level`` as a field of that name);
    ``facts`` serves only when all requests share the same party.
    """
    now = to_utc(now)
    subjects = [read_subject(request, policy.calendar) for request in requests]
    keyed = [(_classes(policy, subject, now, act, facts or {}), subject) for subject in subjects]
    keyed.sort(key=lambda each: (each[0], each[1].made or now))
    return [
        Ranked(subject.id, place, classes, _displaceable_until(policy, subject, now, act, facts or {}))
        for place, (classes, subject) in enumerate(keyed, 1)
    ]


def may_displace(policy: Policy, request: Source, booking: Source, *, now: datetime, act: str = "create") -> bool:
    """Whether a request of a better class may still take the place of a booking."""
    now = to_utc(now)
    wanted, held = (read_subject(each, policy.calendar) for each in (request, booking))
    moments = list(_moments(policy, held, now, act, {}))
    return (
        bool(moments)
        and not any(moment.is_past(now, at) for moment, at in moments)
        and _classes(policy, wanted, now, act, {}) < _classes(policy, held, now, act, {})
    )


def _classes(policy: Policy, subject: Subject, now: datetime, act: str, facts: Facts) -> tuple[int, ...]:
    situation = Situation(policy.calendar, subject, act, now, facts)
    found: list[int] = []
    for rule in policy.of_kind("priority"):
        case = rule.case_for(subject, situation)
        if case is not None and isinstance(case.parameters, Priority):
            found.append(case.parameters.place(subject, situation))
        else:
            found.append(_last(rule))
    return tuple(found)


def _last(rule: Rule) -> int:
    """Whom no case concerns comes after all classes of the longest."""
    return max((len(case.parameters.order) for case in rule.cases if isinstance(case.parameters, Priority)), default=0)


def _displaceable_until(policy: Policy, subject: Subject, now: datetime, act: str, facts: Facts) -> datetime | None:
    """The earliest of the moments that the rules give; None when no rule lets anybody be displaced."""
    return min((at for _moment, at in _moments(policy, subject, now, act, facts)), default=None)


def _moments(
    policy: Policy, subject: Subject, now: datetime, act: str, facts: Facts
) -> Iterator[tuple[Moment, datetime]]:
    situation = Situation(policy.calendar, subject, act, now, facts)
    for rule in policy.of_kind("priority"):
        case = rule.case_for(subject, situation)
        if case is not None and isinstance(case.parameters, Priority) and case.parameters.displace:
            at = case.parameters.displace.resolve(situation.anchors(subject))
            if at is not None:
                yield case.parameters.displace, at
