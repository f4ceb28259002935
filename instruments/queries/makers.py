"""What manufacturers are called in Chinese and in Latin letters: 岛津 is Shimadzu."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

from backend.core.text import normalise

_TABLE = Path(__file__).resolve().parent.parent / "data" / "makers.csv"
# A shorter name in Latin letters is looked for as the whole field only.
_LONG_ENOUGH = 3


@lru_cache(maxsize=1)
def makers() -> list[tuple[str, ...]]:
    """The names of each manufacturer, the usual one first."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return [(row["name"], *row["aliases"].split(";")) for row in csv.DictReader(file)]


@lru_cache(maxsize=4096)
def other_names(manufacturer: str, name: str) -> tuple[str, ...]:
    """What else an instrument's manufacturer is called; in the instrument's own name only Chinese is looked for."""
    maker, spoken = normalise(manufacturer), normalise(name)
    padded = f" {maker} "
    found: list[str] = []
    for names in makers():
        plain = [normalise(one) for one in names]
        if any(_names(one, maker, padded) or (not one.isascii() and one in spoken) for one in plain):
            found += (one for one, same in zip(names, plain, strict=True) if same != maker)
    return tuple(found)


def _names(one: str, maker: str, padded: str) -> bool:
    if not one.isascii():
        return one in maker
    return one == maker or (len(one) >= _LONG_ENOUGH and f" {one} " in padded)
