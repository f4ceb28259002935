"""The decision: lapse → standing → all checks → every refusal, approval and notice at once.

Editing: the booking itself is left out of what is counted; deadlines that are not for asking look at the
booking as it was; the first ``made`` is kept; making a booking smaller brings back no reason it already had.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from backend.core.periods import to_utc

from . import words
from .kinds.lapse import Lapse
from .model import DEFAULT_ACTS, Case, Check, Policy, Rule
from .refusals import refusal_sentence
from .results import Consequence, Decision, Entry, Finding
from .situation import Facts, Situation, Source, Subject, read_subject
from .standing import standing
from .values import as_number

_Found = tuple[Rule | Consequence, Case | None, Finding]


def decide(
    policy: Policy,
    request: Source,
    *,
    act: str,
    now: datetime,
    facts: Facts | None = None,
    bookings: Iterable[Source] = (),
    events: Iterable[Source] = (),
    before: Source | None = None,
) -> Decision:
    """What the policy says to an act; never a partial answer.

    ``bookings`` are those that count (every party of `needs`), ``before`` is the booking as it was; when an
    edit gives none it is looked up among them by id. Raises `Invalid` for a request that cannot be read.
    """
    wanted = read_subject(request, policy.calendar)
    stored = [read_subject(booking, policy.calendar) for booking in bookings]
    old = read_subject(before, policy.calendar) if before is not None else None
    if old is None and act != "create" and wanted.id is not None:
        old = next((each for each in stored if each.id == wanted.id), None)
    own_ids = {each.id for each in (wanted, old) if each is not None and each.id is not None}
    others = tuple(each for each in stored if each.id not in own_ids)
    wanted = dataclasses.replace(wanted, made=wanted.made or (old.made if old else None))
    situation = Situation(policy.calendar, wanted, act, to_utc(now), facts or {}, others)
    return decide_situation(policy, situation, old, list(events))


def decide_situation(policy: Policy, situation: Situation, old: Subject | None, events: list[Source]) -> Decision:
    situation = apply_lapses(policy, situation)
    barred = standing(policy, events, now=situation.now)
    found = list(_find(policy, situation, old, barred))
    if old is not None and _is_smaller(situation.request, old):
        had = _reasons(_find(policy, _as_it_was(situation, old), None, barred, act="create"))
        found = [each for each in found if _is_cutoff(each[0]) or _reason(each) not in had]
    entries: dict[str, list[Entry]] = {"refuse": [], "approve": [], "notice": []}
    for source, case, finding in found:
        fix = _first_good_move(policy, situation, old, barred, found, (source, case, finding))
        verdict = case.outcome.verdict if case else "refuse"
        entries[verdict].append(_entry(source, case, finding, situation, fix))
    return Decision(*(tuple(entries[verdict]) for verdict in ("refuse", "approve", "notice")))


def apply_lapses(policy: Policy, situation: Situation) -> Situation:
    """The facts after all that lapsed, in the order of the rules."""
    for rule in policy.of_kind("lapse"):
        if rule.acts_given and not rule.applies_to(situation.act):
            continue
        case = rule.case_for(situation.request, situation)
        if case is None or not isinstance(case.parameters, Lapse):
            continue
        at = case.parameters.lapsed_at(situation)
        if at is not None:
            situation = _with_value(situation, case.parameters, at)
    return situation


def _with_value(situation: Situation, lapse: Lapse, at: datetime) -> Situation:
    scope, dot, key = lapse.field.partition(".")
    lapsed = {**situation.lapsed, lapse.field: at}
    fields = {name: value for name, value in situation.request.fields.items() if name != lapse.field or not dot}
    if not dot:
        fields[lapse.field] = lapse.value
    facts = {**situation.facts, scope: {**(situation.facts.get(scope) or {}), key: lapse.value}}
    request = dataclasses.replace(situation.request, fields=fields)
    return dataclasses.replace(situation.asking(request), facts=facts if dot else situation.facts, lapsed=lapsed)


def _find(
    policy: Policy, situation: Situation, old: Subject | None, barred: Iterable[Consequence], act: str = ""
) -> Iterator[_Found]:
    """Every complaint about the situation; ``act`` asks as if it were another act."""
    act = act or situation.act
    for consequence in barred:
        if _bars(consequence, situation, act):
            values = {**consequence.values, "from": consequence.start, "on": consequence.on}
            yield consequence, None, Finding(consequence.code, values, until=consequence.until)
    for rule in policy.rules:
        if not rule.applies_to(act):
            continue
        subject = old if rule.is_cutoff and old is not None else situation.request
        case = rule.case_for(subject, situation)
        if case is not None and isinstance(case.parameters, Check):
            for finding in case.parameters.check(situation, subject):
                yield rule, case, finding


def _bars(consequence: Consequence, situation: Situation, act: str) -> bool:
    """In force now, or at the wanted time when it begins later."""
    if consequence.code not in ("suspend", "deny") or act not in consequence.acts:
        return False
    request = situation.request
    if any(situation.value(request, name) != value for name, value in consequence.party.items()):
        return False
    in_force = consequence.start <= situation.now or (
        request.start is not None
        and consequence.start <= request.start
        and (consequence.until is None or request.start < consequence.until)
    )
    return in_force and consequence.concerns(request, situation)


def _reason(found: _Found) -> tuple[str, str]:
    source, _case, finding = found
    return (source.rule_id if isinstance(source, Consequence) else source.id), finding.reason


def _reasons(found: Iterable[_Found]) -> set[tuple[str, str]]:
    return {_reason(each) for each in found}


def _is_cutoff(source: Rule | Consequence) -> bool:
    """What is asked only of a change cannot be a reason that the booking had when it was made."""
    return isinstance(source, Rule) and "create" not in source.acts


def _as_it_was(situation: Situation, old: Subject) -> Situation:
    old = dataclasses.replace(old, made=old.made or situation.request.made)
    return situation.asking(old)


def _is_smaller(new: Subject, old: Subject) -> bool:
    """Within the old slot, no number larger, nothing else different."""
    times = ("start", "end", "made", "id")
    if new.start is None or new.end is None or old.start is None or old.end is None:
        inside = (new.start, new.end) == (old.start, old.end)
    else:
        inside = old.start <= new.start and new.end <= old.end
    names = new.fields.keys() - set(times)
    return inside and all(_no_larger(new.fields.get(name), old.fields.get(name)) for name in names)


def _no_larger(new: Any, old: Any) -> bool:
    numbers = as_number(new), as_number(old)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] <= numbers[1]
    return bool(new == old)


def _first_good_move(
    policy: Policy,
    situation: Situation,
    old: Subject | None,
    barred: list[Consequence],
    found: list[_Found],
    cured: _Found,
) -> datetime | None:
    """The first suggested time at which this reason is gone and no new one appears."""
    source = cured[0]
    if situation.act not in DEFAULT_ACTS or (isinstance(source, Rule) and source.is_cutoff):
        return None
    known = _reasons(each for each in found if _verdict(each) == "refuse")
    allowed = known - {_reason(cured)}
    for move in cured[2].moves:
        there = situation.moved(move.start, move.end)
        if all(
            _reason(each) in allowed or (_verdict(each) != "refuse" and _reason(each) != _reason(cured))
            for each in _find(policy, there, old, barred)
        ):
            return move.start
    return None


def _verdict(found: _Found) -> str:
    return found[1].outcome.verdict if found[1] else "refuse"


def _entry(
    source: Rule | Consequence, case: Case | None, finding: Finding, situation: Situation, fix: datetime | None
) -> Entry:
    detail = refusal_sentence(finding, situation)
    if case is None or isinstance(source, Consequence):
        rule_id = source.rule_id if isinstance(source, Consequence) else source.id
        return Entry(finding.reason, source.topic, rule_id, detail, finding.values, finding.until)
    outcome = case.outcome
    anchors = situation.anchors(situation.request)
    dates: Mapping[str, datetime | None] = {name: moment.resolve(anchors) for name, moment in case.dates.items()}
    silence_at = outcome.silence_at.resolve(anchors) if outcome.silence_at else dates.get("at")
    return Entry(
        code=outcome.code or finding.reason,
        topic=source.topic,
        rule_id=source.id,
        detail=detail,
        values={**finding.values, **dates},
        until=finding.until,
        fix=fix,
        fix_text=words.advice(outcome.fix, outcome.code),
        role=outcome.role,
        silence=outcome.silence,
        at=silence_at,
    )
