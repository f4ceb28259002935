"""Asking for time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Group, Membership, Organisation, Project, User
from backend.accounts.queries import access_of
from backend.audit.actions import Act, record_all
from backend.core.db import atomic_action
from backend.core.errors import Refused, refuse
from backend.core.memo import remembering_at_least
from backend.core.money import round_half_up
from backend.core.prepared import insert, insert_all, number_ahead
from backend.core.unawaited import sending
from booking.actions.asking import ask_customer, still_needed
from booking.actions.locks import lock_parties_of
from booking.actions.transitions import act_of, customers, deciders, managers_ahead, recipients_ahead, tell_all
from booking.models import Approval, Booking, Decision, Status
from booking.queries.assess import judge
from booking.queries.behalf import agreed_by_asking
from booking.queries.confirming import confirm_by
from booking.queries.facts import InForce, policy_view, rules_ahead
from booking.queries.paying import hold_for
from booking.queries.quoting import quote_for_customer
from booking.queries.reads import read_for, reads_ahead
from booking.queries.teaching import advised
from booking.queries.wishes import Assessment, Quote, Wish, check_shape
from instruments.actions.occupancy import lock_instrument_ahead, lock_instruments, occupy, overlap_is_taken
from instruments.models import Instrument, Occupancy, OccupancyKind
from invoices.actions.budgets import tell_near_budget
from invoices.actions.charges import open_charge, reserve_charges
from invoices.models import Charge
from invoices.rules import Line

SOURCE = "booking"


@atomic_action
def request_booking(
    *,
    by: User,
    user: User,
    organisation: Organisation,
    instrument: Instrument,
    start: datetime,
    end: datetime,
    mode: str,
    purpose: str,
    notes: str = "",
    samples: int | None = None,
    parameters: dict[str, Any] | None = None,
    project: Project | None = None,
    group: Group | None = None,
) -> Booking:
    """Book ``[start, end)`` (aware instants) of one unit for ``user``.

    Becomes *confirmed*, or *requested* with the time held where the policy wants approval. What the lab itself
    books for a customer has its agreement. `Refused` carries every reason at once; then nothing was written.
    """
    check_shape(start, end)
    now = timezone.now()
    wish = Wish(
        instrument=instrument,
        start=start,
        end=end,
        mode=mode,
        organisation=organisation,
        user=user,
        samples=samples,
        parameters=parameters or {},
        project=project,
        group=group,
    )
    with remembering_at_least(), overlap_is_taken(), sending():
        rules_ahead([instrument], now)
        rules = lock_parties_of(wish, now=now)
        lock_instrument_ahead(instrument.pk)
        reads_ahead(wish)
        managers_ahead(instrument)
        number_ahead(Occupancy, Booking, Charge)
        wish = replace(wish, instrument=lock_instruments([instrument.pk])[instrument.pk])
        return place_booking(wish, by=by, purpose=purpose, notes=notes, now=now, rules=rules)


def require_member(user: User, organisation: Organisation) -> None:
    """`Refused` where the person whom it was asked for has left the organisation since."""
    if not Membership.objects.current().filter(user=user, organisation=organisation).exists():
        words = _("%(person)s does not belong to %(organisation)s any more.")
        raise refuse("left", words % {"person": user.name, "organisation": organisation.name})


def place_booking(
    wish: Wish,
    *,
    by: User,
    purpose: str,
    notes: str = "",
    now: datetime,
    replacing: Occupancy | None = None,
    rules: Mapping[int, InForce] | None = None,
    **links: Any,
) -> Booking:
    """Book a wish whose parties and instrument the caller has locked, in the caller's transaction.

    ``replacing`` is time that is held for this wish already (an offer's); ``rules`` are those that `lock_parties`
    went by, else they are read; ``links`` are further fields of the booking, such as its series. `Refused` with every
    reason.
    """
    answer = judge(wish, read_for([wish], now=now, rules=rules), held=replacing)
    refusals = answer.refusals if settings.BOOKING_GUARDS else [r for r in answer.refusals if r.code != "taken"]
    if refusals:
        raise Refused(*advised(refusals, wish.instrument, wish.user, now))
    quote = quote_for_customer(wish, answer)
    asks_others = by.pk != wish.user.pk and bool(answer.approval.roles)
    agreed = agreed_by_asking(access_of(by), wish, answer.approval.roles) if asks_others else []
    need = still_needed(answer.spending, wish.organisation.pk, wish.project, by)
    links |= {"awaits_customer": need is not None}
    booking = _made(wish, answer, quote, agreed, by=by, purpose=purpose, notes=notes, now=now, **links)
    told = _told(booking, agreed)
    recipients_ahead(booking, told)
    _take_time(booking, wish, answer, replacing)
    insert(booking)
    insert_all(
        (Approval(booking=booking, role=role, decision=Decision.APPROVED, by=by, at=now) for role in agreed),
        numbered=False,
    )
    reserved = open_charge(**_charged(booking, quote, by=by), hold=answer.hold)
    tell_all(booking, told)
    if need is not None:
        ask_customer(booking, need)
    if answer.near_budget is not None:
        tell_near_budget(answer.near_budget.project_id)
    _record(booking, agreed, reserved, by=by)
    return booking


def _made(
    wish: Wish,
    answer: Assessment,
    quote: Quote,
    agreed: Collection[str],
    *,
    by: User,
    now: datetime,
    **fields: Any,
) -> Booking:
    """Not saved yet, and without its time."""
    held = fields["awaits_customer"] or bool(set(answer.approval.roles) - set(agreed))
    booking = Booking(
        status=Status.REQUESTED if held else Status.CONFIRMED,
        instrument=wish.instrument,
        start=wish.start,
        end=wish.end,
        mode=wish.mode,
        organisation=wish.organisation,
        user=wish.user,
        made_by=by,
        group=wish.group,
        project=wish.project,
        samples=wish.samples,
        parameters=dict(wish.parameters),
        audience=answer.audience,
        price_list=quote.price_list,
        quote=quote_out(quote),
        policy=answer.policy,
        facts=answer.facts,
        approval_roles=list(answer.approval.roles),
        silence=answer.approval.silence,
        requested_at=now,
        changed_at=now,
        hold_expires_at=hold_until(wish, answer, now, now=now) if held else None,
        **fields,
    )
    booking.confirm_by = confirm_by(answer.policy, policy_view(booking), tz=wish.instrument.timezone, now=now)
    return booking


def _take_time(booking: Booking, wish: Wish, answer: Assessment, replacing: Occupancy | None) -> None:
    booking.occupancy = occupy(
        instrument=wish.instrument,
        start=wish.start,
        end=wish.end,
        kind=OccupancyKind.HOLD if booking.status == Status.REQUESTED else OccupancyKind.BOOKING,
        replacing=replacing,
        unit=answer.unit,
    )
    booking.unit = booking.occupancy.unit


def hold_until(wish: Wish, answer: Assessment, asked: datetime, *, now: datetime) -> datetime:
    """Until when a request keeps its time: the policy's date, or the instrument's hours, never past the start.

    The hours run from when it was ``asked`` for first, so that moving a request does not hold it longer.
    """
    limit = answer.approval.at or asked + timedelta(hours=wish.instrument.hold_hours)
    return max(min(limit, wish.start), now + timedelta(minutes=1))


def quote_out(quote: Quote) -> dict[str, Any]:
    """The quote as the contract shows it and as the booking keeps it: money as text."""
    return {
        "currency": quote.currency,
        "total": str(quote.total),
        "lines": [
            {
                "code": line.code,
                "description": line.name,
                "quantity": _plain(line.quantity),
                "unit": line.unit,
                "unit_price": _plain(line.unit_price),
                "amount": str(line.amount),
                "why": line.why,
            }
            for line in quote.lines
        ],
        "price_list": quote.title,
    }


def _plain(value: Fraction | Decimal | int | None) -> str | None:
    """At most four decimals and no trailing zeros: 3.5, not 3.5000."""
    if value is None:
        return None
    return format(round_half_up(value, 4).normalize(), "f")


def reserve(booking: Booking, quote: Quote, *, by: User) -> None:
    """Post the quoted lines to the ledger as reserved, in place of those that stand."""
    reserve_charges(**_charged(booking, quote, by=by), hold=hold_for(booking, quote))


def _charged(booking: Booking, quote: Quote, *, by: User) -> dict[str, Any]:
    return {
        "source": SOURCE,
        "source_uid": booking.uid,
        "institution_id": booking.instrument.institution_id,
        "customer_id": booking.organisation_id,
        "project_id": booking.project_id,
        "user_id": booking.user_id,
        "subject": booking.instrument.name,
        "service_date": booking.start.astimezone(booking.instrument.zone).date(),
        "price_list": quote.title,
        "currency": quote.currency,
        "lines": [ledger_line(line) for line in quote.lines],
        "service": {"mode": booking.mode, "category": booking.instrument.category_id},
        "by_id": by.pk,
    }


def ledger_line(line: Any) -> Line:
    """A line of the pricing engine for the ledger."""
    return Line(
        code=line.code,
        name=line.name,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        amount=line.amount,
        why=line.why,
    )


def _told(booking: Booking, agreed: Collection[str]) -> dict[str, set[int]]:
    """By kind of message who gets it."""
    if booking.status == Status.REQUESTED:
        return {"booking_requested": deciders(booking, agreed), "booking_received": customers(booking)}
    return {"booking_confirmed": customers(booking)}


def _record(booking: Booking, agreed: Collection[str], reserved: Act, *, by: User) -> None:
    more: dict[str, Any] = {"agreed": list(agreed)} if agreed else {}
    more |= {"user": booking.user_id} if booking.user_id != by.pk else {}
    after = {"start": booking.start, "end": booking.end, "total": booking.quote["total"], **more}
    record_all(
        organisation_id=booking.instrument.institution_id,
        acts=[reserved, act_of(booking, "booking.request", by=by, after=after)],
    )
