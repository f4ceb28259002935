"""A person's messages in the application, what they want to be told, and how delivery goes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, Count, ExpressionWrapper, Min, Q, QuerySet

from backend.core.db import one
from backend.core.prepared import Prepared, among, among_texts
from backend.outbox.models import Channel, Message, Preference, State, Topic
from backend.outbox.queries.words import shown
from backend.outbox.rules import ALWAYS, TOPIC_OF, kinds_of, topic_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A message with its words in the active language."""

    message: Message
    subject: str
    body: str

    @property
    def topic(self) -> Topic:
        return topic_of(self.message.kind)


def inbox(user_id: int, *, topic: str = "", unread: bool | None = None) -> QuerySet[Message]:
    """Newest first. An unknown topic has no messages."""
    rows = Message.objects.filter(recipient=user_id, channel=Channel.IN_APP).select_related("recipient")
    if topic:
        rows = rows.filter(_about(topic))
    if unread is not None:
        rows = rows.filter(read_at__isnull=unread)
    return rows.order_by("-created_at", "-pk")


def unread_first(rows: QuerySet[Message]) -> QuerySet[Message]:
    was_read = ExpressionWrapper(Q(read_at__isnull=False), output_field=BooleanField())
    return rows.order_by(was_read, "-created_at", "-pk")


def get_message(user_id: int, pk: int) -> Message:
    """A message in the application to this person; `NotFound` otherwise."""
    return one(inbox(user_id), pk)


def show(rows: Iterable[Message]) -> list[Shown]:
    return [Shown(row, *shown(row)) for row in rows]


def _about(topic: str) -> Q:
    if topic == ALWAYS:
        return ~Q(kind__in=[kind for kind, its in TOPIC_OF.items() if its != ALWAYS])
    return Q(kind__in=kinds_of(Topic(topic)) if topic in Topic.values else ())


# --- preferences -----------------------------------------------------------------------------------------------------


def switched_off(users: Collection[int], topics: Collection[Topic]) -> set[tuple[int, str, str]]:
    """Who does not want which topic by which channel: ``(user id, topic, channel)``.

    One query, none where nobody may choose.
    """
    asked = _asked(users, topics)
    return {(user, topic, channel) for user, topic, channel in _OFF.rows(**asked)} if asked else set()


def switched_off_ahead(users: Collection[int], topics: Collection[Topic]) -> None:
    """Send what `switched_off` will ask."""
    asked = _asked(users, topics)
    if asked:
        _OFF.ahead(**asked)


def _asked(users: Collection[int], topics: Collection[Topic]) -> dict[str, Any]:
    optional = {topic for topic in topics if topic != ALWAYS}
    return {"users": sorted(users), "topics": sorted(optional)} if optional and users else {}


_OFF = Prepared(
    lambda: Preference.objects.filter(among("user", "users"), among_texts("topic", "topics"), on=False).values_list(
        "user_id", "topic", "channel"
    )
)


def choices_of(user_id: int) -> dict[str, dict[str, bool]]:
    """Topic → channel → on, for every topic and channel."""
    stored = {
        (topic, channel): on
        for topic, channel, on in Preference.objects.filter(user=user_id).values_list("topic", "channel", "on")
    }
    return {
        topic: {channel: topic == ALWAYS or stored.get((topic, channel), True) for channel in Channel.values}
        for topic in Topic.values
    }


# --- delivery --------------------------------------------------------------------------------------------------------


def troubled() -> QuerySet[Message]:
    """Mail that was given up or failed at least once, given up first, then the newest."""
    failed = Q(state=State.PARKED) | Q(state=State.WAITING) & ~Q(error="")
    rows = Message.objects.filter(failed, channel=Channel.MAIL).select_related("recipient")
    return rows.order_by("state", "-created_at", "-pk")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Mail by what became of it; ``sent`` counts a day. ``oldest`` is when the longest waiting was written."""

    waiting: int
    given_up: int
    sent: int
    oldest: datetime | None


def delivery(now: datetime) -> Delivery:
    """One query. A mail that went out was due at the time of its last attempt, or minutes later."""
    waiting = Q(state=State.WAITING)
    found = Message.objects.filter(
        Q(state__in=[State.WAITING, State.PARKED]) | Q(state=State.SENT, due_at__gt=now - timedelta(days=1)),
        channel=Channel.MAIL,
    ).aggregate(
        waiting=Count("pk", filter=waiting),
        given_up=Count("pk", filter=Q(state=State.PARKED)),
        sent=Count("pk", filter=Q(state=State.SENT)),
        oldest=Min("created_at", filter=waiting),
    )
    return Delivery(**found)
