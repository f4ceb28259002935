"""Small price lists and records for tests; times are wall times of Shanghai."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from instruments.pricing.engine import price
from instruments.pricing.facts import Facts
from instruments.pricing.lines import Pricing
from instruments.pricing.model import History, PriceList
from instruments.pricing.quantities import value_of
from instruments.pricing.reader import Reader
from instruments.pricing.reading import parse_price_list
from instruments.pricing.reading_terms import read_condition, read_term
from instruments.pricing.records import read_record

SHANGHAI = ZoneInfo("Asia/Shanghai")
BANDS: dict[str, Any] = {
    "peak": [{"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "17:00"}],
    "night": [{"from": "22:00", "to": "06:00"}],
    "day": [{}],
}
MONTH = {"per": ["person"], "period": "month"}


def price_list(*rules: dict[str, Any], **more: Any) -> PriceList:
    numbered = [{"code": f"r{n}", "kind": "price", **rule} for n, rule in enumerate(rules, start=1)]
    return parse_price_list({"bands": BANDS, "rules": numbered, **more})


def record(**given: Any) -> dict[str, Any]:
    """A use on Tuesday 2026-03-10 at 09:00 by person p, unless it says otherwise."""
    return {"id": "a", "at": "2026-03-10T09:00", "person": "p", **given}


def booked(start: str, end: str, **given: Any) -> dict[str, Any]:
    return record(**{"at": start, "booked": [[start, end]], **given})


def priced(*rules: dict[str, Any], records: list[dict[str, Any]] | None = None, **more: Any) -> Pricing:
    return price(price_list(*rules, **more), records or [record()], tz=SHANGHAI)


def amounts(pricing: Pricing) -> list[tuple[str, str, Decimal]]:
    return [(line.record, line.code, line.amount) for line in pricing.lines]


class NoLedger:
    """For facts that do not depend on what was charged."""

    def sum_of_lines(self, name: str) -> Fraction:
        return Fraction(len(name))

    def history(self, history: History, facts: Facts) -> Fraction:
        return Fraction(7)


def facts(raw: dict[str, Any], **more: Any) -> Facts:
    return Facts(read_record(raw, tz=SHANGHAI), price_list({"rate": 1}, **more), SHANGHAI, NoLedger())


def quantity(given: Any, raw: dict[str, Any], **more: Any) -> Fraction:
    found = facts(raw, **more)
    reader = Reader(found.price_list.quantities, found.price_list.bands)
    term = read_term(reader, given, "q")
    reader.finish()
    return value_of(term, found)


def condition(given: Any, names: tuple[str, ...] = ()) -> Any:
    reader = Reader(names, BANDS)
    read = read_condition(reader, given, "when")
    reader.finish()
    return read
