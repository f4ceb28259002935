"""What cancelling would cost now, and whether the rules still allow it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from backend.core.errors import Refusal
from booking.models import Booking
from booking.queries.assess import as_refusal
from booking.queries.facts import facts_of, policy_view
from booking.queries.quoting import price_record
from booking.queries.wishes import wish_of
from booking.rules.decide import decide
from booking.rules.layers import merge_layers
from instruments.pricing.engine import price
from instruments.pricing.lines import ChargeLine
from instruments.pricing.reading import parse_price_list


@dataclass(frozen=True, slots=True)
class Cancellation:
    """``total`` in the currency of the booking's quote."""

    refusals: tuple[Refusal, ...]
    lines: tuple[ChargeLine, ...]
    total: Decimal


def cancellation(booking: Booking, *, now: datetime) -> Cancellation:
    """By the policy and the price list that the booking was made under."""
    wish = wish_of(booking)
    rules = merge_layers(booking.policy, tz=booking.instrument.timezone)
    verdict = decide(
        rules,
        policy_view(booking),
        act="cancel",
        now=now,
        facts=facts_of(wish, booking.audience),
        before=policy_view(booking),
    )
    refusals = tuple(as_refusal(entry) for entry in verdict.refuse)
    if booking.price_list is None:
        return Cancellation(refusals, (), Decimal("0.00"))
    record = price_record(wish, booking.audience, event="cancel", at=now, uid=str(booking.uid))
    priced = price(parse_price_list(booking.price_list.document), [record], tz=booking.instrument.zone)
    lines = tuple(line for line in priced.lines if line.account == "invoice" and line.amount)
    return Cancellation(refusals, lines, priced.total())
