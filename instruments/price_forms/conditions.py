"""When a rule or a row applies, as rows: attribute · how · value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.core.sheets.leaves import ABSENT, Checks, Inside, Node, Place, Plain, Shape, Sheet, Values
from backend.core.sheets.shapes import Entry, Group, ListOf
from instruments.price_forms.codes import NUMBERS, TRUTHS
from instruments.price_forms.terms import BAND, TermShape
from instruments.pricing import phrases
from instruments.pricing.model import CLOCKS, Ref

JOINTS = ("any", "not", "start_in")
OPERAND = TermShape(plain=True)
LIMITS = Group(
    [
        Entry(">=", gettext_lazy("at least"), OPERAND),
        Entry(">", gettext_lazy("more than"), OPERAND, folded=True),
        Entry("<", gettext_lazy("less than"), OPERAND),
        Entry("<=", gettext_lazy("at most"), OPERAND, folded=True),
        Entry("!=", gettext_lazy("other than"), OPERAND, folded=True),
    ]
)


def joints() -> dict[str, str]:
    return {
        "start_in": _("it starts"),
        "date": phrases.ref(Ref("date", "date"), {}),
        "any": _("one of several groups"),
        "not": _("not the following"),
    }


@dataclass(frozen=True)
class ConditionShape(Plain):
    """All rows must hold; none at all holds always."""

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        rows = list(value.items()) if isinstance(value, Mapping) else []
        return {
            "kind": "condition",
            "name": place.name,
            "rows": [self._row(at, key, each, place, sheet) for at, (key, each) in enumerate(rows)],
            "adders": adders(sheet),
            "errors": sheet.errors(place, within=False),
        }

    def _row(self, at: int, key: str, value: Any, place: Place, sheet: Sheet) -> Node:
        spot = place.entry(at, key)
        is_field = key not in JOINTS
        return {
            "name": spot.name,
            "key": key,
            "keys": [],
            "label": label_of(key, sheet),
            "free": is_free(key, sheet),
            "is_field": is_field,
            "limits": isinstance(value, Mapping),
            "nested": key in ("any", "not"),
            "node": shape_of(key, value, sheet).draw(value, spot, sheet),
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        rows = list(value.items()) if isinstance(value, Mapping) else []
        found: dict[str, Any] = {}
        for at, (key, each) in enumerate(rows):
            sent = sheet.data.get(f"{place.name}.{at}.key") or key
            name = sent.strip() if is_free(key, sheet) else key
            if not name or name in JOINTS:
                name = key
            if name in found or (name != key and name in dict(rows)):
                sheet.complain(place, _("“%(name)s” is there twice.") % {"name": name})
                name = key
            found[name] = _read_value(key, each, place.entry(at, key), sheet)
        return found if isinstance(value, Mapping) else ABSENT

    def inside(self, value: Any, step: str) -> Inside | None:
        rows = dict(value) if isinstance(value, Mapping) else {}
        at = int(step) if step.isdecimal() else len(rows)
        if at >= len(rows):
            return None
        key = list(rows)[at]
        return shape_of(key, rows[key], None), rows[key], lambda new: {**rows, key: {} if new is ABSENT else new}

    def added(self, value: Any, chosen: str) -> Any:
        rows = dict(value) if isinstance(value, Mapping) else {}
        if chosen == "field":
            chosen = next(name for name in ("attribute", *(f"attribute_{n}" for n in range(2, 99))) if name not in rows)
        if chosen and chosen not in rows:
            rows[chosen] = start_of(chosen)
        return rows

    def moved(self, value: Any, at: int, what: str) -> Any:
        if not isinstance(value, Mapping) or what != "drop":
            return value
        return {key: each for number, (key, each) in enumerate(value.items()) if number != at} or ABSENT


def adders(sheet: Sheet) -> list[tuple[str, str]]:
    sums = [(f"sum:{code}", _("the sum of %(codes)s") % {"codes": name}) for code, name in sheet.known.get("above", ())
            if code != "*" and not code.startswith("-")]  # fmt: skip
    found = {**dict(sheet.known.get("names", ())), **joints()}
    return [*found.items(), *sums, ("field", _("another attribute"))]


def label_of(key: str, sheet: Sheet) -> str:
    if key.startswith("sum:"):
        names = dict(sheet.known.get("codes", ()))
        plain = key.removeprefix("sum:")
        return _("the sum of %(codes)s") % {"codes": names.get(plain, plain)}
    return {**dict(sheet.known.get("names", ())), **joints()}.get(key) or phrases.attribute(key, {})


def is_free(key: str, sheet: Sheet) -> bool:
    """An attribute that nothing else names has its name typed in."""
    return key.startswith("attribute") and key not in dict(sheet.known.get("counted", ()))


def start_of(key: str) -> Any:
    """What a new row says at first."""
    if key in ("audience", "mode", "event"):
        return []
    if key in TRUTHS:
        return True
    if key == "any":
        return [{}]
    if key == "not":
        return {}
    if key == "start_in":
        return ""
    return {} if key in (*NUMBERS, *CLOCKS, "date") or key.startswith("sum:") else ""


def shape_of(key: str, value: Any, sheet: Sheet | None) -> Shape:
    if key in ("any", "not"):
        return ListOf(CONDITION, gettext_lazy("Add a group"), gettext_lazy("Group %(number)s"))
    if key == "start_in":
        return BAND
    if isinstance(value, Mapping):
        return LIMITS
    known = list(sheet.known.get(f"values:{key}", ())) if sheet else []
    return Checks(lambda: known, required=True) if known else Values(required=True)


def _read_value(key: str, value: Any, place: Place, sheet: Sheet) -> Any:
    how = sheet.data.get(f"{place.name}.how")
    if key not in JOINTS and how == "limits" and not isinstance(value, Mapping):
        return {}
    if key not in JOINTS and how == "is" and isinstance(value, Mapping):
        return value.get("!=", "")
    found = shape_of(key, value, sheet).read(value, place, sheet)
    return ("" if key not in JOINTS and not isinstance(value, Mapping) else value) if found is ABSENT else found


CONDITION = ConditionShape()
