"""Conditions of ``if``, ``that``, ``of`` and ``order``: all tests of one must hold.

A test names a field of the booking (``mode``) or of a party (``person.level``), or is one of the words below.
``made_after`` and ``made_before`` are strict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Protocol

from django.utils.translation import gettext as _

from .moments import Duration, Moment
from .reading import Node, refuse_unknown
from .scope import Scope, read_duration
from .situation import Situation, Subject
from .values import as_instant, as_number, is_date, many, same
from .windows import Window


class Test(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def need(self) -> Any:
        """The JSON that stands at ``key``."""

    def holds(self, subject: Subject, situation: Situation) -> bool: ...


@dataclass(frozen=True, slots=True)
class Condition:
    tests: tuple[Test, ...] = ()

    def holds(self, subject: Subject, situation: Situation) -> bool:
        return all(test.holds(subject, situation) for test in self.tests)

    def failed(self, subject: Subject, situation: Situation) -> list[Test]:
        return [test for test in self.tests if not test.holds(subject, situation)]


@dataclass(frozen=True, slots=True)
class FieldTest:
    """Equal to the value or to one of a list (null: absent), or within ``{min, max, not, older, newer}``.

    ``older`` and ``newer`` measure the age of a date or instant at the time of the question; ``earliest`` and
    ``latest`` are a ``min`` and a ``max`` that are moments. A date without a clock is compared by its day.
    """

    key: str
    need: Any
    one_of: tuple[Any, ...] | None = None
    none_of: tuple[Any, ...] = ()
    least: Fraction | None = None
    most: Fraction | None = None
    older: Duration | None = None
    newer: Duration | None = None
    business: Window | None = None
    earliest: Moment | None = None
    latest: Moment | None = None

    def holds(self, subject: Subject, situation: Situation) -> bool:
        value = situation.value(subject, self.key)
        values = list(many(value)) or [None]
        if self.one_of is not None:
            return any(same(option, each) for option in self.one_of for each in values)
        if any(same(option, each) for option in self.none_of for each in values):
            return False
        in_range = self._in_range(as_number(value)) and self._in_age(value, situation)
        return in_range and self._between_moments(value, subject, situation)

    def _between_moments(self, value: Any, subject: Subject, situation: Situation) -> bool:
        return (self.earliest is None or _is_ordered(self.earliest, value, subject, situation, 1)) and (
            self.latest is None or _is_ordered(self.latest, value, subject, situation, -1)
        )

    def _in_range(self, number: Fraction | None) -> bool:
        if self.least is None and self.most is None:
            return True
        if number is None:
            return False
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)

    def _in_age(self, value: Any, situation: Situation) -> bool:
        old_from = self._plus(value, self.older, situation)
        new_until = self._plus(value, self.newer, situation)
        if self.older is not None and (old_from is None or situation.now < old_from):
            return False
        return self.newer is None or (new_until is not None and situation.now < new_until)

    def _plus(self, value: Any, age: Duration | None, situation: Situation) -> datetime | None:
        since = as_instant(value, situation.calendar)
        if age is None or since is None or self.business is None:
            return None
        return age.shift(since, 1, situation.calendar, self.business)

    def opens(self, subject: Subject, situation: Situation) -> datetime | None:
        """When waiting alone makes it hold, for a date that is not old enough yet."""
        return self._plus(situation.value(subject, self.key), self.older, situation)


def _is_ordered(moment: Moment, value: Any, subject: Subject, situation: Situation, sign: int) -> bool:
    """Whether the value is not before (1) or not after (-1) the moment; one that is unknown binds nothing."""
    calendar = situation.calendar
    at, bound = as_instant(value, calendar), situation.resolve(moment, subject)
    if at is None:
        return False
    if bound is None:
        return True
    if not is_date(value):
        return at >= bound if sign > 0 else at <= bound
    # What ends at midnight ends on the day before.
    ends = moment.anchor == "end" or moment.ends_day
    day, other = calendar.day_of(at), calendar.day_of(bound - timedelta(microseconds=1) if ends else bound)
    return day >= other if sign > 0 else day <= other


@dataclass(frozen=True, slots=True)
class WindowTest:
    """``touches``, ``inside``, ``starts_in``, ``ends_in`` or ``now_in`` a window."""

    key: str
    need: Any
    window: Window

    def holds(self, subject: Subject, situation: Situation) -> bool:
        if self.key == "now_in":
            return self.window.holds(situation.now)
        if subject.start is None:
            return False
        end = subject.end or subject.start
        if self.key == "starts_in":
            return self.window.holds(subject.start)
        if self.key == "ends_in":
            return self.window.ends_with(end)
        return (self.window.touches if self.key == "touches" else self.window.contains)(subject.start, end)


@dataclass(frozen=True, slots=True)
class MadeTest:
    """``made_after`` or ``made_before`` a moment; a stored booking of unknown age was made long ago."""

    key: str
    need: Any
    moment: Moment

    def holds(self, subject: Subject, situation: Situation) -> bool:
        made, moment = situation.anchors(subject)("made"), situation.resolve(self.moment, subject)
        if moment is None:
            return False
        past = made is not None and self.moment.is_past(made, moment)
        if self.key == "made_after":
            return past
        return made is None or made < moment

    def opens(self, subject: Subject, situation: Situation) -> datetime | None:
        """When asking is late enough; what was asked for earlier stays too early."""
        if self.key != "made_after" or (subject.made is not None and subject.made < situation.now):
            return None
        return situation.resolve(self.moment, subject)


@dataclass(frozen=True, slots=True)
class UnfinishedTest:
    key: str
    need: Any

    def holds(self, subject: Subject, situation: Situation) -> bool:
        return is_unfinished(subject, situation.now) == bool(self.need)


@dataclass(frozen=True, slots=True)
class AnyTest:
    key: str
    need: Any
    options: tuple[Condition, ...]

    def holds(self, subject: Subject, situation: Situation) -> bool:
        return any(option.holds(subject, situation) for option in self.options)


@dataclass(frozen=True, slots=True)
class UnlessTest:
    key: str
    need: Any
    condition: Condition

    def holds(self, subject: Subject, situation: Situation) -> bool:
        return not self.condition.holds(subject, situation)


def is_unfinished(subject: Subject, now: datetime) -> bool:
    """Not ended yet; what has no end (a sample order) says itself when it is ``finished``."""
    if subject.fields.get("finished"):
        return False
    return subject.end is None or subject.end > now


def read_condition(node: Node | None, scope: Scope) -> Condition:
    """An absent condition always holds."""
    if node is None:
        return Condition()
    found = (READERS.get(key, _read_field)(key, child, scope) for key, child in node.children().items())
    return Condition(tuple(test for test in found if test is not None))


def _read_window(key: str, node: Node, scope: Scope) -> Test:
    return WindowTest(key, node.value, scope.window(node))


def _read_made(key: str, node: Node, scope: Scope) -> Test | None:
    moment = scope.moment(node)
    return MadeTest(key, node.value, moment) if moment else None


def _read_unfinished(key: str, node: Node, scope: Scope) -> Test:
    return UnfinishedTest(key, node.flag())


def _read_any(key: str, node: Node, scope: Scope) -> Test:
    options = tuple(read_condition(item, scope) for item in node.items())
    if not options:
        node.problem(_("List at least one condition."))
    return AnyTest(key, node.value, options)


def _read_unless(key: str, node: Node, scope: Scope) -> Test:
    return UnlessTest(key, node.value, read_condition(node, scope))


def _read_bookings(key: str, node: Node, scope: Scope) -> Test:
    return scope.read_bookings(node, scope)


def _read_field(key: str, node: Node, scope: Scope) -> Test | None:
    if not all(part.strip() for part in key.split(".")):
        node.problem(_("This is no name of a field. Write it like mode or person.level."))
        return None
    if isinstance(node.value, Mapping):
        return _read_range(key, node, scope)
    return FieldTest(key, node.value, one_of=_read_options(node))


def _read_options(node: Node) -> tuple[Any, ...]:
    """A scalar or a list of scalars."""
    nodes = node.items() if isinstance(node.value, list) else [node]
    for item in nodes:
        if not isinstance(item.value, (str, int, float, bool, type(None))):
            item.problem(_("This must be text, a number, true, false or null."))
    return tuple(item.value for item in nodes)


def _read_range(key: str, node: Node, scope: Scope) -> Test:
    parts = node.children()
    refuse_unknown(parts, ("min", "max", "not", "older", "newer"))
    if not parts.keys() & {"min", "max", "not", "older", "newer"}:
        node.problem(_("Say at least one of min, max, not, older and newer."))
    (least, earliest), (most, latest) = (_read_bound(parts.get(name), scope) for name in ("min", "max"))
    if least is not None and most is not None and least > most:
        node.problem(_("The minimum is larger than the maximum."))
    older, newer = (read_duration(parts[name]) if name in parts else None for name in ("older", "newer"))
    none_of = _read_options(parts["not"]) if "not" in parts else ()
    return FieldTest(key, node.value, None, none_of, least, most, older, newer, scope.business, earliest, latest)


def _read_bound(node: Node | None, scope: Scope) -> tuple[Fraction | None, Moment | None]:
    """A number, or for dates a moment: ``end``, ``start +30d``, ``2026-12-31``."""
    if node is None:
        return None, None
    if isinstance(node.value, str):
        return None, scope.moment(node)
    return node.number(least=None), None


READERS: dict[str, Callable[[str, Node, Scope], Test | None]] = {
    **dict.fromkeys(("touches", "inside", "starts_in", "ends_in", "now_in"), _read_window),
    **dict.fromkeys(("made_after", "made_before"), _read_made),
    "unfinished": _read_unfinished,
    "any": _read_any,
    "unless": _read_unless,
    "bookings": _read_bookings,
}
