"""What the engine answers: decisions with their entries, violations, consequences, ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from backend.core.errors import Refusal

from .conditions import Condition
from .situation import Situation, Subject
from .values import plain


@dataclass(frozen=True, slots=True)
class Move:
    """Another time at which a request might pass."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's complaint, before it becomes an entry. ``reason`` is the built-in code.

    ``about`` holds what only the sentence needs; ``moves`` are times that might cure it, best first.
    """

    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)
    until: datetime | None = None
    moves: tuple[Move, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One outcome of one rule. Instants are UTC.

    ``until`` says when waiting alone ends it; ``fix`` is another start that would be accepted as far as the
    given bookings tell; ``fix_text`` is the rule's own advice. ``role``, ``silence`` (consent, refuse or
    empty) and ``at`` (when silence takes effect) belong to approvals.
    """

    code: str
    topic: str
    rule_id: str
    detail: str
    values: Mapping[str, Any] = field(default_factory=dict)
    until: datetime | None = None
    fix: datetime | None = None
    fix_text: str = ""
    role: str = ""
    silence: str = ""
    at: datetime | None = None

    def flat(self) -> dict[str, Any]:
        """Everything under one roof; the built-in names win over values of the same name."""
        own = {"topic": self.topic, "rule": self.rule_id, "until": self.until, "fix": self.fix}
        approval = {"role": self.role, "silence": self.silence, "at": self.at} if self.role else {}
        return {**self.values, **own, "fix_text": self.fix_text, "detail": self.detail, **approval}

    def as_refusal(self) -> Refusal:
        params = {name: as_json(value) for name, value in self.values.items()}
        return Refusal(self.code, self.detail, "", params, self.until, self.fix, self.fix_text)


@dataclass(frozen=True, slots=True)
class Decision:
    refuse: tuple[Entry, ...] = ()
    approve: tuple[Entry, ...] = ()
    notice: tuple[Entry, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it may go ahead, perhaps after approval."""
        return not self.refuse


@dataclass(frozen=True, slots=True)
class Violation:
    """A named event at an instant, with the free ``with`` values and ``dates`` of its rule."""

    name: str
    at: datetime
    rule_id: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a step of a ladder does: ``code`` is warn, fee, suspend, deny, cancel_future or tell.

    In force from ``start`` until ``until`` (None: until lifted) for requests of ``party`` that match ``on``
    and are one of ``acts``. ``key`` is unique: ladder, step and the event that reached it.
    """

    code: str
    rule_id: str
    topic: str
    step: int
    start: datetime
    until: datetime | None
    party: Mapping[str, Any]
    on: Mapping[str, Any] = field(default_factory=dict)
    same: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    condition: Condition = field(default_factory=Condition, repr=False)

    def concerns(self, request: Subject, situation: Situation) -> bool:
        """Whether a request is one of those that it bars: the same fields as the event, and its ``on``."""
        same_fields = {name: value for name, value in self.on.items() if name in self.same}
        alike = all(request.fields.get(name) == value for name, value in same_fields.items())
        return alike and self.condition.holds(request, situation)

    @property
    def key(self) -> tuple[str, int, Any]:
        """The event's id, or its instant where the caller gives none."""
        return self.rule_id, self.step, self.event.get("id") or self.event.get("at")

    def flat(self) -> dict[str, Any]:
        own = {"topic": self.topic, "rule": self.rule_id, "from": self.start, "until": self.until}
        return {**self.values, **own, "on": self.on, "act": list(self.acts), "party": self.party, "step": self.step}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A request's place (1 first). ``classes`` holds, per priority rule, the first of its conditions that holds."""

    id: Any
    place: int
    classes: tuple[int, ...]
    displaceable_until: datetime | None = None


def as_json(value: Any) -> Any:
    """Numbers exact where whole, instants as ISO 8601 text, everything else as it is."""
    if isinstance(value, Fraction):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value
