"""One rule of the document: its cases inherit what the rule says, and each is read by its kind."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from .conditions import read_condition
from .model import DEFAULT_ACTS, KINDS, SILENCES, VERDICTS, Case, Outcome, Parameters, Rule
from .reading import Node, refuse_unknown
from .scope import Scope

CASE_KEYS = {"if", "free", "else", "silence", "at", "code", "fix", "dates"}
RULE_KEYS = {"id", "name", "kind", "topic", "act", "cases", "off"}


def read_rule(node: Node, scope: Scope, number: int, layer: int) -> Rule | None:
    """None for a rule that is switched off, or with problems noted."""
    parts = node.children()
    if "off" in parts and parts["off"].flag():
        return None
    if "kind" not in parts:
        node.problem(_("A rule needs a kind: %(names)s.") % {"names": ", ".join(sorted(KINDS))})
        return None
    kind = parts["kind"].choice(KINDS)
    if not kind:
        return None
    reader = KINDS[kind]
    known_problems = len(node.problems)
    refuse_unknown(parts, RULE_KEYS | CASE_KEYS | reader.KEYS)
    cases = _read_cases(parts, reader, scope)
    says_nothing = all(case.parameters.is_empty and not case.free for case in cases)
    if says_nothing and len(node.problems) == known_problems:
        node.problem(_("The rule says nothing. It can have: %(names)s.") % {"names": ", ".join(sorted(reader.KEYS))})
    return Rule(
        id=parts["id"].text() if "id" in parts else f"{kind}-{number}",
        kind=kind,
        topic=parts["topic"].text() if "topic" in parts else kind,
        name=parts["name"].text() if "name" in parts and parts["name"].value is not None else "",
        acts=parts["act"].texts() if "act" in parts else DEFAULT_ACTS,
        acts_given="act" in parts,
        condition=read_condition(parts.get("if"), scope),
        cases=cases,
        layer=layer,
    )


def _read_cases(parts: Mapping[str, Node], reader: type[Parameters], scope: Scope) -> tuple[Case, ...]:
    shared = {name: child for name, child in parts.items() if name not in RULE_KEYS - reader.KEYS and name != "if"}
    if "cases" not in parts:
        return (_read_case(shared, reader, scope),)
    found: list[Case] = []
    for item in parts["cases"].items():
        own = item.children()
        refuse_unknown(own, CASE_KEYS | reader.KEYS | {"name"})
        found.append(_read_case({**shared, **own}, reader, scope))
    if not found:
        parts["cases"].problem(_("List at least one case."))
    return tuple(found)


def _read_case(parts: Mapping[str, Node], reader: type[Parameters], scope: Scope) -> Case:
    dates = scope.moments(parts["dates"]) if "dates" in parts else {}
    return Case(
        condition=read_condition(parts.get("if"), scope),
        parameters=reader.read(parts, scope),
        free=parts["free"].flag() if "free" in parts else False,
        outcome=_read_outcome(parts, scope),
        dates=dates,
    )


def _read_outcome(parts: Mapping[str, Node], scope: Scope) -> Outcome:
    verdict, role = _read_else(parts["else"]) if "else" in parts else ("refuse", "")
    silence = parts["silence"].choice(SILENCES) if "silence" in parts else ""
    if silence and verdict != "approve":
        parts["silence"].problem(_("Silence means something only where approval is asked for."))
    return Outcome(
        verdict=verdict,
        role=role,
        silence=silence,
        silence_at=scope.moment(parts["at"]) if "at" in parts else None,
        code=parts["code"].text() if "code" in parts else "",
        fix=parts["fix"].text() if "fix" in parts else "",
    )


def _read_else(node: Node) -> tuple[str, str]:
    """``refuse``, ``notice``, or ``approve:role`` (a bare ``approve`` asks the manager)."""
    verdict, colon, role = node.text().partition(":")
    if verdict not in VERDICTS or (colon and (verdict != "approve" or not role.strip())):
        node.problem(_("Write refuse, notice, or approve:role."))
        return "refuse", ""
    return verdict, (role.strip() or "manager") if verdict == "approve" else ""
