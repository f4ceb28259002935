"""Quotes as documents: of a booking, and of a time before it is booked."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backend.accounts.auth import access, page, person
from backend.core.errors import Forbidden, Invalid, Refusal
from backend.core.fields import checked
from booking.actions.requesting import quote_out
from booking.documents import quote_pdf
from booking.forms import WishForm
from booking.queries.assess import assess
from booking.queries.behalf import as_asked
from booking.queries.quote_papers import paper_of_booking, paper_of_wish
from booking.queries.scope import get_visible_booking
from booking.queries.wishes import Wish, check_shape
from booking.views.instrument import form_arguments
from booking.views.when import reader_of
from instruments.queries.rights import get_visible_instrument


@page
@require_safe
def booking_quote(request: HttpRequest, pk: int) -> HttpResponse:
    return quote_pdf(paper_of_booking(get_visible_booking(access(request), pk)))


@page
@require_safe
def wish_quote(request: HttpRequest, pk: int) -> HttpResponse:
    """Of a time that was chosen on the instrument's page; writes nothing."""
    mine = access(request)
    found = get_visible_instrument(mine, pk)
    reader = reader_of(request)
    if not reader.may_book:
        raise Forbidden(detail=_("Your account belongs to no organisation that can book."))
    data = checked(WishForm(request.GET, **form_arguments(request, found, reader)))
    problems = [
        Refusal("required", _("Please choose a time."), field=name) for name in ("start", "end") if not data.get(name)
    ]
    if problems:
        raise Invalid(*problems)
    wish = Wish(
        instrument=found,
        start=data["start"],
        end=data["end"],
        mode=data["mode"],
        organisation=data["organisation"] or reader.organisation,
        user=data["user"] or person(request),
        samples=data["samples"],
        project=data["project"],
    )
    check_shape(wish.start, wish.end)
    now = timezone.now()
    answer = as_asked(mine, wish, assess(wish, now=now))
    return quote_pdf(paper_of_wish(wish, answer, quote_out(answer.quote), now=now))
