"""The catalogue: what is found, in pages, with the facts that a card shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q
from django.utils.translation import get_language

from instruments.models import Category, Instrument, InstrumentQuerySet, Mode
from instruments.queries.free import USUAL_LENGTH, Bookable, bookables, first_free
from instruments.queries.photos import SMALL, address_of, first_photo
from instruments.queries.rights import visible_instruments
from instruments.queries.search import How, best_first, matching
from instruments.queries.viewers import Viewer, with_price

Sort = Literal["relevance", "earliest", "price", "name"]
FACETS = ("category", "technique", "institution", "region", "mode", "status", "sharing")

_FIELDS = (
    *Bookable._fields, "local_no", "name", "name_en", "manufacturer", "model", "region", "mode_sample",
    "category_id", "category__name", "category__name_en", "institution_id", "institution__name",
    "institution__name_en", "institution__currency", "price__amount", "price__unit", "photo_uid",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader asks for. Several values of one facet widen it, several facets narrow the list."""

    q: str = ""
    category: tuple[str, ...] = ()
    technique: tuple[str, ...] = ()
    institution: tuple[int, ...] = ()
    region: tuple[str, ...] = ()
    mode: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    sharing: tuple[str, ...] = ()
    price_max: Decimal | None = None
    free_from: datetime | None = None
    free_to: datetime | None = None
    length: timedelta = USUAL_LENGTH
    sort: Sort = "relevance"

    @property
    def by_free_time(self) -> bool:
        return self.free_from is not None or self.free_to is not None

    @property
    def number_chosen(self) -> int:
        """How many choices narrow the list, the words aside."""
        return sum(len(getattr(self, name)) for name in FACETS) + self.by_free_time + (self.price_max is not None)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of items in the contract's form, the number of all, and how the words were matched.

    ``techniques``: what their keys are called in the reader's language.
    ``free``: where a time was asked for, the first starts of everything that has it, before facets.
    """

    items: list[dict[str, Any]]
    count: int
    how: How
    techniques: dict[str, str]
    free: dict[int, datetime] | None = None


def find_instruments(viewer: Viewer, filters: Filters, *, limit: int, offset: int = 0) -> Found:
    """Six queries (seven by free time), whatever the number of instruments; more where no instrument has all words."""
    found = _find(viewer, filters, limit, offset, "all")
    return _find(viewer, filters, limit, offset, "any") if filters.q and not found.count else found


def item_of(rows: InstrumentQuerySet) -> dict[str, Any] | None:
    """The only row (with its price joined) in the contract's form; five queries."""
    found = list(_pictured(rows).values(*_FIELDS)[:1])
    return _items(found, first_free([_bookable(row) for row in found]))[0][0] if found else None


def candidates(viewer: Viewer, filters: Filters, how: How) -> InstrumentQuerySet:
    """Those with the words and the price, before any facet narrows them."""
    rows = with_price(visible_instruments(viewer.access), viewer)
    if filters.price_max is not None:
        rows = rows.filter(Q(("price__amount__lte", filters.price_max)))
    return matching(rows, filters.q, how=how) if filters.q else rows


def narrowed(rows: InstrumentQuerySet, filters: Filters, *, without: str = "") -> InstrumentQuerySet:
    """Apply the chosen facets but one."""
    if filters.category and without != "category":
        codes = filters.category
        below = Q(parent__in=codes) | Q(parent__parent__in=codes) | Q(pk__in=codes)
        rows = rows.filter(category__in=Category.objects.filter(below).order_by().values("pk"))
    if filters.technique and without != "technique":
        links = Instrument.techniques.through.objects.filter(technique__key__in=filters.technique)
        rows = rows.filter(pk__in=links.values("instrument"))
    if filters.institution and without != "institution":
        rows = rows.filter(institution__in=filters.institution)
    if filters.region and without != "region":
        rows = rows.filter(region__in=filters.region)
    if filters.mode and without != "mode":
        offered = Q()
        for mode in Mode:
            if mode in filters.mode:
                offered |= Q(**{f"mode_{mode}": True})
        rows = rows.filter(offered)
    if filters.status and without != "status":
        rows = rows.filter(condition__in=filters.status)
    if filters.sharing and without != "sharing":
        rows = rows.filter(sharing__in=filters.sharing)
    return rows


def _find(viewer: Viewer, filters: Filters, limit: int, offset: int, how: How) -> Found:
    wide = candidates(viewer, filters, how)
    rows = narrowed(wide, filters)
    if not (filters.by_free_time or filters.sort == "earliest"):
        count = rows.count()
        page = (
            list(_pictured(_ordered(rows, filters, how)).values(*_FIELDS)[offset : offset + limit])
            if count > offset
            else []
        )
        items, words = _items(page, first_free([_bookable(row) for row in page]))
        return Found(items, count, how, words)
    # The facets of a page want to know of all that are free at the time, the order only of those that are left.
    asked = bookables((wide if filters.by_free_time else rows).order_by())
    free = first_free(asked, start=filters.free_from, end=filters.free_to, length=filters.length)
    pks = list(_ordered(rows, filters, how).values_list("pk", flat=True))
    if filters.by_free_time:
        pks = [pk for pk in pks if pk in free]
    if filters.sort == "earliest":
        # Sorting is stable: those without a time keep their order, at the end.
        pks.sort(key=lambda pk: (pk not in free, free[pk].timestamp() if pk in free else 0))
    wanted = pks[offset : offset + limit]
    by_pk = {row["pk"]: row for row in _pictured(rows.filter(pk__in=wanted)).values(*_FIELDS)}
    items, words = _items([by_pk[pk] for pk in wanted if pk in by_pk], free)
    return Found(items, len(pks), how, words, free if filters.by_free_time else None)


def _pictured(rows: InstrumentQuerySet) -> InstrumentQuerySet:
    return rows.annotate(photo_uid=first_photo())


def _ordered(rows: InstrumentQuerySet, filters: Filters, how: How) -> InstrumentQuerySet:
    if filters.sort == "price":
        return rows.order_by(F("price__amount").asc(nulls_last=True), "name", "pk")
    if filters.sort in ("relevance", "earliest") and filters.q:
        return best_first(rows, filters.q, how=how)
    return rows.order_by("name", "pk")


def _bookable(row: dict[str, Any]) -> Bookable:
    return Bookable(*(row[name] for name in Bookable._fields))


def _items(rows: Sequence[dict[str, Any]], free: dict[int, datetime]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The items, and the names of their techniques."""
    language = get_language() or ""
    techniques, words = _techniques([row["pk"] for row in rows], english=language.startswith("en"))
    return [_item(row, techniques[row["pk"]], free.get(row["pk"]), language) for row in rows], words


def _techniques(pks: Iterable[int], *, english: bool) -> tuple[dict[int, list[str]], dict[str, str]]:
    out: dict[int, list[str]] = defaultdict(list)
    words: dict[str, str] = {}
    links = Instrument.techniques.through.objects.filter(instrument__in=list(pks)).order_by("technique__key")
    fields = ("instrument_id", "technique__key", "technique__name", "technique__name_en")
    for instrument, key, name, name_en in links.values_list(*fields):
        out[instrument].append(key)
        words[key] = (english and name_en) or name
    return out, words


def _item(row: dict[str, Any], techniques: list[str], free: datetime | None, language: str) -> dict[str, Any]:
    english = language.startswith("en")
    price = row["price__amount"]
    return {
        "id": row["pk"],
        "local_no": row["local_no"],
        "name": row["name"],
        "name_en": row["name_en"],
        "manufacturer": row["manufacturer"],
        "model": row["model"],
        "category": {
            "code": row["category_id"],
            "name": (english and row["category__name_en"]) or row["category__name"],
        },
        "techniques": techniques,
        "institution": {
            "id": row["institution_id"],
            "name": (english and row["institution__name_en"]) or row["institution__name"],
        },
        "region": row["region"],
        "modes": [mode.value for mode in Mode if row[f"mode_{mode}"]],
        "units": row["units"],
        "status": row["condition"],
        "timezone": row["timezone"],
        "photo": None if row["photo_uid"] is None else settings.SITE_URL + address_of(row["photo_uid"], SMALL),
        "price_from": None
        if price is None
        else {"amount": price, "currency": row["institution__currency"], "unit": row["price__unit"]},
        "next_free": free and free.astimezone(ZoneInfo(row["timezone"])),
    }
