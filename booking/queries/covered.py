"""The vouchers of whoever books, beside the price."""

from __future__ import annotations

from backend.accounts.models import OrganisationKind
from backend.accounts.queries import Access
from booking.queries.wishes import Quote, Wish
from invoices.queries.covering import Offer, offers_for_price


def vouchers_for(wish: Wish, quote: Quote, mine: Access) -> list[Offer]:
    """What each would cover, or why not; none for what others book for a customer: those vouchers are not theirs."""
    if wish.organisation.kind != OrganisationKind.ENTERPRISE or not mine.has(wish.organisation.pk):
        return []
    if quote.total <= 0:
        return []
    return offers_for_price(
        customer_id=wish.organisation.pk,
        institution=wish.instrument.institution,
        day=wish.start.astimezone(wish.instrument.zone).date(),
        currency=quote.currency,
        total=quote.total,
        mode=wish.mode,
        category=wish.instrument.category_id,
    )
