"""The laboratory's steps with samples: accept or reject, receive, test, finish, give back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.accounts.queries import access_of
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal, refuse
from booking.actions.locks import lock_to_charge
from booking.actions.order_steps import (
    SOURCE,
    lock_order,
    move_order,
    note_order,
    order_customers,
    require_other,
    require_reason,
    require_step,
    tell_order,
)
from booking.actions.repricing import repricing
from booking.actions.requesting import ledger_line, place_booking
from booking.actions.transitions import now_in_minutes, untold
from booking.models import Booking, SampleItem, SampleOrder
from booking.queries.sample_prices import final_price
from booking.queries.scope import roles_held
from booking.queries.wishes import Wish, check_shape
from instruments.models import Mode
from invoices.actions.charges import finalise_charges, release_charges

# By the id of the item.
Told = Mapping[int, Mapping[str, Any]]


@atomic_action
def accept_samples(
    *, order: SampleOrder, by: User, expected_on: date | None = None, version: int | None = None
) -> SampleOrder:
    """Promise to measure the samples, if possible with the day on which the results are expected.

    `Refused` while a role that the rules ask for has not agreed; accepting agrees for all roles of the person.
    """
    order = lock_order(order, version=version)
    require_step(order, "accept")
    require_other(order, by)
    now = timezone.now()
    if expected_on is not None and expected_on < now.astimezone(order.instrument.zone).date():
        raise Invalid(Refusal("past", _("The expected date lies in the past."), field="expected_on"))
    given = {one["role"] for one in order.agreed}
    mine = [role for role in roles_held(access_of(by), order.approval_roles, order.instrument) if role not in given]
    missing = [role for role in order.approval_roles if role not in {*given, *mine}]
    if missing:
        raise refuse(
            "needs_approval",
            _("Another role must agree first: %(roles)s.") % {"roles": _(", ").join(missing)},
            params={"roles": missing},
        )
    agreed = [*order.agreed, *({"role": role, "by": by.name, "at": now.isoformat()} for role in mine)]
    before = move_order(order, "accept", at=now, accepted_at=now, expected_on=expected_on, agreed=agreed)
    tell_order(order, "samples_accepted", to=order_customers(order), **_place(order))
    note_order(order, "accept", by=by, before=before, expected_on=expected_on)
    return order


def _place(order: SampleOrder) -> dict[str, str]:
    """Where the samples go."""
    instrument = order.instrument
    return {"address": instrument.address, "contact": instrument.contact_name, "phone": instrument.contact_phone}


@atomic_action
def reject_samples(*, order: SampleOrder, by: User, reason: str, version: int | None = None) -> SampleOrder:
    """Say no, with a reason that the customer reads; nothing is charged."""
    require_reason(reason)
    order = lock_order(order, version=version)
    require_step(order, "reject")
    require_other(order, by)
    now = timezone.now()
    before = move_order(order, "reject", at=now, closed_at=now, reason=reason)
    release_charges(source=SOURCE, source_uid=order.uid, by_id=by.pk)
    tell_order(order, "samples_rejected", to=order_customers(order))
    note_order(order, "reject", by=by, before=before, reason=reason)
    return order


@atomic_action
def receive_samples(
    *, order: SampleOrder, by: User, items: Told | None = None, version: int | None = None
) -> SampleOrder:
    """Note what arrived: ``quantity`` and ``condition`` by item; all that was announced where nothing is said."""
    order = lock_order(order, version=version)
    require_step(order, "receive")
    require_other(order, by)
    now = timezone.now()
    rows = _items(order, items)
    for row in rows:
        said = (items or {}).get(row.pk, {})
        count = said.get("quantity")
        row.received_quantity = row.quantity if count is None else count
        row.condition = said.get("condition", "")
    SampleItem.objects.bulk_update(rows, ["received_quantity", "condition"])
    before = move_order(order, "receive", at=now, received_at=now)
    tell_order(order, "samples_received", to=order_customers(order), remarks=_remarks(rows))
    received = {row.name: row.received_quantity for row in rows}
    note_order(order, "receive", by=by, before=before, received=received)
    return order


def _items(order: SampleOrder, told: Told | None) -> list[SampleItem]:
    """All of the order's; `Invalid` where another is named."""
    rows = list(order.items.all())
    strange = sorted(set(told or ()) - {row.pk for row in rows})
    if strange:
        words = _("This order has no such sample.")
        raise Invalid(*(Refusal("foreign", words, field="items", params={"item": pk}) for pk in strange))
    return rows


def _remarks(rows: Iterable[SampleItem]) -> list[str]:
    """What the customer should know of what arrived."""
    out = []
    for row in rows:
        counts = {"name": row.name, "received": row.received_quantity, "ordered": row.quantity}
        if row.received_quantity != row.quantity:
            out.append(_("“%(name)s”: %(received)s arrived instead of %(ordered)s.") % counts)
        if row.condition:
            out.append(f"{row.name}: {row.condition}")
    return out


@atomic_action
def start_testing(
    *,
    order: SampleOrder,
    by: User,
    start: datetime | None = None,
    end: datetime | None = None,
    version: int | None = None,
) -> SampleOrder:
    """The samples are being tested; with ``start`` and ``end`` time on the instrument is taken for them."""
    order = lock_order(order, version=version)
    require_step(order, "start")
    require_other(order, by)
    if start is not None and end is not None:
        take_machine_time(order=order, by=by, start=start, end=end)
    now = timezone.now()
    before = move_order(order, "start", at=now, started_at=now)
    tell_order(order, "samples_started", to=order_customers(order))
    note_order(order, "start", by=by, before=before)
    return order


@atomic_action
def take_machine_time(
    *, order: SampleOrder, by: User, start: datetime, end: datetime, version: int | None = None
) -> Booking:
    """Take ``[start, end)`` of the instrument for the samples. It costs nothing more: the order is charged."""
    check_shape(start, end)
    order = lock_order(order, version=version)
    require_step(order, "take_time")
    require_other(order, by)
    wish = Wish(
        instrument=order.instrument,
        start=start,
        end=end,
        mode=Mode.SAMPLE.value,
        organisation=order.organisation,
        user=order.user,
        samples=sum(order.items.values_list("quantity", flat=True)),
        project=order.project,
        for_order=True,
    )
    with untold():  # the order tells of its steps
        booking = place_booking(
            wish, by=by, purpose=f"{order.number} · {order.purpose}"[:200], now=now_in_minutes(), order=order
        )
    note_order(order, "take_time", by=by, start=start, end=end, booking=booking.pk)
    return booking


@atomic_action
def finish_testing(
    *,
    order: SampleOrder,
    by: User,
    items: Told | None = None,
    report: str = "",
    version: int | None = None,
) -> SampleOrder:
    """The results are there: what was tested (``quantity``, ``tests``, ``parameters`` by item) is charged.

    What nothing is said of was tested as it was received. `Refused` where that has no price.
    """
    lock_to_charge(order)
    order = lock_order(order, version=version)
    require_step(order, "finish")
    require_other(order, by)
    now = timezone.now()
    rows = _items(order, items)
    for row in rows:
        said = (items or {}).get(row.pk, {})
        count, tests, values = (said.get(name) for name in ("quantity", "tests", "parameters"))
        usual = row.quantity if row.received_quantity is None else row.received_quantity
        row.tested_quantity = usual if count is None else count
        row.tested_tests = row.tests if tests is None else list(tests)
        row.tested_parameters = row.parameters if values is None else dict(values)
    SampleItem.objects.bulk_update(rows, ["tested_quantity", "tested_tests", "tested_parameters"])
    with translation.override(order.user.language):  # the sentences are kept for the person who is charged
        charged = final_price(order, rows)
    with repricing(order, correction_uid=order.uid, by_id=by.pk):
        before = move_order(order, "finish", at=now, done_at=now, report=report)
        finalise_charges(
            source=SOURCE,
            source_uid=order.uid,
            lines=[ledger_line(line) for line in charged.lines],
            differences=list(charged.differences),
            service_date=now.astimezone(order.instrument.zone).date(),
            by_id=by.pk,
        )
    files = [one.name for one in order.results.filter(withdrawn_at=None)]
    tell_order(
        order,
        "samples_done",
        to=order_customers(order),
        total=str(charged.total),
        files=files,
        differences=list(charged.differences),
    )
    tested = {row.name: row.tested_quantity for row in rows}
    note_order(order, "finish", by=by, before=before, tested=tested, total=str(charged.total))
    return order


@atomic_action
def give_samples_back(
    *, order: SampleOrder, by: User, items: Iterable[int] | None = None, note: str = "", version: int | None = None
) -> SampleOrder:
    """Note that samples have gone back: all that were received, or those named."""
    order = lock_order(order, version=version)
    require_step(order, "return")
    require_other(order, by)
    named = None if items is None else set(items)
    rows = _items(order, {pk: {} for pk in named or ()})
    chosen = [row for row in rows if (named is None or row.pk in named) and row.received_quantity]
    back = [row for row in chosen if row.returned_at is None]
    if not back:
        raise refuse("nothing_to_return", _("None of these samples is at the laboratory."))
    now = timezone.now()
    for row in back:
        row.returned_at = now
    SampleItem.objects.bulk_update(back, ["returned_at"])
    before = move_order(order, "return", at=now)
    tell_order(order, "samples_returned", to=order_customers(order), names=[row.name for row in back], note=note)
    note_order(order, "return", by=by, before=before, returned=[row.name for row in back], reason=note)
    return order
