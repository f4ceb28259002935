"""What a message says, in the active language."""

from __future__ import annotations

import re

from django.conf import settings
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string

from backend.outbox.models import Channel, Message
from backend.outbox.rules import topic_of

_MANY_LINES = re.compile(r"\n{3,}")
_BLANK_LINES = re.compile(r"\s*\n\s*")


def render(message: Message) -> tuple[str, str]:
    """Subject and body as plain text. In the application the body has neither greeting nor link."""
    zone = message.context.get("zone", "")
    context = {
        **message.context,
        "recipient": message.recipient,
        "url": settings.SITE_URL + message.path,
        "in_app": message.channel == Channel.IN_APP,
        "foreign_zone": "" if zone == settings.TIME_ZONE else zone,
    }
    subject = " ".join(render_to_string(f"messages/{message.kind}.subject.txt", context).split())
    return subject, render_to_string(f"messages/{message.kind}.body.txt", context)


def shown(message: Message) -> tuple[str, str]:
    """The same for a list, without empty lines; a kind whose words are gone is named as it is."""
    try:
        subject, body = render(message)
    except TemplateDoesNotExist:
        return message.kind, ""
    return subject, _BLANK_LINES.sub("\n", body).strip()


def with_footer(message: Message, body: str) -> str:
    """A mail's body, and under it why one gets it and where to choose otherwise."""
    context = {"topic": topic_of(message.kind).value, "site_url": settings.SITE_URL}
    text = _MANY_LINES.sub("\n\n", body).rstrip()
    return f"{text}\n\n-- \n{render_to_string('outbox/mail_footer.txt', context).strip()}\n"
