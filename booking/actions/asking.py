"""Asking the customer itself for its agreement to a price."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Project, User
from backend.accounts.queries import access_of
from backend.core.errors import refuse
from backend.core.periods import clock_words
from backend.outbox.actions import post
from booking.models import Booking, SpendingRequest, SpendingState
from booking.queries.spending import approvers_of, may_approve
from booking.queries.wishes import Assessment
from invoices.queries.means import Need


def still_needed(need: Need | None, organisation_id: int, project: Project | None, by: User) -> Need | None:
    """None where whoever acts may agree themselves; a query only where somebody is to be asked."""
    if need is None or may_approve(access_of(by), organisation_id, project, need.approvers):
        return None
    return need


def without_own_spending(answer: Assessment, booking: Booking, by: User, *, begun: bool) -> Assessment:
    """The answer to a change; `Refused` for what runs already, because it cannot wait for anybody."""
    need = still_needed(answer.spending, booking.organisation_id, booking.project, by)
    if need is not None and begun:
        raise refuse(
            "needs_spending_approval",
            _("So long, the booking needs your organisation's agreement to its price."),
            fix_text=_("Ask whoever may agree to it to extend the booking."),
        )
    return replace(answer, spending=need)


def need_own_agreement(need: Need | None, organisation_id: int, project: Project | None, by: User) -> None:
    """`Refused` for an order of samples by somebody who may not agree to its price: it takes no time to be held."""
    if still_needed(need, organisation_id, project, by) is not None:
        raise refuse(
            "needs_spending_approval",
            _("An order of this price needs your organisation's agreement."),
            fix_text=_("Ask whoever may agree to it to submit the order, also in your name."),
        )


def ask_customer(booking: Booking, need: Need) -> SpendingRequest:
    """Write the question and tell those who may answer it: once for all dates of a series or of an experiment."""
    asked, _created = SpendingRequest.objects.update_or_create(
        booking=booking,
        state=SpendingState.OPEN,
        defaults={
            "project": booking.project,
            "total": Decimal(booking.quote["total"]),
            "currency": booking.quote["currency"],
            "approvers": list(need.approvers),
            "limit": need.limit,
            "asked_at": timezone.now(),
        },
    )
    _tell_approvers(booking, asked)
    return asked


def _tell_approvers(booking: Booking, asked: SpendingRequest) -> None:
    several = booking.series or booking.bundle
    zone = booking.instrument.zone
    post(
        key=f"spending_asked:{several.uid if several else f'{booking.uid}:{booking.version}'}",
        kind="spending_asked",
        recipients=approvers_of(booking.organisation_id, booking.project, asked.approvers) - {booking.made_by_id},
        context={
            "instrument": booking.instrument.name,
            "instrument_en": booking.instrument.name_en or booking.instrument.name,
            "organisation": booking.organisation.name,
            "person": booking.user.name,
            "made_by": booking.made_by.name if booking.made_by_id != booking.user_id else "",
            "purpose": booking.purpose,
            "when": clock_words(booking.start, booking.end, zone),
            "zone": booking.instrument.timezone,
            "total": str(asked.total),
            "currency": asked.currency,
            "project": str(booking.project) if booking.project else "",
            "several": several is not None,
            "hold": booking.hold_expires_at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
            if booking.hold_expires_at
            else "",
        },
        path="/spending/",
    )
