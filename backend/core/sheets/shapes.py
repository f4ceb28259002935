"""Fields joined: objects with known entries, lists, free pairs; rows of them are added, moved and removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from backend.core.sheets.leaves import ABSENT, Inside, Leaf, Node, Place, Plain, Shape, Sheet

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
class Group(Plain):
    """An object. Entries that are not listed stay as they are."""

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

    def further(self, value: Mapping[str, Any]) -> list[Entry]:
        """Entries that only this value has."""
        return []

    def _entries(self, value: Mapping[str, Any]) -> list[Entry]:
        return [*self.entries, *self.further(value)]

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        given = dict(value) if isinstance(value, Mapping) else {}
        for entry in self._entries(given):
            found = entry.shape.read(given.get(entry.key, ABSENT), place.key(entry.key), sheet)
            if found is ABSENT:
                given.pop(entry.key, None)
            else:
                given[entry.key] = found
        return given if given or isinstance(value, Mapping) else ABSENT

    def inside(self, value: Any, step: str) -> Inside | None:
        given = dict(value) if isinstance(value, Mapping) else {}
        entry = next((each for each in self.entries if each.key == step), None)
        if entry is None:
            return None
        rest = {key: each for key, each in given.items() if key != step}
        return entry.shape, given.get(step, ABSENT), lambda new: rest if new is ABSENT else {**given, step: new}


@dataclass(frozen=True)
class ListOf(Plain):
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

    def inside(self, value: Any, step: str) -> Inside | None:
        members = self.members(value)
        at = int(step) if step.isdecimal() else len(members)
        if at >= len(members):
            return None
        before, after = members[:at], members[at + 1 :]
        return self.member, members[at], lambda new: [*before, {} if new is ABSENT else new, *after]

    def added(self, value: Any, chosen: str) -> Any:
        return [*self.members(value), self.fresh()]

    def moved(self, value: Any, at: int, what: str) -> Any:
        members = self.members(value)
        if at >= len(members):
            return value
        member = members.pop(at)
        if what != "drop":
            members.insert(max(0, at - 1) if what == "up" else at + 1, member)
        return members or ABSENT


@dataclass(frozen=True)
class Pairs(Plain):
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


def worked(shape: Shape, value: Any, do: str, data: Mapping[str, str]) -> Any:
    """A row is added, removed or moved: ``add|r.cases``, ``drop|r.cases.0``, ``up|…``, ``down|…``.

    Names that lead nowhere change nothing.
    """
    what, _sign, name = do.partition("|")
    steps = name.split(".")[1:]
    if what == "add" and steps:
        chosen = data.get(f"{name}.add", "")
        return _changed(shape, value, steps, lambda inner, given: inner.added(given, chosen))
    if what in ("drop", "up", "down") and len(steps) > 1 and steps[-1].isdecimal():
        at = int(steps[-1])
        return _changed(shape, value, steps[:-1], lambda inner, given: inner.moved(given, at, what))
    return value


def _changed(shape: Shape, value: Any, steps: Sequence[str], act: Callable[[Shape, Any], Any]) -> Any:
    if not steps:
        return act(shape, value)
    found = shape.inside(value, steps[0])
    if found is None:
        return value
    inner, given, put = found
    return put(_changed(inner, given, steps[1:], act))
