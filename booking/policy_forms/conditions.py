"""A condition as rows: field · how · value, windows, moments, groups of further conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.core.sheets.leaves import (
    ABSENT,
    Checks,
    Flag,
    Inside,
    Node,
    Place,
    Plain,
    Shape,
    Sheet,
    Values,
)
from backend.core.sheets.shapes import Entry, ListOf
from booking.policy_forms.codes import AUDIENCES, FIELDS, MODES
from booking.policy_forms.leaves import Bound, Duration, Moment, WindowRef
from booking.policy_forms.shapes import Group
from booking.rules.words import field_name

WINDOW_TESTS = ("touches", "inside", "starts_in", "ends_in", "now_in")
MOMENT_TESTS = ("made_after", "made_before")
BOUND_HELP = gettext_lazy("a number; for dates a moment, like end or start +30d")
LIMITS = Group(
    [
        Entry("min", gettext_lazy("at least"), Bound(), BOUND_HELP),
        Entry("max", gettext_lazy("at most"), Bound(), BOUND_HELP),
        Entry("not", gettext_lazy("none of these"), Values()),
        Entry("older", gettext_lazy("date at least so long ago"), Duration()),
        Entry("newer", gettext_lazy("date less than so long ago"), Duration()),
    ]
)


def tests() -> dict[str, str]:
    """What can be added besides fields."""
    return {
        "touches": _("the time touches a window"),
        "inside": _("the time lies within a window"),
        "starts_in": _("it starts in a window"),
        "ends_in": _("it ends in a window"),
        "now_in": _("it is asked for during a window"),
        "made_after": _("booked after a moment"),
        "made_before": _("booked before a moment"),
        "unfinished": _("not finished yet"),
        "bookings": _("a number of bookings"),
        "any": _("one of several groups"),
        "unless": _("not the following"),
    }


def adders() -> list[tuple[str, str]]:
    fields = [(key, field_name(key)) for key in FIELDS]
    return [*fields, *tests().items(), ("field", _("another field"))]


@dataclass(frozen=True)
class ConditionShape(Plain):
    """``empty`` says what it means when there is no row."""

    counts: Shape | None = None
    """The shape of ``bookings``; None where bookings are counted already."""

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        rows = list(value.items()) if isinstance(value, Mapping) else []
        offered = [each for each in adders() if self.counts or each[0] != "bookings"]
        return {
            "kind": "condition",
            "name": place.name,
            "rows": [self._row(at, key, each, place, sheet) for at, (key, each) in enumerate(rows)],
            "adders": offered,
            "errors": sheet.errors(place, within=False),
        }

    def _row(self, at: int, key: str, value: Any, place: Place, sheet: Sheet) -> Node:
        spot = place.entry(at, key)
        return {
            "name": spot.name,
            "key": key,
            "keys": _keys(key),
            "label": tests().get(key) or field_name(key),
            "free": _is_free(key),
            "is_field": _is_field(key),
            "limits": isinstance(value, Mapping),
            "nested": key in ("any", "unless", "bookings"),
            "node": self.shape_of(key, value).draw(value, spot, sheet),
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        rows = list(value.items()) if isinstance(value, Mapping) else []
        found: dict[str, Any] = {}
        for at, (key, each) in enumerate(rows):
            name = self._read_key(at, key, place, sheet)
            if name in found or (name != key and name in dict(rows)):
                sheet.complain(place, _("“%(name)s” is there twice.") % {"name": name})
                name = key
            found[name] = self._read_value(key, each, place.entry(at, key), sheet)
        return found if isinstance(value, Mapping) else ABSENT

    def _read_key(self, at: int, key: str, place: Place, sheet: Sheet) -> str:
        sent = sheet.data.get(f"{place.name}.{at}.key", key).strip()
        if _is_free(key):
            return sent if sent and sent not in tests() else key
        return sent if sent in dict(_keys(key)) else key

    def _read_value(self, key: str, value: Any, place: Place, sheet: Sheet) -> Any:
        how = sheet.data.get(f"{place.name}.how")
        if _is_field(key) and how == "limits" and not isinstance(value, Mapping):
            return {}
        if _is_field(key) and how == "is" and isinstance(value, Mapping):
            return value.get("not", "")
        found = self.shape_of(key, value).read(value, place, sheet)
        return ("" if _is_field(key) and not isinstance(value, Mapping) else value) if found is ABSENT else found

    def shape_of(self, key: str, value: Any) -> Shape:
        if key in WINDOW_TESTS:
            return WindowRef(required=True)
        if key in MOMENT_TESTS:
            return Moment(required=True)
        if key == "unfinished":
            return Flag(required=True)
        if key == "any":
            return ListOf(self, gettext_lazy("Add a group"), gettext_lazy("Group %(number)s"))
        if key == "unless":
            return self
        if key == "bookings":
            return self.counts or Group([])
        if isinstance(value, Mapping):
            return LIMITS
        if key in ("audience", "mode"):
            return Checks(AUDIENCES if key == "audience" else MODES, required=True)
        return Values(required=True)

    def inside(self, value: Any, step: str) -> Inside | None:
        rows = dict(value) if isinstance(value, Mapping) else {}
        at = int(step) if step.isdecimal() else len(rows)
        if at >= len(rows):
            return None
        key = list(rows)[at]
        return self.shape_of(key, rows[key]), rows[key], lambda new: {**rows, key: {} if new is ABSENT else new}

    def added(self, value: Any, chosen: str) -> Any:
        """The condition with one more row."""
        rows = dict(value) if isinstance(value, Mapping) else {}
        if chosen not in dict(adders()) or (chosen == "bookings" and not self.counts):
            return rows
        if chosen == "field":
            chosen = next(name for name in _numbered("field") if name not in rows)
        if chosen not in rows:
            rows[chosen] = START.get(chosen, "" if _is_field(chosen) else "business")
        return rows

    def moved(self, value: Any, at: int, what: str) -> Any:
        if not isinstance(value, Mapping) or what != "drop":
            return value
        return {key: each for number, (key, each) in enumerate(value.items()) if number != at} or ABSENT


START: dict[str, Any] = {
    "audience": [],
    "mode": [],
    "samples": {},
    "minutes": {},
    "hours": {},
    "person.hours": {},
    "made_after": "start -24h",
    "made_before": "start -24h",
    "unfinished": True,
    "bookings": {"over": "week", "max": 1},
    "any": [{}],
    "unless": {},
}


def _numbered(name: str) -> Iterable[str]:
    yield name
    yield from (f"{name}_{number}" for number in range(2, 1000))


def _keys(key: str) -> list[tuple[str, str]]:
    """The words among which a row can change without losing its value."""
    for family in (WINDOW_TESTS, MOMENT_TESTS):
        if key in family:
            return [(each, tests()[each]) for each in family]
    return []


def _is_field(key: str) -> bool:
    return key not in tests()


def _is_free(key: str) -> bool:
    return _is_field(key) and key not in FIELDS
