"""What can be done with a sample order in each state, and how its samples are measured: in runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from booking.models import OrderStatus as S

# Each act: the states in which it is possible, and the state that it leads to (empty: none changes).
STEPS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "agree": ((S.SUBMITTED,), ""),
    "accept": ((S.SUBMITTED,), S.ACCEPTED),
    "reject": ((S.SUBMITTED, S.ACCEPTED, S.RECEIVED), S.REJECTED),
    "receive": ((S.ACCEPTED,), S.RECEIVED),
    "start": ((S.RECEIVED,), S.TESTING),
    "take_time": ((S.ACCEPTED, S.RECEIVED, S.TESTING), ""),
    "finish": ((S.TESTING,), S.DONE),
    # The laboratory may also give up what it is testing.
    "cancel": ((S.SUBMITTED, S.ACCEPTED, S.RECEIVED), S.CANCELLED),
    "cancel_by_lab": ((S.SUBMITTED, S.ACCEPTED, S.RECEIVED, S.TESTING), S.CANCELLED),
    "return": ((S.RECEIVED, S.TESTING, S.DONE, S.REJECTED, S.CANCELLED), ""),
    "deliver": ((S.RECEIVED, S.TESTING, S.DONE), ""),
    "withdraw_result": ((S.RECEIVED, S.TESTING), ""),
}


def possible(status: str) -> set[str]:
    """The acts of a state."""
    return {act for act, (states, _to) in STEPS.items() if status in states}


MOST_ITEMS = 50
MOST_TESTS = 20
MOST_PIECES = 10_000
# The name under which a price list asks for single tests.
TEST = "test"


@dataclass(frozen=True, slots=True)
class Piece:
    """One kind of sample: so many of it, with these tests and values that the price list asks for."""

    name: str
    quantity: int
    tests: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """What is measured and priced together: ``samples`` pieces with the same values."""

    samples: int
    parameters: Mapping[str, Any]


def runs_of(pieces: Iterable[Piece], *, by_test: bool) -> Sequence[Run]:
    """Samples with the same values make one run, so that set-up is due once and tiers count them together.

    ``by_test``: the price list has prices for single tests, so that each test is a run of its own.
    """
    counted: dict[tuple[tuple[str, str], ...], tuple[int, Mapping[str, Any]]] = {}
    for piece in pieces:
        tests: Sequence[str | None] = piece.tests if by_test else (None,)
        for test in tests:
            values = {**piece.parameters, TEST: test} if test is not None else dict(piece.parameters)
            key = tuple(sorted((name, repr(value)) for name, value in values.items()))
            before = counted[key][0] if key in counted else 0
            counted[key] = (before + piece.quantity, values)
    return [Run(samples, values) for samples, values in counted.values() if samples]
