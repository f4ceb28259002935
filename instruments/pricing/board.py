"""A price list as it is put up on a wall: items with a column for each audience, then everything else in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from django.utils.translation import gettext as _

from instruments.pricing import phrases
from instruments.pricing.model import PriceList
from instruments.pricing.published import PublishedRow, published_table
from instruments.pricing.sentences import describe, describe_bands
from instruments.pricing.units import PERCENT


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One price for each column; None: not offered. ``label`` is empty for an item with one row."""

    label: str
    prices: tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True)
class BoardItem:
    """``columns``: audiences, none where everybody pays the same. ``unit`` as in `units`."""

    name: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[BoardRow, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """``terms``: (name, text) of percentages, limits and whatever has no plain price. ``bands``: (name, times)."""

    items: tuple[BoardItem, ...]
    terms: tuple[tuple[str, str], ...]
    bands: tuple[tuple[str, str], ...]


def price_board(price_list: PriceList, labels: Mapping[str, str]) -> Board:
    items: list[BoardItem] = []
    terms: list[tuple[str, str]] = []
    sentences = dict(describe(price_list, labels))
    for code, group in groupby(published_table(price_list, labels), lambda row: row.code):
        rows = list(group)
        if all(row.price is not None and row.unit != PERCENT for row in rows):
            items.append(_item(rows))
        else:
            terms.append((rows[0].item, sentences[code]))
    said = " ".join([*(text for _name, text in terms), *(note for item in items for note in _texts(item))])
    bands = tuple((name, times) for name, times in describe_bands(price_list) if f"“{name}”" in said)
    return Board(tuple(items), tuple(terms), bands)


def _texts(item: BoardItem) -> list[str]:
    return [*item.remarks, *(row.label for row in item.rows)]


def _item(rows: Sequence[PublishedRow]) -> BoardItem:
    """What all rows have in common is said once below; what tells them apart is their label."""
    common = [text for text in rows[0].conditions if all(text in row.conditions for row in rows)]
    remarks = [text for text in rows[0].remarks if all(text in row.remarks for row in rows)]
    everyone = all(row.audiences == rows[0].audiences for row in rows)
    named = tuple(dict.fromkeys(name for row in rows if row.for_some for name in row.audiences))
    columns = named if all(row.for_some for row in rows) else (*named, _("all others"))
    lines: dict[str, list[PublishedRow]] = {}
    for row in rows:
        apart = [text for text in row.conditions if text not in common]
        apart += [text for text in row.remarks if text not in remarks]
        lines.setdefault(phrases.listed([*apart, row.start]), []).append(row)
    if everyone:
        found = [BoardRow(label, (row.price,)) for label, members in lines.items() for row in members]
    else:
        found = [_line(label, members, columns, rows) for label, members in lines.items()]
    only = [phrases.listed(named)] if everyone and rows[0].for_some else []
    return BoardItem(
        name=rows[0].item,
        unit=rows[0].unit,
        columns=() if everyone else columns,
        rows=tuple(found),
        remarks=(*only, *common, *remarks),
    )


def _line(
    label: str, members: Sequence[PublishedRow], columns: Sequence[str], rows: Sequence[PublishedRow]
) -> BoardRow:
    """Of several rows for the same audience the first holds, as it does in the rules."""
    return BoardRow(
        label, tuple(next((row.price for row in members if is_for(row, who, rows)), None) for who in columns)
    )


def is_for(row: PublishedRow, who: str, rows: Sequence[PublishedRow]) -> bool:
    """Whether the audience pays the price of a row; not where an earlier one of the item's takes all its cases."""
    if row.for_some:
        return who in row.audiences
    earlier = (one for one in rows[: rows.index(row)] if one.for_some and who in one.audiences)
    return not any(set(one.conditions) <= set(row.conditions) and one.start in ("", row.start) for one in earlier)
