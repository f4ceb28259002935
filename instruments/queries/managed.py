"""The list of the instruments that somebody manages, with what is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from backend.accounts.queries import Access
from instruments.models import Condition, Instrument, InstrumentQuerySet, OpeningHours, PriceList, Sharing
from instruments.queries.rights import managed_instruments
from instruments.queries.search import matching, ways


def managed_list(access: Access, *, q: str = "", missing: str = "", state: str = "", institution: int = 0) -> Any:
    """With ``has_hours`` and ``has_prices``; one query when it is read."""
    rows = _with_gaps(managed_instruments(access)).select_related("institution", "category")
    if institution:
        rows = rows.filter(institution=institution)
    if state in Condition.values:
        rows = rows.filter(condition=state)
    elif state in Sharing.values:
        rows = rows.filter(sharing=state)
    if missing == "hours":
        rows = rows.filter(_needs_hours(), has_hours=False)
    elif missing == "prices":
        rows = rows.filter(has_prices=False)
    if q:
        # A number is looked up as it is; it may be part of no word.
        found = matching(Instrument.objects.all(), next(ways(q))).values("pk")
        rows = rows.filter(Q(pk__in=found) | Q(local_no__istartswith=q))
    return rows.order_by("name", "pk")


def gaps(access: Access) -> Mapping[str, int]:
    """How many of the managed instruments nobody can book or price; two queries."""
    rows = _with_gaps(managed_instruments(access))
    return {
        "hours": rows.filter(_needs_hours(), has_hours=False).count(),
        "prices": rows.filter(has_prices=False).count(),
    }


def _needs_hours() -> Q:
    return Q(mode_self=True) | Q(mode_operator=True)


def _with_gaps(rows: InstrumentQuerySet) -> Any:
    mine = OuterRef("pk")
    today = timezone.localdate()
    return rows.annotate(
        has_hours=Exists(OpeningHours.objects.filter(instrument=mine)),
        has_prices=Exists(PriceList.objects.filter(instrument=mine, valid_from__lte=today)),
    )
