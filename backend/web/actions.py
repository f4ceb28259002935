"""What the site itself writes: the schedule of the queue, its sign of life, and what a person chooses to be told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from backend.accounts.actions import prune_idempotency_keys, remind_of_ending_agreements
from backend.accounts.models import User
from backend.accounts.queries import membership_chain
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.outbox.actions import choose, deliver_due, retry
from backend.outbox.models import Message
from backend.outbox.queries.inbox import choices_of
from backend.outbox.queries.mailbox import Mail
from booking.actions.confirming import tend_unconfirmed
from booking.actions.consequences import carry_out
from booking.actions.deciding import expire_holds
from booking.actions.extending import extend_outages
from booking.actions.no_shows import mark_no_shows
from booking.actions.offering import tend_waitlists
from booking.actions.order_silence import consent_by_silence
from booking.actions.overrunning import note_overruns
from booking.actions.qualifying import remind_of_qualifications
from booking.actions.reminding import remind
from booking.actions.replacing import propose_due
from instruments.actions.indexing import refresh_renamed
from instruments.actions.prices import begin_versions
from invoices.actions.reminders import send_reminders
from invoices.actions.running import continue_runs
from invoices.actions.voucher_grants import remind_of_ending_vouchers

log = logging.getLogger(__name__)

CANARY = "queue:canary"
TICK = "backend.web.tasks.tick"
# What is due is found in our own tables, so that a missed minute is caught up by the next one.


def begin_price_versions() -> int:
    """Once an hour: versions of price lists that begin today, in whatever time zone, reach the catalogue."""
    if not cache.add("price-versions-begun", True, timeout=3600):
        return 0
    return begin_versions(day=timezone.localdate())


def remind_of_agreements() -> int:
    """Once an hour: contracts that end within a month."""
    if not cache.add("agreements-reminded", True, timeout=3600):
        return 0
    return remind_of_ending_agreements(day=timezone.localdate())


def remind_of_vouchers() -> int:
    """Once an hour: vouchers with something left that end within a month."""
    if not cache.add("vouchers-reminded", True, timeout=3600):
        return 0
    return remind_of_ending_vouchers(day=timezone.localdate())


def forget_old_replies() -> int:
    """Once an hour: what was kept for requests that are sent twice."""
    if not cache.add("old-replies-forgotten", True, timeout=3600):
        return 0
    return prune_idempotency_keys()


def refresh_statistics() -> int:
    """Once a day: SQLite counts rows, by which it chooses indexes; of each index it looks at a thousand."""
    if connection.vendor != "sqlite" or not cache.add("statistics-refreshed", True, timeout=24 * 3600):
        return 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA analysis_limit = 1000")
        cursor.execute("ANALYZE")
    return 1


EVERY_MINUTE: tuple[Callable[[], int], ...] = (
    expire_holds,
    mark_no_shows,
    tend_unconfirmed,
    note_overruns,
    consent_by_silence,
    carry_out,
    extend_outages,
    propose_due,
    tend_waitlists,
    remind,
    remind_of_qualifications,
    remind_of_agreements,
    remind_of_vouchers,
    send_reminders,
    deliver_due,
    continue_runs,
    begin_price_versions,
    refresh_renamed,
    forget_old_replies,
    refresh_statistics,
)


def run_due_work() -> dict[str, int]:
    """Do what is due, and note that the queue works. One job that fails does not stop the others."""
    done = {}
    for job in EVERY_MINUTE:
        try:
            done[job.__name__] = job()
        except Exception:
            log.exception("%s failed", job.__name__)
    cache.set(CANARY, timezone.now(), timeout=None)
    return done


def ensure_schedule(**_: Any) -> None:
    """One static schedule a minute. django-q2 stops scheduling at all when one schedule cannot be parsed."""
    from django_q.models import Schedule  # its app is loaded after this module is first imported

    Schedule.objects.get_or_create(
        name="tick", defaults={"func": TICK, "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1}
    )


# --- messages --------------------------------------------------------------------------------------------------------


@atomic_action
def choose_messages(*, user: User, choices: Mapping[str, Mapping[str, bool]]) -> None:
    """What the person wants to be told: topic → channel → on. The same choice again writes nothing."""
    before = choices_of(user.pk)
    changed = [topic for topic, channels in choices.items() if {**before[topic], **channels} != before[topic]]
    if not changed:
        return
    choose(user_id=user.pk, choices={topic: choices[topic] for topic in changed})
    organisation = membership_chain(user)
    if organisation is not None:
        after = choices_of(user.pk)
        record(
            organisation_id=organisation,
            actor_id=user.pk,
            action="person.messages",
            object_type="user",
            object_id=user.pk,
            before={topic: before[topic] for topic in changed},
            after={topic: after[topic] for topic in changed},
        )


@atomic_action
def retry_delivery(*, message: Message, by: User, organisation_id: int) -> Message:
    """The operator has a mail tried again; ``organisation_id`` is the network."""
    done = retry(message=message)
    record(
        organisation_id=organisation_id,
        actor_id=by.pk,
        action="mail.retry",
        object_type="mail",
        object_id=message.pk,
        after={"kind": message.kind, "recipient": message.recipient_id},
    )
    return done


@atomic_action
def note_mail_opened(*, mail: Mail, by: User, organisation_id: int) -> None:
    """The operator read somebody's mail on the demo."""
    record(
        organisation_id=organisation_id,
        actor_id=by.pk,
        action="mail.open",
        object_type="mail",
        object_id=mail.key,
        after={"to": mail.to[:200], "subject": mail.subject[:200]},
    )
