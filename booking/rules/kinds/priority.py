"""``priority``: who comes first, and until when one may displace another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from booking.rules.conditions import Condition, read_condition
from booking.rules.moments import Moment
from booking.rules.reading import Node
from booking.rules.scope import Scope
from booking.rules.situation import Situation, Subject


@dataclass(frozen=True, slots=True)
class Priority:
    KEYS: ClassVar[frozenset[str]] = frozenset({"order", "displace"})

    order: tuple[Condition, ...]
    displace: Moment | None

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Priority:
        order = tuple(read_condition(item, scope) for item in parts["order"].items()) if "order" in parts else ()
        return cls(order, scope.moment(parts["displace"]) if "displace" in parts else None)

    @property
    def is_empty(self) -> bool:
        return not self.order

    def place(self, subject: Subject, situation: Situation) -> int:
        """The first condition that holds, from 0; those for whom none holds come last."""
        for place, condition in enumerate(self.order):
            if condition.holds(subject, situation):
                return place
        return len(self.order)
