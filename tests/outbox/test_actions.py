"""Messages are written with the act, go out once, and are given up after five attempts."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from backend.accounts.models import User
from backend.core.errors import Refused
from backend.outbox.actions import MAX_ATTEMPTS, choose, deliver, deliver_due, post, retry
from backend.outbox.models import Channel, Message, Preference, State
from tests.factories import make_user
from tests.parallel import at_once


class WorkerDied(BaseException):
    """As a kill would end it: nothing after it runs."""


class DyingBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Any) -> int:
        raise WorkerDied


class FailingBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Any) -> int:
        raise ConnectionRefusedError("mail server is down")


@pytest.fixture(autouse=True)
def _templates(settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "messages"
    folder.mkdir()
    (folder / "hello.subject.txt").write_text("{% translate 'Not found' %}:\n {{ n }}\n")
    (folder / "hello.body.txt").write_text("{{ recipient.name }} {{ url }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]


def send(user: User, key: str = "event-1") -> Message:
    """The mail, not the message in the application."""
    post(key=key, kind="hello", recipients=[user.pk], context={"n": 1}, path="/b/1")
    return Message.objects.get(key=key, channel=Channel.MAIL)


def later(minutes: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=False)


def state_of(message: Message) -> tuple[str, int]:
    message.refresh_from_db()
    return message.state, message.attempts


def test_one_message_for_each_channel(db: None) -> None:
    user = make_user()

    post(key="event-1", kind="hello", recipients=[user.pk, user.pk], context={"n": 1})

    assert sorted(Message.objects.values_list("channel", flat=True)) == ["in_app", "mail"]


def test_the_same_event_is_posted_once(db: None) -> None:
    user = make_user()

    send(user)
    send(user)
    deliver_due()

    assert Message.objects.count() == 2
    assert len(mail.outbox) == 1


def test_a_message_of_a_failed_act_never_existed(transactional_db: None) -> None:
    user = make_user()

    with pytest.raises(RuntimeError), transaction.atomic():
        send(user)
        raise RuntimeError

    assert not Message.objects.exists()
    assert not OrmQ.objects.exists()


def test_the_worker_is_woken_by_the_same_commit(transactional_db: None) -> None:
    user = make_user()

    with transaction.atomic():
        with pytest.raises(RuntimeError), transaction.atomic():
            send(user)
            raise RuntimeError
        assert not OrmQ.objects.exists()
        send(user)

    assert OrmQ.objects.count() == 1


def test_a_mail_has_subject_body_and_a_stable_id(db: None) -> None:
    message = send(make_user("Li", email="li@example.org"))

    deliver(message_id=message.pk)

    sent = mail.outbox[0]
    assert (sent.to, sent.subject) == (["li@example.org"], "Not found: 1")
    assert sent.body.startswith("Li http://localhost:8000/b/1\n\n-- \n")
    assert sent.extra_headers == {
        "Message-ID": f"<{message.pk}.event-1@localhost>",
        "Auto-Submitted": "auto-generated",
    }
    assert state_of(message) == (State.SENT, 1)


def test_a_mail_is_in_the_reader_s_language(db: None) -> None:
    message = send(make_user(language="zh-hans"))

    deliver(message_id=message.pk)

    assert not mail.outbox[0].subject.startswith("Not found")


def test_what_is_sent_stays_sent(db: None) -> None:
    message = send(make_user())

    assert [deliver(message_id=message.pk) for _ in range(3)] == [True, False, False]
    assert len(mail.outbox) == 1


def test_what_is_not_due_waits(db: None) -> None:
    message = send(make_user())
    Message.objects.update(due_at=timezone.now() + timedelta(minutes=5))

    assert deliver_due() == 0
    with later(6):
        assert deliver_due() == 1
    assert state_of(message) == (State.SENT, 1)


def test_a_worker_that_dies_while_sending_is_followed_by_another(db: None, settings: Any) -> None:
    message = send(make_user())
    settings.EMAIL_BACKEND = f"{__name__}.DyingBackend"
    with pytest.raises(WorkerDied):
        deliver(message_id=message.pk)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    assert deliver(message_id=message.pk) is False
    with later(3):
        assert deliver(message_id=message.pk) is True

    assert len(mail.outbox) == 1
    assert state_of(message) == (State.SENT, 2)


def test_a_message_that_kills_its_workers_is_parked(db: None, settings: Any) -> None:
    message = send(make_user())
    settings.EMAIL_BACKEND = f"{__name__}.DyingBackend"
    for attempt in range(MAX_ATTEMPTS):
        with later(3 * attempt), pytest.raises(WorkerDied):
            deliver(message_id=message.pk)

    with later(60):
        assert deliver(message_id=message.pk) is False

    assert state_of(message) == (State.PARKED, 5)


def test_a_message_that_fails_is_parked_after_five_attempts(db: None, settings: Any, caplog: Any) -> None:
    message = send(make_user())
    settings.EMAIL_BACKEND = f"{__name__}.FailingBackend"

    for attempt in range(8):
        with later(3 * attempt):
            deliver(message_id=message.pk)

    assert state_of(message) == (State.PARKED, 5)
    assert message.error == "mail server is down"


def test_one_bad_message_does_not_stop_the_others(db: None, caplog: Any) -> None:
    user = make_user()
    post(key="bad", kind="no_such_template", recipients=[user.pk], context={})
    send(user)

    deliver_due()

    assert len(mail.outbox) == 1


@pytest.mark.parallel
def test_workers_at_once_send_one_mail(committed: None) -> None:
    message = send(make_user())

    outcome = at_once([partial(deliver, message_id=message.pk) for _ in range(10)])

    assert sorted(outcome.results) == [False] * 9 + [True]
    assert len(mail.outbox) == 1


@pytest.mark.parallel
def test_posts_at_once_make_one_message(committed: None) -> None:
    user = make_user()

    outcome = at_once([partial(post, key="e", kind="hello", recipients=[user.pk], context={"n": 1}) for _ in range(10)])

    assert outcome.errors == []
    assert Message.objects.count() == 2


def test_many_messages_wake_the_worker_once(transactional_db: None) -> None:
    with transaction.atomic():
        for n in range(5):
            send(make_user(), key=f"event-{n}")

    assert OrmQ.objects.count() == 1


def test_a_message_in_the_application_is_there_at_once(db: None) -> None:
    user = make_user()

    post(key="e", kind="hello", recipients=[user.pk], context={"n": 1})

    shown = Message.objects.get(channel=Channel.IN_APP)
    assert (shown.state, shown.sent_at, shown.read_at) == (State.SENT, shown.due_at, None)


def test_only_mail_wakes_the_worker(transactional_db: None) -> None:
    user = make_user()
    choose(user_id=user.pk, choices={"bookings": {"mail": False}})

    with transaction.atomic():
        post(key="e", kind="booking_confirmed", recipients=[user.pk], context={})

    assert not OrmQ.objects.exists()


def channels(user: User, kind: str) -> list[str]:
    post(key=kind, kind=kind, recipients=[user.pk], context={})
    return sorted(Message.objects.filter(recipient=user, kind=kind).values_list("channel", flat=True))


def test_a_channel_that_is_off_makes_no_row(db: None) -> None:
    user, other = make_user(), make_user()
    choose(user_id=user.pk, choices={"bookings": {"mail": False}, "money": {"mail": False, "in_app": False}})

    assert channels(user, "booking_confirmed") == ["in_app"]
    assert channels(user, "invoice_issued") == []
    assert channels(user, "booking_cancelled") == ["in_app", "mail"]
    assert channels(other, "booking_confirmed") == ["in_app", "mail"]


def test_a_choice_can_be_taken_back(db: None) -> None:
    user = make_user()
    choose(user_id=user.pk, choices={"bookings": {"mail": False}})

    choose(user_id=user.pk, choices={"bookings": {"mail": True}})

    assert channels(user, "booking_confirmed") == ["in_app", "mail"]


def test_what_concerns_the_account_is_always_sent(db: None) -> None:
    user = make_user()
    Preference.objects.create(user=user, topic="account", channel="mail", on=False)
    choose(user_id=user.pk, choices={"account": {"in_app": False}})

    assert channels(user, "registration_confirmed") == ["in_app", "mail"]
    assert channels(user, "hello") == ["in_app", "mail"]
    assert Preference.objects.count() == 1


@pytest.mark.parametrize(("kind", "count"), [("booking_confirmed", 2), ("registration_confirmed", 1)])
def test_posting_asks_once_for_the_preferences(db: None, kind: str, count: int) -> None:
    people = [make_user().pk for _ in range(5)]

    for recipients in (people[:1], people):
        with transaction.atomic(), CaptureQueriesContext(connection) as caught:
            post(key=f"{kind}{len(recipients)}", kind=kind, recipients=recipients, context={})
        ours = [q for q in caught.captured_queries if "SAVEPOINT" not in q["sql"] and "django_q" not in q["sql"]]
        assert len(ours) == count


def test_a_mail_says_why_one_gets_it_and_where_to_choose(db: None) -> None:
    for language in ("en", "zh-hans"):
        post(key=language, kind="hello", recipients=[make_user(language=language).pk], context={"n": 1})

    deliver_due()

    english, chinese = (one.body for one in mail.outbox)
    assert english.endswith(
        "-- \nYou get this mail because it concerns your account or your organisation.\n"
        "Choose what you are told: http://localhost:8000/account/notifications/\n"
    )
    assert "http://localhost:8000/account/notifications/" in chinese


def test_a_given_up_mail_is_tried_again(db: None) -> None:
    message = send(make_user())
    Message.objects.filter(pk=message.pk).update(state=State.PARKED, attempts=5, error="down")

    retry(message=message)

    assert state_of(message) == (State.WAITING, 0)
    assert deliver_due() == 1
    assert state_of(message) == (State.SENT, 1)
    assert message.error == ""


def test_what_went_out_is_not_sent_again(db: None) -> None:
    message = send(make_user())
    deliver_due()

    with pytest.raises(Refused) as caught:
        retry(message=message)

    assert [refusal.code for refusal in caught.value.refusals] == ["sent_already"]
    assert len(mail.outbox) == 1


def test_a_mail_s_id_can_be_read_by_strict_readers(db: None) -> None:
    send(make_user(), key="booking:6f1c:2026-11-22T01:35:58+00:00")

    deliver_due()

    strict = message_from_bytes(mail.outbox[0].message().as_bytes(), policy=policy.default)
    message_id = str(strict["Message-ID"])
    assert re.fullmatch(r"<\d+\.booking-6f1c-2026-11-22T01-35-58-00-00@localhost>", message_id)
