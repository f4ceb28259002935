"""Ladders: from stored events to consequences, each with its beginning and end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from fractions import Fraction

from backend.core.periods import to_utc

from .kinds.ladder import Action, Ladder, Step
from .model import Policy, Rule
from .results import Consequence
from .situation import Situation, Source, Subject, read_subject

LIFTED = "lifted"
"""The event by which a manager ends the suspensions and denials of a party, or of its ``rule`` alone."""


def standing(
    policy: Policy, events: Iterable[Source], *, now: datetime, since: datetime | None = None
) -> list[Consequence]:
    """The consequences of all events up to ``now``, in the order of their beginning.

    Without ``since`` those that are over are left out; with it the list holds everything that begins at or
    after it. Events that an appeal has struck out must not be given.
    """
    now = to_utc(now)
    read = [read_subject(event, policy.calendar) for event in events]
    known = sorted((each for each in read if each.at is not None and each.at <= now), key=instant_of)
    found: list[Consequence] = []
    for rule in policy.of_kind("ladder"):
        counted = [event for event in known if speaks_to(event, rule)]
        found += [_until_lifted(each, counted) for each in _climb(policy, rule, counted, now)]
    if since is not None:
        found = [each for each in found if each.start >= to_utc(since)]
    else:
        found = [each for each in found if each.until is None or each.until > now]
    return sorted(found, key=lambda each: each.start)


def speaks_to(event: Subject, rule: Rule) -> bool:
    """An event may name the layers whose ladders it concerns, by their place; without ``layers`` it is all."""
    layers = event.fields.get("layers")
    return layers is None or rule.layer in layers


def instant_of(event: Subject) -> datetime:
    assert event.at is not None  # only such events are kept
    return event.at


def _climb(policy: Policy, rule: Rule, events: list[Subject], now: datetime) -> Iterator[Consequence]:
    """Walks through the events of each party in turn."""
    begun: dict[tuple[str, ...], dict[tuple[object, ...], list[tuple[datetime, Fraction]]]] = {}
    for event in events:
        situation = Situation(policy.calendar, event, "", now)
        case = rule.case_for(event, situation)
        ladder = case.parameters if case else None
        if not isinstance(ladder, Ladder):
            continue
        weight = ladder.weight(event.fields.get("name"))
        party = tuple(event.fields.get(name) for name in ladder.per)
        if not weight or None in party:
            continue
        counted = begun.setdefault(ladder.per, {}).setdefault(party, [])
        counted.append((instant_of(event), weight))
        count = count_within(policy, ladder, counted, instant_of(event))
        for number, step in steps_reached(ladder, count, count - weight):
            for action in step.actions:
                yield _consequence(policy, rule, ladder, number, action, event)
            if ladder.restart and step is ladder.steps[-1]:
                counted.clear()


def count_within(policy: Policy, ladder: Ladder, counted: list[tuple[datetime, Fraction]], at: datetime) -> Fraction:
    """The weights within the window that ends with the event at ``at``; its far edge is outside."""
    if ladder.window is None:
        return sum((weight for _, weight in counted), Fraction(0))
    if ladder.window.kind == "calendar":
        first = policy.calendar.period_of(ladder.window.text, policy.calendar.day_of(at)).start
        return sum((weight for when, weight in counted if when >= first), Fraction(0))
    assert ladder.window.duration is not None  # a rolling window has one
    edge = ladder.window.duration.shift(at, -1, policy.calendar, policy.business)
    return sum((weight for when, weight in counted if when > edge), Fraction(0))


def steps_reached(ladder: Ladder, count: Fraction, before: Fraction) -> Iterator[tuple[int, Step]]:
    """The steps that this event reaches, numbered from 1."""
    for number, step in enumerate(ladder.steps, 1):
        if count < step.at:
            continue
        repeats = step.every is not None and (count - step.at) // step.every > (before - step.at) // step.every
        if before < step.at or repeats:
            yield number, step


def _consequence(
    policy: Policy, rule: Rule, ladder: Ladder, number: int, action: Action, event: Subject
) -> Consequence:
    start = _begin(policy, action, event)
    until = None
    if action.lasts is not None:
        until = action.lasts.shift(start, 1, policy.calendar, policy.business)
    elif action.ends is not None:
        situation = Situation(policy.calendar, event, "", instant_of(event))
        until = action.ends.resolve(situation.anchors(event))
    if until is not None and action.whole_days:
        until = policy.calendar.at(policy.calendar.day_of(until), time(0))
    return Consequence(
        code=action.code,
        rule_id=rule.id,
        topic=rule.topic,
        step=number,
        start=start,
        until=until,
        party=_party(action.who, event) or _party(ladder.per, event),
        on={**{name: event.fields.get(name) for name in action.same}, **action.on_raw},
        same=action.same,
        acts=action.acts if action.code in ("suspend", "deny") else (),
        values=action.values,
        event=event.fields,
        condition=action.on,
    )


def _party(names: tuple[str, ...], event: Subject) -> dict[str, object]:
    """Empty when the event does not know one of them: an absent group must not stand for all who have none."""
    party = {name: event.fields.get(name) for name in names}
    return {} if None in party.values() else party


def _begin(policy: Policy, action: Action, event: Subject) -> datetime:
    """The event's instant, unless the action begins otherwise; so too when that cannot be known."""
    if action.since is None:
        return instant_of(event)
    situation = Situation(policy.calendar, event, "", instant_of(event))
    return action.since.resolve(situation.anchors(event)) or instant_of(event)


def _until_lifted(consequence: Consequence, events: list[Subject]) -> Consequence:
    """Ends with the first later event of the same party that lifts it."""
    if consequence.code not in ("suspend", "deny"):
        return consequence
    names = (LIFTED, consequence.values.get("lift"))
    for event in events:
        same_party = all(event.fields.get(name) == value for name, value in consequence.party.items())
        concerned = same_party and event.fields.get("rule") in (None, consequence.rule_id)
        at = instant_of(event)
        if concerned and event.fields.get("name") in names and at >= consequence.start:
            return dataclasses.replace(consequence, until=min(at, consequence.until or at))
    return consequence
