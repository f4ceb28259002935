"""``lapse``: a fact that falls to another value when something was too long ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from booking.rules.moments import Duration
from booking.rules.reading import Node
from booking.rules.scope import Scope, read_duration
from booking.rules.situation import Situation
from booking.rules.values import as_instant
from booking.rules.windows import Window


@dataclass(frozen=True, slots=True)
class Lapse:
    """``since`` names one or several dates, the latest counts; without any date nothing lapses."""

    KEYS: ClassVar[frozenset[str]] = frozenset({"since", "after", "set"})

    since: tuple[str, ...]
    after: Duration | None
    field: str
    value: Any
    business: Window

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Lapse:
        since = parts["since"].texts() if "since" in parts else ()
        after = read_duration(parts["after"]) if "after" in parts else None
        name, value = _read_set(parts["set"]) if "set" in parts else ("", None)
        return cls(since, after, name, value, scope.business)

    @property
    def is_empty(self) -> bool:
        return not (self.since and self.after and self.field)

    def lapsed_at(self, situation: Situation) -> datetime | None:
        """The instant since which it has lapsed, or None while it has not."""
        dates = [as_instant(situation.value(situation.request, name), situation.calendar) for name in self.since]
        known = [at for at in dates if at is not None]
        if not known or self.after is None:
            return None
        ends = self.after.shift(max(known), 1, situation.calendar, self.business)
        return ends if ends <= situation.now else None


def _read_set(node: Node) -> tuple[str, Any]:
    """``["person.level", "B"]``."""
    items = node.items()
    if len(items) != 2:
        node.problem(_('Write the field and its new value, like ["person.level", "B"].'))
        return "", None
    return items[0].text(), items[1].value
