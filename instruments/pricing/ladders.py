"""Tiers as plain arithmetic: which one a quantity reaches, and what each part of it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Step:
    """A tier with its numbers: ``rate`` per unit and ``flat`` once it is reached."""

    bound: Fraction
    strict: bool
    rate: Fraction
    flat: Fraction

    def is_reached(self, quantity: Fraction) -> bool:
        return quantity > self.bound or (quantity == self.bound and quantity > 0 and not self.strict)


@dataclass(frozen=True, slots=True)
class Part:
    """``quantity`` units at ``rate`` each, plus ``flat``."""

    quantity: Fraction
    rate: Fraction
    flat: Fraction

    @property
    def cost(self) -> Fraction:
        return self.quantity * self.rate + self.flat


def reached(steps: Sequence[Step], quantity: Fraction) -> Step | None:
    """The highest tier that the quantity reaches."""
    return next((step for step in reversed(steps) if step.is_reached(quantity)), None)


def all_at_one(steps: Sequence[Step], quantity: Fraction) -> list[Part]:
    """All units at the price of the tier reached; none below the first tier or for nothing."""
    step = reached(steps, quantity)
    return [Part(quantity, step.rate, step.flat)] if step is not None else []


def marginal(steps: Sequence[Step], low: Fraction, high: Fraction) -> list[Part]:
    """What the units from ``low`` to ``high`` cost, each at the price of its own tier.

    Units below the first tier cost nothing. Going down gives back what going up has cost.
    """
    if high < low:
        return [Part(-part.quantity, part.rate, -part.flat) for part in marginal(steps, high, low)]
    parts: list[Part] = []
    for position, step in enumerate(steps):
        end = steps[position + 1].bound if position + 1 < len(steps) else None
        top = high if end is None else min(high, end)
        units = max(NOTHING, top - max(low, step.bound))
        flat = step.flat if step.is_reached(high) and not step.is_reached(low) else NOTHING
        if units or flat:
            parts.append(Part(units, step.rate, flat))
    return parts


def cost(parts: Sequence[Part]) -> Fraction:
    return sum((part.cost for part in parts), NOTHING)
