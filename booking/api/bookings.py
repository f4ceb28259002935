"""Bookings over HTTP; shapes in `schemas`, decisions in the actions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import Organisation, Project
from backend.accounts.queries import Access
from backend.core.api import page_of
from backend.core.errors import invalid
from booking.actions import changing, confirming, deciding, lengths, no_shows, overtaking, transferring, using
from booking.api.shapes import booking_out, check_out, usage_out
from booking.desk_schemas import NewEnd, NewUser
from booking.models import Booking
from booking.queries import lists, scope
from booking.queries.alternatives import explained
from booking.queries.assess import assess
from booking.queries.behalf import Party, as_asked, party_by_email, party_of
from booking.queries.colleagues import colleague_to_take_over
from booking.queries.wishes import Wish, check_shape
from booking.schemas import (
    BookingFilter,
    BookingOut,
    BookingPage,
    CheckOut,
    Finish,
    HistoryEntry,
    NewBooking,
    NewTime,
    OnBehalf,
    Reason,
    Slot,
    UsageOut,
)
from instruments.models import Instrument
from instruments.queries.rights import get_visible_instrument
from invoices.queries.covering import find_voucher

router = Router(auth=signed_in, tags=["bookings"])


def asked_wish(request: HttpRequest, slot: Slot) -> Wish:
    """The caller's wish, every id looked up within what the caller may name."""
    mine = access(request)
    check_shape(slot.start, slot.end)
    instrument = get_visible_instrument(mine, slot.instrument)
    party = asked_party(mine, instrument, slot)
    organisation = party.organisation if party else choose_organisation(mine, slot.organisation)
    return Wish(
        instrument=instrument,
        start=slot.start,
        end=slot.end,
        mode=slot.mode,
        organisation=organisation,
        user=party.user if party else person(request),
        samples=slot.samples,
        parameters=slot.parameters,
        project=choose_project(mine, organisation, slot.project),
    )


def choose_organisation(mine: Access, pk: int | None) -> Organisation:
    """The organisation to book for; must be named when the person has several."""
    bookers = mine.bookers()
    if pk is not None:
        chosen = next((o for o in bookers if o.pk == pk), None)
        if chosen is None:
            raise invalid("organisation", _("You cannot book for this organisation."), "foreign")
        return chosen
    if not bookers:
        raise invalid("organisation", _("You belong to no organisation that can book."), "none")
    if len(bookers) > 1:
        raise invalid("organisation", _("You belong to several organisations. Please name one."), "several")
    return bookers[0]


def choose_project(mine: Access, organisation: Organisation, pk: int | None) -> Project | None:
    """One of the organisation's; who books for another organisation knows none of its projects."""
    if pk is None:
        return None
    project = (
        None
        if not mine.has(organisation.pk)
        else Project.objects.filter(pk=pk, organisation=organisation, active=True).first()
    )
    if project is None:
        raise invalid("project", _("Your organisation has no such project."), "foreign")
    return project


def asked_party(mine: Access, instrument: Instrument, body: OnBehalf) -> Party | None:
    """For whom it is, when that is not the caller."""
    if body.on_behalf_of_email:
        return party_by_email(mine, instrument, body.on_behalf_of_email, body.organisation)
    if body.on_behalf_of in (None, mine.user_id):
        return None
    return party_of(mine, instrument, body.on_behalf_of or 0, body.organisation)


@router.post("/bookings/check", response=CheckOut, summary="What would happen, and why; writes nothing")
def check(request: HttpRequest, slot: Slot) -> dict[str, Any]:
    wish = asked_wish(request, slot)
    now = timezone.now()
    answer = as_asked(access(request), wish, assess(wish, now=now))
    if answer.bookable:
        return check_out(wish, answer, [])
    answer, found = explained(answer, wish, now=now)
    return check_out(wish, answer, [each.as_json() for each in found])


@router.post("/bookings", response={201: BookingOut}, summary="Book")
def create(request: HttpRequest, slot: NewBooking) -> Status[dict[str, Any]]:
    wish = asked_wish(request, slot)
    booking = overtaking.book_first(
        by=person(request),
        user=wish.user,
        organisation=wish.organisation,
        instrument=wish.instrument,
        start=wish.start,
        end=wish.end,
        mode=wish.mode,
        purpose=slot.purpose,
        notes=slot.notes,
        samples=wish.samples,
        parameters=dict(wish.parameters),
        project=wish.project,
        displaces=slot.displaces,
        voucher=find_voucher(access(request), wish.organisation, slot.voucher),
        voucher_declared=slot.voucher_declared,
    )
    return Status(201, booking_out(booking))


@router.get("/bookings", response=BookingPage, summary="Bookings that you may see, newest start first")
def bookings(request: HttpRequest, filters: Query[BookingFilter]) -> dict[str, Any]:
    rows = lists.filtered_bookings(
        access(request),
        status=filters.status,
        start=filters.start,
        end=filters.end,
        instrument=filters.instrument,
        organisation=filters.organisation,
    )
    return page_of(rows, filters, booking_out)


@router.get("/bookings/{int:pk}", response=BookingOut, summary="One booking")
def booking(request: HttpRequest, pk: int) -> dict[str, Any]:
    return booking_out(scope.get_visible_booking(access(request), pk))


@router.get("/bookings/{int:pk}/history", response=list[HistoryEntry], summary="Everything that happened to it")
def history(request: HttpRequest, pk: int) -> list[dict[str, Any]]:
    rows = lists.history(scope.get_visible_booking(access(request), pk))
    return [{**row, "at": row["at"].isoformat()} for row in rows]


@router.post("/bookings/{int:pk}/approve", response=BookingOut, summary="Agree to a request")
def approve(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_booking_to_decide(access(request), pk)
    return booking_out(
        deciding.approve_booking(booking=found, by=person(request), reason=body.reason, version=body.version)
    )


@router.post("/bookings/{int:pk}/reject", response=BookingOut, summary="Refuse a request, with a reason")
def reject(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_booking_to_decide(access(request), pk)
    return booking_out(
        deciding.reject_booking(booking=found, by=person(request), reason=body.reason, version=body.version)
    )


@router.post("/bookings/{int:pk}/withdraw", response=BookingOut, summary="Take a request back")
def withdraw(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_own_booking(access(request), pk)
    return booking_out(
        changing.withdraw_booking(booking=found, by=person(request), reason=body.reason, version=body.version)
    )


@router.post("/bookings/{int:pk}/cancel", response=BookingOut, summary="Cancel a confirmed booking")
def cancel(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    return _changed(request, pk, changing.cancel_booking, body)


@router.post("/bookings/{int:pk}/reschedule", response=BookingOut, summary="Move to another time")
def reschedule(request: HttpRequest, pk: int, body: NewTime) -> dict[str, Any]:
    return _changed(request, pk, changing.reschedule_booking, body, start=body.start, end=body.end)


@router.post("/bookings/{int:pk}/extend", response=BookingOut, summary="Let it last longer, also while in use")
def extend(request: HttpRequest, pk: int, body: NewEnd) -> dict[str, Any]:
    return _changed(request, pk, lengths.extend_booking, body, end=body.end)


@router.post("/bookings/{int:pk}/shorten", response=BookingOut, summary="Let it end earlier; the rest is free")
def shorten(request: HttpRequest, pk: int, body: NewEnd) -> dict[str, Any]:
    return _changed(request, pk, lengths.shorten_booking, body, end=body.end)


def _changed(
    request: HttpRequest, pk: int, act: Callable[..., Booking], body: Reason | NewTime | NewEnd, **times: datetime
) -> dict[str, Any]:
    """Whether the caller speaks for the customer or for the lab is found out here."""
    mine = access(request)
    found = scope.get_booking(mine, pk)
    by_lab = scope.acts_for_lab(mine, found)
    done = act(booking=found, by=person(request), reason=body.reason, version=body.version, by_lab=by_lab, **times)
    return booking_out(done)


@router.post("/bookings/{int:pk}/transfer", response=BookingOut, summary="Hand it to a colleague")
def transfer(request: HttpRequest, pk: int, body: NewUser) -> dict[str, Any]:
    found = scope.get_own_booking(access(request), pk)
    return booking_out(
        transferring.transfer_booking(
            booking=found,
            by=person(request),
            user=colleague_to_take_over(found, pk=body.user, email=body.user_email),
            reason=body.reason,
            version=body.version,
        )
    )


@router.post("/bookings/{int:pk}/coming", response=BookingOut, summary="Confirm beforehand that you will come")
def coming(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_own_booking(access(request), pk)
    return booking_out(confirming.confirm_coming(booking=found, by=person(request), version=body.version))


@router.post("/bookings/{int:pk}/start", response=BookingOut, summary="Check in")
def start(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_booking(access(request), pk)
    return booking_out(using.start_booking(booking=found, by=person(request), version=body.version))


@router.post("/bookings/{int:pk}/finish", response=UsageOut, summary="Check out, or log the use")
def finish(request: HttpRequest, pk: int, body: Finish) -> dict[str, Any]:
    mine = access(request)
    found = scope.get_booking(mine, pk)
    usage = using.finish_booking(
        booking=found,
        by=person(request),
        start=body.start,
        end=body.end,
        samples=body.samples,
        parameters=body.parameters,
        comment=body.comment,
        version=body.version,
        by_lab=scope.acts_for_lab(mine, found),
    )
    return usage_out(usage)


@router.post("/bookings/{int:pk}/no-show", response=BookingOut, summary="Note that nobody came")
def no_show(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_managed_booking(access(request), pk)
    return booking_out(
        no_shows.mark_no_show(booking=found, by=person(request), reason=body.reason, version=body.version)
    )
