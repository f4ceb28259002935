"""Handing in samples: submitting an order, agreeing to it, cancelling it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, Project, User
from backend.accounts.queries import access_of
from backend.core.db import atomic_action
from backend.core.errors import Forbidden, Invalid, Refusal, Refused, refuse
from booking.actions.asking import need_own_agreement
from booking.actions.locks import lock_parties
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
from booking.actions.requesting import ledger_line, quote_out
from booking.actions.transitions import managers
from booking.models import SampleItem, SampleOrder
from booking.queries.order_wishes import OrderWish, assess_order, pieces_of
from booking.queries.records import Customer
from booking.queries.sample_prices import cancelling_price, quote_samples
from booking.queries.scope import roles_held
from booking.queries.wishes import Assessment, Quote
from booking.rules.samples import MOST_ITEMS
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument
from invoices.actions.budgets import tell_near_budget
from invoices.actions.charges import release_charges, reserve_charges
from invoices.queries.means import Hold

Item = Mapping[str, Any]


@atomic_action
def submit_samples(
    *,
    by: User,
    user: User,
    organisation: Organisation,
    instrument: Instrument,
    items: Sequence[Item],
    purpose: str,
    requirements: str = "",
    return_samples: bool = False,
    wished_on: date | None = None,
    project: Project | None = None,
) -> SampleOrder:
    """Ask the laboratory to measure samples; what it will cost is reserved.

    Each of ``items`` has ``name`` and ``quantity``, perhaps ``tests``, ``parameters``, ``notes``, ``storage``.
    `Refused` carries every reason at once; then nothing was written.
    """
    _check_items(items)
    now = timezone.now()
    rules = lock_parties(
        user=user, group=None, project=project, organisation=organisation, instrument=instrument, now=now
    )
    instrument = lock_instruments([instrument.pk])[instrument.pk]
    wish = OrderWish(instrument, organisation, user, pieces_of(items), project, wished_on)
    answer = assess_order(wish, now=now, rules=rules)
    if answer.refusals:
        raise Refused(*answer.refusals)
    need_own_agreement(answer.spending, organisation.pk, project, by)
    with translation.override(user.language):  # the sentences are kept for the person who is charged
        customer = Customer(instrument, organisation.pk, user.pk, project.pk if project else None, answer.audience, now)
        quote = quote_samples(customer, wish.pieces, answer.quote.price_list, answer.quote.earlier)[0]
    order = _write_order(
        wish,
        answer,
        quote,
        now=now,
        made_by=by,
        purpose=purpose,
        requirements=requirements,
        return_samples=return_samples,
    )
    _write_items(order, items)
    _reserve(order, quote, by=by, hold=answer.hold)
    if answer.near_budget is not None:
        tell_near_budget(answer.near_budget.project_id)
    tell_order(order, "samples_submitted", to=managers(instrument) - {by.pk}, count=wish.samples)
    tell_order(order, "samples_ordered", to={user.pk} - {by.pk}, count=wish.samples, by=by.name)
    note_order(order, "submit", by=by, samples=wish.samples, total=order.quote["total"])
    return order


def _write_order(wish: OrderWish, answer: Assessment, quote: Quote, *, now: datetime, **fields: Any) -> SampleOrder:
    return SampleOrder.objects.create(
        instrument=wish.instrument,
        organisation=wish.organisation,
        user=wish.user,
        project=wish.project,
        wished_on=wish.wished_on,
        audience=answer.audience,
        price_list=quote.price_list,
        quote=quote_out(quote),
        policy=answer.policy,
        facts=answer.facts,
        approval_roles=list(answer.approval.roles),
        silence=answer.approval.silence if answer.approval.at else "",
        answer_by=answer.approval.at,
        submitted_at=now,
        changed_at=now,
        **fields,
    )


def _check_items(items: Sequence[Item]) -> None:
    if not items:
        raise Invalid(Refusal("no_items", _("Please name at least one sample."), field="items"))
    if len(items) > MOST_ITEMS:
        words = _("At most %(most)s kinds of samples in one order.") % {"most": MOST_ITEMS}
        raise Invalid(Refusal("too_many_items", words, field="items", params={"most": MOST_ITEMS}))


def _write_items(order: SampleOrder, items: Sequence[Item]) -> None:
    SampleItem.objects.bulk_create(
        SampleItem(
            order=order,
            position=position,
            name=item["name"],
            quantity=item["quantity"],
            tests=list(item.get("tests") or ()),
            parameters=dict(item.get("parameters") or {}),
            notes=item.get("notes", ""),
            storage=item.get("storage", ""),
        )
        for position, item in enumerate(items, 1)
    )


def _reserve(order: SampleOrder, quote: Quote, *, by: User, hold: Hold | None) -> None:
    reserve_charges(
        source=SOURCE,
        source_uid=order.uid,
        institution_id=order.instrument.institution_id,
        customer_id=order.organisation_id,
        project_id=order.project_id,
        user_id=order.user_id,
        subject=f"{order.instrument.name} · {order.number}",
        service_date=order.submitted_at.astimezone(order.instrument.zone).date(),
        price_list=quote.title,
        currency=quote.currency,
        lines=[ledger_line(line) for line in quote.lines],
        service={"mode": "sample", "category": order.instrument.category_id},
        hold=hold,
        by_id=by.pk,
    )


@atomic_action
def agree_to_samples(*, order: SampleOrder, by: User, version: int | None = None) -> SampleOrder:
    """Give the agreement of the person's roles that the rules ask for, before the lab accepts."""
    order = lock_order(order, version=version)
    require_step(order, "agree")
    require_other(order, by)
    mine = roles_held(access_of(by), order.approval_roles, order.instrument)
    if not mine:
        raise Forbidden
    known = {one["role"] for one in order.agreed}
    new = [role for role in mine if role not in known]
    if not new:
        raise refuse("already_agreed", _("You have agreed already; another role must still agree."))
    now = timezone.now()
    said = [{"role": role, "by": by.name, "at": now.isoformat()} for role in new]
    before = move_order(order, "agree", at=now, agreed=[*order.agreed, *said])
    note_order(order, "agree", by=by, before=before, roles=new)
    return order


@atomic_action
def cancel_samples(
    *, order: SampleOrder, by: User, reason: str = "", version: int | None = None, by_lab: bool = False
) -> SampleOrder:
    """Give the order up. The customer pays what `cancelling_price` states; the lab's own cancelling is free.

    The lab must give a reason, and may also give up what it is testing already.
    """
    if by_lab:
        require_reason(reason)
    order = lock_order(order, version=version)
    require_step(order, "cancel_by_lab" if by_lab else "cancel")
    if by_lab:
        require_other(order, by)
    now = timezone.now()
    with translation.override(order.user.language):
        fee = None if by_lab else cancelling_price(order, list(order.items.all()), now=now)
    before = move_order(order, "cancel", at=now, closed_at=now, reason=reason)
    release_charges(
        source=SOURCE,
        source_uid=order.uid,
        lines=[ledger_line(line) for line in fee.lines] if fee else [],
        by_id=by.pk,
    )
    paid = str(fee.total) if fee else "0.00"
    to = (order_customers(order) | managers(order.instrument)) - {by.pk}
    tell_order(order, "samples_cancelled", to=to, fee=paid, by_lab=by_lab)
    note_order(order, "cancel", by=by, before=before, reason=reason, fee=paid)
    return order
