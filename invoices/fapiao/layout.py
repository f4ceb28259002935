"""The template's layout as versioned data, and what an institution says about filling it.

``layout_YYYY_MM.json`` beside this file: sheets and columns in their order, each layout with the day from which it is
valid. A column has a ``constant`` or the name of a ``value``; ``longest`` counts characters, ``cut`` shortens what is
only for the reader. ``limits`` are the platform's for one file (``fapiao``) and one tax invoice (``lines``, and
``amount`` where the tax authority sets one); an institution may set its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

Layout = Mapping[str, Any]


@cache
def layouts() -> list[dict[str, Any]]:
    """All known layouts, the oldest first."""
    files = Path(__file__).parent.glob("layout_*.json")
    return sorted((json.loads(file.read_text(encoding="utf-8")) for file in files), key=lambda one: one["valid_from"])


def layout_for(day: date) -> dict[str, Any]:
    """The newest that is valid on the day; before the first of all, the first."""
    known = layouts()
    return next((one for one in reversed(known) if one["valid_from"] <= day.isoformat()), known[0])


def layout_named(version: str) -> dict[str, Any]:
    """That of a batch made earlier; the newest if it is not known any more."""
    return next((one for one in layouts() if one["version"] == version), layouts()[-1])


@dataclass(frozen=True, slots=True)
class TaxClass:
    """How lines are classified whose charge code and subject match; patterns with ``*``, empty ones match all."""

    code: str = ""
    subject: str = ""
    tax_code: str = ""
    item: str = ""
    policy: str = ""

    def matches(self, line: Mapping[str, str]) -> bool:
        wanted = ((self.code, line["code"]), (self.subject, line["subject"]))
        return all(not pattern or fnmatchcase(text, pattern) for pattern, text in wanted)


NORMAL, SPECIAL = "普通发票", "增值税专用发票"


@dataclass(frozen=True, slots=True)
class Filling:
    """What an institution says about its tax invoices; ``special`` are credit codes of those who want 专票."""

    type: str = NORMAL
    special: frozenset[str] = frozenset()
    payee: str = ""
    reviewer: str = ""
    show_buyer: bool = False
    show_seller: bool = False
    remark: str = "结算单 {number}，期间 {period}"
    most_fapiao: int | None = None
    most_lines: int | None = None
    most_amount: Decimal | None = None
    classes: tuple[TaxClass, ...] = field(default_factory=tuple)

    def class_of(self, line: Mapping[str, str]) -> TaxClass:
        """The first that matches, as people read such a list."""
        return next((one for one in self.classes if one.matches(line)), TaxClass())

    def limits(self, layout: Layout) -> Limits:
        """The platform's, unless the institution has its own."""
        usual = layout["limits"]
        amount = Decimal(usual["amount"]) if usual["amount"] else None
        return Limits(
            self.most_fapiao or usual["fapiao"], self.most_lines or usual["lines"], self.most_amount or amount
        )


@dataclass(frozen=True, slots=True)
class Limits:
    fapiao: int
    lines: int
    amount: Decimal | None
