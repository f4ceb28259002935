"""``event``: what happened to a booking, and when, becomes a named violation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from booking.rules.moments import Moment
from booking.rules.reading import Node
from booking.rules.scope import Scope
from booking.rules.situation import Situation, Subject


@dataclass(frozen=True, slots=True)
class Event:
    """``after`` is strictly later, ``from`` at or later, ``before`` strictly earlier."""

    KEYS: ClassVar[frozenset[str]] = frozenset({"on", "after", "from", "before", "name", "with"})

    on: tuple[str, ...]
    after: Moment | None
    since: Moment | None
    before: Moment | None
    name: str
    values: Mapping[str, Any]

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Event:
        after, since, before = (
            scope.moment(parts[name]) if name in parts else None for name in ("after", "from", "before")
        )
        named = "name" in parts and parts["name"].value is not None
        return cls(
            on=parts["on"].texts() if "on" in parts else (),
            after=after,
            since=since,
            before=before,
            name=parts["name"].text() if named else "",
            values={key: child.value for key, child in parts["with"].children().items()} if "with" in parts else {},
        )

    @property
    def is_empty(self) -> bool:
        return not self.on

    def matches(self, at: datetime | None, subject: Subject, situation: Situation) -> bool:
        """Without an instant (it is known never to have happened) the moments do not bind."""
        anchors = situation.anchors(subject)
        after, since, before = (
            moment.resolve(anchors) if moment else None for moment in (self.after, self.since, self.before)
        )
        if at is None:
            return True
        if self.after and after is not None and not self.after.is_past(at, after):
            return False
        if since is not None and at < since:
            return False
        return before is None or at < before

    def becomes_known(self, subject: Subject, situation: Situation) -> datetime | None:
        """For what never happens: the moment at which that is certain."""
        moment = self.since or self.after
        return moment.resolve(situation.anchors(subject)) if moment else None
