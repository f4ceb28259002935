"""``over``: which of the other bookings a quota looks at, and which spans of time it adds up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.core.periods import Period, merge

from .calendar import PERIODS
from .conditions import is_unfinished
from .moments import Duration, parse_duration
from .situation import Situation, Span, Subject
from .windows import Window

WORDS = ("open", "ever", "overlap")
_NEAR = re.compile(r"near\s+(\S+)")


@dataclass(frozen=True, slots=True)
class Over:
    """``kind``: calendar (``text`` is its unit), rolling, open, ever, overlap, near or chain (``near 0min``)."""

    kind: str
    text: str
    duration: Duration | None = None

    def shift(self, at: datetime, sign: int, situation: Situation, business: Window) -> datetime:
        """``at`` one duration later (1) or earlier (-1), remembered: rolling quotas ask again and again."""
        assert self.duration is not None  # rolling and near have one
        key = (self.duration, at, sign)
        found = situation.shifted.get(key)
        if found is None:
            found = situation.shifted[key] = self.duration.shift(at, sign, situation.calendar, business)
        return found

    def reach(self, situation: Situation, business: Window, *, splits: bool) -> Period | None:
        """The range outside which no booking can matter; None for no limit."""
        request = situation.request
        start = situation.when(request)
        end = request.until or start
        if self.kind == "calendar":
            periods = list(situation.calendar.periods_of(self.text, start, end if splits else start))
            return Period(periods[0].start, max(periods[-1].end, end))
        if self.kind in ("rolling", "near"):
            return Period(self.shift(start, -1, situation, business), self.shift(end, 1, situation, business))
        if self.kind == "overlap":
            return Period(start, end)
        if self.kind == "chain":
            return Period(start - CHAIN_REACH, end + CHAIN_REACH)
        if self.kind == "open":
            return Period(situation.now, max(situation.now, end) + OPEN_REACH)
        return None

    def members(self, situation: Situation, per: tuple[str, ...], business: Window, *, splits: bool) -> list[Subject]:
        """Those of the other bookings of the same parties that lie within reach."""
        others = situation.sharing(per)
        if self.kind == "ever":
            return [each.subject for each in others]
        if self.kind == "open":
            return [each.subject for each in others if is_unfinished(each.subject, situation.now)]
        reach = self.reach(situation, business, splits=splits)
        first, last = reach or (situation.now, situation.now)
        near = [each for each in others if each.start < last and (first < each.end or first == each.end == each.start)]
        return _chained(near, situation) if self.kind == "chain" else [each.subject for each in near]


CHAIN_REACH = timedelta(days=31)
"""How far an unbroken chain is followed; nobody allows a longer one."""
OPEN_REACH = timedelta(days=10 * 366)
"""What is not over yet lies between now and then: nobody books so far ahead."""


def _chained(others: list[Span], situation: Situation) -> list[Subject]:
    """Those connected with the request without a gap."""
    request = situation.request
    if request.start is None or request.end is None:
        return []
    own = Period(request.start, request.end)
    chain = next(whole for whole in merge([own, *(Period(*each[:2]) for each in others)]) if whole.contains(own))
    return [each.subject for each in others if chain.start <= each.start < chain.end]


def parse_over(text: str) -> Over:
    """Raises ValueError outside the grammar."""
    words = " ".join(text.split())
    if words in PERIODS:
        return Over("calendar", words)
    if words in WORDS:
        return Over(words, words)
    near = _NEAR.fullmatch(words)
    duration = parse_duration(near[1] if near else words)
    if near:
        return Over("near" if duration.n else "chain", words, duration)
    if not duration.n:
        raise ValueError(text)
    return Over("rolling", words, duration)
