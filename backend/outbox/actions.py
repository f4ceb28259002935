"""Posting messages, and delivering them at most once each."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.core.db import atomic_action
from backend.core.errors import refuse
from backend.core.prepared import insert_all
from backend.outbox.models import Channel, Message, Preference, State, Topic
from backend.outbox.queries.attachments import attachments_of
from backend.outbox.queries.inbox import switched_off
from backend.outbox.queries.words import render, with_footer
from backend.outbox.rules import ALWAYS, topic_of

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
BACKOFF = timedelta(minutes=2)
# A colon would end the id for whoever reads the header strictly.
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Post:
    """What `post` is given."""

    key: str
    kind: str
    recipients: Collection[int]
    context: Mapping[str, Any]
    path: str = ""


def post(*, key: str, kind: str, recipients: Iterable[int], context: Mapping[str, Any], path: str = "") -> None:
    """Write a message to each recipient by every channel that they want, within the open transaction.

    A message in the application is there at once; mail is delivered after commit. ``path`` is the page that
    the message is about. A channel that a person switched off gets no row at all; one query asks for that.
    """
    post_all([Post(key, kind, set(recipients), context, path)])


def post_all(posts: Iterable[Post]) -> None:
    """The same for several messages: two queries however many there are."""
    posts, now = list(posts), timezone.now()
    off = switched_off({user for each in posts for user in each.recipients}, {topic_of(each.kind) for each in posts})
    wanted = [
        (each, user, channel)
        for each in posts
        for user in sorted(each.recipients)
        for channel in Channel.values
        if (user, topic_of(each.kind), channel) not in off
    ]
    insert_all(
        (
            Message(
                key=each.key,
                channel=channel,
                recipient_id=user,
                kind=each.kind,
                context=dict(each.context),
                path=each.path,
                due_at=now,
                state=State.SENT if channel == Channel.IN_APP else State.WAITING,
                sent_at=now if channel == Channel.IN_APP else None,
            )
            for each, user, channel in wanted
        ),
        ignore_conflicts=True,
    )
    if any(channel == Channel.MAIL for _each, _user, channel in wanted):
        _wake_with_commit()


def _wake_with_commit() -> None:
    """Ask the worker to look: a task in the transaction, one however many messages it writes.

    A commit of its own for the task would have people wait for the disk twice.
    """
    if any(entry[1] is _woken for entry in connection.run_on_commit):
        return
    from backend.outbox.queue import ask  # reads the settings' queue when imported

    ask("backend.outbox.tasks.deliver_due", name="deliver_due")
    transaction.on_commit(_woken)


def _woken() -> None:
    """What the transaction remembers of it; gone with a savepoint that is undone, as the task is."""


def deliver_due(*, limit: int = 100) -> int:
    """Deliver what is due; returns how many messages went out."""
    due = Message.objects.filter(state=State.WAITING, due_at__lte=timezone.now()).order_by("due_at")
    return sum(deliver(message_id=pk) for pk in list(due.values_list("pk", flat=True)[:limit]))


def deliver(*, message_id: int) -> bool:
    """Deliver one message unless another worker has taken it.

    The attempt is counted and the next one put off *before* sending, so that a worker that dies
    midway neither sends at once again nor for ever: the fifth attempt is the last, whatever ended it.
    """
    now = timezone.now()
    waiting = Message.objects.filter(pk=message_id, state=State.WAITING, due_at__lte=now)
    if not waiting.filter(attempts__lt=MAX_ATTEMPTS).update(attempts=F("attempts") + 1, due_at=now + BACKOFF):
        waiting.filter(attempts__gte=MAX_ATTEMPTS).update(state=State.PARKED)
        return False
    message = Message.objects.select_related("recipient").get(pk=message_id)
    try:
        if message.channel == Channel.MAIL:
            _mail(message)
    except Exception as error:
        log.exception("message %s failed", message.pk)
        state = State.PARKED if message.attempts >= MAX_ATTEMPTS else State.WAITING
        Message.objects.filter(pk=message.pk).update(state=state, error=str(error)[:500])
        return False
    Message.objects.filter(pk=message.pk).update(state=State.SENT, sent_at=timezone.now(), error="")
    return True


def _mail(message: Message) -> None:
    user = message.recipient
    with translation.override(user.language):
        subject, body = render(message)
        text = with_footer(message, body)
    mail = EmailMessage(
        subject=subject,
        body=text,
        to=[user.email],
        headers={
            # The same id on every attempt lets a mail server or reader drop a repetition.
            "Message-ID": f"<{message.pk}.{_NOT_IN_IDS.sub('-', message.key)}@{urlsplit(settings.SITE_URL).hostname}>",
            # No machine answers it: neither “out of office” nor a ticket system.
            "Auto-Submitted": "auto-generated",
        },
    )
    for attachment in attachments_of(message.kind, message.context):
        mail.attach(*attachment)
    mail.send()


@atomic_action
def retry(*, message: Message) -> Message:
    """Have the worker try a mail again at once, as if for the first time; refused once it went out."""
    fresh = Message.objects.select_for_update(of=("self",)).select_related("recipient").get(pk=message.pk)
    if fresh.state == State.SENT:
        raise refuse("sent_already", _("This mail has gone out meanwhile."))
    fresh.state, fresh.attempts, fresh.due_at = State.WAITING, 0, timezone.now()
    fresh.save(update_fields=["state", "attempts", "due_at"])
    _wake_with_commit()
    return fresh


# --- what a person does with their own -------------------------------------------------------------------------------


@atomic_action
def mark_read(*, messages: QuerySet[Message]) -> int:
    """Of the given messages those that are not read yet; returns how many."""
    return messages.filter(read_at=None).update(read_at=timezone.now())


@atomic_action
def choose(*, user_id: int, choices: Mapping[str, Mapping[str, bool]]) -> None:
    """Store what a person wants: topic → channel → on. What is not named stays; accounts are always told."""
    Preference.objects.bulk_create(
        (
            Preference(user_id=user_id, topic=Topic(topic), channel=Channel(channel), on=on)
            for topic, channels in choices.items()
            if topic != ALWAYS
            for channel, on in channels.items()
        ),
        update_conflicts=True,
        unique_fields=["user", "topic", "channel"],
        update_fields=["on"],
    )
