"""Posting messages, and delivering them at most once each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone, translation

from backend.outbox.models import Channel, Message, State

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
BACKOFF = timedelta(minutes=2)


def post(*, key: str, kind: str, recipients: Iterable[int], context: Mapping[str, Any], path: str = "") -> None:
    """Write a message to each recipient, by mail and in the application, within the open transaction.

    Delivery is queued after commit. ``path`` is the page that the message is about.
    """
    now = timezone.now()
    Message.objects.bulk_create(
        (
            Message(
                key=key, channel=channel, recipient_id=user, kind=kind, context=dict(context), path=path, due_at=now
            )
            for user in sorted(set(recipients))
            for channel in Channel.values
        ),
        ignore_conflicts=True,
    )
    # One call after commit is enough, however many messages the transaction writes.
    if not any(hook is _wake for _, hook, *_ in connection.run_on_commit):
        transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    """Ask the worker to look; a lost task costs at most a minute, because a schedule looks too."""
    from django_q.tasks import async_task  # reads the settings' queue when imported

    async_task("backend.outbox.tasks.deliver_due", task_name="deliver_due")


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
    EmailMessage(
        subject=subject,
        body=body,
        to=[user.email],
        # The same id on every attempt lets a mail server or reader drop a repetition.
        headers={"Message-ID": f"<{message.pk}.{message.key}@{settings.SITE_URL.split('//')[1].split(':')[0]}>"},
    ).send()


def render(message: Message) -> tuple[str, str]:
    """Subject and body in the active language."""
    context = {**message.context, "recipient": message.recipient, "url": settings.SITE_URL + message.path}
    subject = " ".join(render_to_string(f"messages/{message.kind}.subject.txt", context).split())
    return subject, render_to_string(f"messages/{message.kind}.body.txt", context)
