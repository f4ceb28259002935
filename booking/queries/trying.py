"""What would happen to a wish, and to bookings that stand, under rules that nobody has saved yet. Never writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backend.accounts.models import Organisation, OrganisationKind, OrganisationStatus, User
from booking.models import Booking, Layer, Status
from booking.queries.assess import judge
from booking.queries.facts import InForce, facts_of, request_of, rules_in_force
from booking.queries.reads import Reads, read_for
from booking.queries.wishes import Assessment, Wish, wish_of
from booking.rules.decide import decide
from booking.rules.results import Entry
from booking.rules.rulebook import rulebook_of
from instruments.models import Instrument
from instruments.queries.calendar import policy_days

# Bookings that are looked at, and those of them that are named.
MOST, NAMED = 200, 20
AUDIENCES = ("internal", "academic", "enterprise")


@dataclass(frozen=True, slots=True)
class Touched:
    """A booking that the rules would refuse, as of the time when it was asked for."""

    booking: Booking
    reasons: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """``before`` is the answer of the rules in force, None where they are the ones that were tried."""

    wish: Wish
    answer: Assessment
    before: Assessment | None
    touched: tuple[Touched, ...]
    looked_at: int

    @property
    def named(self) -> tuple[Touched, ...]:
        return self.touched[:NAMED]


def typical(audience: str, instrument: Instrument) -> tuple[User, Organisation]:
    """Somebody of an audience who is in no table: no contract, no training, no earlier bookings."""
    if audience == "internal":
        return User(pk=0), instrument.institution
    kind = OrganisationKind.INSTITUTION if audience == "academic" else OrganisationKind.ENTERPRISE
    return User(pk=0), Organisation(pk=0, kind=kind, status=OrganisationStatus.ACTIVE, name="")


def drafted(instrument: Instrument, layer: Layer, document: Mapping[str, Any], now: datetime) -> InForce:
    """The rules in force on the instrument with one layer's document replaced; raises `Invalid`."""
    current = rules_in_force([instrument], now)[instrument.pk]
    documents = dict(zip(current.layers, current.book.documents, strict=True))
    if not documents:
        today = now.astimezone(instrument.zone).date()
        documents[0] = dict(policy_days(today - timedelta(days=366), today + timedelta(days=732)))
    documents[layer] = dict(document)
    layers = tuple(sorted(documents))
    return InForce(rulebook_of([documents[each] for each in layers], tz=instrument.timezone), layers)


def try_rules(wish: Wish, *, layer: Layer, document: Mapping[str, Any] | None, now: datetime) -> Tried:
    """The whole answer to a wish, and the coming bookings of its instrument that would be refused.

    ``document`` stands for what the layer has saved; None tries what is in force. The number of queries depends
    neither on the rules nor on the bookings, unless the rules ask for qualifications.
    """
    pk = wish.instrument.pk
    rules = drafted(wish.instrument, layer, document, now) if document is not None else None
    reads = read_for([wish], now=now, rules={pk: rules} if rules else None)
    before = judge(wish, read_for([wish], now=now)) if rules else None
    rows = _coming(wish.instrument, now)
    return Tried(wish, judge(wish, reads), before, tuple(_touched(rows, reads.rules[pk], now)), len(rows))


def _coming(instrument: Instrument, now: datetime) -> list[Booking]:
    waiting = Booking.objects.filter(instrument=instrument, start__gt=now)
    waiting = waiting.filter(status__in=[Status.REQUESTED, Status.CONFIRMED])
    rows = list(waiting.select_related("organisation", "user", "project", "group").order_by("start", "pk")[:MOST])
    for row in rows:
        row.instrument = instrument
    return rows


def _touched(rows: list[Booking], rules: InForce, now: datetime) -> list[Touched]:
    if not rows:
        return []
    wishes = [wish_of(row) for row in rows]
    reads = read_for(wishes, now=now, rules={rows[0].instrument_id: rules})
    found = (Touched(row, _reasons(row, wish, rules, reads)) for row, wish in zip(rows, wishes, strict=True))
    return [each for each in found if each.reasons]


def _reasons(booking: Booking, wish: Wish, rules: InForce, reads: Reads) -> tuple[Entry, ...]:
    """As if it were asked for again at the time when it was; suspensions concern what is asked for now."""
    made = booking.requested_at
    return decide(
        rules.book.asked("create"),
        {**request_of(wish, booking.audience, made=made), "id": booking.pk},
        act="create",
        now=made,
        facts=facts_of(wish, booking.audience, reads.parties),
        bookings=reads.counted,
    ).refuse
