"""What a person wants to be told, and how."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from backend.accounts.auth import page, person
from backend.accounts.queries import Access, access_of
from backend.outbox.models import Channel, Topic
from backend.outbox.queries.inbox import choices_of
from backend.outbox.rules import ALWAYS
from backend.web.actions import choose_messages

EXPLAINED: dict[Topic, Promise] = {
    Topic.REQUESTS: gettext_lazy("For lab managers: requests, questions of customers, uses to verify, outages."),
    Topic.BOOKINGS: gettext_lazy("Received, confirmed or rejected; answers of the laboratory; the use as verified."),
    Topic.CHANGES: gettext_lazy("Cancelled, moved, displaced, expired, missed."),
    Topic.REMINDERS: gettext_lazy("Before a booking begins, and what is still missing afterwards."),
    Topic.MONEY: gettext_lazy("Invoices, corrections and payments, for those who look after them."),
    Topic.ACCOUNT: gettext_lazy("Registration, invitations and roles. These are always sent."),
}


def _topics(access: Access) -> list[Topic]:
    """What concerns the person: requests are for those who work at an institution."""
    return [topic for topic in Topic if topic != Topic.REQUESTS or access.institutions()]


@page
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    user = person(request)
    topics = _topics(access_of(user))
    if request.method == "POST":
        ticked = set(request.POST.getlist("on"))
        choose_messages(
            user=user,
            choices={
                topic: {channel: f"{topic}:{channel}" in ticked for channel in Channel.values}
                for topic in topics
                if topic != ALWAYS
            },
        )
        messages.success(request, _("Saved."))
        return redirect("web:preferences")
    chosen = choices_of(user.pk)
    rows = [
        {
            "label": topic.label,
            "about": EXPLAINED[topic],
            "always": topic == ALWAYS,
            "cells": [
                {"name": f"{topic.value}:{channel.value}", "label": channel.label, "on": chosen[topic][channel]}
                for channel in (Channel.IN_APP, Channel.MAIL)
            ],
        }
        for topic in topics
    ]
    context = {"rows": rows, "channels": [Channel.IN_APP.label, Channel.MAIL.label]}
    return render(request, "web/preferences.html", context)
