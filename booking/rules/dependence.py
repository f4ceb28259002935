"""What breaks when a booking goes: others that needed it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .decide import decide
from .model import Policy
from .results import Entry
from .situation import Facts, Source, read_subject


def broken_by_cancelling(
    policy: Policy, booking: Source, *, now: datetime, facts: Facts | None = None, bookings: Iterable[Source] = ()
) -> list[tuple[object, Entry]]:
    """The unfinished bookings that would be refused without this one, by id, with the reason.

    Only reasons that going brings count, so a booking with a standing exception is not blamed. Take the same
    locks as for booking. ``facts`` are those of the booking's parties.
    """
    gone = read_subject(booking, policy.calendar).id
    everything = list(bookings)
    found: list[tuple[object, Entry]] = []
    for other in everything:
        subject = read_subject(other, policy.calendar)
        if subject.id == gone or subject.end is None or subject.end <= now:
            continue
        left = [each for each in everything if read_subject(each, policy.calendar).id != gone]
        having, lacking = (
            decide(policy, other, act="create", now=now, facts=facts, bookings=stored) for stored in (everything, left)
        )
        known = {(entry.rule_id, entry.code) for entry in having.refuse}
        found += [(subject.id, entry) for entry in lacking.refuse if (entry.rule_id, entry.code) not in known]
    return found
