"""The usage log."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import Membership, Organisation, User
from backend.core.api import page_of
from backend.core.errors import Forbidden, invalid
from booking.actions import using
from booking.api.shapes import usage_out
from booking.models import Booking, Usage
from booking.queries import lists, scope
from booking.schemas import (
    NewUsage,
    UsageFilter,
    UsageOut,
    UsagePage,
)
from instruments.models import Instrument
from instruments.queries.rights import get_visible_instrument

router = Router(auth=signed_in, tags=["usage"])


@router.get("/usage", response=UsagePage, summary="Usage records that you may see")
def usages(request: HttpRequest, filters: Query[UsageFilter]) -> dict[str, Any]:
    rows = lists.filtered_usage(
        access(request),
        status=filters.status,
        start=filters.start,
        end=filters.end,
        instrument=filters.instrument,
        organisation=filters.organisation,
    )
    return page_of(rows, filters, usage_out)


@router.post("/usage", response={201: UsageOut}, summary="Log a use")
def record(request: HttpRequest, body: NewUsage) -> Status[dict[str, Any]]:
    mine, by = access(request), person(request)
    if body.booking is not None:
        return Status(201, usage_out(_record_booked(scope.get_managed_booking(mine, body.booking), body, by)))
    instrument = get_visible_instrument(mine, body.instrument)
    if not scope.manages(mine, instrument):
        raise Forbidden
    user, organisation = _user_of(body, by, instrument)
    usage = using.record_usage(
        by=by,
        source_ref=body.source_ref,
        instrument=instrument,
        user=user,
        organisation=organisation,
        start=body.start,
        end=body.end,
        samples=body.samples,
        parameters=body.parameters,
        comment=body.comment,
    )
    return Status(201, usage_out(usage))


def _record_booked(booking: Booking, body: NewUsage, by: User) -> Usage:
    """The use of a booking; the same again returns the record, as a device may send twice."""
    if body.instrument != booking.instrument_id:
        raise invalid("instrument", _("The booking is of another instrument."), "other_instrument")
    told: dict[str, Any] = {
        "start": body.start, "end": body.end, "samples": body.samples, "parameters": body.parameters,
        "comment": body.comment,
    }  # fmt: skip
    known = Usage.objects.filter(instrument=booking.instrument, source_ref=body.source_ref).first()
    if known is not None:
        return using.same_record(known, Usage(**told, user_id=booking.user_id, organisation_id=booking.organisation_id))
    return using.finish_booking(booking=booking, by=by, source_ref=body.source_ref, **told)


def _user_of(body: NewUsage, by: User, instrument: Instrument) -> tuple[User, Organisation]:
    """Who used the instrument and for whom: a present member of the lab's own institution or of a customer of it."""
    customers = Booking.objects.filter(instrument__institution=instrument.institution_id).values("organisation")
    known = Q(organisation=instrument.institution_id) | Q(organisation__in=customers)
    rows = Membership.objects.current().filter(known, user=body.user or by.pk)
    if body.organisation:
        rows = rows.filter(organisation=body.organisation)
    found = {row.organisation_id: row for row in rows.select_related("user", "organisation")}
    if len(found) != 1:
        raise invalid("organisation", _("Please name the person and their organisation, a customer of your lab."))
    member = next(iter(found.values()))
    return member.user, member.organisation


@router.post("/usage/{int:pk}/verify", response=UsageOut, summary="Confirm a record; charges become final")
def verify(request: HttpRequest, pk: int) -> dict[str, Any]:
    found = scope.get_managed_usage(access(request), pk)
    return usage_out(using.verify_usage(usage=found, by=person(request)))
