"""Which free time somebody on the waitlist could have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from backend.core.periods import Period, days_touched
from booking.models import Wait
from booking.queries.assess import assess, judge
from booking.queries.facts import rules_in_force
from booking.queries.parties import read_parties
from booking.queries.reads import read_for
from booking.queries.times import Judge, day_slots, judge_of, read_times
from booking.queries.waitlist import wish_of_wait
from booking.queries.wishes import Assessment, Wish

# Nobody can answer faster.
SHORTEST = timedelta(minutes=5)
# Times that are tried against all rules, and those looked at before.
TRIES, LOOKS = 6, 200


def free_time_for(wait: Wait, now: datetime) -> Wish | None:
    """The first free time within the window that every rule allows them now and that they have not let go."""
    passed = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end, _why in wait.passed]
    fresh = (
        wish
        for wish in islice(_candidates(wait, now), LOOKS)
        if not any(wish.start < end and start < wish.end for start, end in passed)
    )
    tried = list(islice(fresh, TRIES))
    reads = read_for(tried, now=now) if tried else None
    return next((wish for wish in tried if reads and judge(wish, reads, always_priced=False).bookable), None)


def offer_until(wish: Wish, now: datetime) -> datetime:
    """The instrument's minutes; half of what is left when the start is near, and as long as the rules still allow it.

    A whole minute, never past the start.
    """
    longest = min(timedelta(minutes=wish.instrument.offer_minutes), (wish.start - now) / 2)
    for length in (longest, longest / 2, longest / 4):
        until = _whole(now + max(length, SHORTEST))
        if length <= SHORTEST or assess(wish, now=until - timedelta(minutes=1)).bookable:
            return min(until, wish.start)
    return min(_whole(now + SHORTEST), wish.start)


def _whole(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _candidates(wait: Wait, now: datetime) -> Iterator[Wish]:
    """Free times of the length whose shape the rules allow, the earliest first."""
    since = max(wait.start, _whole(now) + SHORTEST + timedelta(minutes=1))
    window = Period(since, wait.end)
    if window.start + wait.length > window.end:
        return
    wish = wish_of_wait(wait, window.start, window.start + wait.length)
    book = rules_in_force([wait.instrument], now)[wait.instrument_id].book
    parties = read_parties([wish], {wait.instrument_id: book.facts}, now)
    shape = judge_of(wish, book.rules, parties.audience(wish), now, parties)
    for start in _starts(wait, window, shape):
        yield wish.at(start, start + wait.length)


def _starts(wait: Wait, window: Period, shape: Judge) -> Iterator[datetime]:
    """The beginning of each free stretch, and the starts that the instrument's page offers."""
    times = read_times(wait.instrument, window.start, window.end)
    free = times.stretches(wait.length)
    stretches = [Period(max(each.start, window.start), min(each.end, window.end)) for each in free]
    fitting = [each for each in stretches if each.start + wait.length <= each.end]
    for day in days_touched(Period(fitting[0].start, fitting[-1].end), wait.instrument.zone) if fitting else ():
        starts = {
            each.start
            for each in fitting
            if each.start.astimezone(wait.instrument.zone).date() == day
            and not shape.reason(each.start, each.start + wait.length)
        }
        starts |= {
            slot.start
            for slot in day_slots(times, day, wait.length, shape)
            if not slot.reason
            and slot.end - slot.start == wait.length
            and window.start <= slot.start
            and slot.end <= window.end
        }
        yield from sorted(starts)


@dataclass(frozen=True, slots=True)
class ShownOffer:
    """An offer with what accepting it would cost and who would still have to agree."""

    wait: Wait
    answer: Assessment


def shown_offers(waits: Iterable[Wait], now: datetime) -> list[ShownOffer]:
    """Read at once for all of them."""
    asked = [(wait, wish_of_wait(wait, wait.offer_start or wait.start, wait.offer_end or wait.end)) for wait in waits]
    if not asked:
        return []
    reads = read_for([wish for _wait, wish in asked], now=now)
    return [ShownOffer(wait, judge(wish, reads, held=wait.occupancy)) for wait, wish in asked]
