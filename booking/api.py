"""Bookings, usage and feeds over HTTP; shapes in `schemas`, decisions in the actions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Header, Query, Router, Status

from backend.accounts.actions import once
from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import Organisation, OrganisationKind, Project, Role, User
from backend.accounts.queries import Access, people_with
from backend.core.api import page_of
from backend.core.errors import NotFound, invalid
from backend.core.http import refusal_out
from booking.actions import changing, deciding, feeds, outages, policies, requesting, using
from booking.models import Booking, Policy, Usage
from booking.queries import lists, scope
from booking.queries import policy as rules_of
from booking.queries.alternatives import alternatives, with_working_fixes
from booking.queries.assess import Assessment, Wish, assess, check_shape
from booking.schemas import (
    BookingFilter,
    BookingOut,
    BookingPage,
    CheckOut,
    FeedOut,
    Finish,
    HistoryEntry,
    NewBooking,
    NewFeed,
    NewPolicy,
    NewTime,
    NewUsage,
    Outage,
    OutageOut,
    PolicyOut,
    Reason,
    Slot,
    UsageOut,
    UsagePage,
)
from instruments.queries.rights import get_visible_instrument

router = Router(auth=signed_in, tags=["bookings"])


def _named(row: Any) -> dict[str, Any]:
    return {"id": row.pk, "name": str(row)}


def booking_out(booking: Booking) -> dict[str, Any]:
    return {
        "id": booking.pk,
        "uid": str(booking.uid),
        "version": booking.version,
        "status": booking.status,
        "instrument": _named(booking.instrument),
        "institution": _named(booking.instrument.institution),
        "unit": booking.unit,
        "start": booking.start.isoformat(),
        "end": booking.end.isoformat(),
        "timezone": booking.instrument.timezone,
        "mode": booking.mode,
        "organisation": _named(booking.organisation),
        "user": _named(booking.user),
        "project": _named(booking.project) if booking.project else None,
        "purpose": booking.purpose,
        "notes": booking.notes,
        "samples": booking.samples,
        "quote": booking.quote,
        "approval_roles": booking.approval_roles,
        "hold_expires_at": booking.hold_expires_at.isoformat() if booking.hold_expires_at else None,
        "reason": booking.reason,
    }


def usage_out(usage: Usage) -> dict[str, Any]:
    return {
        "id": usage.pk,
        "uid": str(usage.uid),
        "source_ref": usage.source_ref,
        "status": usage.state,
        "instrument": _named(usage.instrument),
        "booking": usage.booking_id,
        "organisation": _named(usage.organisation),
        "user": _named(usage.user),
        "start": usage.start.isoformat(),
        "end": usage.end.isoformat() if usage.end else None,
        "samples": usage.samples,
        "parameters": usage.parameters,
        "comment": usage.comment,
        "verified_at": usage.verified_at.isoformat() if usage.verified_at else None,
    }


def _check_out(answer: Assessment, found: list[dict[str, Any]]) -> dict[str, Any]:
    approval = answer.approval
    return {
        "bookable": answer.bookable,
        "refusals": [refusal_out(refusal) for refusal in answer.refusals],
        "approval": {
            "needed": bool(approval.roles),
            "roles": list(approval.roles),
            "silence": approval.silence or None,
            "at": approval.at.isoformat() if approval.at else None,
        },
        "notices": list(answer.notices),
        "quote": requesting.quote_out(answer.quote),
        "alternatives": found,
    }


def _wish(request: HttpRequest, slot: Slot) -> Wish:
    """The caller's wish, every id looked up within what the caller may name."""
    mine = access(request)
    check_shape(slot.start, slot.end)
    organisation = choose_organisation(mine, slot.organisation)
    return Wish(
        instrument=get_visible_instrument(mine, slot.instrument),
        start=slot.start,
        end=slot.end,
        mode=slot.mode,
        organisation=organisation,
        user=choose_user(mine, person(request), organisation, slot.on_behalf_of),
        samples=slot.samples,
        parameters=slot.parameters,
        project=choose_project(organisation, slot.project),
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


def choose_project(organisation: Organisation, pk: int | None) -> Project | None:
    if pk is None:
        return None
    project = Project.objects.filter(pk=pk, organisation=organisation, active=True).first()
    if project is None:
        raise invalid("project", _("Your organisation has no such project."), "foreign")
    return project


def choose_user(mine: Access, user: User, organisation: Organisation, pk: int | None) -> User:
    """Who will use the time: the caller, or a colleague for whom an administrator books."""
    if pk is None or pk == user.pk:
        return user
    may = mine.has(organisation.pk, Role.ADMIN)
    if not may or pk not in people_with(organisation.pk, Role.values):
        raise invalid("on_behalf_of", _("You cannot book for this person."), "foreign")
    return User.objects.get(pk=pk)


@router.post("/bookings/check", response=CheckOut, summary="What would happen, and why; writes nothing")
def check(request: HttpRequest, slot: Slot) -> dict[str, Any]:
    wish = _wish(request, slot)
    now = timezone.now()
    answer = assess(wish, now=now)
    if not answer.bookable:
        answer = with_working_fixes(answer, wish, now=now)
    return _check_out(answer, [] if answer.bookable else alternatives(wish, now=now))


@router.post("/bookings", response={201: BookingOut}, summary="Book")
def create(
    request: HttpRequest,
    slot: NewBooking,
    idempotency_key: str = Header("", alias="Idempotency-Key"),  # type: ignore[type-arg]
) -> Status[dict[str, Any]]:
    user = person(request)

    def act() -> tuple[int, dict[str, Any]]:
        wish = _wish(request, slot)
        booking = requesting.request_booking(
            by=user,
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
        )
        return 201, booking_out(booking)

    body = slot.model_dump(mode="json")
    return Status(*once(user=user, route="POST /bookings", key=idempotency_key, body=body, act=act))


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
    return booking_out(scope.get_booking(access(request), pk))


@router.get("/bookings/{int:pk}/history", response=list[HistoryEntry], summary="Everything that happened to it")
def history(request: HttpRequest, pk: int) -> list[dict[str, Any]]:
    rows = lists.history(scope.get_booking(access(request), pk))
    return [{**row, "at": row["at"].isoformat()} for row in rows]


@router.post("/bookings/{int:pk}/approve", response=BookingOut, summary="Agree to a request")
def approve(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_managed_booking(access(request), pk)
    return booking_out(
        deciding.approve_booking(booking=found, by=person(request), reason=body.reason, version=body.version)
    )


@router.post("/bookings/{int:pk}/reject", response=BookingOut, summary="Refuse a request, with a reason")
def reject(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_managed_booking(access(request), pk)
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
    mine = access(request)
    found = scope.get_booking(mine, pk)
    return booking_out(
        changing.cancel_booking(
            booking=found,
            by=person(request),
            reason=body.reason,
            version=body.version,
            by_lab=scope.acts_for_lab(mine, found),
        )
    )


@router.post("/bookings/{int:pk}/reschedule", response=BookingOut, summary="Move to another time")
def reschedule(request: HttpRequest, pk: int, body: NewTime) -> dict[str, Any]:
    found = scope.get_booking(access(request), pk)
    return booking_out(
        changing.reschedule_booking(
            booking=found,
            by=person(request),
            start=body.start,
            end=body.end,
            reason=body.reason,
            version=body.version,
        )
    )


@router.post("/bookings/{int:pk}/start", response=BookingOut, summary="Check in")
def start(request: HttpRequest, pk: int, body: Reason) -> dict[str, Any]:
    found = scope.get_booking(access(request), pk)
    return booking_out(using.start_booking(booking=found, by=person(request), version=body.version))


@router.post("/bookings/{int:pk}/finish", response=UsageOut, summary="Check out, or log the use")
def finish(request: HttpRequest, pk: int, body: Finish) -> dict[str, Any]:
    found = scope.get_booking(access(request), pk)
    usage = using.finish_booking(
        booking=found,
        by=person(request),
        start=body.start,
        end=body.end,
        samples=body.samples,
        parameters=body.parameters,
        comment=body.comment,
        version=body.version,
    )
    return usage_out(usage)


@router.post("/instruments/{int:pk}/outages", response={201: OutageOut}, summary="Take out of service")
def outage(request: HttpRequest, pk: int, body: Outage) -> Status[dict[str, Any]]:
    instrument = scope.get_managed_instrument(access(request), pk)
    made = outages.create_outage(
        instrument=instrument,
        start=body.start,
        end=body.end,
        reason=body.reason,
        by=person(request),
        displace=body.displace,
    )
    return Status(
        201,
        {
            "id": made.pk,
            "instrument": instrument.pk,
            "start": made.start.isoformat(),
            "end": made.end.isoformat(),
            "reason": made.reason,
        },
    )


@router.get("/instruments/{int:pk}/policy", response=PolicyOut, summary="The instrument's own rules in force")
def policy(request: HttpRequest, pk: int) -> dict[str, Any]:
    return _policy_out(rules_of.policy_in_force(scope.get_managed_instrument(access(request), pk)))


@router.put("/instruments/{int:pk}/policy", response=PolicyOut, summary="A new dated version of the rules")
def put_policy(request: HttpRequest, pk: int, body: NewPolicy) -> dict[str, Any]:
    instrument = scope.get_managed_instrument(access(request), pk)
    saved = policies.save_policy(
        instrument=instrument, document=body.policy, by=person(request), valid_from=body.valid_from
    )
    return _policy_out(saved)


def _policy_out(policy: Policy | None) -> dict[str, Any]:
    if policy is None:
        return {"version": 0, "valid_from": None, "policy": {"rules": []}}
    return {
        "version": policy.version,
        "valid_from": policy.valid_from.isoformat(),
        "policy": policy.document,
    }


@router.get("/usage", response=UsagePage, summary="Usage records that you may see", tags=["usage"])
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


@router.post("/usage", response={201: UsageOut}, summary="Log a use", tags=["usage"])
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


@router.post(
    "/usage/{int:pk}/verify", response=UsageOut, summary="Confirm a record; charges become final", tags=["usage"]
)
def verify(request: HttpRequest, pk: int) -> dict[str, Any]:
    found = scope.get_managed_usage(access(request), pk)
    return usage_out(using.verify_usage(usage=found, by=person(request)))


@router.post("/feeds", response={201: FeedOut}, summary="Subscribe; the address is shown once", tags=["calendars"])
def create_feed(request: HttpRequest, body: NewFeed) -> Status[dict[str, Any]]:
    mine = access(request)
    feed, secret = feeds.create_feed(
        user=person(request),
        scope=body.scope,
        detail=body.detail,
        name=body.name,
        organisation=mine.organisations.get(body.organisation) if body.organisation else _only(mine),
        instrument=get_visible_instrument(mine, body.instrument) if body.instrument else None,
    )
    return Status(201, {"id": feed.pk, "url": f"{settings.SITE_URL}/calendar/{secret}.ics"})


def _only(mine: Access) -> Organisation | None:
    bookers = mine.bookers()
    return bookers[0] if len(bookers) == 1 else None


@router.delete("/feeds/{int:pk}", response={204: None}, summary="Revoke a subscription", tags=["calendars"])
def revoke_feed(request: HttpRequest, pk: int) -> Status[None]:
    feed = person(request).feeds.filter(pk=pk, revoked_at=None).first()
    if feed is None:
        raise NotFound
    feeds.revoke_feed(feed=feed, by=person(request))
    return Status(204, None)
