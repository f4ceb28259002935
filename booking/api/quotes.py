"""Quotes as PDF."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from backend.accounts.auth import access, signed_in
from booking.actions.requesting import quote_out
from booking.api.bookings import asked_wish
from booking.documents import quote_pdf
from booking.queries.assess import assess
from booking.queries.behalf import as_asked
from booking.queries.quote_papers import paper_of_booking, paper_of_wish
from booking.queries.scope import get_visible_booking
from booking.schemas import Slot

router = Router(auth=signed_in, tags=["bookings"])

PDF: dict[str, Any] = {"responses": {200: {"description": "A PDF", "content": {"application/pdf": {}}}}}


@router.post("/bookings/quote.pdf", summary="The quote of a time before it is booked", openapi_extra=PDF)
def wish_quote(request: HttpRequest, slot: Slot) -> HttpResponse:
    wish = asked_wish(request, slot)
    now = timezone.now()
    answer = as_asked(access(request), wish, assess(wish, now=now))
    return quote_pdf(paper_of_wish(wish, answer, quote_out(answer.quote), now=now))


@router.get("/bookings/{int:pk}/quote.pdf", summary="The quote that a booking keeps", openapi_extra=PDF)
def booking_quote(request: HttpRequest, pk: int) -> HttpResponse:
    return quote_pdf(paper_of_booking(get_visible_booking(access(request), pk)))
