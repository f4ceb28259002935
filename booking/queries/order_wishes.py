"""May this person hand in these samples, who must agree, and what do they cost? Reads and pure rules, no writes.

The page's live answer and the action that submits both come through `assess_order`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, OrganisationStatus, Project, User
from backend.core.errors import Refusal
from backend.core.periods import Period, to_utc
from booking.models import OPEN_ORDERS, OrderStatus, SampleOrder
from booking.queries.assess import approval_of, as_refusal
from booking.queries.earlier import read_earlier_of
from booking.queries.facts import PARTIES, InForce, request_of, rules_in_force
from booking.queries.parties import read_parties
from booking.queries.paying import judge_means, means_for, party_of
from booking.queries.prices import read_price_lists
from booking.queries.recorded import stored_events
from booking.queries.records import Customer
from booking.queries.sample_prices import quote_samples
from booking.queries.wishes import Assessment, Wish
from booking.rules.decide import decide
from booking.rules.model import Policy
from booking.rules.samples import Piece
from instruments.models import Condition, Instrument, Mode, Sharing

FURTHEST = timedelta(days=3 * 365)
# An order has no length and no place in a grid of times.
OF_TIMES = ("length", "slots")
COUNTED_ORDERS = (*OPEN_ORDERS, OrderStatus.DONE)


@dataclass(frozen=True, slots=True)
class OrderWish:
    """What somebody wants measured. ``wished_on`` is a day at the instrument, None where any will do."""

    instrument: Instrument
    organisation: Organisation
    user: User
    pieces: tuple[Piece, ...]
    project: Project | None = None
    wished_on: date | None = None

    @property
    def samples(self) -> int:
        return sum(piece.quantity for piece in self.pieces)

    def at(self, now: datetime) -> datetime:
        """By the clock of now on the wished day, so that rules about days ahead count whole days."""
        return clock_of(now, self.wished_on, self.instrument)

    def as_wish(self, now: datetime) -> Wish:
        """As a booking would ask, for the facts that both share."""
        at = self.at(now)
        return Wish(
            instrument=self.instrument,
            start=at,
            end=at + timedelta(minutes=1),
            mode=Mode.SAMPLE.value,
            organisation=self.organisation,
            user=self.user,
            samples=self.samples,
            project=self.project,
        )


def clock_of(now: datetime, day: date | None, instrument: Instrument) -> datetime:
    if day is None:
        return now
    here = now.astimezone(instrument.zone)
    return datetime.combine(day, here.time(), instrument.zone)


def assess_order(wish: OrderWish, *, now: datetime, rules: Mapping[int, InForce] | None = None) -> Assessment:
    """Everything that speaks against the order, at once; its approval and its quote."""
    asked = wish.as_wish(now)
    in_force = (rules or rules_in_force([wish.instrument], now))[wish.instrument.pk]
    parties = read_parties([asked], {wish.instrument.pk: in_force.book.facts}, now)
    audience = parties.audience(asked)
    request = {**request_of(asked, audience, made=now), "end": None}
    entries = decide(
        _of_orders(in_force.book.asked("create"), dated=wish.wished_on is not None),
        request,
        act="create",
        now=now,
        facts=parties.facts(asked, audience),
        bookings=_counted(in_force, request, now),
        events=stored_events([(in_force, request)], "create").counting(wish.instrument, in_force),
    )
    today = dataclasses.replace(asked, start=now)
    lists = read_price_lists([today], agreements=parties.agreements)
    price_list = lists.of(today)
    customer = Customer(
        wish.instrument, wish.organisation.pk, wish.user.pk, wish.project.pk if wish.project else None, audience, now
    )
    earlier = read_earlier_of([today], lists).of(today, price_list)
    quote, unpriced = quote_samples(customer, wish.pieces, price_list, earlier)
    paying = judge_means(party_of(asked), quote, means_for([today], None))
    refused = (*map(as_refusal, entries.refuse), *unpriced, *paying.refusals)
    return Assessment(
        refusals=(*_own_refusals(wish, audience, now), *refused),
        approval=approval_of(entries.approve),
        notices=(*(entry.detail for entry in entries.notice), *paying.notices),
        quote=quote,
        audience=audience,
        policy=in_force.book.documents,
        facts=parties.snapshot(asked, audience, in_force.book.facts),
        hold=paying.hold,
        spending=paying.need,
        near_budget=paying.near,
    )


def _of_orders(policy: Policy, *, dated: bool) -> Policy:
    """The rules that say anything of an order; those of deadlines only where a day is wished."""
    silent = OF_TIMES if dated else (*OF_TIMES, "deadline")
    return dataclasses.replace(policy, rules=tuple(rule for rule in policy.rules if rule.kind not in silent))


def _own_refusals(wish: OrderWish, audience: str, now: datetime) -> Iterator[Refusal]:
    """What holds whatever the policy says."""
    instrument = wish.instrument
    if wish.organisation.status != OrganisationStatus.ACTIVE:
        yield Refusal("not_active", _("Your organisation has not been confirmed yet."))
    if instrument.sharing == Sharing.NONE or (instrument.sharing == Sharing.INTERNAL and audience != "internal"):
        yield Refusal("not_shared", _("This instrument is not shared with other organisations."))
    if instrument.condition in (Condition.REPAIR, Condition.SCRAP):
        state = instrument.get_condition_display()
        yield Refusal("out_of_order", _("This instrument is out of order: %(state)s.") % {"state": state})
    if not instrument.mode_sample:
        offered = ", ".join(str(Mode(mode).label) for mode in instrument.modes)
        yield Refusal(
            "mode_not_offered",
            _("This instrument does not take samples."),
            params={"offered": instrument.modes},
            fix_text=_("It offers: %(modes)s.") % {"modes": offered} if offered else "",
        )
    if wish.wished_on is not None:
        if wish.wished_on < now.astimezone(instrument.zone).date():
            yield Refusal("past", _("The wished date lies in the past."), field="wished_on")
        elif wish.at(now) > now + FURTHEST:
            yield Refusal("too_far", _("Please choose a date within the next three years."), field="wished_on")


# --- what quotas count: orders among orders --------------------------------------------------------------------------


def _counted(in_force: InForce, request: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    """Orders of the parties that quotas count, as the policy sees them; one query, none without quotas."""
    wanted = Q()
    for read in in_force.book.needs("create").booking_reads:
        names = [name for name in read.per if name in PARTIES] or ["instrument"]
        if "group" in names or any(request.get(name) is None for name in names):
            continue
        reach = read.reach(in_force.book.rules, request, now=now)
        wanted |= Q(**{PARTIES[name]: request[name] for name in names}) & _within(reach)
    if not wanted:
        return []
    rows = SampleOrder.objects.filter(wanted, status__in=COUNTED_ORDERS).order_by("pk")
    rows = rows.select_related("instrument").annotate(samples=Sum("items__quantity"))
    return [_view(row) for row in rows]


def _within(reach: Period | None) -> Q:
    """A day more on either side: an order has a day, where a quota asks for instants."""
    if reach is None:
        return Q()
    first, last = to_utc(reach.start) - timedelta(days=1), to_utc(reach.end) + timedelta(days=1)
    undated = Q(wished_on=None, submitted_at__range=(first, last))
    return Q(wished_on__range=(first.date(), last.date())) | undated


def _view(order: SampleOrder) -> dict[str, Any]:
    return {
        **order.facts,
        "id": order.pk,
        "person": order.user_id,
        "group": None,
        "project": order.project_id,
        "organisation": order.organisation_id,
        "instrument": order.instrument_id,
        "mode": Mode.SAMPLE.value,
        "audience": order.audience,
        "samples": getattr(order, "samples", None),
        "start": to_utc(clock_of(order.submitted_at, order.wished_on, order.instrument)),
        "end": None,
        "made": order.submitted_at,
        "status": _STANDS[OrderStatus(order.status)],
    }


# As rules that speak of bookings call it.
_STANDS = {
    OrderStatus.SUBMITTED: "requested",
    OrderStatus.ACCEPTED: "confirmed",
    OrderStatus.RECEIVED: "confirmed",
    OrderStatus.TESTING: "in_use",
    OrderStatus.DONE: "completed",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.CANCELLED: "cancelled",
}


def pieces_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Piece, ...]:
    return tuple(
        Piece(row["name"], row["quantity"], tuple(row.get("tests") or ()), dict(row.get("parameters") or {}))
        for row in rows
    )
