"""What only the forms of rules join: objects with remarks, limits that depend on a fact, weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.core.sheets import shapes
from backend.core.sheets.leaves import ABSENT, Choice, Choices, Leaf, Node, Number, Place, Plain, Sheet, Values, number
from backend.core.sheets.shapes import Entry
from booking.rules.reading import REMARKS


@dataclass(frozen=True)
class Group(shapes.Group):
    """Remarks get a field of their own."""

    def further(self, value: Mapping[str, Any]) -> list[Entry]:
        own = {entry.key for entry in self.entries}
        remarks = [key for key in value if key in REMARKS and key not in own and isinstance(value[key], str)]
        return [Entry(key, _remark(key), Leaf()) for key in remarks]


def _remark(key: str) -> str:
    return {"note": _("Note"), "comment": _("Remark"), "title": _("Title"), "text": _("Text"), "source": _("Source")}[
        key
    ]


ROUNDINGS = [
    ("", gettext_lazy("not rounded")),
    ("up", gettext_lazy("up")),
    ("down", gettext_lazy("down")),
    ("nearest", gettext_lazy("to the nearest")),
]


class Rounding(Choice):
    """Up, down or to the nearest whole number; a number that a file gave stays as it is."""

    def show(self, value: Any) -> str:
        return "" if value is ABSENT else str(value)

    def parse(self, text: str, value: Any) -> Any:
        return text


@dataclass(frozen=True)
class Amount(Plain):
    """A number, or base + fact × times."""

    formula = Group(
        [
            Entry("base", gettext_lazy("Base"), Number()),
            Entry("fact", gettext_lazy("plus this number"), Leaf(), gettext_lazy("e.g. group.members")),
            Entry("times", gettext_lazy("multiplied by"), Number()),
            Entry("round", gettext_lazy("rounded"), Rounding(False, lambda: [(c, str(t)) for c, t in ROUNDINGS])),
            Entry("cap", gettext_lazy("at most"), Number()),
        ]
    )

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        depends = isinstance(value, Mapping)
        body = self.formula.draw(value, place, sheet) if depends else Number().draw(value, place, sheet)
        return {
            "kind": "amount",
            "name": place.name,
            "hows": [("number", _("a number")), ("formula", _("depends on a number"))],
            "how": "formula" if depends else "number",
            "nested": depends,
            "body": body,
            "errors": sheet.errors(place, within=False) if depends else [],
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        how = sheet.data.get(f"{place.name}.how")
        if how == "formula" and not isinstance(value, Mapping):
            base = Number().read(value, place, sheet)
            return {**({} if base is ABSENT else {"base": base}), "fact": ""}
        if how == "number" and isinstance(value, Mapping):
            return value.get("base", 0)
        return (self.formula if isinstance(value, Mapping) else Number()).read(value, place, sheet)


@dataclass(frozen=True)
class Setting(Plain):
    """``[field, value]``."""

    field: Leaf
    value: Values

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        name, to = self._parts(value)
        return {
            "kind": "setting",
            "name": place.name,
            "field": self.field.draw(name, place.item(0), sheet),
            "value": self.value.draw(to, place.item(1), sheet),
            "errors": sheet.errors(place, within=False),
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        name, to = self._parts(value)
        name = self.field.read(name, place.item(0), sheet)
        to = self.value.read(to, place.item(1), sheet)
        if name is ABSENT and to is ABSENT:
            return ABSENT
        return ["" if name is ABSENT else name, None if to is ABSENT else to]

    def _parts(self, value: Any) -> tuple[Any, Any]:
        return (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else (ABSENT, ABSENT)


@dataclass(frozen=True)
class Weights(Plain):
    """Violations that are counted: each known one a box to tick with its weight, and a field for others."""

    choices: Choices

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        given = _weights(value)
        known = list(self.choices())
        others = {name: weight for name, weight in given.items() if name not in dict(known)}
        return {
            "kind": "weights",
            "name": place.name,
            "options": [(code, label, code in given, json.dumps(given.get(code, 1))) for code, label in known],
            "others": _weights_text(others),
            "errors": sheet.errors(place, within=True),
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        others = sheet.data.get(f"{place.name}.others")
        if others is None:
            return value
        before = _weights(value)
        ticked = sheet.data.getlist(place.name)
        found = {code: _weight(sheet.data.get(f"{place.name}.{code}", "")) for code in ticked} | _read_weights(others)
        if found == before:
            return value
        # In the order in which they stood; what is new comes last.
        found = {name: found[name] for name in (*(each for each in before if each in found), *found)}
        if not found:
            return ABSENT
        return found if isinstance(value, Mapping) or any(each != 1 for each in found.values()) else list(found)


def _weights(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    given = [] if value is ABSENT else value if isinstance(value, list) else [value]
    return {str(name): 1 for name in given}


def _weight(text: str) -> Any:
    return number(text.strip() or "1")


def _weights_text(given: Mapping[str, Any]) -> str:
    return ", ".join(name if weight == 1 else f"{name} × {json.dumps(weight)}" for name, weight in given.items())


def _read_weights(text: str) -> dict[str, Any]:
    parts = (part.strip().partition("×") for part in re.split("[,，、]", text) if part.strip())
    return {name.strip(): _weight(weight) for name, _sign, weight in parts}
