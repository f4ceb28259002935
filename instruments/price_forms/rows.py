"""Rows of prices as a grid: one column for each thing they depend on, then price, minimum and step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from backend.core.sheets.grids import grid, row_of
from backend.core.sheets.leaves import ABSENT, Checks, Choice, Inside, Node, Place, Plain, Sheet
from backend.core.sheets.shapes import Entry, Group, ListOf
from instruments.price_forms.conditions import CONDITION, label_of
from instruments.price_forms.terms import QUANTITY, CellTerm, PriceNumber
from instruments.pricing import phrases

SEVERAL = "several"
TIERS = grid(
    [
        Entry("from", gettext_lazy("from"), PriceNumber()),
        Entry("over", gettext_lazy("or over"), PriceNumber()),
        Entry("rate", pgettext_lazy("tier", "price each"), CellTerm()),
        Entry("pct", gettext_lazy("or % of the price"), CellTerm()),
        Entry("flat", gettext_lazy("once reached"), CellTerm()),
    ],
    gettext_lazy("Add a tier"),
    lambda: {"from": 0, "rate": 0},
)
ADJUST = Group([entry for entry in QUANTITY.entries if entry.key not in ("of", "history")])
FULL = ListOf(
    Group(
        [
            Entry("when", gettext_lazy("If"), CONDITION),
            Entry("rate", pgettext_lazy("row", "Price"), CellTerm()),
            Entry("tiers", gettext_lazy("Tiers"), TIERS, folded=True),
            Entry("adjust", gettext_lazy("Counted otherwise"), ADJUST, folded=True),
        ]
    ),
    gettext_lazy("Add a row"),
    gettext_lazy("Row %(number)s"),
)
_PLAIN = (str, int, float)


def fits(rows: Any) -> bool:
    """Whether the rows say nothing but: for this and that, this price, this minimum and step."""
    return isinstance(rows, list) and all(isinstance(row, Mapping) and _row_fits(row) for row in rows)


def _row_fits(row: Mapping[str, Any]) -> bool:
    when, adjust = row.get("when", {}), row.get("adjust", {})
    plain = isinstance(when, Mapping) and isinstance(adjust, Mapping) and set(row) <= {"when", "rate", "adjust"}
    if not plain or not set(adjust) <= {"min", "step"}:
        return False
    tests = [each for value in when.values() for each in (value if isinstance(value, list) and value else [value])]
    named = all(key not in ("any", "not", "start_in") for key in when)
    return named and all(isinstance(each, _PLAIN) for each in tests) and not any(
        isinstance(each, Mapping) for each in (*adjust.values(), row.get("rate"))
    )  # fmt: skip


@dataclass(frozen=True)
class DimensionCell(Plain):
    """One value chosen from those known, or several ticked."""

    key: str

    def _known(self, sheet: Sheet) -> list[tuple[str, str]]:
        return list(sheet.known.get(f"values:{self.key}", ()))

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        if isinstance(value, list):
            return Checks(lambda: self._known(sheet)).draw(value, place, sheet)
        return {**self._choice(value, sheet).draw(value, place, sheet), "again": True}

    def _choice(self, value: Any, sheet: Sheet) -> Choice:
        known = [(json.dumps(code), label) for code, label in self._known(sheet)]
        if value is not ABSENT and json.dumps(value) not in dict(known):
            known.append((json.dumps(value), phrases.value(self.key, value, {})))
        return Scalar(False, lambda: [("", _("any")), *known, (SEVERAL, _("several, or another …"))])

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        if isinstance(value, list):
            return Checks(lambda: self._known(sheet)).read(value, place, sheet)
        if sheet.data.get(place.name) == SEVERAL:
            return [] if value is ABSENT else [value]
        return self._choice(value, sheet).read(value, place, sheet)


class Scalar(Choice):
    """A value of any kind, as its JSON."""

    def show(self, value: Any) -> str:
        return "" if value is ABSENT else json.dumps(value)

    def parse(self, text: str, value: Any) -> Any:
        assert self.choices is not None
        return json.loads(text) if text in dict(self.choices()) and text != SEVERAL else value


@dataclass(frozen=True)
class RowsShape(Plain):
    """A grid as long as the rows fit into one, else each row with its condition."""

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        rows = [] if value is ABSENT or value is None else value
        if not fits(rows):
            return FULL.draw(value, place, sheet)
        keys, count = _dimensions(rows), len(rows)
        drawn = []
        for number, row in enumerate(rows):
            spot = place.item(number)
            cells = [
                {**shape.draw(given, at, sheet), "title": title}
                for title, shape, given, at, _key in _cells(row, keys, spot, sheet)
            ]
            drawn.append(row_of(spot, cells, number, count, sheet))
        known = [each for each in sheet.known.get("attributes", ()) if each[0] not in keys]
        return {
            "kind": "grid",
            "name": place.name,
            "columns": [*(label_of(key, sheet) for key in keys), *_headings()],
            "rows": drawn,
            "add": _("Add"),
            "adders": [
                ("row", _("a row")),
                *((f"by:{key}", _("a column: %(name)s") % {"name": label}) for key, label in known),
                ("free", _("a row with any condition or tiers")),
            ],
            "errors": sheet.errors(place, within=not rows),
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        if value is ABSENT or value is None or not fits(value):
            return value if value is ABSENT or value is None else FULL.read(value, place, sheet)
        keys = _dimensions(value)
        found = [_read_row(row, keys, place.item(number), sheet) for number, row in enumerate(value)]
        return value if found == value else found

    def inside(self, value: Any, step: str) -> Inside | None:
        return None if fits(value) else FULL.inside(value, step)

    def added(self, value: Any, chosen: str) -> Any:
        rows = [] if value is ABSENT or value is None else list(value)
        if chosen == "free":
            return [*rows, {"when": {"any": [{}]}, "rate": 0}]
        if chosen.startswith("by:"):
            key = chosen.removeprefix("by:")
            fresh = rows or [{"rate": 0}]
            return [{**row, "when": {**row.get("when", {}), key: _first(key)}} for row in fresh]
        last = rows[-1].get("when", {}) if rows and fits(rows) else {}
        return [*rows, {"when": dict(last), "rate": 0} if last else {"rate": 0}]

    def moved(self, value: Any, at: int, what: str) -> Any:
        return FULL.moved(value, at, what)


def _first(key: str) -> Any:
    """A list may be empty where a single value may not: nothing is ticked yet."""
    return {"audience": "internal", "mode": "self"}.get(key, [])


def _dimensions(rows: list[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.get("when", {})))


def _headings() -> list[str]:
    return [_("Price or percent"), _("Minimum"), _("Rounded to")]


def _cells(
    row: Mapping[str, Any], keys: list[str], spot: Place, sheet: Sheet
) -> list[tuple[str, Any, Any, Place, tuple[str, str]]]:
    """(title, shape, value, place, where it stands in the row) of each cell."""
    when, adjust = row.get("when", {}), row.get("adjust", {})
    found: list[tuple[str, Any, Any, Place, tuple[str, str]]] = []
    for at, key in enumerate(keys):
        place = Place(f"{spot.name}.when.{at}", f"{spot.path}.when.{key}")
        found.append((label_of(key, sheet), DimensionCell(key), when.get(key, ABSENT), place, ("when", key)))
    price, least, step = _headings()
    found.append((price, CellTerm(), row.get("rate", ABSENT), spot.key("rate"), ("", "rate")))
    for title, key in ((least, "min"), (step, "step")):
        found.append((title, CellTerm(), adjust.get(key, ABSENT), spot.key("adjust").key(key), ("adjust", key)))
    return found


def _read_row(row: Mapping[str, Any], keys: list[str], spot: Place, sheet: Sheet) -> dict[str, Any]:
    out: dict[str, Any] = {
        **row, **{part: dict(row[part]) for part in ("when", "adjust") if isinstance(row.get(part), Mapping)}
    }  # fmt: skip
    for _title, shape, given, place, (part, key) in _cells(row, keys, spot, sheet):
        found = shape.read(given, place, sheet)
        target = out.setdefault(part, {}) if part and found is not ABSENT else out.get(part, {}) if part else out
        if found is ABSENT:
            target.pop(key, None)
        else:
            target[key] = found
    if not out.get("adjust") and "adjust" not in row:
        out.pop("adjust", None)
    return out
