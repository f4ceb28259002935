"""What a policy needs to know before it can decide, whatever the number of its rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from backend.core.periods import Period, to_utc

from .amounts import Amount
from .conditions import FieldTest
from .kinds.ladder import Ladder
from .kinds.lapse import Lapse
from .kinds.quota import LOCK_ORDER, Quota
from .kinds.slots import Slots
from .model import Policy, Rule
from .moments import Moment
from .situation import Situation, Source, read_subject
from .tally import SPLITS
from .walking import parts_of


@dataclass(frozen=True, slots=True)
class BookingRead:
    """One branch of the one read of bookings: all that share these fields with the request."""

    per: tuple[str, ...]
    quotas: tuple[Quota, ...]

    def reach(self, policy: Policy, request: Source, *, now: datetime) -> Period | None:
        """The range in which bookings matter (those that overlap or touch it); None for all there are."""
        subject = read_subject(request, policy.calendar)
        situation = Situation(policy.calendar, subject, "", to_utc(now))
        start = situation.when(subject)
        found = [Period(start, subject.end or start)]
        for quota in self.quotas:
            reach = quota.over.reach(situation, quota.business, splits=quota.measure in SPLITS) if quota.over else None
            if reach is None:
                return None
            found.append(reach)
        return Period(min(each.start for each in found), max(each.end for each in found))


@dataclass(frozen=True, slots=True)
class EventRead:
    """All stored events of these parties with one of these names (``*``: any), however old.

    A window does not bound the read: what an older event has already led to decides whether a ladder counts
    anew, and a consequence may outlast its window.
    """

    per: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """``facts`` are dotted names; ``locks`` are parties in the order in which they must be taken."""

    facts: frozenset[str]
    booking_reads: tuple[BookingRead, ...]
    event_reads: tuple[EventRead, ...]
    locks: tuple[str, ...]


def needs(policy: Policy, act: str) -> Needs:
    """The facts, bookings, events and locks for one act. One branch per distinct ``per``, not per rule."""
    rules = [rule for rule in policy.rules if _matters(rule, act)]
    parts = [part for rule in rules for part in parts_of(rule)]
    quotas = [part for part in parts if isinstance(part, Quota)]
    ladders = [part for part in parts if isinstance(part, Ladder)]
    return Needs(
        facts=frozenset(dotted_names(parts)),
        booking_reads=tuple(
            BookingRead(per, tuple(quota for quota in quotas if quota.per == per))
            for per in dict.fromkeys(quota.per for quota in quotas)
        ),
        event_reads=tuple(_event_reads(ladders)),
        locks=_in_order(_locks(rules, quotas)),
    )


def recording_locks(policy: Policy) -> tuple[str, ...]:
    """The parties to lock while a violation is recorded: those by which its ladders count."""
    pers = (part.per for part in parts_of(policy.rules) if isinstance(part, Ladder))
    return _in_order(next((party for party in LOCK_ORDER if party in per), "instrument") for per in pers)


def _matters(rule: Rule, act: str) -> bool:
    if rule.kind in ("ladder", "priority"):
        return rule.kind == "ladder" or act in ("create", "change")
    if rule.kind == "lapse":
        return not rule.acts_given or rule.applies_to(act)
    return rule.kind != "event" and rule.applies_to(act)


def dotted_names(parts: Iterable[object]) -> set[str]:
    """``person.level`` and the like: what is not a field of the request itself."""
    return {name for name in _names(parts) if "." in name}


def _names(parts: Iterable[object]) -> Iterable[str]:
    for part in parts:
        if isinstance(part, FieldTest):
            yield part.key
        elif isinstance(part, (Quota, Ladder)):
            yield from part.per
        elif isinstance(part, Amount):
            yield part.fact
        elif isinstance(part, Lapse):
            yield from (*part.since, part.field)
        elif isinstance(part, Moment) and isinstance(part.anchor, str):
            yield part.anchor


def _event_reads(ladders: list[Ladder]) -> Iterable[EventRead]:
    """Besides the parties by which ladders count those whom a step bars in their place (``who``)."""
    names: dict[tuple[str, ...], dict[str, None]] = {}
    for ladder in ladders:
        actions = [action for step in ladder.steps for action in step.actions]
        barred = (action.who for action in actions if action.who)
        ends = (str(action.values["lift"]) for action in actions if "lift" in action.values)
        wanted = dict.fromkeys((*ladder.weights, *ends))
        for per in (ladder.per, *barred):
            names.setdefault(per, {}).update(wanted)
    return (EventRead(per, tuple(found)) for per, found in names.items())


def _locks(rules: Iterable[Rule], quotas: Iterable[Quota]) -> Iterable[str]:
    for quota in quotas:
        yield quota.lock
    for rule in rules:
        bands = any(isinstance(part, Slots) and part.bands for part in parts_of(rule.cases))
        if bands or rule.kind == "priority":
            yield "instrument"


def _in_order(parties: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(parties), key=LOCK_ORDER.index))
