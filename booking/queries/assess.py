"""May this person book this time, who must agree, and what does it cost? Reads and pure rules, no writes.

The page's live answer, ``POST /bookings/check`` and the action that books all come through `assess`.
The number of queries does not depend on how many rules the policy or the price list has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from backend.accounts.models import OrganisationStatus
from backend.core.errors import Refusal
from backend.core.periods import Period, to_utc
from booking.models import Booking
from booking.queries.earlier import Earlier
from booking.queries.facts import InForce, facts_of, policy_view, request_of
from booking.queries.outranked import with_outranked
from booking.queries.paying import judge_means, party_of
from booking.queries.quoting import not_priced, quote_under, unknown_parameters
from booking.queries.reads import AHEAD, DAY, Opening, Reads, read_for
from booking.queries.teaching import advised
from booking.queries.wishes import Approval, Assessment, Quote, Wish
from booking.rules.decide import decide
from booking.rules.results import Decision, Entry
from instruments.models import Condition, Instrument, Mode, Occupancy, OpeningHours, PriceList, Sharing, SpecialDay
from instruments.rules import Hours, Special, Taken, first_free_unit

FURTHEST = timedelta(days=3 * 365)


def assess(
    wish: Wish,
    *,
    now: datetime,
    act: str = "create",
    before: Booking | None = None,
    held: Occupancy | None = None,
    also: Iterable[Mapping[str, Any]] = (),
    rules: Mapping[int, InForce] | None = None,
) -> Assessment:
    """Everything that speaks against the wish, at once; ``before`` is the booking that it would change.

    ``held`` is time that is kept for this wish already, so it is not taken; ``also`` are bookings that would be made
    before it, as the policy sees them; ``rules`` are those that were read when the locks were taken.
    """
    reads = read_for([wish], now=now, act=act, before=before, rules=rules)
    answer = judge(wish, reads, act=act, before=before, held=held, also=also)
    if before is None and act == "create":
        answer = with_outranked(answer, wish, reads)
    return replace(answer, refusals=tuple(advised(answer.refusals, wish.instrument, wish.user, now)))


def judge(
    wish: Wish,
    reads: Reads,
    *,
    act: str = "create",
    before: Booking | None = None,
    held: Occupancy | None = None,
    also: Iterable[Mapping[str, Any]] = (),
    always_priced: bool = True,
) -> Assessment:
    """`assess` on what was read for this wish, perhaps among others; without queries.

    Unless ``always_priced`` a wish that is refused anyhow gets an empty quote, which saves time.
    """
    in_force = reads.rules[wish.instrument.pk]
    audience = reads.parties.audience(wish)
    busy = _in_the_way(wish, reads, held.pk if held else before.occupancy_id if before else None)
    start, end = wish.with_buffers()
    unit = first_free_unit(busy, units=wish.instrument.units, start=start, end=end)
    entries = _decided(wish, reads, audience, act, before, also)
    refusals = list(_own_refusals(wish, audience, reads, before, busy if unit is None else []))
    refusals += map(as_refusal, entries.refuse)
    price_list = reads.price_lists.of(wish)
    if refusals and not always_priced:
        quote = Quote("", Decimal("0.00"), (), price_list)
    else:
        quote, unpriced = _priced(wish, audience, price_list, reads.earlier.of(wish, price_list), new=before is None)
        refusals += unpriced
    paying = judge_means(party_of(wish), quote, reads.means)
    refusals += paying.refusals
    return Assessment(
        refusals=tuple(refusals),
        approval=approval_of(entries.approve),
        notices=(*(entry.detail for entry in entries.notice), *paying.notices),
        quote=quote,
        audience=audience,
        policy=[] if wish.for_order else in_force.book.documents,
        facts=reads.parties.snapshot(wish, audience, in_force.book.facts),
        unit=unit,
        hold=paying.hold,
        spending=paying.need,
        near_budget=paying.near,
    )


def _decided(
    wish: Wish, reads: Reads, audience: str, act: str, before: Booking | None, also: Iterable[Mapping[str, Any]]
) -> Decision:
    """What the rules say. Of time for samples nothing: they were asked when the samples were submitted."""
    if wish.for_order:
        return Decision()
    now, in_force = reads.now, reads.rules[wish.instrument.pk]
    request = request_of(wish, audience, made=before.requested_at if before else now)
    return decide(
        in_force.book.asked(act, begun=before is not None and now >= before.start),
        {**request, "id": before.pk} if before else request,
        act=act,
        now=now,
        facts=facts_of(wish, audience, reads.parties),
        bookings=[*reads.counted, *also],
        events=reads.recorded.counting(wish.instrument, in_force),
        before=policy_view(before) if before else None,
    )


def _priced(
    wish: Wish, audience: str, price_list: PriceList | None, earlier: Earlier | None, *, new: bool
) -> tuple[Quote, list[Refusal]]:
    """The quote and why it cannot be given; what was booked once without a price can still be changed."""
    quote, refusals = quote_under(wish, audience, price_list, earlier)
    missing = list(not_priced(wish, audience, quote)) if new and not refusals else []
    if missing:
        quote = replace(quote, lines=())
    return quote, [*refusals, *missing, *unknown_parameters(wish.parameters, price_list)]


def _own_refusals(
    wish: Wish, audience: str, reads: Reads, before: Booking | None, blocked: Sequence[Taken]
) -> Iterable[Refusal]:
    """What holds whatever the policy says."""
    now = reads.now
    yield from _not_offered(wish, audience)
    if wish.start < now and (before is None or before.start != wish.start):
        yield Refusal("past", _("The start lies in the past."), field="start", fix=None)
    if wish.start > now + FURTHEST:
        yield Refusal("too_far", _("Please choose a time within the next three years."), field="start")
        return
    yield from _closed(wish, reads.times.opening)
    if blocked:
        yield Refusal("taken", _("This time is already taken."), until=max(each.end for each in blocked))


def _not_offered(wish: Wish, audience: str) -> Iterable[Refusal]:
    instrument = wish.instrument
    if wish.organisation.status != OrganisationStatus.ACTIVE:
        yield Refusal("not_active", _("Your organisation has not been confirmed yet."))
    if instrument.sharing == Sharing.NONE or (instrument.sharing == Sharing.INTERNAL and audience != "internal"):
        yield Refusal("not_shared", _("This instrument is not shared with other organisations."))
    if instrument.condition in (Condition.REPAIR, Condition.SCRAP):
        state = instrument.get_condition_display()
        yield Refusal("out_of_order", _("This instrument is out of order: %(state)s.") % {"state": state})
    if wish.for_order:
        return
    if wish.mode == Mode.SAMPLE:
        submit = _("Submit them with a sample order: on the instrument's page, or POST /api/v1/sample-orders.")
        yield Refusal(
            "mode_needs_no_time",
            _("Samples are submitted without choosing a time."),
            field="mode",
            fix_text=submit if instrument.mode_sample else _("Choose another mode or ask the contact person."),
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


def _closed(wish: Wish, opening: Opening) -> Iterable[Refusal]:
    instrument, zone = wish.instrument, wish.instrument.zone
    asked = Period(to_utc(wish.start), to_utc(wish.end))
    near = opening.open(instrument, asked.start - DAY, asked.end + DAY)
    if any(period.contains(asked) for period in near):
        return
    open_ = opening.open(instrument, asked.start - DAY, asked.end + AHEAD)
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


def _in_the_way(wish: Wish, reads: Reads, own: int | None) -> list[Taken]:
    """What is taken during the wish and its buffers; what the booking itself holds (``own``) does not count."""
    start, end = wish.with_buffers()
    held = reads.times.taken.get(wish.instrument.pk, ())
    return [taken for pk, taken in held if pk != own and taken.start < end and start < taken.end]


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


def approval_of(entries: Iterable[Entry]) -> Approval:
    entries = list(entries)
    silences = [e for e in entries if e.silence]
    return Approval(
        roles=tuple(dict.fromkeys(e.role for e in entries if e.role)),
        # One role whose silence refuses outweighs all that consent.
        silence="refuse" if any(e.silence == "refuse" for e in silences) else "consent" if silences else "",
        at=min((e.at for e in silences if e.at), default=None),
    )
