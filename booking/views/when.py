"""Choosing a time: the strip of days, the times of a day, and the live answer underneath."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from backend.accounts.auth import access, current_organisation
from backend.accounts.queries import Access
from backend.core.fields import named
from backend.core.text import whole_number
from booking.actions.requesting import hold_until, quote_out
from booking.forms import TimesForm, WishForm
from booking.models import Booking, Status
from booking.queries import pages
from booking.queries import times as free
from booking.queries.alternatives import Other, explained
from booking.queries.assess import assess
from booking.queries.behalf import as_asked
from booking.queries.cancellation import fee_at_once
from booking.queries.changes import proposed
from booking.queries.covered import vouchers_for
from booking.queries.mine import own_booking_at
from booking.queries.outranked import displaceable
from booking.queries.wishes import Assessment, Wish, wish_of
from booking.views import show
from instruments.models import Instrument


def reader_of(request: HttpRequest) -> pages.Reader:
    user = request.user if request.user.is_authenticated else None
    return pages.reader_of(access(request), user, current_organisation(request) if user else None)


def when(request: HttpRequest, found: Instrument, mode: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """`choose` for somebody who has not read the terms yet."""
    return choose(pages.terms_of(found, reader_of(request), timezone.now()), mode, chosen)


def choose(terms: pages.Terms, mode: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """The strip of days and the times of the chosen day; three queries.

    Where ``chosen`` names a booking that is ``moving``, the time that it would give up is free.
    """
    found = terms.instrument
    within = free.horizon(found, terms.now)
    moving: Booking | None = chosen.get("moving")
    times = free.read_times(found, within.start, within.end, but=moving.occupancy_id if moving else None)
    judge = terms.judge(mode)
    grid = judge.grid(within)
    length = _length(chosen, grid)
    days = free.strip(times, judge, timedelta(minutes=length))
    day = _day(chosen, days)
    shown = any(each.day == day for each in days)
    slots = free.day_slots(times, day, timedelta(minutes=length), judge) if shown else []
    if moving:
        slots = [slot for slot in slots if (slot.start, slot.end) != (moving.start, moving.end)]
    return {
        "days": days,
        "day": day,
        "length": length,
        "lengths": [(each, timedelta(minutes=each)) for each in sorted({*grid.lengths, length})],
        "slots": [(slot, show.wall(slot.start, found.zone), show.wall(slot.end, found.zone)) for slot in slots],
        "next_day": next((each.day for each in days if each.can_be_booked and each.day > day), None),
        "hours": free.clock_range(times),
        "banded": bool(grid.bands),
        "unknown_years": free.unknown_years_ahead(judge, days[0].day, day),
    }


def _day(chosen: dict[str, Any], days: list[free.DayLoad]) -> date:
    start, day = chosen.get("start"), chosen.get("day")
    if isinstance(start, datetime):
        return start.date()
    if isinstance(day, date):
        return day
    best = [each.day for each in days if each.can_be_booked] or [each.day for each in days if each.has_time]
    return best[0] if best else days[0].day


def _length(chosen: dict[str, Any], grid: free.Grid) -> int:
    """Minutes: of the chosen time, else the chosen length, else the usual one."""
    start, end = chosen.get("start"), chosen.get("end")
    if isinstance(start, datetime) and isinstance(end, datetime) and end > start:
        return int((end - start) / timedelta(minutes=1))
    minutes = whole_number(str(chosen.get("length") or "")) or 0
    return minutes if 0 < minutes <= 92 * 24 * 60 else grid.usual


def wished(form: WishForm, found: Instrument, reader: pages.Reader, now: datetime, mine: Access) -> dict[str, Any]:
    """For `_answer.html`: what is missing or wrong, or the whole assessment with its price."""
    problem = _unready(form)
    if problem:
        return problem
    data = form.cleaned_data
    wish = Wish(
        instrument=found,
        start=data["start"],
        end=data["end"],
        mode=data["mode"],
        organisation=data["organisation"] or reader.organisation,
        user=data["user"] or reader.user,
        samples=data["samples"],
        project=data["project"],
    )
    assessed = assess(wish, now=now)
    if data["user"]:
        assessed = as_asked(mine, wish, assessed)
    others: list[Other] = []
    if not assessed.bookable:
        assessed, others = explained(assessed, wish, now=now)
    possible = {(each.wish.start, each.wish.end) for each in others if each.wish.instrument == found}

    def works(start: datetime, end: datetime) -> bool:
        # What begins at another time has been tried already; the same start with another end is among the others.
        return start != wish.start or (start, end) in possible

    certain = assessed.bookable and not assessed.approval.roles
    return _shown(wish, assessed, now, works) | {
        "fee_at_once": fee_at_once(wish, assessed, now=now) if certain else None,
        "which": form.which,
        "displaces": ",".join(map(str, displaceable(assessed.refusals))) if reader.may_book else "",
        "wait_query": _wait_query(wish, assessed),
        "own": own_booking_at(mine, wish) if _is_taken(assessed) else None,
        "repeat_query": _repeat_query(form) if reader.may_book else "",
        "others": [_other(each, form, found) for each in others],
        **_vouchers(data, wish, assessed, mine),
    }


def _vouchers(data: dict[str, Any], wish: Wish, assessed: Assessment, mine: Access) -> dict[str, Any]:
    """Those that could be chosen, and what is left to pay with the one that is."""
    offers = vouchers_for(wish, assessed.quote, mine)
    chosen = next((offer for offer in offers if offer.grant.pk == data.get("voucher") and offer.possible), None)
    return {
        "vouchers": offers,
        "voucher": chosen.grant.pk if chosen else None,
        "voucher_declared": data.get("voucher_declared"),
        "own_part": assessed.quote.total - (chosen.amount if chosen else 0),
    }


REPEATED = "start end start_fold end_fold mode samples organisation project party party_email purpose notes".split()


def _repeat_query(form: WishForm) -> str:
    """For the link to a series that begins with this time."""
    times = {name: show.wall(form.cleaned_data[name], form.zone) for name in ("start", "end")}
    return urlencode(_kept(form) | times)


def _kept(form: WishForm) -> dict[str, str]:
    """What was typed, for a link to another page that asks the same."""
    return {name: str(form.data[name]) for name in REPEATED if form.data.get(name)}


def _wait_query(wish: Wish, assessed: Assessment) -> str:
    """For the link to the waitlist, where what is taken is among the reasons."""
    if not _is_taken(assessed):
        return ""
    zone = wish.instrument.zone
    return urlencode({"start": show.wall(wish.start, zone), "end": show.wall(wish.end, zone), "mode": wish.mode})


def _is_taken(assessed: Assessment) -> bool:
    return any(refusal.code == "taken" for refusal in assessed.refusals)


def moved(
    form: TimesForm, booking: Booking, now: datetime, *, by_lab: bool, mover: Access | None = None
) -> dict[str, Any]:
    """The same for another time of a booking, with its price before and after."""
    problem = _unready(form)
    if problem:
        return problem
    start, end = form.cleaned_data["start"], form.cleaned_data["end"]
    return proposal(booking, start, end, now, by_lab=by_lab, mover=mover) | {"which": form.which}


def proposal(
    booking: Booking, start: datetime, end: datetime, now: datetime, *, by_lab: bool, mover: Access | None = None
) -> dict[str, Any]:
    """What `[start, end)` would mean for the booking, for `_answer.html` and `_drag.html`."""
    change = proposed(booking, start, end, now=now, by_lab=by_lab, mover=mover)
    assessed = replace(change.assessed, refusals=change.refusals)

    def works(there: datetime, until: datetime) -> bool:
        return not proposed(booking, there, until, now=now, by_lab=by_lab).refusals

    shown = _shown(wish_of(booking).at(start, end), assessed, now, works, waiting=booking)
    return shown | {"which": {}, "change": change}


def _unready(form: TimesForm) -> dict[str, Any]:
    if not (form.data.get("start") and form.data.get("end")):
        return {"empty": True}
    if not form.is_valid():
        return {"errors": problems_of(form), "which": form.which}
    return {}


def problems_of(form: forms.BaseForm) -> list[str]:
    """What is wrong, each once; “give a date” says of which field."""
    out: list[str] = []
    for name, errors in form.errors.as_data().items():
        for error in errors:
            for message in error.messages:
                text = named(form, name, message) if error.code in ("invalid", "required") else message
                out += [] if text in out else [text]
    return out


def _shown(
    wish: Wish,
    assessed: Assessment,
    now: datetime,
    works: Callable[[datetime, datetime], bool],
    *,
    waiting: Booking | None = None,
) -> dict[str, Any]:
    """A rule's suggestion knows nothing of opening hours and of what is taken: only what ``works`` gets a button.

    A booking that is ``waiting`` for approval goes on waiting, and is held no longer by being changed.
    """
    roles, asked = assessed.approval.roles, now
    if waiting is not None and waiting.status == Status.REQUESTED:
        roles, asked = roles or tuple(waiting.approval_roles), waiting.requested_at
    zone, length = wish.instrument.zone, wish.end - wish.start
    first, last = wish.start.astimezone(zone).date(), wish.end.astimezone(zone).date()
    return {
        "start": wish.start,
        "end": wish.end,
        "assessed": assessed,
        "refusals": show.offers(assessed.refusals, wish.start, length, zone, cache(works)),
        "roles": show.roles_words(roles),
        "held_until": hold_until(wish, assessed, asked, now=now) if roles else None,
        "lines": show.lines(quote_out(assessed.quote)),
        "unknown_years": free.unknown_years(first, last),
    }


def _other(each: Other, form: WishForm, found: Instrument) -> dict[str, Any]:
    """An alternative as a button that fills the panel, or as a link to another instrument's panel."""
    instrument, start, end = each.wish.instrument, each.wish.start, each.wish.end
    out = {
        "instrument": instrument,
        "start": start,
        "end": end,
        "wall_start": show.wall(start, found.zone),
        "wall_end": show.wall(end, found.zone),
        "total": each.answer.quote.total,
        "currency": each.answer.quote.currency,
    }
    if instrument != found:
        times = {name: at.astimezone(instrument.zone).isoformat() for name, at in (("start", start), ("end", end))}
        kept = {name: value for name, value in _kept(form).items() if not name.endswith("_fold")}
        out["url"] = f"{reverse('booking:instrument', args=[instrument.pk])}?{urlencode(kept | times)}"
    return out
