"""What is odd about a day's bookings and uses, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

# Nobody starts and ends to the minute.
TOLERANCE = timedelta(minutes=5)


class Problem(NamedTuple):
    code: str
    text: str

    @property
    def tone(self) -> str:
        return "wait" if self.code in ("missing", "unfinished", "early") else "bad"


@dataclass(frozen=True, slots=True)
class Pair:
    """A booking's times and those of its use; either may be absent. ``used`` ends with the present while it runs.

    ``over``: the booked time is over and no record has ended.
    """

    booked: tuple[datetime, datetime] | None = None
    used: tuple[datetime, datetime] | None = None
    over: bool = False


def problems_of(pair: Pair) -> Iterator[Problem]:
    if pair.over and pair.used is None:
        yield Problem("missing", _("No record: nobody logged the use."))
        return
    if pair.over:
        yield Problem("unfinished", _("The booked time is over, but nobody has finished the use."))
    if pair.used is None:
        return
    if pair.booked is None:
        yield Problem("unbooked", _("Used without a booking."))
        return
    yield from _against_booking(pair.booked, pair.used, running=pair.over)


def _against_booking(
    booked: tuple[datetime, datetime], used: tuple[datetime, datetime], *, running: bool
) -> Iterator[Problem]:
    if used[1] <= booked[0] or used[0] >= booked[1]:
        yield Problem("outside", _("The use lies outside the booked time."))
        return
    early, late = booked[0] - used[0], used[1] - booked[1]
    if early > TOLERANCE:
        yield Problem("early", _minutes(early, "early"))
    if late > TOLERANCE:
        yield Problem("late", _minutes(late, "running" if running else "late"))
    longer = (used[1] - used[0]) - (booked[1] - booked[0])
    if longer > 2 * TOLERANCE and longer not in (early, late):
        yield Problem("longer", _minutes(longer, "longer"))


def _minutes(length: timedelta, which: str) -> str:
    number = int(length / timedelta(minutes=1))
    texts = {
        "early": ngettext(
            "Began %(number)s minute before the booking.", "Began %(number)s minutes before the booking.", number
        ),
        "late": ngettext(
            "Ended %(number)s minute after the booking.", "Ended %(number)s minutes after the booking.", number
        ),
        "running": ngettext(
            "Still running %(number)s minute after the booking.",
            "Still running %(number)s minutes after the booking.",
            number,
        ),
        "longer": ngettext("%(number)s minute longer than booked.", "%(number)s minutes longer than booked.", number),
    }
    return texts[which] % {"number": number}


def overlapping(uses: Sequence[tuple[datetime, datetime]], units: int = 1) -> set[int]:
    """Positions of the uses at whose start, or during which, more than ``units`` ran at once."""
    out: set[int] = set()
    for start, end in uses:
        for at in (start, *(other[0] for other in uses if start < other[0] < end)):
            running = {index for index, (first, last) in enumerate(uses) if first <= at < last}
            if len(running) > units:
                out |= running
    return out


def overlap() -> Problem:
    return Problem("overlap", _("Overlaps another use."))
