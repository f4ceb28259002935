"""What a use costs after the fact, and how that differs from the quote."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from backend.accounts.queries import audience_of
from backend.core.errors import Refused
from booking.models import Usage
from booking.queries.differences import facts_of, from_quote, items_of, quoted_items
from booking.queries.quoting import price_record, quote_of, unknown_parameters
from booking.queries.wishes import Wish, wish_of
from instruments.models import Mode, PriceList
from instruments.pricing.engine import price
from instruments.pricing.lines import ChargeLine
from instruments.pricing.reading import parse_price_list


@dataclass(frozen=True, slots=True)
class FinalPrice:
    """The final lines, and one sentence for each difference from the quote."""

    currency: str
    lines: tuple[ChargeLine, ...]
    total: Decimal
    title: str
    differences: list[str]


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
    record = price_record(
        wish, audience, event="use", at=usage.start, used=(usage.start, usage.end), uid=str(usage.uid)
    )
    priced = price(parse_price_list(kept.document), [record], tz=usage.instrument.zone)
    if priced.refusals:
        raise Refused(*priced.refusals)
    lines = tuple(line for line in priced.lines if line.account == "invoice")
    title = f"{kept.document.get('name') or _('Price list')} v{kept.version}"
    return FinalPrice(kept.currency, lines, priced.total(), title, _differences(usage, lines))


def _differences(usage: Usage, lines: tuple[ChargeLine, ...]) -> list[str]:
    booking = usage.booking
    if booking is None:
        return []
    return from_quote(facts_of(booking), facts_of(usage), quoted_items(booking.quote), items_of(lines))


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
    wish = Wish(
        instrument=usage.instrument,
        start=usage.start,
        end=usage.end,
        mode=next(iter(usage.instrument.modes), Mode.OPERATOR.value),
        organisation=usage.organisation,
        user=usage.user,
        samples=usage.samples,
        parameters=usage.parameters,
    )
    day = usage.start.astimezone(usage.instrument.zone).date()
    return wish, audience_of(usage.organisation, usage.instrument.institution_id, day), None
