"""How a price list says how much: numbers, names, quantities worked out on the spot, periods."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from backend.core.sheets.leaves import (
    ABSENT,
    Checks,
    Choice,
    Flag,
    Inside,
    Leaf,
    Node,
    Number,
    Place,
    Plain,
    Sheet,
    Values,
    number,
)
from backend.core.sheets.shapes import Entry, Group, ListOf
from instruments.price_forms import codes
from instruments.pricing.reader import exact
from instruments.pricing.wording import terminating

_NUMERAL = re.compile(r"[+-]?\d{1,15}(\.\d{1,30})?")
_SHARE = re.compile(r"(-?\d{1,9})\s*/\s*(\d{1,9})")


class PriceNumber(Number):
    """1/12 of an hour is shown so, however long a program writes it."""

    def show(self, value: Any) -> str:
        found = exact(value) if isinstance(value, float) else None
        if found is not None and terminating(found) is None:
            return f"{found.numerator}/{found.denominator}"
        return super().show(value)

    def parse(self, text: str, value: Any) -> Any:
        share = _SHARE.fullmatch(text)
        return int(share[1]) / int(share[2]) if share and int(share[2]) else number(text)


class PlainValue(Values):
    """What an attribute is compared with; one value."""


@dataclass(frozen=True)
class TermShape(Plain):
    """A number, a name, or a quantity worked out here. ``plain``: a text that names nothing stands for itself."""

    required: bool = False
    plain: bool = False

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        how = self._how(value, sheet)
        body: Node | None = None
        if how == "own":
            body = quantity_shape().draw(value, place, sheet)
        elif how in ("number", "free"):
            body = self._leaf(how).draw(value, place, sheet)
        return {
            "kind": "amount",
            "name": place.name,
            "hows": self._hows(how, sheet),
            "how": how,
            "nested": how == "own",
            "body": body,
            "errors": sheet.errors(place, within=False) if body is None or how == "own" else [],
        }

    def _hows(self, how: str, sheet: Sheet) -> list[tuple[str, str]]:
        names = [(f"name:{name}", label) for name, label in sheet.known.get("names", ())]
        first = ("number", _("a value") if self.plain else _("a number"))
        return [first, *names, ("free", _("another attribute")), ("own", _("worked out here"))]

    def _how(self, value: Any, sheet: Sheet) -> str:
        if isinstance(value, Mapping):
            return "own"
        if not isinstance(value, str) or not value or _NUMERAL.fullmatch(value):
            return "number"
        if value in dict(sheet.known.get("names", ())) and not (self.plain and value in dict(_facts(sheet))):
            return f"name:{value}"
        return "number" if self.plain else "free"

    def _leaf(self, how: str) -> Leaf:
        if how == "free":
            return Leaf(required=True)
        return PlainValue(self.required) if self.plain else PriceNumber(self.required)

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        how, before = sheet.data.get(f"{place.name}.how"), self._how(value, sheet)
        if how is None or how == before:
            if before == "own":
                return quantity_shape().read(value, place, sheet)
            if before.startswith("name:"):
                return value
            found = self._leaf(before).read(value, place, sheet)
            if (
                before == "number"
                and not self.plain
                and isinstance(found, str)
                and not _NUMERAL.fullmatch(found or "0")
            ):
                sheet.complain(place, _("This must be a number."))
            return found
        if how == "own":
            return {"of": value if isinstance(value, str) and value else "booked"}
        if how == "free":
            return "attribute"
        name = how.removeprefix("name:")
        return name if name in dict(sheet.known.get("names", ())) else ABSENT

    def inside(self, value: Any, step: str) -> Inside | None:
        return quantity_shape().inside(value, step) if isinstance(value, Mapping) else None


def _facts(sheet: Sheet) -> Any:
    return sheet.known.get("attributes", ())


class CellTerm(TermShape):
    """In the cell of a table a plain number is one field; anything else is chosen as elsewhere."""

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        if self._how(value, sheet) == "number":
            return self._leaf("number").draw(value, place, sheet)
        return super().draw(value, place, sheet)


@dataclass(frozen=True)
class FromSheet(Plain):
    """A choice, or boxes to tick, among names of the list that is being edited."""

    names: str
    many: bool = False
    required: bool = False
    nothing: Any = ""

    def _shape(self, sheet: Sheet) -> Checks | Choice:
        known = list(sheet.known.get(self.names, ()))
        if self.many:
            return Checks(lambda: known, self.required)
        return Choice(self.required, lambda: [("", str(self.nothing)), *known])

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        return self._shape(sheet).draw(value, place, sheet)

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        return self._shape(sheet).read(value, place, sheet)


@dataclass(frozen=True)
class Short(Plain):
    """An object that may be written as its most important entry alone."""

    body: Group
    entry: str

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        return self.body.draw(self._object(value), place, sheet)

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        given = self._object(value)
        found = self.body.read(given, place, sheet)
        if found == given:
            return value
        if not found:
            return ABSENT
        return found[self.entry] if set(found) == {self.entry} else found

    def inside(self, value: Any, step: str) -> Inside | None:
        return self.body.inside(self._object(value), step)

    def _object(self, value: Any) -> Any:
        if value is ABSENT or value is None:
            return {}
        return value if isinstance(value, Mapping) and self._is_object(value) else {self.entry: value}

    def _is_object(self, value: Mapping[str, Any]) -> bool:
        return True


class DueShape(Short):
    def _is_object(self, value: Mapping[str, Any]) -> bool:
        """A period itself may be an object."""
        return "period" in value


DAY_HELP = gettext_lazy("of the week (1–7) or of the month")
PERIOD = Short(
    Group(
        [
            Entry("unit", pgettext_lazy("price", "Period"), Choice(False, codes.periods)),
            Entry("day", gettext_lazy("beginning with day"), PriceNumber(), DAY_HELP, folded=True),
            Entry("month", gettext_lazy("beginning with month"), PriceNumber(), folded=True),
            Entry("days", gettext_lazy("so many days in a row"), PriceNumber(), folded=True),
        ]
    ),
    "unit",
)  # fmt: skip
DUE = DueShape(
    Group(
        [
            Entry("period", gettext_lazy("falls due in a later"), PERIOD),
            Entry("after", gettext_lazy("so many of them later"), PriceNumber(), folded=True),
        ]
    ),
    "period",
)
BAND = FromSheet("bands", nothing=gettext_lazy("at all times"))


class AsIf(Choice):
    """What a percentage assumes; what a file says beyond the usual stays as it is."""

    def __init__(self) -> None:
        super().__init__(False, _assumptions)

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        drawn = super().draw(value, place, sheet)
        known = dict(_assumptions())
        options = [(code, word if code in known else _("as the file says")) for code, word in drawn["options"]]
        return {**drawn, "options": options}

    def show(self, value: Any) -> str:
        return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else ""

    def parse(self, text: str, value: Any) -> Any:
        return json.loads(text) if text in dict(_assumptions()) else value


def _assumptions() -> list[tuple[str, str]]:
    return [
        ("", _("what is above, as it is")),
        ('{"event": "use"}', _("as if it had been used")),
        ('{"used": null}', _("as if all booked time had been used")),
    ]


def quantity_shape() -> Group:
    return QUANTITY


class Truth(Flag):
    """A switch that is off unless it is said."""

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        drawn = super().draw(value, place, sheet)
        return {**drawn, "options": [("", _("no (as usual)")), ("yes", _("yes")), ("no", _("no"))]}


def _history() -> Group:
    from instruments.price_forms.conditions import CONDITION  # conditions count quantities themselves

    return Group(
        [
            Entry("count", gettext_lazy("how many records"), Truth()),
            Entry("sum", gettext_lazy("or the sum of"), TermShape()),
            Entry("amount", gettext_lazy("or what was charged for"), FromSheet("codes", many=True), folded=True),
            Entry("when", gettext_lazy("only records with"), CONDITION),
            Entry("per", gettext_lazy("of the same"), Checks(codes.parties)),
            Entry("period", gettext_lazy("in a"), PERIOD),
            Entry("previous", gettext_lazy("of the period before"), Truth(), folded=True),
            Entry("now", gettext_lazy("with this record"), Truth(), folded=True),
            Entry("times", gettext_lazy("multiplied by"), PriceNumber(), folded=True),
        ]
    )


class Lazily(Plain):
    """The shape of earlier records, which is made of quantities itself."""

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        return _history().draw(value, place, sheet)

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        return _history().read(value, place, sheet)

    def inside(self, value: Any, step: str) -> Inside | None:
        return _history().inside(value, step)


TERM = TermShape()
COUNTED = ListOf(TermShape(required=True), gettext_lazy("Add"), gettext_lazy("No. %(number)s"), lambda: "booked")
UNIT_HELP = gettext_lazy("hours; 0.5: half-hours are counted")
QUANTITY = Group(
    [
        Entry("of", gettext_lazy("Counted (added up)"), COUNTED),
        Entry("unit", gettext_lazy("in units of"), TERM, UNIT_HELP, folded=True),
        Entry("free", gettext_lazy("free of charge, the first"), TERM, folded=True),
        Entry("min", gettext_lazy("at least"), TERM),
        Entry("step", gettext_lazy("rounded to"), TERM, gettext_lazy("0.25: quarter-hours; 1/12: five minutes")),
        Entry("dir", gettext_lazy("rounded"), Choice(False, codes.directions), folded=True),
        Entry("tolerance", gettext_lazy("ignored beyond a step"), TERM, folded=True),
        Entry("max", gettext_lazy("at most"), TERM, folded=True),
        Entry("band", gettext_lazy("only time"), BAND, folded=True),
        Entry("each", gettext_lazy("each time by itself"), Truth(), folded=True),
        Entry("count", gettext_lazy("count how often the band is touched"), Truth(), folded=True),
        Entry("whole", gettext_lazy("adjust the whole time first"), Truth(), folded=True),
        Entry("history", gettext_lazy("or count earlier records"), Lazily(), folded=True),
    ]
)  # fmt: skip
