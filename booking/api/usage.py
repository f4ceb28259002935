"""The usage log."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import User
from backend.core.api import page_of
from backend.core.errors import Forbidden, invalid
from booking.actions import correcting, using
from booking.api.shapes import usage_out
from booking.models import Booking, Usage
from booking.queries import lists, scope
from booking.queries.customers import member_who_used
from booking.schemas import AmendUsage, CorrectUsage, Measured, NewUsage, UsageFilter, UsageOut, UsagePage
from instruments.queries.rights import get_visible_instrument, manages

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
        corrected=filters.corrected,
    )
    return page_of(rows, filters, usage_out)


@router.get("/usage/{int:pk}", response=UsageOut, summary="One usage record")
def usage(request: HttpRequest, pk: int) -> dict[str, Any]:
    return usage_out(scope.get_usage(access(request), pk))


@router.post("/usage", response={201: UsageOut}, summary="Log a use")
def record(request: HttpRequest, body: NewUsage) -> Status[dict[str, Any]]:
    mine, by = access(request), person(request)
    if body.booking is not None:
        booking = scope.get_managed_booking(mine, body.booking)
        return Status(201, usage_out(_record_booked(booking, body, by, by_lab=scope.acts_for_lab(mine, booking))))
    instrument = get_visible_instrument(mine, body.instrument)
    if not manages(mine, instrument):
        raise Forbidden
    member = member_who_used(instrument.institution_id, user=body.user or by.pk, organisation=body.organisation)
    usage = using.record_usage(
        by=by,
        source_ref=body.source_ref,
        instrument=instrument,
        user=member.user,
        organisation=member.organisation,
        start=body.start,
        end=body.end,
        samples=body.samples,
        parameters=body.parameters,
        comment=body.comment,
    )
    return Status(201, usage_out(usage))


def _record_booked(booking: Booking, body: NewUsage, by: User, *, by_lab: bool) -> Usage:
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
    return using.finish_booking(booking=booking, by=by, source_ref=body.source_ref, by_lab=by_lab, **told)


@router.post("/usage/{int:pk}/verify", response=UsageOut, summary="Confirm a record; charges become final")
def verify(request: HttpRequest, pk: int) -> dict[str, Any]:
    found = scope.get_managed_usage(access(request), pk)
    return usage_out(using.verify_usage(usage=found, by=person(request)))


@router.patch("/usage/{int:pk}", response=UsageOut, summary="Change a record that waits for verification")
def amend(request: HttpRequest, pk: int, body: AmendUsage) -> dict[str, Any]:
    found = scope.get_managed_usage(access(request), pk)
    told = _measured(found, body)
    return usage_out(correcting.amend_usage(usage=found, by=person(request), reason=body.reason, **told))


@router.post("/usage/{int:pk}/correct", response={201: UsageOut}, summary="A new record beside a verified one")
def correct(request: HttpRequest, pk: int, body: CorrectUsage) -> Status[dict[str, Any]]:
    found = scope.get_managed_usage(access(request), pk)
    told = _measured(found, body)
    return Status(201, usage_out(correcting.correct_usage(usage=found, by=person(request), reason=body.reason, **told)))


def _measured(usage: Usage, body: Measured) -> dict[str, Any]:
    """What the body says; of the record what it leaves out."""
    said = body.dict(include=set(correcting.MEASURED), exclude_unset=True)
    given = {name: value for name, value in said.items() if value is not None or name == "samples"}
    return {name: given.get(name, getattr(usage, name)) for name in correcting.MEASURED}
