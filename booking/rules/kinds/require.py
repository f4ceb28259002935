"""``require``: a condition that must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from booking.rules.conditions import Condition, FieldTest, MadeTest, Test, WindowTest, read_condition
from booking.rules.reading import Node
from booking.rules.results import Finding, Move
from booking.rules.scope import Scope
from booking.rules.situation import Situation, Subject
from booking.rules.walking import parts_of

_DAYS_TO_SEARCH = 60


@dataclass(frozen=True, slots=True)
class Require:
    KEYS: ClassVar[frozenset[str]] = frozenset({"that"})

    that: Condition = field(default_factory=Condition)

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Require:
        return cls(read_condition(parts.get("that"), scope))

    @property
    def is_empty(self) -> bool:
        return not self.that.tests

    def check(self, situation: Situation, subject: Subject) -> Iterator[Finding]:
        failed = self.that.failed(subject, situation)
        if not failed:
            return
        keys = [test.key for test in failed]
        lapsed = {key: situation.lapsed[key] for key in keys if key in situation.lapsed}
        values = {
            "failed": keys,
            "need": {test.key: test.need for test in failed},
            "is": {test.key: situation.value(subject, test.key) for test in failed if isinstance(test, FieldTest)},
            **({"lapsed": lapsed} if lapsed else {}),
        }
        until = _waiting(failed, subject, situation)
        yield Finding("require", values, until, _openings(failed, subject), {"tests": failed})


def _waiting(failed: list[Test], subject: Subject, situation: Situation) -> datetime | None:
    """When all that fails will hold by itself, if ever."""
    found: list[datetime] = []
    for test in failed:
        opens = None
        if isinstance(test, (FieldTest, MadeTest)):
            opens = test.opens(subject, situation)
        elif isinstance(test, WindowTest) and test.key == "now_in":
            stretches = test.window.openings(situation.now, _DAYS_TO_SEARCH)
            opens = stretches[0].start if stretches else None
        if opens is None or opens <= situation.now:
            return None
        found.append(opens)
    return max(found)


def _openings(failed: list[Test], subject: Subject) -> tuple[Move, ...]:
    """The next time at which a request of the same length lies in the windows that are asked for."""
    start, end = subject.start, subject.end
    if start is None or end is None:
        return ()
    length = end - start
    found = {
        stretch.start
        for test in parts_of(failed)
        if isinstance(test, WindowTest) and test.key in ("inside", "starts_in")
        for stretch in test.window.openings(start, _DAYS_TO_SEARCH)
        if test.key == "starts_in" or length <= stretch.end - stretch.start
    }
    return tuple(Move(at, at + length) for at in sorted(found)[:3])
