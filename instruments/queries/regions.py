"""How far apart regions are, as the crow flies between their centres."""

from __future__ import annotations

import csv
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

from django.db.models import Case, FloatField, Value, When

_TABLE = Path(__file__).resolve().parent.parent / "data" / "regions.csv"
_EARTH_KM = 6371.0


@lru_cache(maxsize=1)
def _places() -> dict[str, tuple[float, float]]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {row["name"]: (float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(file)}


def region_names() -> list[str]:
    return list(_places())


def place_in(region: str) -> str:
    """The known name in what somebody wrote: 内蒙古包头市 → 包头; empty if there is none."""
    return next((name for name in _places() if name in region), "")


@lru_cache(maxsize=64)
def distances(origin: str) -> dict[str, float]:
    """Kilometres from a known region to every other; nothing for one that is not known."""
    places = _places()
    here = places.get(place_in(origin))
    return {name: _kilometres(here, there) for name, there in places.items()} if here else {}


def distance_from(origin: str) -> Case:
    """Kilometres by an instrument's region, for ordering; null where either is not known."""
    known = distances(origin)
    whens = [When(region__contains=name, then=Value(far)) for name, far in known.items()]
    return Case(*whens, default=Value(None), output_field=FloatField())


def _kilometres(here: tuple[float, float], there: tuple[float, float]) -> float:
    (south, west), (north, east) = [(radians(a), radians(b)) for a, b in (here, there)]
    half = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin((east - west) / 2) ** 2
    return 2 * _EARTH_KM * asin(sqrt(half))
