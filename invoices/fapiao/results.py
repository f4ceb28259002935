"""The file that comes back from the tax platform: serial numbers and the 20 digits of the tax invoices made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from backend.core.errors import invalid
from invoices import rules
from invoices.fapiao.layout import Layout

Line = tuple[int, list[str]]
MOST_RESULTS = 5000
# Rows above the headings: titles and explanations.
_LOOKED_AT = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """A row as read; ``line`` counts from 1 as in the file."""

    line: int
    serial: str
    number: str


def read_results(lines: Sequence[Line], layout: Layout) -> list[Pair]:
    """By the headings, wherever these columns stand; without headings two columns, serial and number.

    `Invalid` where neither is found. Rows in which both cells are empty are left out.
    """
    where = _columns(lines, layout)
    if where is None:
        raise invalid("file", _no_columns(layout), code="columns")
    start, serial, number = where
    pairs = [
        Pair(line, _cell(cells, serial), _cell(cells, number))
        for line, cells in lines[start:]
        if _cell(cells, serial) or _cell(cells, number)
    ]
    if not pairs:
        raise invalid("file", _("There is no row with a serial number and a fapiao number."), code="empty")
    if len(pairs) > MOST_RESULTS:
        raise invalid("file", _("At most %(limit)s rows at a time.") % {"limit": MOST_RESULTS}, code="too_long")
    return pairs


def _columns(lines: Sequence[Line], layout: Layout) -> tuple[int, int, int] | None:
    """The first row of data and the two columns."""
    names = layout["results"]
    for index, (_line, cells) in enumerate(lines[:_LOOKED_AT]):
        heads = ["".join(cell.split()) for cell in cells]
        serial, number = _first(heads, names["serial"]), _first(heads, names["number"])
        if serial is not None and number is not None:
            return index + 1, serial, number
    if all(len(cells) == 2 for _line, cells in lines) and any(rules.fapiao_number(cells[1]) for _line, cells in lines):
        return 0, 0, 1
    return None


def _first(heads: Sequence[str], names: Sequence[str]) -> int | None:
    """The best known name goes first."""
    return next((heads.index(name) for name in names if name in heads), None)


def _cell(cells: Sequence[str], index: int) -> str:
    return cells[index].strip() if index < len(cells) else ""


def _no_columns(layout: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    names = layout["results"]
    text = _("The file needs a column %(serial)s and a column %(number)s.")
    return text % {"serial": " / ".join(names["serial"][:2]), "number": " / ".join(names["number"][:3])}


def as_text(pairs: Sequence[Pair]) -> str:
    """One row a line, serial and number divided by a tab: as a form carries them from the preview."""
    return "\n".join(f"{pair.serial}\t{pair.number}" for pair in pairs)
