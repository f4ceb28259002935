"""The form of one rule, band, quantity or table, or of the list's own words: drawn, read, changed row by row."""

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
from instruments.price_forms.codes import known_of
from instruments.price_forms.kinds import ABOUT, HOMES, PARAMETERS, PARTS, part_of, rule_shape, sections, with_part
from instruments.pricing.reading import parse_price_list

ROOT = Place("r", "")
SALT = "instruments.price"


@dataclass
class PriceEditor:
    """``part`` is rule, band, quantity, table or head; ``value`` what the form shows.

    ``place``: of a rule in the document, beyond its end for a new one; ``name``: of another part, empty for a new one.
    ``was`` marks it as it stood when the form was opened.
    """

    document: Mapping[str, Any]
    part: str
    value: dict[str, Any]
    data: QueryDict
    place: int = 0
    name: str = ""
    was: str = ""

    def __post_init__(self) -> None:
        known = known_of(self.document, self.place if self.part == "rule" else None)
        self.sheet = Sheet(self.data, known)
        self.shape = rule_shape(self.value["kind"]) if self.part == "rule" else PARTS[self.part][1]

    @property
    def title(self) -> str:
        return str(ABOUT[self.value["kind"]][0] if self.part == "rule" else PARTS[self.part][0])

    def read(self) -> None:
        """What was sent becomes the value; complaints are kept for `draw`."""
        kind = self.value.get("kind")
        self.value = self.shape.read(self.value, ROOT, self.sheet)
        if self.part == "rule":
            self.value["kind"] = kind
            if self.was and not self.value.get("code"):
                self.sheet.complain(ROOT.key("code"), _("Please fill this in."))
        elif self.name:
            self.value["name"] = self.name  # others speak of it by this name

    def work(self, do: str) -> None:
        self.value = worked(self.shape, self.value, do, self.data)

    @property
    def written(self) -> dict[str, Any]:
        """The document with this in it."""
        if self.part != "rule":
            return with_part(self.document, self.part, self.value)
        rules = list(self.document.get("rules", []))
        end = self.place + 1 if self.was else self.place
        rules[self.place : end] = [self._named]
        return {**self.document, "rules": rules}

    @property
    def _named(self) -> dict[str, Any]:
        """A new rule has a code made of its name unless one was written."""
        if self.value.get("code") or self.was:
            return self.value
        return {"code": fresh_code(self.document, str(self.value.get("name", ""))), **self.value}

    @property
    def is_current(self) -> bool:
        """Whether it still stands in the document as it was opened; a new rule comes where its kind belongs."""
        if self.part == "rule" and not self.was:
            self.place = min(self.place, len(self.document.get("rules", [])))
            return True
        return _mark(self.document, self.part, self.place, self.name) == self.was

    def check(self) -> bool:
        """Whether the document can be read with it; what is wrong goes to its fields."""
        if self.part in HOMES and not self.name and self.value.get("name") in self.document.get(HOMES[self.part], {}):
            self.sheet.complain(ROOT.key("name"), _("This name is taken."))
        try:
            parse_price_list(self.written)
        except Invalid as error:
            self.sheet.take(_local(each, self) for each in error.refusals)
        codes = [each.get("code") for each in self.document.get("rules", [])]
        others = codes if not self.was else codes[: self.place] + codes[self.place + 1 :]
        if self.part == "rule" and self.value.get("code") in others:
            self.sheet.complain(
                ROOT.key("code"), _("Two rules have the code “%(code)s”.") % {"code": self.value["code"]}
            )
        return not self.sheet.problems

    @property
    def refusals(self) -> list[Refusal]:
        found = [Refusal("price_list", text, field=path) for path, each in self.sheet.problems.items() for text in each]
        return found or [Refusal("stale", _("Please open the rule again."))]

    def draw(self) -> list[Node]:
        """The sections of the page, each with its fields."""
        drawn = self.shape.draw(self.value, ROOT, self.sheet)
        self.sheet.shown.discard("")  # what is said of the whole stands above the form
        if self.part != "rule":
            return [{**drawn, "title": ""}]
        nodes = {node["key"]: node for node in (*drawn["fields"], *drawn["more"])}
        out: list[Node] = []
        for title, entries in sections(self.value["kind"]):
            own = [nodes[entry.key] for entry in entries]
            open_ones = [node for node in own if not node["folded"]]
            folded = [node for node in own if node["folded"]]
            out.append({"kind": "group", "title": title, "fields": open_ones, "more": folded})
        return out

    @property
    def state(self) -> str:
        """All of it as it stands, signed, so that nobody sends another in its name."""
        kept = {"part": self.part, "value": self.value, "place": self.place, "name": self.name, "was": self.was}
        return signing.dumps(kept, salt=SALT, compress=True)


def _local(refusal: Refusal, editor: PriceEditor) -> Refusal:
    """With the path of the field inside this form, and a sentence that needs no path."""
    path = refusal.field or ""
    text = str(refusal.detail).replace(f"“{path}”", _("This"))
    home = f"rules[{editor.place}]"
    if editor.part in HOMES:
        home = f"{HOMES[editor.part]}.{editor.value.get('name')}"
        inner = {"band": "windows", "quantity": "what", "table": "rows"}[editor.part]
        path = path.replace(home, inner, 1) if path.startswith(home) else path
    else:
        path = path.removeprefix(home).removeprefix(".")
    return Refusal(refusal.code, text, field=path)


def opened_rule(document: Mapping[str, Any], place: int, rule: dict[str, Any]) -> PriceEditor:
    return PriceEditor(document, "rule", rule, QueryDict(), place, "", _mark(document, "rule", place, ""))


def new_rule(document: Mapping[str, Any], rule: dict[str, Any]) -> PriceEditor:
    return PriceEditor(document, "rule", rule, QueryDict(), place_of_new(document))


def opened_part(document: Mapping[str, Any], part: str, name: str, value: dict[str, Any]) -> PriceEditor:
    return PriceEditor(document, part, value, QueryDict(), 0, name, _mark(document, part, 0, name))


def sent(document: Mapping[str, Any], data: QueryDict) -> PriceEditor:
    """The form as it came back; `Invalid` for a state that we did not write."""
    try:
        state = signing.loads(data.get("state", ""), salt=SALT)
    except (signing.BadSignature, ValueError):
        raise invalid("state", _("Please open the rule again."), "stale") from None
    editor = PriceEditor(document, state["part"], state["value"], data, state["place"], state["name"], state["was"])
    editor.read()
    return editor


def _mark(document: Mapping[str, Any], part: str, place: int, name: str) -> str:
    """A fingerprint of what stands there; empty for what does not stand anywhere yet."""
    if part == "rule":
        rules = document.get("rules", [])
        found = rules[place] if place < len(rules) else None
    else:
        known = part == "head" or name in document.get(HOMES.get(part, ""), {})
        found = part_of(document, part, name) if known else None
    if found is None:
        return ""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def editable(rule: Any) -> bool:
    return isinstance(rule, Mapping) and rule.get("kind") in PARAMETERS


def place_of_new(document: Mapping[str, Any]) -> int:
    """The end, but before the tax, which is taken of all of it."""
    rules = document.get("rules", [])
    place = len(rules)
    while place and _is_tax(rules[place - 1]):
        place -= 1
    return place


def _is_tax(rule: Any) -> bool:
    return isinstance(rule, Mapping) and (rule.get("code") == "tax" or "tax" in rule.get("tags", []))


def fresh_code(document: Mapping[str, Any], name: str, stem: str = "") -> str:
    """A code that no rule and no tag has yet."""
    taken = {str(each) for rule in document.get("rules", []) for each in (rule.get("code"), *rule.get("tags", []))}
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower()).split()
    stem = stem or "_".join(words)[:30] or "rule"
    return next(code for code in (stem, *(f"{stem}_{number}" for number in range(2, 1000))) if code not in taken)
