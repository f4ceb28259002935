"""The rulebook's own lists over a period: however its records arrive, they come to the same in the end.

The records are those of its examples, moved about and made longer or shorter. In pieces and late, every list comes
to what it comes to at once. In another order so do those whose scopes only run on; a list with a history asks what was
known before, so its order is part of the facts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.pricing.engine import price
from instruments.pricing.lines import ChargeLine, Pricing
from instruments.pricing.model import PriceList
from instruments.pricing.reach import reach_of
from instruments.pricing.reading import parse_price_list
from instruments.pricing.repricing import reprice

FOLDER = Path(__file__).parents[2] / "data" / "rulebook" / "prices"
Raw = dict[str, Any]
SEEDS = st.integers(0, 10**9)


@cache
def book() -> dict[str, tuple[PriceList, list[Raw], ZoneInfo]]:
    """By file and list: the list, the records of its examples, the time zone."""
    found: dict[str, tuple[PriceList, list[Raw], ZoneInfo]] = {}
    for file in sorted(FOLDER.glob("*.json")):
        told = json.loads(file.read_text(encoding="utf-8"))
        for name, document in told["lists"].items():
            records = [
                record
                for example in told["examples"]
                if example.get("list", next(iter(told["lists"]))) == name
                for record in example["records"]
            ]
            found[f"{file.stem}-{name}"] = parse_price_list(document), records, ZoneInfo(told.get("tz", "UTC"))
    return found


def looking_back() -> list[str]:
    return [name for name, (rules, _records, _zone) in book().items() if reach_of(rules) is not None]


def is_ordered(rules: PriceList) -> bool:
    """Whether what a record costs depends on what was known before it, beyond running sums."""
    return bool(rules.histories)


def period(name: str, rng: random.Random) -> list[Raw]:
    """Up to eight records of one party, as they might happen in the month of the examples."""
    _rules, records, _zone = book()[name]
    party = {
        key: value
        for key, value in records[0].items()
        if key in ("person", "group", "project", "organisation", "lab", "audience")
    }
    return [
        {**_moved(rng.choice(records), rng), **party, "id": f"x{number}", "history": False}
        for number in range(rng.randrange(2, 9))
    ]


def _moved(record: Raw, rng: random.Random) -> Raw:
    """On another day of the fortnight around it, and as long as some other use of whole quarters."""
    shift, longer = timedelta(days=rng.randrange(-3, 11)), timedelta(minutes=15 * rng.randrange(0, 20))
    out = dict(record)
    for key in ("booked", "used"):
        if record.get(key):
            out[key] = [[_later(a, shift), _later(b, shift + longer)] for a, b in record[key][:1]]
    if isinstance(record.get("at"), str):
        out["at"] = _later(record["at"], shift)
    return out


def _later(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).isoformat()


def run(name: str, records: list[Raw], history: list[Raw] | None = None) -> Pricing:
    rules, _records, zone = book()[name]
    return price(rules, records, tz=zone, history=history or [])


def total(lines: list[ChargeLine]) -> Fraction:
    return sum((Fraction(line.amount) for line in lines if line.account == "invoice"), Fraction(0))


def pieces(records: list[Raw], rng: random.Random) -> Iterator[tuple[list[Raw], list[Raw]]]:
    """What was known, and the next few."""
    done = 0
    while done < len(records):
        size = rng.randrange(1, len(records) - done + 1)
        yield records[:done], records[done : done + size]
        done += size


@pytest.mark.parametrize("name", looking_back())
@settings(max_examples=12)
@given(seed=SEEDS)
def test_in_pieces_it_costs_as_much_as_at_once(name: str, seed: int) -> None:
    rng = random.Random(seed)
    records = period(name, rng)

    lines = [line for known, few in pieces(records, rng) for line in run(name, few, known).lines]

    assert lines == run(name, records).lines


@pytest.mark.parametrize("name", looking_back())
@settings(max_examples=12)
@given(seed=SEEDS)
def test_what_arrives_late_is_corrected_to_what_it_would_have_been(name: str, seed: int) -> None:
    rng = random.Random(seed)
    records = period(name, rng)
    rules, _records, zone = book()[name]
    posted: list[ChargeLine] = []
    arrived: list[int] = []
    for position in rng.sample(range(len(records)), len(records)):
        arrived = sorted([*arrived, position])  # it takes its place among what was known
        posted += reprice(rules, [records[each] for each in arrived], posted, tz=zone)

    assert total(posted) == total(run(name, records).lines)


@pytest.mark.parametrize("name", [name for name in looking_back() if not is_ordered(book()[name][0])])
@settings(max_examples=12)
@given(seed=SEEDS)
def test_in_any_order_a_period_costs_the_same(name: str, seed: int) -> None:
    rng = random.Random(seed)
    records = period(name, rng)
    other = rng.sample(records, len(records))

    assert total(run(name, other).lines) == total(run(name, records).lines)
