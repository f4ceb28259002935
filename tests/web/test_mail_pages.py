"""The operator's pages of mail: what failed, and on a demo what was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives, send_mail

from backend.accounts.models import Organisation, OrganisationKind, Role, User
from backend.audit.models import Entry
from backend.outbox.actions import deliver_due, post
from backend.outbox.models import Channel, Message, State
from backend.outbox.queries.mailbox import FILE_BACKEND
from tests.booking.lab import browser, html, queries
from tests.factories import make_enterprise, make_institution, make_manager, make_member, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> User:
    network = Organisation.objects.create(kind=OrganisationKind.NETWORK, code="net", name="Network")
    return make_member(network, Role.OPERATOR)


@pytest.fixture
def demo(settings: Any, tmp_path: Path) -> Path:
    settings.DEMO = True
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = FILE_BACKEND, tmp_path / "mail"
    return tmp_path / "mail"


def failed(state: str = State.PARKED, number: int = 1) -> Message:
    context = {"organisation": "Secret content", "uscc": "1", "note": ""}
    post(key=f"e{number}", kind="registration_confirmed", recipients=[make_user().pk], context=context)
    Message.objects.filter(key=f"e{number}", channel=Channel.MAIL).update(
        state=state, attempts=5, error="server <down>"
    )
    return Message.objects.get(key=f"e{number}", channel=Channel.MAIL)


# --- delivery --------------------------------------------------------------------------------------------------------


def test_mail_that_failed_is_listed_without_what_it_says(operator: User) -> None:
    message = failed()

    page = html(browser(operator).get("/operator/deliveries/"))

    assert message.recipient.email in page
    assert "server &lt;down&gt;" in page
    assert "registration_confirmed" in page
    assert "Given up" in page
    assert "Secret content" not in page
    assert "Demo mail" not in page


def test_without_failures_the_page_says_so(operator: User) -> None:
    assert "No failed mail" in html(browser(operator).get("/operator/deliveries/"))


def test_the_operator_has_a_mail_tried_again(operator: User) -> None:
    message = failed()
    client = browser(operator)

    answer = client.post(f"/operator/deliveries/{message.pk}/retry/", follow=True)

    assert "The mail is tried again within a minute." in html(answer)
    assert deliver_due() == 1
    message.refresh_from_db()
    assert (message.state, message.error) == (State.SENT, "")
    entry = Entry.objects.get(action="mail.retry")
    assert (entry.actor, entry.object_id, entry.after["recipient"]) == (operator, str(message.pk), message.recipient_id)
    assert client.post(f"/operator/deliveries/{message.pk}/retry/").status_code == 404


def test_a_mail_that_waits_without_an_error_is_nobody_s_business(operator: User) -> None:
    message = failed(State.WAITING)
    Message.objects.update(error="")

    assert browser(operator).post(f"/operator/deliveries/{message.pk}/retry/").status_code == 404
    assert message.recipient.email not in html(browser(operator).get("/operator/deliveries/"))


def test_the_list_s_queries_do_not_grow(operator: User) -> None:
    failed()
    client = browser(operator)
    few = queries(client, "/operator/deliveries/")
    for number in range(2, 12):
        failed(number=number)

    assert queries(client, "/operator/deliveries/") == few


# --- the demo's mail -------------------------------------------------------------------------------------------------


def send(
    to: str = "li@example.org", subject: str = "您好 <b>", body: str = "Follow http://localhost:8000/x?a=1&b=2"
) -> None:
    send_mail(subject, body, None, [to])


def keys(folder: Path) -> list[str]:
    return [f"{path.stem}.0" for path in sorted(folder.glob("*.log"), reverse=True)]


def test_sent_mail_is_listed_and_searched(operator: User, demo: Path) -> None:
    send()
    send("wang@example.org", "Second")
    client = browser(operator)

    page = html(client.get("/operator/mail/"))

    assert "您好 &lt;b&gt;" in page
    assert "li@example.org" in page
    assert page.count("<time") >= 2
    found = html(client.get("/operator/mail/?to=WANG"))
    assert ("Second" in found, "li@example.org" in found) == (True, False)
    assert "No mail to such a recipient." in html(client.get("/operator/mail/?to=nobody"))


def test_a_mail_is_shown_as_text_and_the_reading_recorded(operator: User, demo: Path) -> None:
    mail = EmailMultiAlternatives(
        "Hello", "Plain <script>alert(1)</script> http://localhost:8000/x", None, ["li@example.org"]
    )
    mail.attach_alternative("<h1>Never shown</h1>", "text/html")
    mail.send()

    page = html(browser(operator).get(f"/operator/mail/{keys(demo)[0]}/"))

    assert "Plain &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'href="http://localhost:8000/x"' in page
    assert "Never shown" not in page
    assert "<dt>Message-ID</dt>" in page
    entry = Entry.objects.get(action="mail.open")
    assert (entry.actor, entry.after) == (operator, {"to": "li@example.org", "subject": "Hello"})


@pytest.mark.parametrize("key", ["nothing", "20260101-000000-1.0", "..%2F..%2Fsecret_key", "20260101-000000-1", "%00"])
def test_a_key_that_names_no_mail_is_not_found(operator: User, demo: Path, key: str) -> None:
    send()
    (demo.parent / "secret_key").write_text("secret")

    assert browser(operator).get(f"/operator/mail/{key}/").status_code == 404
    assert browser(operator).get(f"/operator/mail/{keys(demo)[0][:-1]}7/").status_code == 404


def test_an_empty_demo_says_how_mail_comes(operator: User, demo: Path, settings: Any) -> None:
    assert "appears here within a minute" in html(browser(operator).get("/operator/mail/"))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert "EMAIL_URL names a mail server" in html(browser(operator).get("/operator/mail/"))


def test_without_the_demo_there_is_no_such_page(operator: User, demo: Path, settings: Any) -> None:
    send()
    settings.DEMO = False

    client = browser(operator)

    assert client.get("/operator/mail/").status_code == 404
    assert client.get(f"/operator/mail/{keys(demo)[0]}/").status_code == 404
    assert "/operator/mail/" not in html(client.get("/operator/deliveries/"))
    assert not Entry.objects.exists()


@pytest.mark.parametrize("who", ["member", "administrator", "manager", "staff"])
def test_nobody_but_the_operator_sees_these_pages(operator: User, demo: Path, who: str) -> None:
    send()
    message = failed()
    person = {
        "member": lambda: make_member(make_enterprise()),
        "administrator": lambda: make_member(make_enterprise(), Role.ADMIN),
        "manager": lambda: make_manager(make_institution()),
        "staff": lambda: make_user(is_staff=True),
    }[who]()
    client = browser(person)

    answers = [
        client.get("/operator/mail/"),
        client.get(f"/operator/mail/{keys(demo)[0]}/"),
        client.get("/operator/deliveries/"),
        client.post(f"/operator/deliveries/{message.pk}/retry/"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert "/operator/mail/" not in html(client.get("/"))
    assert "/operator/mail/" in html(browser(operator).get("/"))
