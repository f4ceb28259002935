"""``quota``: at most, or at least, so much per party over a period; and the same as a condition, ``bookings``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from booking.rules.amounts import Amount, read_amount
from booking.rules.conditions import Condition, read_condition
from booking.rules.over import Over, parse_over
from booking.rules.reading import Node, refuse_unknown
from booking.rules.results import Finding
from booking.rules.scope import Scope, read_with
from booking.rules.situation import Situation, Subject
from booking.rules.tally import MEASURES, SPLITS, Counted, Tally
from booking.rules.values import plain
from booking.rules.walking import parts_of
from booking.rules.windows import Window

LOCK_ORDER = ("person", "group", "project", "organisation", "instrument")


@dataclass(frozen=True, slots=True)
class Quota:
    """``others`` leaves the request itself out of the count."""

    KEYS: ClassVar[frozenset[str]] = frozenset({"measure", "part", "of", "per", "over", "max", "min", "others"})

    measure: str
    part: Window | None
    of: Condition
    per: tuple[str, ...]
    over: Over | None
    most: Amount | None
    least: Amount | None
    others: bool
    business: Window

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Quota:
        over = None
        if "over" in parts:
            complaint = _("Write day, week, month, quarter, halfyear, year, 7d, open, ever, overlap or near 2h.")
            over = read_with(parts["over"], parse_over, complaint)
        most, least = read_amount(parts.get("max")), read_amount(parts.get("min"))
        others = parts["others"].flag() if "others" in parts else _means_others(over, most)
        return cls(
            measure=parts["measure"].choice(MEASURES) if "measure" in parts else "count",
            part=scope.window(parts["part"]) if "part" in parts else None,
            of=_read_of(parts.get("of"), scope),
            per=_read_per(parts.get("per")),
            over=over,
            most=most,
            least=least,
            others=others,
            business=scope.business,
        )

    @property
    def is_empty(self) -> bool:
        return self.over is None or (self.most is None and self.least is None)

    @property
    def lock(self) -> str:
        """The one party to lock, the smallest first; what names no party locks the instrument."""
        return next((party for party in LOCK_ORDER if party in self.per), "instrument")

    def check(self, situation: Situation, subject: Subject) -> Iterator[Finding]:
        if self.is_empty or self.over is None:
            return
        tallies = list(self._tallies(self.over, situation))
        if self.most is not None:
            limit = self.most.value(subject, situation)
            over = [tally for tally in tallies if tally.total > limit and (tally.own or self.others)]
            if over:
                yield self._finding("quota", "max", max(over, key=lambda tally: tally.total), limit)
        if self.least is not None:
            limit = self.least.value(subject, situation)
            nothing = Tally(Fraction(0), Fraction(0))
            if self.measure == "people" and self.over.kind == "overlap":
                # Who must not be alone must not be so at any moment.
                tallies = list(self._counted(self.over, situation).at_every_moment())
                best = min(tallies, key=lambda tally: tally.total, default=nothing)
            else:
                best = max(tallies, key=lambda tally: tally.total, default=nothing)
            if best.total < limit:
                yield self._finding("needs_booking", "min", best, limit)

    def _tallies(self, over: Over, situation: Situation) -> Iterable[Tally]:
        counted = self._counted(over, situation)
        if over.kind == "overlap":
            return counted.at_once()
        if over.kind == "chain":
            return counted.unbroken()
        if over.kind == "rolling":
            return counted.rolling(
                lambda at: over.shift(at, 1, situation, self.business),
                lambda at: over.shift(at, -1, situation, self.business),
            )
        if over.kind == "calendar":
            start = situation.when(situation.request)
            end = situation.request.end or start
            return counted.over_spans(
                situation.calendar.periods_of(over.text, start, end if self.measure in SPLITS else start)
            )
        return counted.over_spans([None])

    def _counted(self, over: Over, situation: Situation) -> Counted:
        near = over.members(situation, self.per, self.business, splits=self.measure in SPLITS)
        others = [each for each in near if self.of.holds(each, situation)] if self.of.tests else near
        request = situation.request
        own = [request] if not self.others and self.of.holds(request, situation) else []
        return Counted(self.measure, self.part, others, own, situation)

    def _finding(self, reason: str, name: str, tally: Tally, limit: Fraction) -> Finding:
        values: dict[str, Any] = {
            "is": plain(tally.total),
            name: plain(limit),
            "left": plain(max(limit - (tally.total - tally.own), Fraction(0))),
            "over": self.over.text if self.over else "",
            "measure": self.measure,
            "per": list(self.per),
        }
        if tally.span:
            values.update({"from": tally.span.start, "to": tally.span.end})
        return Finding(reason, values, about={"quota": self})


@dataclass(frozen=True, slots=True)
class BookingsTest:
    """Holds when the quota would find nothing to complain about."""

    need: Any
    quota: Quota
    key: str = "bookings"

    def holds(self, subject: Subject, situation: Situation) -> bool:
        return not any(self.quota.check(situation, subject))


def read_bookings_test(node: Node, scope: Scope) -> BookingsTest:
    parts = node.children()
    refuse_unknown(parts, Quota.KEYS)
    quota = Quota.read(parts, scope)
    if quota.is_empty:
        node.problem(_("Say over which period, and at least one of max and min."))
    return BookingsTest(node.value, quota)


def _means_others(over: Over | None, most: Amount | None) -> bool:
    """A limit of none within 2 h can only speak of other bookings: the request itself is always there."""
    return bool(over and over.kind == "near" and most and not most.fact and most.base == 0)


def _read_of(node: Node | None, scope: Scope) -> Condition:
    condition = read_condition(node, scope)
    if node and any(isinstance(part, BookingsTest) for part in parts_of(condition)):
        node.problem(_("A condition on the counted bookings cannot itself count bookings."))
    return condition


def _read_per(node: Node | None) -> tuple[str, ...]:
    """An empty list means everybody together."""
    return ("person",) if node is None else tuple(dict.fromkeys(node.texts()))
