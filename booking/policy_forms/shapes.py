"""Fields joined: objects with known entries, lists, free pairs, limits that depend on a fact."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from booking.policy_forms.leaves import (
    ABSENT,
    Choice,
    Choices,
    Leaf,
    Node,
    Number,
    Place,
    Shape,
    Sheet,
    Values,
    number,
)
from booking.rules.reading import REMARKS

Text = str | Promise


@dataclass(frozen=True)
class Entry:
    """A named entry of an object; ``folded`` ones are shown once they say something."""

    key: str
    label: Text
    shape: Shape
    help: Text = ""
    folded: bool = False


@dataclass(frozen=True)
class Group:
    """An object. Entries that are not listed stay as they are; remarks get a field of their own."""

    entries: Sequence[Entry]
    label: Text = ""

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        value = value if isinstance(value, Mapping) else {}
        nodes = [self._field(each, value, place, sheet) for each in self._entries(value)]
        return {
            "kind": "group",
            "name": place.name,
            "label": self.label,
            "fields": [node for node in nodes if not node["folded"]],
            "more": [node for node in nodes if node["folded"]],
            "errors": sheet.errors(place, within=False),
        }

    def _field(self, entry: Entry, value: Mapping[str, Any], place: Place, sheet: Sheet) -> Node:
        node = entry.shape.draw(value.get(entry.key, ABSENT), place.key(entry.key), sheet)
        folded = entry.folded and entry.key not in value
        return {**node, "title": entry.label, "help": entry.help, "key": entry.key, "folded": folded}

    def _entries(self, value: Mapping[str, Any]) -> list[Entry]:
        own = {entry.key for entry in self.entries}
        remarks = [key for key in value if key in REMARKS and key not in own and isinstance(value[key], str)]
        return [*self.entries, *(Entry(key, _remark(key), Leaf()) for key in remarks)]

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        given = dict(value) if isinstance(value, Mapping) else {}
        for entry in self._entries(given):
            found = entry.shape.read(given.get(entry.key, ABSENT), place.key(entry.key), sheet)
            if found is ABSENT:
                given.pop(entry.key, None)
            else:
                given[entry.key] = found
        return given if given or isinstance(value, Mapping) else ABSENT


def _remark(key: str) -> str:
    return {"note": _("Note"), "comment": _("Remark"), "title": _("Title"), "text": _("Text"), "source": _("Source")}[
        key
    ]


@dataclass(frozen=True)
class ListOf:
    """A list whose members can be added, removed and moved; a single member may stand for a list of one."""

    member: Shape
    add: Text
    title: Text
    fresh: Callable[[], Any] = dict

    def members(self, value: Any) -> list[Any]:
        if value is ABSENT:
            return []
        return list(value) if isinstance(value, list) else [value]

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        members = self.members(value)
        return {
            "kind": "list",
            "name": place.name,
            "add": self.add,
            "items": [
                {
                    "node": self.member.draw(each, self._at(place, number, value), sheet),
                    "title": self.title % {"number": number + 1},
                    "name": place.item(number).name,
                    "first": number == 0,
                    "last": number == len(members) - 1,
                }
                for number, each in enumerate(members)
            ],
            "errors": sheet.errors(place, within=False),
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        members = self.members(value)
        found = [self.member.read(each, self._at(place, at, value), sheet) for at, each in enumerate(members)]
        found = ["" if each is ABSENT else each for each in found]
        return value if found == members else found

    def _at(self, place: Place, number: int, value: Any) -> Place:
        """A member that stands alone has the path of the list."""
        item = place.item(number)
        return item if isinstance(value, list) else Place(item.name, place.path)


@dataclass(frozen=True)
class Pairs:
    """Names that are free, each with a value; clearing a name removes it."""

    value: Leaf
    names: Text
    values: Text

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        pairs = list(value.items()) if isinstance(value, Mapping) else []
        rows = [*pairs, ("", ABSENT)]
        return {
            "kind": "pairs",
            "name": place.name,
            "names": self.names,
            "values": self.values,
            "rows": [
                {"key": key, "name": f"{place.name}.{at}.key", "node": self.value.draw(each, spot, sheet)}
                for at, (key, each) in enumerate(rows)
                for spot in [place.entry(at, key)]
            ],
            "errors": sheet.errors(place, within=False),
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        pairs = list(value.items()) if isinstance(value, Mapping) else []
        found: dict[str, Any] = {}
        for at, (key, each) in enumerate([*pairs, ("", ABSENT)]):
            sent = sheet.data.get(f"{place.name}.{at}.key")
            name = key if sent is None else sent.strip()
            read = self.value.read(each, place.entry(at, key), sheet)
            if name in found:
                sheet.complain(place, _("“%(name)s” is there twice.") % {"name": name})
            elif name:
                found[name] = "" if read is ABSENT else read
        if found == dict(pairs):
            return value
        return found or ABSENT


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
class Amount:
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
            "formula": depends,
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
class Setting:
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
class Weights:
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
