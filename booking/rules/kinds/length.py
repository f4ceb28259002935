"""``length``: minimum, maximum and step of a booking in minutes of elapsed time, or of what lies in a part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from backend.core.periods import total
from booking.rules.amounts import Amount, read_amount
from booking.rules.reading import Node
from booking.rules.results import Finding
from booking.rules.scope import Scope
from booking.rules.situation import Situation, Subject
from booking.rules.values import plain
from booking.rules.windows import Window


@dataclass(frozen=True, slots=True)
class Length:
    KEYS: ClassVar[frozenset[str]] = frozenset({"min", "max", "step", "part"})

    least: Amount | None = None
    most: Amount | None = None
    step: Fraction | None = None
    part: Window | None = None

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Length:
        least, most = read_amount(parts.get("min")), read_amount(parts.get("max"))
        if least and most and not least.fact and not most.fact and least.base > most.base:
            parts["min"].problem(_("The minimum is larger than the maximum."))
        part = scope.window(parts["part"]) if "part" in parts else None
        return cls(least, most, read_step(parts.get("step")), part)

    @property
    def is_empty(self) -> bool:
        return self.least is None and self.most is None and self.step is None

    def check(self, situation: Situation, subject: Subject) -> Iterator[Finding]:
        if subject.start is None or subject.end is None:
            return
        spent = total(situation.pieces(self.part, subject))
        minutes = Fraction(spent.days * 86_400 + spent.seconds, 60) + Fraction(spent.microseconds, 60_000_000)
        if self.part is not None and not minutes:
            return  # what does not touch the part has no least length in it
        values: dict[str, Any] = {"is": plain(minutes)}
        about = {"part": self.part}
        for reason, name, limit in (("too_short", "min", self.least), ("too_long", "max", self.most)):
            bound = limit.value(subject, situation) if limit else None
            if bound is not None and (minutes < bound if name == "min" else minutes > bound):
                yield Finding(reason, {**values, name: plain(bound)}, about=about)
        if self.step and minutes % self.step:
            yield Finding("step", {**values, "step": plain(self.step)}, about=about)


def read_step(node: Node | None) -> Fraction | None:
    """A positive number of minutes."""
    number = node.number() if node else None
    if node and number == 0:
        node.problem(_("A step must be larger than zero."))
    return number or None
