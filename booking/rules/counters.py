"""How far each ladder has been climbed: the count now, and what the next step brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from backend.core.periods import to_utc

from .kinds.ladder import Action, Ladder, Step
from .model import Policy, Rule
from .phrases import period
from .situation import Situation, Source, Subject, read_subject
from .standing import LIFTED, count_within, instant_of, speaks_to, steps_reached
from .words import number


@dataclass(frozen=True, slots=True)
class Counter:
    """``count`` of the party now, of ``limit``, the next step not reached; None above the last one."""

    rule_id: str
    layer: int
    names: tuple[str, ...]
    count: Fraction
    limit: Fraction | None
    window: str
    next_actions: tuple[Action, ...]
    party: Mapping[str, Any]

    @property
    def text(self) -> str:
        return f"{number(self.count)} / {number(self.limit)}" if self.limit is not None else number(self.count)

    @property
    def share(self) -> int:
        """In per cent, for a bar."""
        return 100 if not self.limit else min(100, int(self.count * 100 / self.limit))


def counters(policy: Policy, events: Iterable[Source], *, now: datetime) -> list[Counter]:
    """Of every ladder and every party that has at least one of the events that it counts."""
    now = to_utc(now)
    read = [read_subject(event, policy.calendar) for event in events]
    known = sorted((each for each in read if each.at is not None and each.at <= now), key=instant_of)
    return [found for rule in policy.of_kind("ladder") for found in _of_rule(policy, rule, known, now)]


def _of_rule(policy: Policy, rule: Rule, events: list[Subject], now: datetime) -> Iterator[Counter]:
    counted: dict[tuple[Any, ...], list[tuple[datetime, Fraction]]] = {}
    ladders: dict[tuple[Any, ...], Ladder] = {}
    for event in events:
        ladder = _ladder(policy, rule, event, now)
        if ladder is None:
            continue
        weight, party = ladder.weight(event.fields.get("name")), tuple(event.fields.get(name) for name in ladder.per)
        if not weight or None in party:
            continue
        ladders[party] = ladder
        mine = counted.setdefault(party, [])
        mine.append((instant_of(event), weight))
        count = count_within(policy, ladder, mine, instant_of(event))
        new = [step for _number, step in steps_reached(ladder, count, count - weight)]
        if ladder.restart and ladder.steps[-1] in new:
            mine.clear()
    for party, mine in counted.items():
        yield _counter(rule, ladders[party], party, count_within(policy, ladders[party], mine, now))


def _ladder(policy: Policy, rule: Rule, event: Subject, now: datetime) -> Ladder | None:
    if event.fields.get("name") == LIFTED or not speaks_to(event, rule):
        return None
    case = rule.case_for(event, Situation(policy.calendar, event, "", now))
    return case.parameters if case and isinstance(case.parameters, Ladder) else None


def _counter(rule: Rule, ladder: Ladder, party: tuple[Any, ...], count: Fraction) -> Counter:
    following: Step | None = next((step for step in ladder.steps if step.at > count), None)
    window = ladder.window
    return Counter(
        rule_id=rule.id,
        layer=rule.layer,
        names=tuple(ladder.weights),
        count=count,
        limit=following.at if following else None,
        window=period(window) if window else "",
        next_actions=following.actions if following else (),
        party=dict(zip(ladder.per, party, strict=True)),
    )
