"""The rules of all layers as cards: what each applies to, its cases as a table, its sentence, where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import phrases, words
from .layers import merge_layers, parse_policy
from .model import DEFAULT_ACTS, Policy, Rule
from .origins import named, overruled
from .sentences import limit, outcome, sentence


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule and its ``index`` in the document of the layer ``place``. ``by``: the layer that overrules it."""

    place: int
    index: int
    rule: Rule
    policy: Policy
    by: int | None = None
    removed: bool = False

    @property
    def sentence(self) -> str:
        return sentence(self.rule, self.policy, {})


@dataclass(frozen=True, slots=True)
class Line:
    """One case. ``when`` is empty for the one that always holds."""

    when: str
    limit: str
    otherwise: str


def placed(documents: Sequence[Mapping[str, Any]], *, tz: str = "UTC") -> list[Placed]:
    """Every rule of every layer, the widest first: those that hold, and those that a narrower layer overrules."""
    if not documents:
        return []
    merged = merge_layers(documents, tz=tz)
    found = [Placed(*spot, rule, merged) for spot, rule in zip(_standing(documents), merged.rules, strict=True)]
    for place, document in enumerate(documents):
        own = parse_policy(document, tz=tz)
        for index, rule in zip(_spoken(document), own.rules, strict=True):
            fate = overruled(documents[place + 1 :], rule.id) if rule.id in named(document) else None
            if fate is not None:
                found.append(Placed(place, index, rule, own, place + 1 + fate[0], fate[1]))
    return sorted(found, key=lambda each: (each.place, each.index))


def _standing(documents: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Layer and index of the rules that hold, in the order in which the layers are merged."""
    spots: dict[tuple[Any, ...], tuple[int, int, bool]] = {}
    for place, document in enumerate(documents):
        for index, rule in enumerate(document.get("rules", [])):
            identity = str(rule.get("id") or "").strip()
            key = ("id", identity) if identity else (place, index)
            spots[key] = (place, index, rule.get("off") is True)
    return [(place, index) for place, index, off in spots.values() if not off]


def _spoken(document: Mapping[str, Any]) -> Iterator[int]:
    return (index for index, rule in enumerate(document.get("rules", [])) if rule.get("off") is not True)


def chips(rule: Rule) -> list[tuple[str, str]]:
    """``(what, word)``: the acts, then each condition for the whole rule."""
    acts = rule.acts if rule.acts_given or rule.kind in ("require", "length", "slots", "deadline", "quota") else ()
    shown = [] if tuple(acts) == DEFAULT_ACTS and not rule.acts_given else [("act", words.act(act)) for act in acts]
    return [*shown, *(("if", phrases.test(test)) for test in rule.condition.tests)]


def lines(rule: Rule) -> list[Line]:
    """A row for each case, the first that holds decides."""
    return [Line(phrases.condition(case.condition), limit(case, rule), outcome(case)) for case in rule.cases]
