"""Choosing a time: the strip of days, the times of a day, and the live answer underneath."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from backend.accounts.auth import access, current_organisation
from backend.accounts.queries import Access
from backend.core.fields import named
from backend.core.text import whole_number
from booking.actions.requesting import hold_until, quote_out
from booking.forms import TimesForm, WishForm
from booking.models import Booking
from booking.queries import pages
from booking.queries import times as free
from booking.queries.alternatives import alternatives
from booking.queries.assess import assess
from booking.queries.behalf import as_asked
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
    """The strip of days and the times of the chosen day; three queries."""
    found = terms.instrument
    within = free.horizon(found, terms.now)
    times = free.read_times(found, within.start, within.end)
    judge = terms.judge(mode)
    grid = judge.grid(within)
    length = _length(chosen, grid)
    days = free.strip(times, judge, timedelta(minutes=length))
    day = _day(chosen, days)
    shown = any(each.day == day for each in days)
    slots = free.day_slots(times, day, timedelta(minutes=length), judge) if shown else []
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
    others = [] if assessed.bookable else alternatives(wish, now=now)
    return _shown(wish, assessed, form, now, partial(assess, now=now)) | {
        "others": [_other(each, found) for each in others]
    }


def moved(form: TimesForm, booking: Booking, now: datetime) -> dict[str, Any]:
    """The same for moving a booking."""
    problem = _unready(form)
    if problem:
        return problem
    wish = wish_of(booking).at(form.cleaned_data["start"], form.cleaned_data["end"])
    asking = partial(assess, now=now, act="change", before=booking)
    return _shown(wish, asking(wish), form, now, asking)


def _unready(form: TimesForm) -> dict[str, Any]:
    if not (form.data.get("start") and form.data.get("end")):
        return {"empty": True}
    if not form.is_valid():
        return {"errors": _problems(form), "which": form.which}
    return {}


def _problems(form: TimesForm) -> list[str]:
    """What is wrong, each once; “give a date” says of which field."""
    out: list[str] = []
    for name, errors in form.errors.as_data().items():
        for error in errors:
            for message in error.messages:
                text = named(form, name, message) if error.code in ("invalid", "required") else message
                out += [] if text in out else [text]
    return out


def _shown(
    wish: Wish, assessed: Assessment, form: TimesForm, now: datetime, asking: Callable[[Wish], Assessment]
) -> dict[str, Any]:
    zone, length = wish.instrument.zone, wish.end - wish.start
    known: dict[tuple[datetime, datetime], bool] = {}

    def works(start: datetime, end: datetime) -> bool:
        """A rule's suggestion knows nothing of opening hours and of what is taken."""
        if (start, end) not in known:
            known[start, end] = asking(wish.at(start, end)).bookable
        return known[start, end]

    first, last = wish.start.astimezone(zone).date(), wish.end.astimezone(zone).date()
    return {
        "start": wish.start,
        "end": wish.end,
        "which": form.which,
        "assessed": assessed,
        "refusals": show.offers(assessed.refusals, wish.start, length, zone, works),
        "roles": show.roles_words(assessed.approval.roles),
        "held_until": hold_until(wish, assessed, now, now=now) if assessed.approval.roles else None,
        "lines": show.lines(quote_out(assessed.quote)),
        "unknown_years": free.unknown_years(first, last),
    }


def _other(each: dict[str, Any], found: Instrument) -> dict[str, Any]:
    start, end = datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"])
    words = {"wall_start": show.wall(start, found.zone), "wall_end": show.wall(end, found.zone)}
    return {"start": start, "end": end, **words}
