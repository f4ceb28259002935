"""Where each rule comes from when several layers hold, and what became of those that another layer takes away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .layers import merge_layers, parse_policy
from .sentences import describe


@dataclass(frozen=True, slots=True)
class Origin:
    """A rule of the layer at ``place``. ``by`` is the place of the layer that replaces or removes it, if one does."""

    place: int
    id: str
    sentence: str
    by: int | None = None
    removed: bool = False


def origins(documents: Sequence[Mapping[str, Any]], *, tz: str = "UTC") -> list[Origin]:
    """Every rule of every layer, the widest first: those that hold, and those that a narrower layer overrules."""
    if not documents:
        return []
    merged = merge_layers(documents, tz=tz)
    places = {rule.id: rule.layer for rule in merged.rules}
    found = [Origin(places[identity], identity, sentence) for identity, sentence in describe(merged)]
    for place, document in enumerate(documents):
        for identity, sentence in describe(parse_policy(document, tz=tz)):
            fate = _overruled(documents[place + 1 :], identity)
            if fate is not None and identity in named(document):
                later, removed = fate
                found.append(Origin(place, identity, sentence, place + 1 + later, removed))
    return sorted(found, key=lambda each: (each.place, each.by is not None))


def named(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The rules that have an id of their own, by which another layer can speak of them."""
    rules = [rule for rule in document.get("rules", []) if isinstance(rule, Mapping)]
    return {str(rule["id"]).strip(): rule for rule in rules if isinstance(rule.get("id"), str) and rule["id"].strip()}


def _overruled(later: Sequence[Mapping[str, Any]], identity: str) -> tuple[int, bool] | None:
    """The last of the narrower layers that says something of the rule, and whether it removes it."""
    for place in range(len(later) - 1, -1, -1):
        rule = named(later[place]).get(identity)
        if rule is not None:
            return place, bool(rule.get("off"))
    return None
