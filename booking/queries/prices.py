"""The price lists in force for some wishes, and their parsed form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from backend.core.prepared import DAY, ID, Given, Prepared, among
from booking.queries.wishes import Wish
from instruments.models import PriceList
from instruments.pricing.model import PriceList as Prices
from instruments.pricing.names import fact_names
from instruments.pricing.reading import parse_price_list


@dataclass(frozen=True, slots=True)
class PriceLists:
    """By instrument and local day of the start; ``keep`` is the version that goes before all."""

    found: Mapping[tuple[int, date], PriceList]
    keep: PriceList | None = None

    def of(self, wish: Wish) -> PriceList | None:
        return self.keep or self.found.get(_place(wish))


def read_price_lists(wishes: Iterable[Wish], *, keep: PriceList | None = None) -> PriceLists:
    """One query for one wish, two for many, none where an earlier version is kept."""
    places = {_place(wish) for wish in wishes}
    if keep is not None or not places:
        return PriceLists({}, keep)
    if len(places) == 1:
        ((instrument, day),) = places
        only = _IN_FORCE.first(instrument=instrument, day=day)
        return PriceLists({(instrument, day): only} if only else {})
    instruments, last = {pk for pk, _day in places}, max(day for _pk, day in places)
    # Versions first, because their documents may be long and few are in force.
    rows = _VERSIONS.rows(instruments=sorted(instruments), day=last)
    chosen: dict[tuple[int, date], int] = {}
    for instrument, day in places:
        newest = next((pk for pk, owner, since in rows if owner == instrument and since <= day), None)
        if newest is not None:
            chosen[instrument, day] = newest
    documents = {each.pk: each for each in _CHOSEN.objects(pks=sorted(set(chosen.values())))}
    return PriceLists({place: documents[pk] for place, pk in chosen.items()})


_IN_FORCE = Prepared(
    lambda: PriceList.objects.in_force(Given("day", DAY)).filter(instrument=Given("instrument", ID))[:1]
)
_VERSIONS = Prepared(
    lambda: (
        PriceList.objects.in_force(Given("day", DAY))
        .filter(among("instrument", "instruments"))
        .values_list("pk", "instrument_id", "valid_from")
    )
)
_CHOSEN = Prepared(lambda: PriceList.objects.filter(among("pk", "pks")))


def _place(wish: Wish) -> tuple[int, date]:
    return wish.instrument.pk, wish.start.astimezone(wish.instrument.zone).date()


def prices_of(price_list: PriceList) -> Prices:
    """Parsed once for equal documents; found by their text, so that it never grows stale."""
    return _parsed(json.dumps(price_list.document, ensure_ascii=False))


def asked_facts(price_list: PriceList) -> frozenset[str]:
    """The facts that the list asks for."""
    return _facts(json.dumps(price_list.document, ensure_ascii=False))


@lru_cache(maxsize=2048)
def _parsed(text: str) -> Prices:
    return parse_price_list(json.loads(text))


@lru_cache(maxsize=2048)
def _facts(text: str) -> frozenset[str]:
    return frozenset(fact_names(_parsed(text)))
