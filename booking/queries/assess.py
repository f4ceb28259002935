"""May this person book this time, who must agree, and what does it cost? Reads and pure rules, no writes.

The page's live answer, ``POST /bookings/check`` and the action that books all come through `assess`.
The number of queries does not depend on how many rules the policy or the price list has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from backend.accounts.models import Group, Organisation, OrganisationStatus, Project, User
from backend.accounts.queries import audience_of
from backend.core.errors import Refusal, invalid
from backend.core.periods import Period, to_utc
from booking.models import LONGEST, Booking, Policy, Status
from booking.rules.decide import decide
from booking.rules.facts import needs
from booking.rules.layers import merge_layers
from booking.rules.model import Policy as Rules
from booking.rules.results import Entry
from instruments.models import Condition, Instrument, Mode, Occupancy, OpeningHours, PriceList, Sharing, SpecialDay
from instruments.pricing.engine import price
from instruments.pricing.lines import ChargeLine
from instruments.pricing.names import fact_names
from instruments.pricing.reading import parse_price_list
from instruments.queries.calendar import days_around, policy_days
from instruments.rules import Hours, Special, Taken, first_free_unit, open_periods

FURTHEST = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for. ``start`` and ``end`` are aware; ``user`` is the person who will use it."""

    instrument: Instrument
    start: datetime
    end: datetime
    mode: str
    organisation: Organisation
    user: User
    samples: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    project: Project | None = None
    group: Group | None = None

    def at(self, start: datetime, end: datetime) -> Wish:
        """The same wish for another time."""
        return replace(self, start=start, end=end)


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a wish under the list in force on its start date."""

    currency: str
    total: Decimal
    lines: tuple[ChargeLine, ...]
    price_list: PriceList | None

    @property
    def title(self) -> str:
        if self.price_list is None:
            return ""
        return f"{self.price_list.document.get('name') or _('Price list')} v{self.price_list.version}"


@dataclass(frozen=True, slots=True)
class Approval:
    """Which roles must agree, and what it means when they say nothing until ``at``."""

    roles: tuple[str, ...] = ()
    silence: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """The whole answer. ``policy`` is the snapshot: the documents of all layers that held."""

    refusals: tuple[Refusal, ...]
    approval: Approval
    notices: tuple[str, ...]
    quote: Quote
    audience: str
    policy: list[dict[str, Any]]

    @property
    def bookable(self) -> bool:
        return not self.refusals


def check_shape(start: datetime, end: datetime) -> None:
    """`Invalid` for times that are no times of a booking at all."""
    if end <= start:
        raise invalid("end", _("The end must be after the start."), "end_before_start")
    if end - start > LONGEST:
        raise invalid("end", _("A booking can last at most 92 days."), "too_long")
    if any(t.second or t.microsecond for t in (start, end)):
        raise invalid("start", _("Please give times in whole minutes."), "whole_minutes")


def assess(wish: Wish, *, now: datetime, act: str = "create", before: Booking | None = None) -> Assessment:
    """Everything that speaks against the wish, at once; ``before`` is the booking that it would change."""
    day = wish.start.astimezone(wish.instrument.zone).date()
    audience = audience_of(wish.organisation, wish.instrument.institution_id, day)
    documents = layers_of(wish.instrument, now)
    rules = merge_layers(documents, tz=wish.instrument.timezone)
    request = request_of(wish, audience, made=before.requested_at if before else now)
    entries = decide(
        rules,
        {**request, "id": before.pk} if before else request,
        act=act,
        now=now,
        facts=facts_of(wish, audience),
        bookings=_other_bookings(rules, request, act, now),
        before=policy_view(before) if before else None,
    )
    quote, unpriced = quote_of(wish, audience, now=now, keep=before.price_list if before else None)
    unknown = unknown_parameters(wish.parameters, quote.price_list)
    refusals = [*_own_refusals(wish, audience, now, before), *map(as_refusal, entries.refuse), *unpriced, *unknown]
    return Assessment(
        refusals=tuple(refusals),
        approval=_approval(entries.approve),
        notices=tuple(entry.detail for entry in entries.notice),
        quote=quote,
        audience=audience,
        policy=documents,
    )


def request_of(wish: Wish, audience: str, *, made: datetime) -> dict[str, Any]:
    """The wish as the policy sees it."""
    return {
        "person": wish.user.pk,
        "group": wish.group.pk if wish.group else None,
        "project": wish.project.pk if wish.project else None,
        "organisation": wish.organisation.pk,
        "instrument": wish.instrument.pk,
        "mode": wish.mode,
        "audience": audience,
        "samples": wish.samples,
        "start": to_utc(wish.start),
        "end": to_utc(wish.end),
        "made": made,
    }


def policy_view(booking: Booking) -> dict[str, Any]:
    """A stored booking as the policy sees it."""
    return {
        "id": booking.pk,
        "person": booking.user_id,
        "group": booking.group_id,
        "project": booking.project_id,
        "organisation": booking.organisation_id,
        "instrument": booking.instrument_id,
        "mode": booking.mode,
        "audience": booking.audience,
        "samples": booking.samples,
        "start": booking.start,
        "end": booking.end,
        "made": booking.requested_at,
        "status": booking.status,
    }


def facts_of(wish: Wish, audience: str) -> dict[str, dict[str, Any]]:
    """What is known of the parties besides their names."""
    inside = wish.organisation.pk == wish.instrument.institution_id
    return {
        "person": {"inside": inside, "audience": audience, "organisation_kind": wish.organisation.kind},
        "organisation": {"kind": wish.organisation.kind, "region": wish.organisation.region},
        "instrument": {
            "category": wish.instrument.category_id,
            "institution": wish.instrument.institution_id,
            "units": wish.instrument.units,
        },
    }


def layers_of(instrument: Instrument, now: datetime) -> list[dict[str, Any]]:
    """The document in force of each layer, from the network's to the instrument's; one query.

    Public holidays come first where there are rules at all: they count working days and name holidays.
    """
    newest: dict[int, dict[str, Any]] = {}
    today = now.astimezone(instrument.zone).date()
    for layer, document in Policy.objects.for_instrument(instrument, today).values_list("layer", "document"):
        newest.setdefault(layer, document)
    found = [newest[layer] for layer in sorted(newest)]
    return [policy_days(today - timedelta(days=366), today + timedelta(days=732)), *found] if found else []


def _other_bookings(rules: Rules, request: Mapping[str, Any], act: str, now: datetime) -> list[dict[str, Any]]:
    """What quotas count: bookings of the same parties within the periods that they look at; one query at most."""
    wanted = Q()
    for read in needs(rules, act).booking_reads:
        same = Q(**{_COLUMNS[name]: request[name] for name in read.per if request.get(name) and name in _COLUMNS})
        reach = read.reach(rules, request, now=now)
        wanted |= same if reach is None else same & Q(start__lte=reach.end, end__gte=reach.start)
    if not wanted:
        return []
    counted = [Status.REQUESTED, Status.CONFIRMED, Status.IN_USE, Status.COMPLETED, Status.NO_SHOW]
    return [policy_view(row) for row in Booking.objects.filter(wanted, status__in=counted)]


_COLUMNS = {
    "person": "user_id",
    "group": "group_id",
    "project": "project_id",
    "organisation": "organisation_id",
    "instrument": "instrument_id",
}


def _own_refusals(wish: Wish, audience: str, now: datetime, before: Booking | None) -> Iterable[Refusal]:
    """What holds whatever the policy says."""
    yield from _not_offered(wish, audience)
    if wish.start < now and (before is None or before.start != wish.start):
        yield Refusal("past", _("The start lies in the past."), field="start", fix=None)
    if wish.start > now + FURTHEST:
        yield Refusal("too_far", _("Please choose a time within the next three years."), field="start")
        return
    yield from _closed(wish)
    yield from _taken(wish, before)


def _not_offered(wish: Wish, audience: str) -> Iterable[Refusal]:
    instrument = wish.instrument
    if wish.organisation.status != OrganisationStatus.ACTIVE:
        yield Refusal("not_active", _("Your organisation has not been confirmed yet."))
    if instrument.sharing == Sharing.NONE or (instrument.sharing == Sharing.INTERNAL and audience != "internal"):
        yield Refusal("not_shared", _("This instrument is not shared with other organisations."))
    if instrument.condition in (Condition.REPAIR, Condition.SCRAP):
        state = instrument.get_condition_display()
        yield Refusal("out_of_order", _("This instrument is out of order: %(state)s.") % {"state": state})
    if wish.mode == Mode.SAMPLE:
        yield Refusal(
            "mode_needs_no_time",
            _("Samples are submitted without choosing a time."),
            field="mode",
            fix_text=_("Choose another mode or ask the contact person."),
        )
    elif wish.mode not in instrument.modes:
        offered = ", ".join(str(Mode(mode).label) for mode in instrument.modes if mode != Mode.SAMPLE)
        yield Refusal(
            "mode_not_offered",
            _("This instrument does not offer this mode."),
            field="mode",
            params={"offered": instrument.modes},
            fix_text=_("It offers: %(modes)s.") % {"modes": offered} if offered else "",
        )


def hours_of(instrument: Instrument) -> list[Hours]:
    rows = OpeningHours.objects.filter(instrument=instrument)
    return [Hours(*row) for row in rows.values_list("weekday", "opens", "closes", "valid_from", "valid_to")]


def special_days_of(instrument: Instrument, start: datetime, end: datetime) -> list[Special]:
    days = SpecialDay.objects.filter(
        instrument=instrument, day__gte=start.date() - timedelta(days=2), day__lte=end.date() + timedelta(days=2)
    )
    return [Special(*row) for row in days.values_list("day", "opens", "closes")]


def _closed(wish: Wish) -> Iterable[Refusal]:
    instrument, zone = wish.instrument, wish.instrument.zone
    asked = Period(to_utc(wish.start), to_utc(wish.end))
    open_ = open_periods(
        hours_of(instrument),
        special_days_of(instrument, asked.start, asked.end + timedelta(days=14)),
        zone=zone,
        start=asked.start - timedelta(days=1),
        end=asked.end + timedelta(days=14),
        open_on_holidays=instrument.open_on_holidays,
        public=days_around(asked.start, asked.end + timedelta(days=14)),
    )
    if any(period.contains(asked) for period in open_):
        return
    following = next(
        (p for p in open_ if p.end > asked.start and p.end - max(p.start, asked.start) >= asked.duration), None
    )
    same_day = [p for p in open_ if p.start.astimezone(zone).date() == asked.start.astimezone(zone).date()]
    if same_day:
        clock = ", ".join(f"{p.start.astimezone(zone):%H:%M}–{p.end.astimezone(zone):%H:%M}" for p in same_day)
        detail = _("Outside the opening hours: on this day %(hours)s.") % {"hours": clock}
    else:
        detail = _("Closed on %(day)s.") % {"day": date_format(asked.start.astimezone(zone).date())}
    yield Refusal("closed", detail, fix=max(following.start, asked.start) if following else None)


def _taken(wish: Wish, before: Booking | None) -> Iterable[Refusal]:
    instrument = wish.instrument
    start = wish.start - timedelta(minutes=instrument.setup_minutes)
    end = wish.end + timedelta(minutes=instrument.cleaning_minutes)
    rows = Occupancy.objects.filter(instrument=instrument).overlapping(start, end)
    if before is not None and before.occupancy_id:
        rows = rows.exclude(pk=before.occupancy_id)
    taken = [Taken(*row) for row in rows.values_list("unit", "start", "end")]
    if first_free_unit(taken, units=instrument.units, start=start, end=end) is None:
        yield Refusal("taken", _("This time is already taken."), until=max(t.end for t in taken))


def as_refusal(entry: Entry) -> Refusal:
    """A verdict of the policy for the reader."""
    return Refusal(
        entry.code,
        entry.detail,
        params={"topic": entry.topic, **entry.values} if entry.topic else dict(entry.values),
        until=entry.until,
        fix=entry.fix,
        fix_text=entry.fix_text or "",
    )


def _approval(entries: Iterable[Entry]) -> Approval:
    entries = list(entries)
    silences = [e for e in entries if e.silence]
    return Approval(
        roles=tuple(dict.fromkeys(e.role for e in entries if e.role)),
        # One role whose silence refuses outweighs all that consent.
        silence="refuse" if any(e.silence == "refuse" for e in silences) else "consent" if silences else "",
        at=min((e.at for e in silences if e.at), default=None),
    )


def quote_of(wish: Wish, audience: str, *, now: datetime, keep: PriceList | None = None) -> tuple[Quote, list[Refusal]]:
    """The quote and why it cannot be given; ``keep`` is the version that an earlier request was quoted under."""
    price_list = keep
    if price_list is None:
        day = wish.start.astimezone(wish.instrument.zone).date()
        price_list = PriceList.objects.in_force(day).filter(instrument=wish.instrument).first()
    if price_list is None:
        reason = Refusal(
            "no_price",
            _("The institution has not published a price for this instrument yet."),
            fix_text=_("Please ask the contact person of the instrument."),
        )
        return Quote(wish.instrument.institution.currency, Decimal("0.00"), (), None), [reason]
    if list(unknown_parameters(wish.parameters, price_list)):
        return Quote(price_list.currency, Decimal("0.00"), (), price_list), []
    record = price_record(wish, audience, event="use", at=wish.start)
    priced = price(parse_price_list(price_list.document), [record], tz=wish.instrument.zone)
    lines = tuple(line for line in priced.lines if line.account == "invoice")
    quote = Quote(price_list.currency, priced.total(), lines, price_list)
    return quote, list(priced.refusals)


# What the engines read themselves, or what we know better than whoever fills in the form.
RESERVED = frozenset(
    "history used booked at event id samples audience mode instrument person group project organisation start end made "
    "act now date notice notice_days late union longer overrun unused approved_in_advance".split()
)


def unknown_parameters(parameters: Mapping[str, Any], price_list: PriceList | None) -> Iterable[Refusal]:
    """One refusal for each parameter that the price list does not ask for.

    Prices and rules trust their facts, so nobody may state a fact that was not asked.
    """
    if not parameters:
        return
    asked = fact_names(parse_price_list(price_list.document)) - RESERVED if price_list else frozenset()
    for name, value in sorted(parameters.items()):
        if isinstance(value, int | float) and value < 0:
            yield Refusal("negative", _("“%(name)s” cannot be negative.") % {"name": name}, field=f"parameters.{name}")
    for name in sorted(set(parameters) - asked):
        yield Refusal(
            "unknown_parameter",
            _("The price list of this instrument does not ask for “%(name)s”.") % {"name": name},
            field=f"parameters.{name}",
            params={"asked": sorted(asked)},
        )


def quote_for_customer(wish: Wish, answer: Assessment, *, now: datetime, keep: PriceList | None = None) -> Quote:
    """The quote with its sentences in the language of the person who will be charged: it is kept."""
    if translation.get_language() == wish.user.language:
        return answer.quote
    with translation.override(wish.user.language):
        return quote_of(wish, answer.audience, now=now, keep=keep)[0]


def price_record(
    wish: Wish,
    audience: str,
    *,
    event: str,
    at: datetime,
    used: tuple[datetime, datetime] | None = None,
    uid: str = "booking",
) -> dict[str, Any]:
    """What the pricing engine is told of a use, a cancellation or a no-show."""
    record: dict[str, Any] = {
        **{name: value for name, value in wish.parameters.items() if value is not None},
        "id": uid,
        "event": event,
        "at": to_utc(at),
        "booked": [[to_utc(wish.start), to_utc(wish.end)]],
        "audience": audience,
        "mode": wish.mode,
        "instrument": wish.instrument.local_no,
        "person": str(wish.user.pk),
        "group": str(wish.group.pk) if wish.group else f"person-{wish.user.pk}",
        "project": str(wish.project.pk) if wish.project else f"organisation-{wish.organisation.pk}",
        "organisation": str(wish.organisation.pk),
    }
    if used is not None:
        record["used"] = [[to_utc(used[0]), to_utc(used[1])]]
    if wish.samples is not None:
        record["samples"] = wish.samples
    return record


def wish_of(booking: Booking) -> Wish:
    """The wish that a stored booking came from."""
    return Wish(
        instrument=booking.instrument,
        start=booking.start,
        end=booking.end,
        mode=booking.mode,
        organisation=booking.organisation,
        user=booking.user,
        samples=booking.samples,
        parameters=booking.parameters,
        project=booking.project,
        group=booking.group,
    )
