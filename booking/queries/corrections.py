"""What another measurement of a use would cost, before anybody writes it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from booking.models import Usage, UsageState
from booking.queries.differences import facts_of, from_record, items_of
from booking.queries.owed import Owed, final_items, owed_for
from booking.queries.usage import FinalPrice, final_price


@dataclass(frozen=True, slots=True)
class Correction:
    """What a change of a record would mean. ``owed`` is None before the record is verified."""

    usage: Usage
    price: FinalPrice
    owed: Owed | None
    before: Decimal
    sentences: list[str]

    @property
    def difference(self) -> Decimal:
        return self.price.total - self.before


def weigh(was: Usage, now: Usage) -> Correction:
    """What the change costs; two records that have ended. Reads only. `Refused` where there is no price."""
    priced = final_price(now)
    owed = owed_for([was]).get(was.pk) if was.state == UsageState.VERIFIED else None
    items = items_of(priced.lines)
    if owed is None:
        before = final_price(was)
        sentences = from_record(facts_of(was), facts_of(now), items_of(before.lines), items)
        return Correction(now, priced, None, before.total, sentences)
    sentences = from_record(facts_of(was), facts_of(now), final_items(owed), items)
    return Correction(now, priced, owed, owed.total, sentences)
