"""What a use costs after the fact, and how that differs from the quote."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from backend.accounts.queries import audience_of
from backend.core.errors import Refused
from booking.models import Usage
from booking.queries.differences import Items, facts_of, from_quote, items_of, quoted_items
from booking.queries.earlier import Earlier, aside_of, posts_beside, read_earlier
from booking.queries.entries import unbooked_wish
from booking.queries.owed import first_uids
from booking.queries.prices import prices_of
from booking.queries.quoting import quote_of, unknown_parameters
from booking.queries.records import price_record
from booking.queries.wishes import Wish, wish_of
from instruments.models import PriceList
from instruments.pricing.lines import ChargeLine
from instruments.pricing.reach import reach_of


@dataclass(frozen=True, slots=True)
class FinalPrice:
    """The final lines, and one sentence for each difference from the quote.

    ``aside`` are lines on other accounts than the invoice's; ``beside``: the list has such rules, or some for later.
    """

    currency: str
    lines: tuple[ChargeLine, ...]
    total: Decimal
    title: str
    differences: list[str]
    aside: tuple[ChargeLine, ...] = ()
    beside: bool = False


def final_price(usage: Usage) -> FinalPrice:
    """Under the price version that the booking kept, or the one in force on the day for a use without booking.

    `Refused` when there is no price for it: a use is never free by accident.
    """
    wish, audience, kept = _basis(usage)
    if wish.for_order:  # charged with the samples
        return FinalPrice(wish.instrument.institution.currency, (), Decimal("0.00"), "", [])
    if kept is None:
        quote, reasons = quote_of(wish, audience)
        if reasons or quote.price_list is None:
            raise Refused(*reasons)
        kept = quote.price_list
    assert usage.end is not None
    unknown = tuple(unknown_parameters(usage.parameters, kept))
    if unknown:
        raise Refused(*unknown)
    uid = usage.booking.uid if usage.booking else first_uids([usage])[usage.pk]
    used = usage.start, usage.end
    record = price_record(wish, audience, event="use", at=usage.start, used=used, uid=str(uid))
    earlier = read_earlier(wish, kept).before(uid)
    priced = earlier.price(kept, [record])
    if priced.refusals:
        raise Refused(*priced.refusals)
    lines = tuple(line for line in priced.lines if line.account == "invoice")
    title = f"{kept.document.get('name') or _('Price list')} v{kept.version}"
    told = _differences(usage, lines, _items_as_booked(usage, kept, earlier))
    return FinalPrice(kept.currency, lines, priced.total(), title, told, aside_of(priced), posts_beside(kept))


def _differences(usage: Usage, lines: tuple[ChargeLine, ...], as_booked: Items | None) -> list[str]:
    booking = usage.booking
    if booking is None:
        return []
    quoted = quoted_items(booking.quote)
    return from_quote(facts_of(booking), facts_of(usage), quoted, items_of(lines), as_booked)


def _items_as_booked(usage: Usage, kept: PriceList, earlier: Earlier) -> Items | None:
    """What the booking would cost now, had it been used as booked; None where nothing but its own facts matters."""
    booking = usage.booking
    if booking is None or reach_of(prices_of(kept)) is None:
        return None
    record = price_record(wish_of(booking), booking.audience, event="use", at=booking.start, uid=str(booking.uid))
    return items_of(line for line in earlier.price(kept, [record]).lines if line.account == "invoice")


def _basis(usage: Usage) -> tuple[Wish, str, PriceList | None]:
    booking = usage.booking
    if booking is not None:
        wish = wish_of(booking)
        final = Wish(
            instrument=usage.instrument,
            start=booking.start,
            end=booking.end,
            mode=booking.mode,
            organisation=usage.organisation,
            user=usage.user,
            samples=usage.samples,
            parameters=usage.parameters,
            project=wish.project,
            group=wish.group,
            for_order=wish.for_order,
        )
        return final, booking.audience, booking.price_list
    assert usage.end is not None
    day = usage.start.astimezone(usage.instrument.zone).date()
    return unbooked_wish(usage), audience_of(usage.organisation, usage.instrument.institution_id, day), None
