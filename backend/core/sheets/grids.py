"""A list of like objects as a table: one row each, one column for an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.core.sheets.leaves import ABSENT, Node, Place, Sheet
from backend.core.sheets.shapes import Entry, Group, ListOf


@dataclass(frozen=True)
class Grid(ListOf):
    """A list of objects whose entries fit into the cells of a table."""

    columns: Sequence[Entry] = ()

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        members = self.members(value)
        spots = [self._at(place, number, value) for number in range(len(members))]
        rows = [
            row_of(spot, self._cells(each, spot, sheet), number, len(members), sheet)
            for number, (each, spot) in enumerate(zip(members, spots, strict=True))
        ]
        return {
            "kind": "grid",
            "name": place.name,
            "add": self.add,
            "columns": [entry.label for entry in self.columns],
            "rows": rows,
            "errors": sheet.errors(place, within=False),
        }

    def _cells(self, value: Any, spot: Place, sheet: Sheet) -> list[Node]:
        given = value if isinstance(value, Mapping) else {}
        return [
            {**entry.shape.draw(given.get(entry.key, ABSENT), spot.key(entry.key), sheet), "title": entry.label}
            for entry in self.columns
        ]


def row_of(spot: Place, cells: list[Node], number: int, among: int, sheet: Sheet) -> Node:
    return {
        "name": spot.name,
        "cells": cells,
        "span": len(cells) + 1,
        "first": number == 0,
        "last": number == among - 1,
        "errors": sheet.errors(spot, within=False),
    }


def grid(columns: Sequence[Entry], add: Any, fresh: Any = dict) -> Grid:
    return Grid(Group(columns), add, "", fresh, columns)
