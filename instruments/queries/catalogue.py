"""The catalogue: what is found, in pages, with the facts that a card shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language

from backend.accounts.models import Organisation
from backend.core.text import Word
from instruments.models import Category, Instrument, InstrumentQuerySet, Mode
from instruments.queries.free import USUAL_LENGTH, Bookable, bookables, first_free
from instruments.queries.highlights import Piece, marked, why
from instruments.queries.photos import SMALL, address_of, first_photo
from instruments.queries.regions import distance_from
from instruments.queries.rights import visible_instruments
from instruments.queries.search import How, Search, best_first, matching, ways
from instruments.queries.viewers import Viewer, with_price

Sort = Literal["relevance", "earliest", "price", "near", "name"]
FACETS = ("category", "technique", "institution", "region", "mode", "status", "sharing")

_FIELDS = (
    *Bookable._fields, "local_no", "name", "name_en", "manufacturer", "model", "region", "mode_sample",
    "category_id", "category__name", "category__name_en", "institution_id", "institution__name",
    "institution__name_en", "institution__currency", "price__amount", "price__unit", "photo_uid",
)  # fmt: skip
# Read only where words were searched for, which may stand there.
_TEXTS = ("technical", "function", "service_content")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader asks for. Several values of one facet widen it, several facets narrow the list.

    ``within`` days from now is another way to say ``free_from`` and ``free_to``; ``near`` is the region from which
    distances count.
    """

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
    within: int | None = None
    length: timedelta = USUAL_LENGTH
    near: str = ""
    sort: Sort = "relevance"

    @property
    def by_free_time(self) -> bool:
        return self.free_from is not None or self.free_to is not None or self.within is not None

    @property
    def free_until(self) -> datetime | None:
        """The end of the time in which something must be free."""
        if self.within is None:
            return self.free_to
        end = timezone.now() + timedelta(days=self.within)
        return min(end, self.free_to) if self.free_to else end

    @property
    def number_chosen(self) -> int:
        """How many choices narrow the list, the words aside."""
        return sum(len(getattr(self, name)) for name in FACETS) + self.by_free_time + (self.price_max is not None)


def at_home(filters: Filters, organisation: Organisation | None) -> Filters:
    """Distances count from the reader's own region unless another is named."""
    return filters if filters.near or not organisation else replace(filters, near=organisation.region)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of items in the contract's form, the number of all, and how the words were matched.

    ``techniques``: what their keys are called in the reader's language.
    ``free``: where a time was asked for, the first starts of everything that has it, before facets.
    """

    items: list[dict[str, Any]]
    count: int
    search: Search | None
    techniques: dict[str, str]
    free: dict[int, datetime] | None = None

    @property
    def how(self) -> How:
        return self.search.how if self.search else "all"


def find_instruments(viewer: Viewer, filters: Filters, *, limit: int, offset: int = 0) -> Found:
    """Six queries (seven by free time), whatever the number of instruments; more where no instrument has all words."""
    if not filters.q:
        return _find(viewer, filters, limit, offset, None)
    # The last way is as good as it gets, even if nothing is found by it.
    for search in ways(filters.q):
        found = _find(viewer, filters, limit, offset, search)
        if found.count:
            break
    return found


def item_of(rows: InstrumentQuerySet) -> dict[str, Any] | None:
    """The only row (with its price joined) in the contract's form; five queries."""
    found = list(_pictured(rows).values(*_FIELDS)[:1])
    return _items(found, first_free([_bookable(row) for row in found]), None)[0][0] if found else None


def candidates(viewer: Viewer, filters: Filters, search: Search | None) -> InstrumentQuerySet:
    """Those with the words, before any facet narrows them."""
    rows = with_price(visible_instruments(viewer.access), viewer)
    return matching(rows, search) if search else rows


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
    if filters.price_max is not None and without != "price_max":
        rows = rows.filter(Q(("price__amount__lte", filters.price_max)))
    return rows


def _find(viewer: Viewer, filters: Filters, limit: int, offset: int, search: Search | None) -> Found:
    wide = candidates(viewer, filters, search)
    rows = narrowed(wide, filters)
    if not (filters.by_free_time or filters.sort == "earliest"):
        count = rows.count()
        page = (
            list(_pictured(_ordered(rows, filters, search)).values(*_fields(search))[offset : offset + limit])
            if count > offset
            else []
        )
        items, words = _items(page, first_free([_bookable(row) for row in page]), search)
        return Found(items, count, search, words)
    # The facets of a page want to know of all that are free at the time, the order only of those that are left.
    asked = bookables((wide if filters.by_free_time else rows).order_by())
    free = first_free(asked, start=filters.free_from, end=filters.free_until, length=filters.length)
    pks = list(_ordered(rows, filters, search).values_list("pk", flat=True))
    if filters.by_free_time:
        pks = [pk for pk in pks if pk in free]
    if filters.sort == "earliest":
        # Sorting is stable: those without a time keep their order, at the end.
        pks.sort(key=lambda pk: (pk not in free, free[pk].timestamp() if pk in free else 0))
    wanted = pks[offset : offset + limit]
    by_pk = {row["pk"]: row for row in _pictured(rows.filter(pk__in=wanted)).values(*_fields(search))}
    items, words = _items([by_pk[pk] for pk in wanted if pk in by_pk], free, search)
    return Found(items, len(pks), search, words, free if filters.by_free_time else None)


def _pictured(rows: InstrumentQuerySet) -> InstrumentQuerySet:
    return rows.annotate(photo_uid=first_photo())


def _ordered(rows: InstrumentQuerySet, filters: Filters, search: Search | None) -> InstrumentQuerySet:
    if filters.sort == "price":
        return rows.order_by(F("price__amount").asc(nulls_last=True), "name", "pk")
    if filters.sort == "near":
        return rows.order_by(distance_from(filters.near).asc(nulls_last=True), "name", "pk")
    if filters.sort in ("relevance", "earliest") and search:
        return best_first(rows, search)
    return rows.order_by("name", "pk")


def _bookable(row: dict[str, Any]) -> Bookable:
    return Bookable(*(row[name] for name in Bookable._fields))


def _fields(search: Search | None) -> tuple[str, ...]:
    return (*_FIELDS, *_TEXTS) if search else _FIELDS


def _items(
    rows: Sequence[dict[str, Any]], free: dict[int, datetime], search: Search | None
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The items, and the names of their techniques."""
    language = get_language() or ""
    techniques = _techniques([row["pk"] for row in rows])
    words = {
        key: (language.startswith("en") and name_en) or name
        for each in techniques.values()
        for key, name, name_en, _ in each
    }
    items = []
    for row in rows:
        used = techniques[row["pk"]]
        item = _item(row, [key for key, *_ in used], free.get(row["pk"]), language)
        if search:
            names = [name for _, *names, aliases in used for name in (*names, *aliases)]
            item["highlights"] = _highlights(row, names, search.words)
        items.append(item)
    return items, words


def _techniques(pks: Iterable[int]) -> dict[int, list[tuple[str, str, str, list[str]]]]:
    """Key, names and synonyms of each instrument's techniques."""
    out: dict[int, list[tuple[str, str, str, list[str]]]] = defaultdict(list)
    links = Instrument.techniques.through.objects.filter(instrument__in=list(pks)).order_by("technique__key")
    fields = ("instrument_id", "technique__key", "technique__name", "technique__name_en", "technique__aliases")
    for instrument, *technique in links.values_list(*fields):
        out[instrument].append(tuple(technique))
    return out


def _highlights(row: dict[str, Any], names: Iterable[str], words: Sequence[Word]) -> list[dict[str, Any]]:
    """What of the names was meant, and if nothing, where else the words stand."""
    shown = {field: marked(row[field], words) for field in ("name", "name_en", "manufacturer", "model")}
    found = {field: pieces for field, pieces in shown.items() if any(piece.hit for piece in pieces)}
    if not found:
        field, pieces = why(row, names, words)
        found = {field: pieces} if field else {}
    return [{"field": field, "pieces": list(map(Piece._asdict, pieces))} for field, pieces in found.items()]


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
