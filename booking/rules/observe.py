"""From what happened to a booking to named violations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import datetime

from backend.core.periods import to_utc

from .kinds.event import Event
from .model import Case, Policy, Rule
from .results import Violation
from .situation import Facts, Situation, Source, Subject, read_subject


def observe(
    policy: Policy, booking: Source, sequence: Iterable[tuple[str, datetime | None]], *, facts: Facts | None = None
) -> list[Violation]:
    """The violations of ``(what, when)`` in order: cancel, checkin, checkout, never (checked in), unconfirmed.

    For what never happens the instant may be None; the violation then dates from the moment at which it is
    certain, so that finding it later or twice gives the same answer.
    """
    subject = read_subject(booking, policy.calendar)
    found: list[Violation] = []
    for what, at in sequence:
        for rule in policy.of_kind("event"):
            found += _violations(policy, rule, subject, what, to_utc(at) if at else None, facts or {})
    return found


def _violations(
    policy: Policy, rule: Rule, subject: Subject, what: str, at: datetime | None, facts: Facts
) -> Iterator[Violation]:
    instant = at or subject.until
    if instant is None:
        return
    subject = dataclasses.replace(subject, at=instant)
    situation = Situation(policy.calendar, subject, what, instant, facts)
    if not rule.condition.holds(subject, situation):
        return
    case, event = _matching(rule, what, at, situation)
    if case is None or event is None or not event.name or case.free:
        return
    anchors = situation.anchors(subject)
    dates = {name: moment.resolve(anchors) for name, moment in case.dates.items()}
    certain = event.becomes_known(subject, situation) if what == "never" or at is None else None
    yield Violation(event.name, certain or instant, rule.id, {**event.values, **dates})


def _matching(
    rule: Rule, what: str, at: datetime | None, situation: Situation
) -> tuple[Case, Event] | tuple[None, None]:
    """The first case whose condition and moment both match."""
    subject = situation.request
    for case in rule.cases:
        event = case.parameters
        if (
            isinstance(event, Event)
            and what in event.on
            and case.condition.holds(subject, situation)
            and event.matches(at, subject, situation)
        ):
            return case, event
    return None, None
