"""The messages between customer and laboratory on the page of a booking or an order."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from backend.accounts.auth import access, page, person
from backend.accounts.queries import Access
from backend.core.attachments import MOST_BYTES, MOST_FILES, TYPES_IN_WORDS
from booking.actions.conversation import MOST_TEXT, add_note, is_open
from booking.documents import attachment_response
from booking.models import Booking, SampleOrder, Side
from booking.queries import scope
from booking.queries.conversation import conversation, get_attachment, side_of


def talk_of(mine: Access, booking: Booking | SampleOrder) -> dict[str, Any]:
    """What `booking/_talk.html` shows."""
    side, ordered = side_of(mine, booking), isinstance(booking, SampleOrder)
    return {
        "notes": list(conversation(booking)),
        "side": side,
        "is_lab": side == Side.LAB,
        "me": mine.user_id,
        "open": is_open(booking),
        "most_text": MOST_TEXT,
        "most_files": MOST_FILES,
        "most_bytes": MOST_BYTES,
        "types": TYPES_IN_WORDS,
        "url": reverse("booking:sample_talk" if ordered else "booking:talk", args=[booking.pk]),
        "file_page": "booking:sample_file" if ordered else "booking:file",
    }


@page
@require_http_methods(["GET", "HEAD", "POST"])
def talk(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the messages as a fragment. POST: one more, with ``text`` and ``files``."""
    found = scope.get_booking(access(request), pk)
    return talking(request, found, reverse("booking:booking", args=[pk]))


def talking(request: HttpRequest, about: Booking | SampleOrder, home: str) -> HttpResponse:
    """``home`` is the page that the messages are part of."""
    mine = access(request)
    if request.method == "POST":
        add_note(
            booking=about,
            by=person(request),
            side=side_of(mine, about),
            text=request.POST.get("text", ""),
            files=request.FILES.getlist("files"),
        )
    if not request.headers.get("HX-Request"):
        return redirect(f"{home}#talk")
    return render(request, "booking/_talk.html", {"booking": about, "talk": talk_of(mine, about)})


@page
@require_safe
def file(request: HttpRequest, pk: int, file: int) -> HttpResponseBase:
    return attachment_response(get_attachment(access(request), pk, file))
