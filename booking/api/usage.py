"""The usage log."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import Organisation, OrganisationKind, User
from backend.core.api import page_of
from backend.core.errors import NotFound, invalid
from booking.actions import using
from booking.api.shapes import usage_out
from booking.queries import lists, scope
from booking.schemas import (
    BookingFilter,
    NewUsage,
    UsageOut,
    UsagePage,
)
from instruments.queries.rights import get_visible_instrument

router = Router(auth=signed_in, tags=["usage"])


@router.get("/usage", response=UsagePage, summary="Usage records that you may see")
def usages(request: HttpRequest, filters: Query[BookingFilter]) -> dict[str, Any]:
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
        found = scope.get_managed_booking(mine, body.booking)
        return Status(
            201,
            usage_out(
                using.finish_booking(
                    booking=found,
                    by=by,
                    start=body.start,
                    end=body.end,
                    samples=body.samples,
                    parameters=body.parameters,
                    comment=body.comment,
                )
            ),
        )
    instrument = get_visible_instrument(mine, body.instrument)
    if not scope.manages(mine, instrument):
        raise NotFound
    user, organisation = _user_of(body, by)
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


def _user_of(body: NewUsage, by: User) -> tuple[User, Organisation]:
    """Who used the instrument and for whom; the lab names both, and they must belong together."""
    user = User.objects.filter(pk=body.user or by.pk, is_active=True).first()
    rows = Organisation.objects.exclude(kind=OrganisationKind.NETWORK).filter(memberships__user=user).distinct()
    organisations = list(rows.filter(pk=body.organisation) if body.organisation else rows[:2])
    if user is None or len(organisations) != 1:
        raise invalid("organisation", _("Please name the person and their organisation."), "required")
    return user, organisations[0]


@router.post("/usage/{int:pk}/verify", response=UsageOut, summary="Confirm a record; charges become final")
def verify(request: HttpRequest, pk: int) -> dict[str, Any]:
    found = scope.get_managed_usage(access(request), pk)
    return usage_out(using.verify_usage(usage=found, by=person(request)))
