"""Worked examples of a policy, as ``manage.py decide`` reads them: what is given, what must come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from backend.core.errors import Invalid, invalid

from .decide import decide
from .layers import merge_layers
from .model import Policy
from .observe import observe
from .rank import rank
from .results import as_json
from .standing import standing
from .values import as_instant, as_number

Outcome = tuple[str, Mapping[str, Any]]
VERDICTS = ("refuse", "approve", "notice")


@dataclass(frozen=True, slots=True)
class Result:
    example: str
    right: bool
    line: str


def check_examples(document: object) -> list[Result]:
    """One result per example. Raises `Invalid` for a document of another form or a policy with problems."""
    policies, examples = _parts_of(document)
    parsed = {name: _parse(name, policy) for name, policy in policies.items()}
    return [_check(parsed, example) for example in examples]


def _parts_of(document: object) -> tuple[Mapping[str, Any], list[Any]]:
    policies = document.get("policies") if isinstance(document, Mapping) else None
    examples = document.get("examples") if isinstance(document, Mapping) else None
    if not isinstance(policies, Mapping) or not isinstance(examples, list):
        raise invalid("", _("The file must hold an object with policies and a list of examples."))
    return policies, examples


def _parse(name: str, policy: Any) -> Policy:
    """A list stands for layers, the widest first."""
    try:
        return merge_layers(policy if isinstance(policy, list) else [policy])
    except Invalid as error:
        raise Invalid(*error.refusals, detail=_("The policy %(name)s has problems.") % {"name": name}) from error


def _check(policies: Mapping[str, Policy], example: Any) -> Result:
    try:
        name, expected, came_out, policy = _run(policies, example)
    except Invalid as error:
        label = str(example.get("example", "?")) if isinstance(example, Mapping) else "?"
        return Result(label, False, f"{label} {_('wrong')}: {error.detail}")
    right = all(_agree(expected[part], came_out[part], policy) for part in came_out)
    line = f"{name} {_('right')}" if right else f"{name} {_('wrong')}: {_shown(expected)} ≠ {_shown(came_out)}"
    return Result(name, right, line)


def _run(
    policies: Mapping[str, Policy], example: Any
) -> tuple[str, dict[str, list[Outcome]], dict[str, list[Outcome]], Policy]:
    given = example.get("given") if isinstance(example, Mapping) else None
    policy = policies.get(str(example.get("policy"))) if isinstance(example, Mapping) else None
    do = example.get("do", "decide") if isinstance(example, Mapping) else None
    if not isinstance(given, Mapping) or policy is None or do not in RUNNERS:
        names = ", ".join(RUNNERS)
        raise invalid("", _("An example needs a known policy, given, and do as one of: %(names)s.") % {"names": names})
    came_out = RUNNERS[do](policy, given)
    raw = example.get("expected")
    parts = raw if isinstance(raw, Mapping) else {next(iter(came_out)): raw}
    expected = {part: [_expected(item) for item in _list(parts, part)] for part in came_out}
    return str(example.get("example", "?")), expected, came_out, policy


def _expected(item: Any) -> Outcome:
    if isinstance(item, list) and item:
        values = item[1] if len(item) > 1 and isinstance(item[1], Mapping) else {}
        return str(item[0]), values
    return str(item), {}


def _decide(policy: Policy, given: Mapping[str, Any]) -> dict[str, list[Outcome]]:
    decision = decide(
        policy,
        given.get("req") or {},
        act=str(given.get("act", "create")),
        now=_instant(given, "now", policy),
        facts=_facts(given),
        bookings=_list(given, "bookings"),
        events=_list(given, "events"),
        before=given.get("before"),
    )
    return {verdict: [(entry.code, entry.flat()) for entry in getattr(decision, verdict)] for verdict in VERDICTS}


def _observe(policy: Policy, given: Mapping[str, Any]) -> dict[str, list[Outcome]]:
    sequence = [_happening(item, policy) for item in _list(given, "seq")]
    found = observe(policy, given.get("booking") or {}, sequence, facts=_facts(given))
    return {"": [(each.name, {"at": each.at, "rule": each.rule_id, **each.values}) for each in found]}


def _standing(policy: Policy, given: Mapping[str, Any]) -> dict[str, list[Outcome]]:
    since = _instant(given, "since", policy) if given.get("since") else None
    found = standing(policy, _list(given, "events"), now=_instant(given, "now", policy), since=since)
    return {"": [(each.code, each.flat()) for each in found]}


def _rank(policy: Policy, given: Mapping[str, Any]) -> dict[str, list[Outcome]]:
    found = rank(policy, _list(given, "requests"), now=_instant(given, "now", policy), facts=_facts(given))
    return {"": [(str(each.id), {"place": each.place, "until": each.displaceable_until}) for each in found]}


RUNNERS = {"decide": _decide, "observe": _observe, "standing": _standing, "rank": _rank}


def _list(given: Mapping[str, Any], name: str) -> list[Any]:
    value = given.get(name) or []
    if not isinstance(value, list):
        raise invalid(name, _("This must be a list."))
    return value


def _facts(given: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    facts = given.get("facts") or {}
    if not isinstance(facts, Mapping) or not all(isinstance(each, Mapping) for each in facts.values()):
        raise invalid("facts", _("This must be an object with named entries."))
    return facts


def _happening(item: Any, policy: Policy) -> tuple[str, datetime | None]:
    """``["checkin", "2026-03-10 09:20"]``; null for what never happened."""
    if not isinstance(item, list) or len(item) != 2:
        raise invalid("seq", _('Write what happened and when, like ["checkin", "2026-03-10 09:20"].'))
    return str(item[0]), as_instant(item[1], policy.calendar)


def _instant(given: Mapping[str, Any], name: str, policy: Policy) -> datetime:
    instant = as_instant(given.get(name), policy.calendar)
    if instant is None:
        raise invalid(name, _("This is no time. Write it like 2026-03-10 09:00."))
    return instant


def _agree(expected: list[Outcome], came_out: list[Outcome], policy: Policy) -> bool:
    """The same set of codes, and for each expected outcome one that has all its values."""
    if {code for code, _values in expected} != {code for code, _values in came_out}:
        return False
    return all(
        any(code == other and _match(values, found, policy) for other, found in came_out) for code, values in expected
    )


def _match(expected: Any, found: Any, policy: Policy) -> bool:
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(_match(expected[key], found.get(key), policy) for key in expected)
    if isinstance(expected, list):
        if not isinstance(found, (list, tuple)) or len(expected) != len(found):
            return False
        return all(_match(each, other, policy) for each, other in zip(expected, found, strict=True))
    if isinstance(found, datetime):
        return as_instant(expected, policy.calendar) == found
    return bool(expected == found) or (as_number(expected) is not None and as_number(expected) == as_number(found))


def _shown(parts: Mapping[str, Iterable[Outcome]]) -> str:
    texts = []
    for part, outcomes in parts.items():
        shown = ", ".join(f"{code} {as_json(values)}" if values else code for code, values in outcomes)
        texts.append(f"{part} [{shown}]".strip())
    return " ".join(texts)
