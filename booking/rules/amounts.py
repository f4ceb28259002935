"""A limit: a number, or ``{base, fact, times, round, cap}`` = base + fact × times, rounded, at most cap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from django.utils.translation import gettext as _

from .reading import Node, refuse_unknown
from .situation import Situation, Subject
from .values import as_number

ROUNDING_WORDS = ("up", "down", "nearest")


@dataclass(frozen=True, slots=True)
class Amount:
    """An absent fact counts as zero: what is not known gives no allowance."""

    base: Fraction
    fact: str = ""
    times: Fraction = Fraction(1)
    rounding: str = ""
    multiple: Fraction = Fraction(1)
    cap: Fraction | None = None

    def value(self, subject: Subject, situation: Situation) -> Fraction:
        if not self.fact:
            return self.base
        amount = self.base + (as_number(situation.value(subject, self.fact)) or 0) * self.times
        if self.rounding:
            amount = _rounded(amount / self.multiple, self.rounding) * self.multiple
        return amount if self.cap is None else min(amount, self.cap)


def _rounded(amount: Fraction, rounding: str) -> int:
    if rounding == "up":
        return math.ceil(amount)
    return math.floor(amount if rounding == "down" else amount + Fraction(1, 2))


def read_amount(node: Node | None) -> Amount | None:
    """``round`` is up, down, nearest, or a number: the nearest multiple of it (0 and 1: whole numbers)."""
    if node is None:
        return None
    if not isinstance(node.value, Mapping):
        number = node.number()
        return None if number is None else Amount(number)
    parts = node.children()
    refuse_unknown(parts, ("base", "fact", "times", "round", "cap"))
    if "fact" not in parts:
        node.problem(_("Say the fact on which the limit depends, or write a plain number."))
    base, times = (parts[name].number(least=None) if name in parts else None for name in ("base", "times"))
    rounding, multiple = _read_rounding(parts.get("round"))
    cap = parts["cap"].number() if "cap" in parts else None
    fact = parts["fact"].text() if "fact" in parts else ""
    return Amount(base or Fraction(0), fact, Fraction(1) if times is None else times, rounding, multiple, cap)


def _read_rounding(node: Node | None) -> tuple[str, Fraction]:
    if node is None:
        return "", Fraction(1)
    if isinstance(node.value, str):
        return node.choice(ROUNDING_WORDS), Fraction(1)
    return "nearest", node.number() or Fraction(1)
