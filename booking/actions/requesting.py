"""Asking for time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
from backend.core.prepared import insert, insert_all
from booking.actions.locks import lock_parties
from booking.actions.transitions import act_of, customers, deciders, tell, tell_all
from booking.models import Approval, Booking, Decision, Status
from booking.queries.assess import judge
from booking.queries.behalf import agreed_by_asking
from booking.queries.confirming import confirm_by
from booking.queries.facts import InForce, policy_view
from booking.queries.quoting import quote_for_customer
from booking.queries.reads import read_for
from booking.queries.teaching import advised
from booking.queries.wishes import Assessment, Quote, Wish, check_shape
from instruments.actions.occupancy import lock_instruments, occupy
from instruments.models import Instrument, Occupancy, OccupancyKind
from invoices.actions.charges import open_charge, reserve_charges
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
    with remembering_at_least():
        rules = lock_parties(
            user=user, group=group, project=project, organisation=organisation, instrument=instrument, now=now
        )
        wish = Wish(
            instrument=lock_instruments([instrument.pk])[instrument.pk],
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
    booking = _write(
        wish, answer, quote, agreed, by=by, purpose=purpose, notes=notes, now=now, replacing=replacing, **links
    )
    insert_all(Approval(booking=booking, role=role, decision=Decision.APPROVED, by=by, at=now) for role in agreed)
    reserved = open_charge(**_charged(booking, quote, by=by))
    _announce(booking, agreed, reserved, by=by)
    return booking


def _write(
    wish: Wish,
    answer: Assessment,
    quote: Quote,
    agreed: Collection[str],
    *,
    by: User,
    now: datetime,
    replacing: Occupancy | None,
    **fields: Any,
) -> Booking:
    held = bool(set(answer.approval.roles) - set(agreed))
    occupancy = occupy(
        instrument=wish.instrument,
        start=wish.start,
        end=wish.end,
        kind=OccupancyKind.HOLD if held else OccupancyKind.BOOKING,
        replacing=replacing,
        unit=answer.unit,
    )
    booking = Booking(
        status=Status.REQUESTED if held else Status.CONFIRMED,
        instrument=wish.instrument,
        unit=occupancy.unit,
        start=wish.start,
        end=wish.end,
        occupancy=occupancy,
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
    return insert(booking)


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
    reserve_charges(**_charged(booking, quote, by=by))


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


def _announce(booking: Booking, agreed: Collection[str], reserved: Act, *, by: User) -> None:
    if booking.status == Status.REQUESTED:
        asked = deciders(booking, agreed)
        tell_all(booking, {"booking_requested": asked, "booking_received": customers(booking)})
    else:
        tell(booking, "booking_confirmed", to=customers(booking))
    more: dict[str, Any] = {"agreed": list(agreed)} if agreed else {}
    more |= {"user": booking.user_id} if booking.user_id != by.pk else {}
    after = {"start": booking.start, "end": booking.end, "total": booking.quote["total"], **more}
    record_all(
        organisation_id=booking.instrument.institution_id,
        acts=[reserved, act_of(booking, "booking.request", by=by, after=after)],
    )
