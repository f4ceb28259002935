"""Which sample orders a person may see or work on, and their lists. Everything else is 404."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from backend.accounts.models import Role
from backend.accounts.queries import Access
from backend.audit.models import Entry
from backend.core.db import one
from backend.core.errors import Forbidden
from booking.models import OPEN_ORDERS, Attachment, ResultFile, SampleOrder
from booking.queries import scope
from booking.queries.owed import Owed, owed_of
from booking.queries.scope import customer_of, is_customer, roles_held
from instruments.models import Instrument, PriceList
from instruments.queries.rights import managed_instruments, manages

SOURCE = "sample_order"
_RELATED = ("instrument__institution", "organisation", "user", "made_by", "project", "price_list")


def own_orders(access: Access) -> QuerySet[SampleOrder]:
    """Of the person, and of the whole organisation for its administrator."""
    return SampleOrder.objects.filter(customer_of(access))


def managed_orders(access: Access) -> QuerySet[SampleOrder]:
    ids = managed_instruments(access).order_by().values("pk")
    return SampleOrder.objects.filter(instrument__in=ids)


def visible_orders(access: Access) -> QuerySet[SampleOrder]:
    """The customer's own, those of managed instruments, and for finance those of its institution."""
    managed = managed_instruments(access).order_by().values("pk")
    charged = Instrument.objects.filter(institution__in=access.where(Role.FINANCE)).order_by().values("pk")
    return SampleOrder.objects.filter(customer_of(access) | Q(instrument__in=managed) | Q(instrument__in=charged))


def get_visible_order(access: Access, pk: int) -> SampleOrder:
    """An order that the person may read."""
    return one(visible_orders(access).select_related(*_RELATED), pk)


def get_order(access: Access, pk: int) -> SampleOrder:
    """An order that the person takes part in; 403 for finance, who only reads it."""
    order = get_visible_order(access, pk)
    if not (is_customer(access, order) or manages(access, order.instrument)):
        raise Forbidden
    return order


def get_managed_order(access: Access, pk: int) -> SampleOrder:
    """An order that the person works on for the lab; 403 for the customer, who sees it."""
    order = get_visible_order(access, pk)
    if not manages(access, order.instrument):
        raise Forbidden
    return order


def get_order_to_agree(access: Access, pk: int) -> SampleOrder:
    """An order that asks for a role of the person; 403 for who only reads it."""
    order = get_visible_order(access, pk)
    if not roles_held(access, order.approval_roles, order.instrument):
        raise Forbidden
    return order


def acts_for_lab(access: Access, order: SampleOrder) -> bool:
    """Whether the person speaks for the lab here."""
    return scope.acts_for_lab(access, order)


def sees_results(access: Access, order: SampleOrder) -> bool:
    """The lab always, the customer when the order is done."""
    return acts_for_lab(access, order) or (order.done_at is not None and is_customer(access, order))


def results_of(access: Access, order: SampleOrder) -> QuerySet[ResultFile]:
    """The files that the person is given."""
    rows = order.results.filter(withdrawn_at=None).select_related("by")
    return rows if sees_results(access, order) else rows.none()


def get_result(access: Access, order_id: int, pk: int) -> ResultFile:
    order = get_order(access, order_id)
    return one(results_of(access, order).select_related("order__instrument"), pk)


def get_managed_result(access: Access, order_id: int, pk: int) -> ResultFile:
    order = get_managed_order(access, order_id)
    return one(order.results.filter(withdrawn_at=None).select_related("order__instrument"), pk)


def get_order_attachment(access: Access, order_id: int, pk: int) -> Attachment:
    """A file of a message about an order that the person takes part in."""
    return one(Attachment.objects.filter(note__order=get_order(access, order_id)), pk)


# --- lists -----------------------------------------------------------------------------------------------------------


def listed(rows: QuerySet[SampleOrder]) -> QuerySet[SampleOrder]:
    """With names and ``samples``; the newest first."""
    related = rows.select_related(*_RELATED).annotate(samples=Sum("items__quantity"))
    return related.order_by("-submitted_at", "-pk")


def filtered_orders(
    access: Access, *, status: str = "", instrument: int | None = None, organisation: int | None = None
) -> QuerySet[SampleOrder]:
    """What the person may see, with items and files."""
    rows = visible_orders(access)
    if status:
        rows = rows.filter(status__in=status.split(","))
    if instrument:
        rows = rows.filter(instrument=instrument)
    if organisation:
        rows = rows.filter(organisation=organisation)
    return listed(rows).prefetch_related("items", "results", "bookings")


def work_of(
    access: Access, *, status: str = "", instrument: int | None = None, text: str = ""
) -> QuerySet[SampleOrder]:
    """The lab's orders: without a state those that are not over, the oldest first; else the newest first."""
    rows = managed_orders(access)
    rows = rows.filter(status=status) if status else rows.filter(status__in=OPEN_ORDERS)
    if instrument:
        rows = rows.filter(instrument=instrument)
    rows = listed(_like(rows, text))
    return rows if status else rows.order_by("submitted_at", "pk")


def _like(rows: QuerySet[SampleOrder], text: str) -> QuerySet[SampleOrder]:
    """By number, customer, person, purpose or sample."""
    if not text:
        return rows
    tail = text.rpartition("-")[2]
    found = Q(purpose__icontains=text) | Q(user__name__icontains=text) | Q(organisation__name__icontains=text)
    found |= Q(pk__in=SampleOrder.objects.filter(items__name__icontains=text).values("pk"))
    if tail.isascii() and tail.isdigit() and len(tail) < 18:
        found |= Q(pk=int(tail))
    return rows.filter(found)


def counts_by_state(access: Access, *, instrument: int | None = None) -> Mapping[str, int]:
    """For the tabs of the lab's list; one query."""
    rows = managed_orders(access)
    if instrument:
        rows = rows.filter(instrument=instrument)
    return dict(rows.order_by().values_list("status").annotate(Count("pk")))


def instruments_for_samples(access: Access) -> list[Instrument]:
    """Those managed instruments that take samples or have orders; one query."""
    rows = managed_instruments(access).filter(Q(mode_sample=True) | Q(sample_orders__isnull=False))
    return list(rows.distinct().order_by("name", "pk")[:200])


def owed_for_orders(orders: Sequence[SampleOrder]) -> dict[int, Owed]:
    """What each came to, corrections included; two queries."""
    found = owed_of((SOURCE,), [order.uid for order in orders])
    return {order.pk: found[SOURCE, order.uid] for order in orders if (SOURCE, order.uid) in found}


def history(order: SampleOrder) -> list[dict[str, Any]]:
    """Every recorded act, oldest first."""
    rows = Entry.objects.filter(object_type="sample_order", object_id=str(order.pk)).select_related("actor")
    return [
        {
            "at": row.at,
            "action": row.action,
            "by": row.actor.name if row.actor else None,
            "after": row.after,
            "reason": row.reason,
        }
        for row in rows.order_by("sequence")
    ]


def price_list_today(instrument: Instrument, day: date) -> PriceList | None:
    return PriceList.objects.in_force(day).filter(instrument=instrument).first()
