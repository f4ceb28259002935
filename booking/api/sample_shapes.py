"""Sample orders as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from backend.accounts.queries import Access
from booking.api.shapes import named
from booking.models import ResultFile, SampleItem, SampleOrder
from booking.queries.owed import Owed
from booking.queries.sample_orders import owed_for_orders, sees_results


def orders_out(access: Access, orders: Sequence[SampleOrder]) -> list[dict[str, Any]]:
    """With what each is charged; two queries besides those of the rows."""
    owed = owed_for_orders(orders)
    return [_order_out(access, order, owed.get(order.pk)) for order in orders]


def order_out(access: Access, order: SampleOrder) -> dict[str, Any]:
    return orders_out(access, [order])[0]


def _order_out(access: Access, order: SampleOrder, owed: Owed | None) -> dict[str, Any]:
    zone = order.instrument.zone
    instants = ("submitted_at", "accepted_at", "received_at", "started_at", "done_at", "closed_at")
    files = [one for one in order.results.all() if one.withdrawn_at is None] if sees_results(access, order) else []
    return {
        "id": order.pk,
        "uid": str(order.uid),
        "number": order.number,
        "version": order.version,
        "status": order.status,
        "instrument": named(order.instrument),
        "institution": named(order.instrument.institution),
        "organisation": named(order.organisation),
        "user": named(order.user),
        "project": named(order.project) if order.project else None,
        "purpose": order.purpose,
        "requirements": order.requirements,
        "return_samples": order.return_samples,
        "wished_on": _day(order.wished_on),
        "expected_on": _day(order.expected_on),
        "items": [_item_out(item, zone) for item in order.items.all()],
        "quote": order.quote,
        "charge": _charge_out(owed),
        "approval_roles": order.approval_roles,
        "agreed": [one["role"] for one in order.agreed],
        **{name: _instant(getattr(order, name), zone) for name in instants},
        "reason": order.reason,
        "report": order.report,
        "bookings": [booking.pk for booking in order.bookings.all()],
        "results": [result_out(one, order) for one in files],
    }


def _item_out(item: SampleItem, zone: ZoneInfo) -> dict[str, Any]:
    plain = (
        "name", "quantity", "tests", "parameters", "notes", "storage", "received_quantity", "condition",
        "tested_quantity", "tested_tests", "tested_parameters",
    )  # fmt: skip
    return {
        "id": item.pk,
        **{name: getattr(item, name) for name in plain},
        "returned_at": _instant(item.returned_at, zone),
    }


def _charge_out(owed: Owed | None) -> dict[str, Any] | None:
    if owed is None:
        return None
    return {
        "status": owed.first.state,
        "total": str(owed.total),
        "currency": owed.currency,
        "differences": owed.differences,
    }


def result_out(file: ResultFile, order: SampleOrder) -> dict[str, Any]:
    return {
        "id": file.pk,
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        "at": file.at.astimezone(order.instrument.zone).isoformat(),
        "url": f"/api/v1/sample-orders/{order.pk}/results/{file.pk}",
    }


def _instant(at: datetime | None, zone: ZoneInfo) -> str | None:
    return at.astimezone(zone).isoformat() if at else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
