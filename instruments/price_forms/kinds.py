"""Which fields the form of each kind of rule has, and those of bands, tables, quantities and the list itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.sheets.leaves import ABSENT, Checks, Choice, Flag, Leaf, Lines, Values
from backend.core.sheets.shapes import Entry, Group, ListOf, Pairs
from instruments.price_forms import codes
from instruments.price_forms.conditions import CONDITION
from instruments.price_forms.rows import TIERS, RowsShape
from instruments.price_forms.terms import DUE, PERIOD, QUANTITY, AsIf, FromSheet, PriceNumber, TermShape, Truth

FACTOR = ListOf(TermShape(required=True), _("Add a factor"), _("Factor %(number)s"), lambda: "samples")
ROWS = Entry("rows", _("Prices by case"), RowsShape(), _("The first row that fits; an empty cell stands for any."))
TABLE = Entry("table", _("or a shared table"), FromSheet("tables", nothing=_("no table")))
TIERS_ENTRY = Entry("tiers", _("Tiers"), TIERS, folded=True)
MODE = Entry("mode", _("Tiers count"), Choice(False, codes.tier_modes), folded=True)
ON = Entry("on", pgettext_lazy("price", "Of"), FromSheet("above", many=True), _("Nothing ticked: everything above."))
SCOPE = Entry(
    "scope",
    _("Together for a party and a period"),
    Group(
        [
            Entry("per", _("for each"), Checks(codes.parties)),
            Entry("period", _("in a"), PERIOD),
            Entry("on", _("counting also the quantities of"), FromSheet("codes", many=True), folded=True),
        ]
    ),
    folded=True,
)
PICK = Entry(
    "pick",
    _("One of several"),
    Group(
        [
            Entry("group", _("name of the choice"), Leaf(), _("the same in each of its rules, one after another")),
            Entry("option", _("this is the option"), Leaf(), folded=True),
            Entry("take", _("charged is"), Choice(False, codes.takes)),
        ]
    ),
    folded=True,
)  # fmt: skip
PARAMETERS: dict[str, list[Entry]] = {
    "price": [
        Entry("qty", _("Counted (multiplied)"), FACTOR, _("Nothing: once per use.")),
        Entry("rate", _("Price of each"), TermShape()),
        ROWS,
        TABLE,
        TIERS_ENTRY,
        MODE,
    ],
    "percent": [
        Entry("rate", _("Percent"), TermShape(), _("negative: a discount")),
        ON,
        Entry("as_if", _("taken of"), AsIf()),
        ROWS,
        TABLE,
        Entry("qty", _("multiplied by"), FACTOR, folded=True),
        TIERS_ENTRY,
        MODE,
    ],
    "limit": [
        Entry("limit", _("Together"), Choice(True, codes.bounds)),
        Entry("rate", _("Amount"), TermShape()),
        ON,
        ROWS,
        TABLE,
        Entry("qty", _("multiplied by"), FACTOR, folded=True),
    ],
}
ABOUT: dict[str, tuple[Any, Any]] = {
    "price": (_("A price"), _("per hour, sample or use, by whom and how")),
    "percent": (_("A percentage"), _("surcharge, discount, cancellation fee or tax on what stands above")),
    "limit": (_("A cap or minimum"), _("what the lines above cost together at most or at least")),
}
START: dict[str, dict[str, Any]] = {
    "price": {"name": "", "kind": "price", "when": {"event": "use"}, "rate": 0},
    "percent": {"name": "", "kind": "percent", "on": ["*"], "rate": 10},
    "limit": {"name": "", "kind": "limit", "limit": "max", "on": ["*"], "rate": 1000},
}


def sections(kind: str) -> list[tuple[Any, list[Entry]]]:
    """(title, fields) of a rule's form."""
    required = [Entry("required", _("not offered where no price fits"), Truth())] if kind == "price" else []
    return [
        (_("Applies to"), [Entry("name", _("Name on the bill"), Leaf()), Entry("when", _("Only if"), CONDITION)]),
        (_("What it says"), PARAMETERS[kind]),
        (_("Together and instead"), [SCOPE, PICK, *required]),
        (_("Where it goes"), [
            Entry("account", pgettext_lazy("price", "Account"), Choice(False, codes.accounts)),
            Entry("due", _("Falls due"), DUE, folded=True),
            Entry("tags", _("Tags"), Values(), _("with commas; other rules can speak of them together"), folded=True),
            Entry("code", _("Code"), Leaf(), _("by which other rules and programs know it"), folded=True),
        ]),
    ]  # fmt: skip


def rule_shape(kind: str) -> Group:
    return Group([entry for _title, entries in sections(kind) for entry in entries])


class Days(Checks):
    """Weekdays as numbers; the boxes hold texts."""

    def draw(self, value: Any, place: Any, sheet: Any) -> Any:
        return super().draw(_texts(value), place, sheet)

    def read(self, value: Any, place: Any, sheet: Any) -> Any:
        texts = _texts(value)
        found = super().read(texts, place, sheet)
        if found == texts:
            return value
        return sorted(int(each) for each in found if str(each).isdecimal()) if isinstance(found, list) else ABSENT


def _texts(value: Any) -> Any:
    return [str(each) for each in value] if isinstance(value, list) else value


WINDOW = Group(
    [
        Entry("days", _("Days"), Days(codes.weekdays), _("None ticked: every day.")),
        Entry("from", pgettext_lazy("time", "From"), Leaf(), _("like 09:00")),
        Entry("to", pgettext_lazy("time", "to"), Leaf(), _("like 17:00; earlier than the beginning: the next day")),
        Entry("season", _("Only in the season"), Values(), _("first and last day, like 11-01, 03-31"), folded=True),
        Entry("holidays", _("Holidays"), Flag(), _("no: not on holidays; yes: on holidays too, or only"), folded=True),
    ]
)
NAME = Entry("name", _("Name"), Leaf(required=True), _("by which the rules speak of it"))
PARTS: dict[str, tuple[Any, Group]] = {
    "band": (
        _("Band of times"),
        Group([NAME, Entry("windows", _("Times"), ListOf(WINDOW, _("Add a window"), _("Window %(number)s")))]),
    ),
    "quantity": (_("Quantity"), Group([NAME, Entry("what", _("What is counted"), QUANTITY)])),
    "table": (_("Table of prices"), Group([NAME, Entry("rows", _("Rows"), RowsShape())])),
    "head": (
        _("The list itself"),
        Group(
            [
                Entry("name", _("Name of the price list"), Leaf()),
                Entry("places", _("Decimals of an amount"), PriceNumber(), folded=True),
                Entry("holidays", _("Holidays, one a line"), Lines(), _("like 2026-10-01; bands can except them")),
                Entry("labels", _("What codes are called"), Pairs(Leaf(), _("code"), _("word")),
                      _("for audiences and other words of your own, e.g. audience:partner")),
            ]
        ),
    ),
}  # fmt: skip
HOMES = {"band": "bands", "quantity": "quantities", "table": "tables"}
FRESH: dict[str, dict[str, Any]] = {
    "band": {"name": "", "windows": [{"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "17:00"}]},
    "quantity": {"name": "", "what": {"of": "booked"}},
    "table": {"name": "", "rows": [{"when": {"audience": "internal"}, "rate": 0}]},
}


def part_of(document: Mapping[str, Any], part: str, name: str) -> dict[str, Any]:
    """A band, quantity or table as its form shows it; the list's own words for ``head``."""
    if part == "head":
        return {entry.key: document[entry.key] for entry in PARTS["head"][1].entries if entry.key in document}
    inner = {"band": "windows", "quantity": "what", "table": "rows"}[part]
    return {"name": name, inner: document[HOMES[part]][name]}


def with_part(document: Mapping[str, Any], part: str, value: Mapping[str, Any]) -> dict[str, Any]:
    if part == "head":
        own = {entry.key for entry in PARTS["head"][1].entries}
        head = {key: value[key] for key in own if key in value}
        kept = {key: head.get(key, each) for key, each in document.items() if key not in own or key in head}
        return {**kept, **head}
    home = HOMES[part]
    inner = {"band": "windows", "quantity": "what", "table": "rows"}[part]
    return {**document, home: {**document.get(home, {}), str(value["name"]): value.get(inner, [])}}
