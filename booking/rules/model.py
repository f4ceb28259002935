"""A policy, parsed: frozen, its windows and moments bound to its calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .calendar import Calendar
from .conditions import Condition
from .kinds.deadline import Deadline
from .kinds.event import Event
from .kinds.ladder import Ladder
from .kinds.lapse import Lapse
from .kinds.length import Length
from .kinds.priority import Priority
from .kinds.quota import Quota
from .kinds.require import Require
from .kinds.slots import Slots
from .moments import Moment
from .situation import Situation, Subject
from .windows import Window

Check = Require | Length | Slots | Deadline | Quota
Parameters = Check | Lapse | Event | Ladder | Priority
KINDS: dict[str, type[Parameters]] = {
    "require": Require,
    "length": Length,
    "slots": Slots,
    "deadline": Deadline,
    "quota": Quota,
    "lapse": Lapse,
    "event": Event,
    "ladder": Ladder,
    "priority": Priority,
}
DEFAULT_ACTS = ("create", "change")
VERDICTS = ("refuse", "approve", "notice")
SILENCES = ("consent", "refuse")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a failed check leads to. ``role`` approves; ``silence`` (consent or refuse) after ``silence_at``."""

    verdict: str = "refuse"
    role: str = ""
    silence: str = ""
    silence_at: Moment | None = None
    code: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    condition: Condition
    parameters: Parameters
    free: bool
    outcome: Outcome
    dates: Mapping[str, Moment]


@dataclass(frozen=True, slots=True)
class Rule:
    """``acts`` are those it was given, or the default; ``layer`` counts from the network's = 0."""

    id: str
    kind: str
    topic: str
    name: str
    acts: tuple[str, ...]
    acts_given: bool
    condition: Condition
    cases: tuple[Case, ...]
    layer: int = 0

    @property
    def is_cutoff(self) -> bool:
        """A deadline for changing or cancelling, not for asking: it looks at the booking as it was."""
        return self.kind == "deadline" and "create" not in self.acts

    def applies_to(self, act: str) -> bool:
        return act in self.acts

    def case_for(self, subject: Subject, situation: Situation) -> Case | None:
        """The first case whose condition holds; None when there is none or it exempts."""
        if not self.condition.holds(subject, situation):
            return None
        found = next((case for case in self.cases if case.condition.holds(subject, situation)), None)
        return None if found is None or found.free else found


@dataclass(frozen=True, slots=True)
class Policy:
    """``windows`` include the built-in *business* and *always*."""

    calendar: Calendar
    windows: Mapping[str, Window]
    rules: tuple[Rule, ...]

    @property
    def business(self) -> Window:
        return self.windows["business"]

    def of_kind(self, kind: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.kind == kind]
