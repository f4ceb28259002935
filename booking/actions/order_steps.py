"""What every step of a sample order shares: the lock, compare-and-swap, audit row, message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from backend.accounts.models import Membership, Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import read_anew
from backend.core.errors import Invalid, Refusal, Stale, refuse
from backend.outbox.actions import post
from booking.models import SampleOrder
from booking.queries.scope import speaks_for_customer
from booking.rules.samples import STEPS
from instruments.actions.occupancy import lock_instruments

SOURCE = "sample_order"


def lock_order(order: SampleOrder, *, version: int | None = None) -> SampleOrder:
    """Lock the instrument, then read the order anew; `Stale` when the caller saw another version."""
    lock_instruments([order.instrument_id])
    related = ("instrument__institution", "organisation", "user", "made_by", "project", "price_list")
    rows = SampleOrder.objects.select_for_update(of=("self",), no_key=True).select_related(*related)
    return read_anew(rows, order, version=version)


def require_step(order: SampleOrder, act: str) -> None:
    """`Refused` where the state of the order does not allow the act."""
    if order.status not in STEPS[act][0]:
        raise refuse(
            "wrong_status",
            _("This is not possible any more: the order is “%(status)s”.") % {"status": order.get_status_display()},
            params={"status": order.status},
        )


def require_other(order: SampleOrder, by: User) -> None:
    """`Refused` where somebody would decide about an order of their own, or of an enterprise they belong to."""
    if speaks_for_customer(by, order):
        raise refuse("own_order", _("This is your own order. Please ask a colleague of the lab."))


def require_reason(reason: str) -> None:
    if not reason.strip():
        raise Invalid(Refusal("reason_needed", _("Please give a reason: the customer reads it."), field="reason"))


def move_order(order: SampleOrder, act: str, *, at: datetime, **changes: Any) -> str:
    """Compare-and-swap to where the act leads; returns the state before."""
    before, to = order.status, STEPS[act][1] or order.status
    changed = SampleOrder.objects.filter(pk=order.pk, status=before, version=order.version).update(
        status=to, version=models.F("version") + 1, changed_at=at, **changes
    )
    if not changed:
        raise Stale
    order.status, order.changed_at = to, at
    order.version += 1
    for name, value in changes.items():
        setattr(order, name, value)
    return before


def note_order(
    order: SampleOrder, action: str, *, by: User | None, before: str = "", reason: str = "", **after: Any
) -> None:
    """The audit row, in the chain of the institution that hosts the instrument."""
    record(
        organisation_id=order.instrument.institution_id,
        actor_id=by.pk if by else None,
        action=f"samples.{action}",
        object_type="sample_order",
        object_id=order.pk,
        before={"status": before} if before else {},
        after={"status": order.status, "version": order.version, "organisation": order.organisation_id, **after},
        reason=reason,
    )


def tell_order(order: SampleOrder, kind: str, *, to: Iterable[int], key: str = "", **more: Any) -> None:
    """A message about the order; one per event, because the version is part of its key unless it has its own."""
    context = {
        "instrument": order.instrument.name,
        "instrument_en": order.instrument.name_en or order.instrument.name,
        "number": order.number,
        "organisation": order.organisation.name,
        "person": order.user.name,
        "purpose": order.purpose,
        "total": order.quote.get("total", ""),
        "currency": order.quote.get("currency", ""),
        "wished": order.wished_on.isoformat() if order.wished_on else "",
        "expected": order.expected_on.isoformat() if order.expected_on else "",
        "reason": order.reason,
        **more,
    }
    post(
        key=key or f"{kind}:{order.uid}:{order.version}",
        kind=kind,
        recipients=who_belongs(set(to), order),
        context=context,
        path=f"/samples/{order.pk}/",
    )


def who_belongs(people: set[int], order: SampleOrder) -> set[int]:
    """Those who still belong to the customer or the lab; the customer's administrators for a user who left."""
    parties = (order.organisation_id, order.instrument.institution_id)
    here = Membership.objects.current().filter(user__in=people, organisation__in=parties)
    belong = set(here.values_list("user_id", flat=True))
    if order.user_id in people - belong:
        belong |= set(people_with(order.organisation_id, [Role.ADMIN]))
    return belong


def order_customers(order: SampleOrder) -> set[int]:
    return {order.user_id, order.made_by_id}
