"""Which rules a layer names, and what a narrower layer says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def named(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The rules that have an id of their own, by which another layer can speak of them."""
    rules = [rule for rule in document.get("rules", []) if isinstance(rule, Mapping)]
    return {str(rule["id"]).strip(): rule for rule in rules if isinstance(rule.get("id"), str) and rule["id"].strip()}


def overruled(later: Sequence[Mapping[str, Any]], identity: str) -> tuple[int, bool] | None:
    """The last of the narrower layers that says something of the rule, and whether it removes it."""
    for place in range(len(later) - 1, -1, -1):
        rule = named(later[place]).get(identity)
        if rule is not None:
            return place, bool(rule.get("off"))
    return None
