"""What pricing returns: charge lines and refusals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from backend.core.errors import Refusal
from backend.core.money import round_half_up
from instruments.pricing.model import Account

NOTHING_CODE = ""


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One amount for one record. Never edited: a correction is a line of its own.

    ``unit`` is a stable word (hour, sample, use, percent, adjustment…); ``unit_price`` is what a person
    multiplies ``quantity`` by, None where several prices or a limit were at work. ``why`` is the sentence
    with the numbers. ``due``: first day on which it may be invoiced, if later than usual. ``uid`` is the
    ledger's own name of a posted line, ``corrects`` the posted lines that a correction corrects.
    An explained zero has the empty code.
    """

    record: str
    code: str
    name: str
    quantity: Fraction
    unit: str
    unit_price: Decimal | None
    amount: Decimal
    account: Account
    why: str
    due: date | None = None
    uid: str = ""
    corrects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pricing:
    """``refusals``: what is not offered, or a party that a rule needs and the record does not name."""

    lines: list[ChargeLine]
    refusals: list[Refusal]
    places: int = 2

    def total(self, account: Account = "invoice") -> Decimal:
        chosen = (line.amount for line in self.lines if line.account == account)
        return round_half_up(sum_of(chosen), self.places)


def sum_of(amounts: Iterable[Decimal]) -> Fraction:
    return sum((Fraction(amount) for amount in amounts), Fraction(0))
