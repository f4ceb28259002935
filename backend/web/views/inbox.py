"""What the person has been told in the application: the list, the bell's five newest, and marking as read."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from backend.accounts.auth import page, person
from backend.outbox.actions import mark_read
from backend.outbox.models import Topic
from backend.outbox.queries.inbox import get_message, show, unread_first
from backend.outbox.queries.inbox import inbox as messages_of

PER_PAGE = 25
NEWEST = 5


@page
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """Unread first; ``?topic=`` and ``?unread=1`` select."""
    user = person(request)
    asked = request.GET.get("topic", "")
    topic = asked if asked in Topic.values else ""
    unread = request.GET.get("unread") == "1"
    rows = unread_first(messages_of(user.pk, topic=topic, unread=True if unread else None))
    found = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page_obj": found,
        "rows": show(found.object_list),
        "topic": topic,
        "unread_only": unread,
        "topics": Topic.choices,
        "filtered": bool(topic or unread),
    }
    return render(request, "web/inbox.html", context)


@page
@require_safe
def newest(request: HttpRequest) -> HttpResponse:
    """What the bell shows; a fragment."""
    return render(request, "web/_newest.html", {"rows": show(messages_of(person(request).pk)[:NEWEST])})


@page
@require_safe
def open_message(request: HttpRequest, pk: int) -> HttpResponse:
    """Following a message to its page is reading it; nothing else changes."""
    user = person(request)
    message = get_message(user.pk, pk)
    mark_read(messages=messages_of(user.pk).filter(pk=message.pk))
    return redirect(message.path or "web:inbox")


@page
@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    number = mark_read(messages=messages_of(person(request).pk))
    text = ngettext("%(number)s message marked as read.", "%(number)s messages marked as read.", number)
    messages.success(request, text % {"number": number} if number else _("Everything was read already."))
    return redirect(reverse("web:inbox"))
