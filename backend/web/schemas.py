"""Shapes of what the site itself says over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from ninja import Schema

from backend.core.api import In, Page
from backend.outbox.models import Topic
from backend.outbox.queries.inbox import Shown


class MessageFilter(Page):
    unread: bool | None = None
    topic: Topic | None = None


class MessageOut(Schema):
    """A message in the caller's language. ``url`` is the page that it is about."""

    id: int
    kind: str
    topic: Topic
    subject: str
    body: str
    url: str
    at: datetime
    read_at: datetime | None


class MessagePage(Schema):
    items: list[MessageOut]
    count: int


class ReadOut(Schema):
    """How many messages were unread until now."""

    read: int


class Choice(In):
    """Whether one is told about a topic; ``account`` is always on."""

    topic: Topic
    in_app: bool
    mail: bool


def message_out(shown: Shown) -> dict[str, Any]:
    message = shown.message
    return {
        "id": message.pk,
        "kind": message.kind,
        "topic": shown.topic,
        "subject": shown.subject,
        "body": shown.body,
        "url": settings.SITE_URL + message.path,
        "at": message.created_at,
        "read_at": message.read_at,
    }
