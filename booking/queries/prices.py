"""The price lists in force for some wishes, and their parsed form."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache

from backend.core.prepared import DAY, ID, Given, Prepared, among
from booking.queries.parties import Agreed, agreements_between, outside
from booking.queries.wishes import Wish
from instruments.models import PriceList
from instruments.pricing.model import PriceList as Prices
from instruments.pricing.names import fact_names
from instruments.pricing.reading import parse_price_list


@dataclass(frozen=True, slots=True)
class PriceLists:
    """By instrument and local day of the start; ``agreed``: of contracts, by customer, institution and day.

    A customer's own prices go before the instrument's, and ``keep`` is the version that goes before all.
    """

    found: Mapping[tuple[int, date], PriceList]
    keep: PriceList | None = None
    agreed: Mapping[tuple[int, int, date], PriceList] = field(default_factory=dict)

    def of(self, wish: Wish) -> PriceList | None:
        agreed = self.agreed.get(_customer(wish)) if self.agreed else None
        return self.keep or agreed or self.found.get(_place(wish))


def read_price_lists(
    wishes: Iterable[Wish], *, keep: PriceList | None = None, agreements: Collection[Agreed] | None = None
) -> PriceLists:
    """One query for one wish, two for many, none where an earlier version is kept.

    One more where a contract has prices of its own, and one to find that out unless ``agreements`` are known.
    """
    wishes = list(wishes)
    if keep is not None or not wishes:
        return PriceLists({}, keep)
    if agreements is None:
        agreements = agreements_between(outside(wishes))
    agreed = _agreed(wishes, agreements) if any(each.priced for each in agreements) else {}
    return replace(_of_instruments(wishes), agreed=agreed)


def _agreed(wishes: Iterable[Wish], agreements: Iterable[Agreed]) -> dict[tuple[int, int, date], PriceList]:
    """Of several contracts that hold on a day the newest that has prices then."""
    places = {_customer(wish) for wish in wishes}
    priced = sorted((each for each in agreements if each.priced), key=lambda each: each.since, reverse=True)
    versions = list(
        PriceList.objects.in_force(max(day for *_parties, day in places)).filter(agreement__in=[a.pk for a in priced])
    )
    found: dict[tuple[int, int, date], PriceList] = {}
    for customer, institution, day in places:
        holding = [each for each in priced if (each.customer, each.institution) == (customer, institution)]
        for each in (each for each in holding if each.holds(day)):
            newest = next((row for row in versions if row.agreement_id == each.pk and row.valid_from <= day), None)
            if newest is not None:
                found.setdefault((customer, institution, day), newest)
    return found


def _of_instruments(wishes: Iterable[Wish]) -> PriceLists:
    places = {_place(wish) for wish in wishes}
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


def price_list_ahead(wish: Wish) -> None:
    """Send what `read_price_lists` will ask for one wish."""
    instrument, day = _place(wish)
    _IN_FORCE.ahead(instrument=instrument, day=day)


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


def _customer(wish: Wish) -> tuple[int, int, date]:
    return wish.organisation.pk, wish.instrument.institution_id, _place(wish)[1]


def _place(wish: Wish) -> tuple[int, date]:
    return wish.instrument.pk, wish.start.astimezone(wish.instrument.zone).date()


def prices_of(price_list: PriceList) -> Prices:
    """Parsed once for equal documents; found by their text, and again by the row that was asked for."""
    known: tuple[object, Prices] | None = price_list.__dict__.get("_prices")
    if known is None or known[0] is not price_list.document:
        known = price_list.document, _parsed(json.dumps(price_list.document, ensure_ascii=False))
        price_list.__dict__["_prices"] = known
    return known[1]


def asked_facts(price_list: PriceList) -> frozenset[str]:
    """The facts that the list asks for."""
    return _facts(json.dumps(price_list.document, ensure_ascii=False))


@lru_cache(maxsize=2048)
def _parsed(text: str) -> Prices:
    return parse_price_list(json.loads(text))


@lru_cache(maxsize=2048)
def _facts(text: str) -> frozenset[str]:
    return frozenset(fact_names(_parsed(text)))
