"""Other times at which the same wish would be possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from backend.core.periods import Period
from booking.queries.assess import assess, hours_of, special_days_of
from booking.queries.wishes import Assessment, Wish
from instruments.models import Occupancy
from instruments.queries.calendar import days_around
from instruments.rules import Taken, bookable_stretches, open_periods

REACH = timedelta(days=14)
STEP = timedelta(minutes=30)
MOST = 3
TRIES = 6


def alternatives(wish: Wish, *, now: datetime) -> list[dict[str, Any]]:
    """The nearest times of the same length on the same instrument that every rule allows, at most three.

    At most six candidates are asked in full, so the number of queries is bounded.
    """
    found: list[dict[str, Any]] = []
    zone = wish.instrument.zone
    for start in _candidates(wish, now):
        there = wish.at(start, start + (wish.end - wish.start))
        answer = assess(there, now=now)
        if answer.bookable:
            found.append(
                {
                    "instrument": wish.instrument.pk,
                    "name": wish.instrument.name,
                    "start": there.start.astimezone(zone).isoformat(),
                    "end": there.end.astimezone(zone).isoformat(),
                    "total": str(answer.quote.total),
                }
            )
        if len(found) == MOST:
            break
    return found


def with_working_fixes(answer: Assessment, wish: Wish, *, now: datetime) -> Assessment:
    """The answer without suggestions that would be refused: a rule knows nothing of hours and taken time."""
    length = wish.end - wish.start
    starts = {refusal.fix for refusal in answer.refusals if refusal.fix}
    works = {start for start in starts if assess(wish.at(start, start + length), now=now).bookable}
    checked = (r if r.fix is None or r.fix in works else replace(r, fix=None) for r in answer.refusals)
    return replace(answer, refusals=tuple(checked))


def _candidates(wish: Wish, now: datetime) -> Iterator[datetime]:
    """Starts on the half hour of free stretches, nearest to the wish first, spread over different stretches."""
    length = wish.end - wish.start
    nearest = [
        min(_starts(stretch, length, now), key=lambda at: abs(at - wish.start), default=None)
        for stretch in _stretches(wish, max(wish.start - REACH, now), wish.end + REACH)
    ]
    known = sorted((at for at in nearest if at is not None), key=lambda at: abs(at - wish.start))
    yield from known[:TRIES]


def _stretches(wish: Wish, start: datetime, end: datetime) -> list[Period]:
    instrument = wish.instrument
    if end <= start:
        return []
    open_ = open_periods(
        hours_of(instrument),
        special_days_of(instrument, start, end),
        zone=instrument.zone,
        start=start,
        end=end,
        open_on_holidays=instrument.open_on_holidays,
        public=days_around(start, end),
    )
    rows = Occupancy.objects.filter(instrument=instrument).overlapping(start, end)
    return bookable_stretches(
        open_,
        [Taken(*row) for row in rows.values_list("unit", "start", "end")],
        units=instrument.units,
        length=wish.end - wish.start,
        before=timedelta(minutes=instrument.setup_minutes),
        after=timedelta(minutes=instrument.cleaning_minutes),
    )


def _starts(stretch: Period, length: timedelta, now: datetime) -> Iterable[datetime]:
    seconds = STEP.total_seconds()
    at = datetime.fromtimestamp(-(-stretch.start.timestamp() // seconds) * seconds, stretch.start.tzinfo)
    while at + length <= stretch.end:
        if at > now:
            yield at
        at += STEP
