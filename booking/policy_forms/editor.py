"""The form of one rule, or of a document's windows and days: drawn, read, and changed row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.http import QueryDict
from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal, invalid
from backend.core.sheets.leaves import Node, Place, Sheet
from backend.core.sheets.shapes import worked
from booking.policy_forms.kinds import ABOUT, CALENDAR, PARAMETERS, rule_shape, sections
from booking.rules.layers import parse_policy

ROOT = Place("r", "")
SALT = "booking.rule"
CALENDAR_KEYS = [entry.key for entry in CALENDAR.entries]


@dataclass
class Editor:
    """``rule`` is what the form shows; ``place`` its place in ``document``, beyond its end for a new one.

    ``was`` marks the rule as it stood when the form was opened.
    """

    document: Mapping[str, Any]
    place: int
    rule: dict[str, Any]
    data: QueryDict
    kind: str
    was: str = ""

    def __post_init__(self) -> None:
        windows = self.document.get("windows", {})
        names = [*windows, "business", "always"]
        self.sheet = Sheet(self.data, {"windows": [(name, name) for name in names]})
        self.shape = CALENDAR if self.kind == "calendar" else rule_shape(self.kind)

    @property
    def title(self) -> str:
        return _("Windows and calendar") if self.kind == "calendar" else str(ABOUT[self.kind][0])

    def read(self) -> None:
        """What was sent becomes the rule; complaints are kept for `draw`."""
        self.rule = self.shape.read(self.rule, ROOT, self.sheet)

    def work(self, do: str) -> None:
        """A row is added, removed or moved, see `worked`."""
        self.rule = worked(self.shape, self.rule, do, self.data)

    @property
    def written(self) -> dict[str, Any]:
        """The document with this rule, or these windows and days, in it."""
        if self.kind == "calendar":
            rest = {key: value for key, value in self.document.items() if key not in CALENDAR_KEYS}
            return {**{key: self.rule[key] for key in CALENDAR_KEYS if key in self.rule}, **rest}
        rules = list(self.document.get("rules", []))
        rules[self.place : self.place + 1] = [self.rule]
        return {**self.document, "rules": rules}

    @property
    def is_current(self) -> bool:
        """Whether the rule in the document is still the one that was opened; a new one comes to the end."""
        if self.kind == "calendar":
            return True
        if not self.was:
            self.place = len(self.document.get("rules", []))
        return _mark(self.document, self.place) == self.was

    def check(self) -> bool:
        """Whether the document can be read with it; what is wrong goes to its fields."""
        try:
            parse_policy(self.written)
        except Invalid as error:
            self.sheet.take(error.refusals, "" if self.kind == "calendar" else f"rules[{self.place}]")
        return not self.sheet.problems

    @property
    def refusals(self) -> list[Refusal]:
        found = [Refusal("policy", text, field=path) for path, each in self.sheet.problems.items() for text in each]
        return found or [Refusal("stale", _("Please open the rule again."))]

    def draw(self) -> list[Node]:
        """The sections of the page, each with its fields."""
        drawn = self.shape.draw(self.rule, ROOT, self.sheet)
        self.sheet.shown.discard("")  # what is said of the whole stands above the form
        if self.kind == "calendar":
            return [{**drawn, "title": ""}]
        nodes = {node["key"]: node for node in (*drawn["fields"], *drawn["more"])}
        out: list[Node] = []
        for title, entries in sections(self.kind):
            own = [nodes.pop(entry.key) for entry in entries if entry.key in nodes]
            out.append({"title": title, **_split(own)})
        out[-1]["fields"] += list(nodes.values())
        return out

    @property
    def state(self) -> str:
        """The rule as it stands, signed, so that nobody sends another in its name."""
        return signing.dumps(
            {"rule": self.rule, "kind": self.kind, "was": self.was, "place": self.place}, salt=SALT, compress=True
        )


def _split(nodes: list[Node]) -> Node:
    return {
        "kind": "group",
        "fields": [node for node in nodes if not node["folded"]],
        "more": [node for node in nodes if node["folded"]],
    }


def opened(document: Mapping[str, Any], place: int, rule: dict[str, Any], kind: str) -> Editor:
    """The form as it is first shown."""
    return Editor(document, place, rule, QueryDict(), kind, _mark(document, place))


def sent(document: Mapping[str, Any], data: QueryDict) -> Editor:
    """The form as it came back; `Invalid` for a state that we did not write."""
    try:
        state = signing.loads(data.get("state", ""), salt=SALT)
    except (signing.BadSignature, ValueError):
        raise invalid("state", _("Please open the rule again."), "stale") from None
    editor = Editor(document, state["place"], state["rule"], data, state["kind"], state["was"])
    editor.read()
    return editor


def _mark(document: Mapping[str, Any], place: int) -> str:
    """A fingerprint of the rule at a place; empty beyond the last."""
    rules = document.get("rules", [])
    if place >= len(rules):
        return ""
    return hashlib.sha256(json.dumps(rules[place], sort_keys=True).encode()).hexdigest()[:16]


def calendar_of(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in CALENDAR_KEYS if key in document}


def editable(rule: Any) -> bool:
    return isinstance(rule, Mapping) and rule.get("kind") in PARAMETERS
