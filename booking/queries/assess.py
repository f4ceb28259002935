"""May this person book this time, who must agree, and what does it cost? Reads and pure rules, no writes.

The page's live answer, ``POST /bookings/check`` and the action that books all come through `assess`.
The number of queries does not depend on how many rules the policy or the price list has.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from backend.accounts.models import OrganisationStatus
from backend.accounts.queries import audience_of
from backend.core.errors import Refusal
from backend.core.periods import Period, to_utc
from booking.models import Booking
from booking.queries.facts import facts_of, layers_of, other_bookings, policy_view, request_of
from booking.queries.quoting import quote_of, unknown_parameters
from booking.queries.wishes import Approval, Assessment, Wish
from booking.rules.decide import decide
from booking.rules.layers import merge_layers
from booking.rules.results import Entry
from instruments.models import Condition, Instrument, Mode, Occupancy, OpeningHours, Sharing, SpecialDay
from instruments.queries.calendar import days_around
from instruments.rules import Hours, Special, Taken, first_free_unit, open_periods

FURTHEST = timedelta(days=3 * 365)


def assess(
    wish: Wish, *, now: datetime, act: str = "create", before: Booking | None = None, held: Occupancy | None = None
) -> Assessment:
    """Everything that speaks against the wish, at once; ``before`` is the booking that it would change.

    ``held`` is time that is kept for this wish already, so it is not taken.
    """
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
        bookings=other_bookings(rules, request, act, now),
        before=policy_view(before) if before else None,
    )
    quote, unpriced = quote_of(wish, audience, now=now, keep=before.price_list if before else None)
    unknown = unknown_parameters(wish.parameters, quote.price_list)
    refusals = [
        *_own_refusals(wish, audience, now, before, held),
        *map(as_refusal, entries.refuse),
        *unpriced,
        *unknown,
    ]
    return Assessment(
        refusals=tuple(refusals),
        approval=_approval(entries.approve),
        notices=tuple(entry.detail for entry in entries.notice),
        quote=quote,
        audience=audience,
        policy=documents,
    )


def _own_refusals(
    wish: Wish, audience: str, now: datetime, before: Booking | None, held: Occupancy | None
) -> Iterable[Refusal]:
    """What holds whatever the policy says."""
    yield from _not_offered(wish, audience)
    if wish.start < now and (before is None or before.start != wish.start):
        yield Refusal("past", _("The start lies in the past."), field="start", fix=None)
    if wish.start > now + FURTHEST:
        yield Refusal("too_far", _("Please choose a time within the next three years."), field="start")
        return
    yield from _closed(wish)
    yield from _taken(wish, held.pk if held else before.occupancy_id if before else None)


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


def _taken(wish: Wish, own: int | None) -> Iterable[Refusal]:
    instrument = wish.instrument
    start = wish.start - timedelta(minutes=instrument.setup_minutes)
    end = wish.end + timedelta(minutes=instrument.cleaning_minutes)
    rows = Occupancy.objects.filter(instrument=instrument).overlapping(start, end)
    if own is not None:
        rows = rows.exclude(pk=own)
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
