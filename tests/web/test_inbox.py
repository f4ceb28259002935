"""What a person is told in the application: the list, the bell, marking as read, and choosing."""

from __future__ import annotations

from typing import Any

import pytest

from backend.accounts.models import User
from backend.audit.models import Entry
from backend.outbox.actions import post
from backend.outbox.models import Channel, Message, Preference
from backend.outbox.queries.inbox import choices_of
from tests.booking.lab import HTMX, browser, html, queries
from tests.conftest import ApiClient
from tests.factories import make_enterprise, make_institution, make_manager, make_member, make_user

pytestmark = pytest.mark.django_db

REGISTRATION = {"organisation": "Acme <&> Sons", "uscc": "91350100M000100Y43", "note": ""}


def tell(user: User, number: int = 1, kind: str = "registration_received") -> Message:
    """The message in the application."""
    context = {**REGISTRATION, "organisation": f"{REGISTRATION['organisation']} {number}"}
    if kind == "invoice_issued":
        context = {
            "number": f"S-{number}",
            "currency": "CNY",
            "total": "5.00",
            "institution": "Lab",
            "period": "2026-10",
        }
    post(key=f"{kind}{number}", kind=kind, recipients=[user.pk], context=context, path="/registrations/")
    return Message.objects.get(key=f"{kind}{number}", channel=Channel.IN_APP, recipient=user)


def read(message: Message) -> bool:
    message.refresh_from_db()
    return message.read_at is not None


def test_the_inbox_shows_own_messages_escaped_in_the_reader_s_language() -> None:
    user = make_user()
    tell(user)
    tell(make_user(), 2)

    page = html(browser(user).get("/messages/"))
    chinese = html(browser(user).get("/messages/", headers={"accept-language": "zh-hans"}))

    assert "Registration to confirm: Acme &lt;&amp;&gt; Sons 1" in page
    assert "Sons 2" not in page
    assert "An enterprise has registered and waits to be confirmed." in page
    assert "Dear" not in page
    assert "91350100M000100Y43" in page
    assert "1 new message" in page
    assert "Registration to confirm" not in chinese
    assert "Acme &lt;&amp;&gt; Sons 1" in chinese


def test_an_empty_inbox_says_what_will_be_there() -> None:
    page = html(browser(make_user()).get("/messages/"))

    assert "No messages yet" in page
    assert "Mark all as read" not in page


def test_unread_messages_come_first() -> None:
    user = make_user()
    for number in range(1, 5):
        tell(user, number)
    client = browser(user)
    client.get(f"/messages/{tell(user, 5).pk}/")

    page = html(client.get("/messages/"))

    assert [page.index(f"Sons {number}") for number in (4, 3, 2, 1, 5)] == sorted(
        page.index(f"Sons {number}") for number in range(1, 6)
    )


def test_following_a_message_reads_it_and_leads_to_its_page() -> None:
    user = make_user()
    message, other = tell(user), tell(user, 2)

    answer = browser(user).get(f"/messages/{message.pk}/")

    assert (answer.status_code, answer["Location"]) == (302, "/registrations/")
    assert (read(message), read(other)) == (True, False)


def test_a_foreign_message_and_a_mail_are_not_found() -> None:
    user, stranger = make_user(), make_user()
    message = tell(user)
    mail = Message.objects.get(key=message.key, channel=Channel.MAIL)

    assert browser(stranger).get(f"/messages/{message.pk}/").status_code == 404
    assert browser(user).get(f"/messages/{mail.pk}/").status_code == 404
    assert ApiClient(stranger).post_api(f"/messages/{message.pk}/read").status_code == 404
    assert not read(message)


def test_all_are_read_at_once_and_only_one_s_own() -> None:
    user, other = make_user(), make_user()
    mine, theirs = [tell(user), tell(user, 2)], tell(other)

    answer = browser(user).post("/messages/read/", follow=True)

    assert "2 messages marked as read." in html(answer)
    assert "Everything is read" in html(answer)
    assert ([read(one) for one in mine], read(theirs)) == ([True, True], False)


def test_filters_select_by_topic_and_unread() -> None:
    user = make_user()
    tell(user, 1, "invoice_issued")
    browser(user).get(f"/messages/{tell(user, 2, 'invoice_issued').pk}/")
    tell(user, 3)
    client = browser(user)

    def shown(query: str) -> list[bool]:
        page = html(client.get(f"/messages/?{query}"))
        return [word in page for word in ("S-1", "S-2", "Sons 3")]

    assert shown("topic=money") == [True, True, False]
    assert shown("topic=money&unread=1") == [True, False, False]
    assert shown("topic=account") == [False, False, True]
    assert shown("topic=nonsense&page=x") == [True, True, True]
    assert "No message fits what you selected." in html(client.get("/messages/?topic=reminders"))


def test_pages_and_queries_do_not_grow_with_the_messages() -> None:
    user = make_member(make_enterprise())
    tell(user)
    client = browser(user)
    few, bell = queries(client, "/messages/"), queries(client, "/messages/newest/")

    for number in range(2, 40):
        tell(user, number)

    assert queries(client, "/messages/") == few
    assert queries(client, "/messages/newest/") == bell
    assert html(client.get("/messages/?page=2")).count("message-words") == 14


def test_the_bell_shows_the_newest_five() -> None:
    user = make_user()
    for number in range(1, 8):
        tell(user, number)

    fragment = html(browser(user).get("/messages/newest/", headers=HTMX))

    assert [number for number in range(1, 8) if f"Sons {number}" in fragment] == [3, 4, 5, 6, 7]
    assert "<html" not in fragment
    assert 'hx-get="/messages/newest/"' in html(browser(user).get("/messages/"))


def test_a_message_whose_words_are_gone_is_still_listed() -> None:
    user = make_user()
    tell(user)
    Message.objects.update(kind="of_old")

    assert "of_old" in html(browser(user).get("/messages/"))


# --- the API ---------------------------------------------------------------------------------------------------------


def test_the_api_lists_selects_and_marks_as_read() -> None:
    user = make_user()
    message = tell(user)
    tell(user, 2, "invoice_issued")
    client = ApiClient(user)

    page = client.get_api("/messages", topic="account", unread="true").json()
    marked = client.post_api(f"/messages/{message.pk}/read").json()

    assert page["count"] == 1
    item = page["items"][0]
    assert (item["id"], item["kind"], item["topic"]) == (message.pk, "registration_received", "account")
    assert item["subject"] == "Registration to confirm: Acme <&> Sons 1"
    assert item["url"] == "http://localhost:8000/registrations/"
    assert (item["read_at"], marked["read_at"] is None) == (None, False)
    assert client.get_api("/messages", unread="true").json()["count"] == 1
    assert client.get_api("/messages", unread="false").json()["count"] == 1
    assert client.post_api("/messages/read").json() == {"read": 1}
    assert client.post_api("/messages/read").json() == {"read": 0}
    assert client.get_api("/messages", topic="nonsense").status_code == 422


def test_the_api_s_queries_do_not_grow() -> None:
    user = make_user()
    tell(user)
    client = ApiClient(user)
    few = queries(client, "/api/v1/messages")
    for number in range(2, 30):
        tell(user, number)

    assert queries(client, "/api/v1/messages") == few


# --- choosing --------------------------------------------------------------------------------------------------------


def ticked(page: str) -> set[str]:
    return {part.split('"')[0] for part in page.split('name="on" value="')[1:] if "checked" in part.split(">")[0]}


def test_everything_is_on_until_one_chooses() -> None:
    page = html(browser(make_manager(make_institution())).get("/account/notifications/"))

    assert len(ticked(page)) == 12
    assert page.count("disabled") == 2


def test_a_choice_is_kept_and_recorded() -> None:
    user = make_member(make_enterprise())
    client = browser(user)
    on = sorted(ticked(html(client.get("/account/notifications/"))) - {"bookings:mail", "account:mail", "money:in_app"})

    answer = client.post("/account/notifications/", {"on": on}, follow=True)

    assert ticked(html(answer)) == {*on, "account:mail"}
    assert choices_of(user.pk)["bookings"] == {"mail": False, "in_app": True}
    entry = Entry.objects.get(action="person.messages")
    assert (entry.actor, entry.after["money"]) == (user, {"mail": True, "in_app": False})


def test_the_same_choice_again_writes_nothing() -> None:
    user = make_member(make_enterprise())
    client = browser(user)
    on = sorted(ticked(html(client.get("/account/notifications/"))))

    client.post("/account/notifications/", {"on": on})

    assert not Preference.objects.exists()
    assert not Entry.objects.exists()


def test_somebody_without_an_organisation_may_choose() -> None:
    user = make_user()

    browser(user).post("/account/notifications/", {"on": []})

    assert choices_of(user.pk)["reminders"] == {"mail": False, "in_app": False}


def test_requests_are_a_choice_of_those_who_work_at_an_institution() -> None:
    engineer, manager = make_member(make_enterprise()), make_manager(make_institution())

    browser(engineer).post("/account/notifications/", {"on": []})

    page = "/account/notifications/"
    assert not any(name.startswith("requests:") for name in ticked(html(browser(engineer).get(page))))
    assert choices_of(engineer.pk)["requests"] == {"mail": True, "in_app": True}
    assert "requests:mail" in ticked(html(browser(manager).get(page)))


def test_the_api_reads_and_writes_choices() -> None:
    user = make_user()
    client = ApiClient(user)

    answer = client.put_api("/messages/preferences", [{"topic": "money", "in_app": True, "mail": False}])

    assert answer.status_code == 200
    chosen: dict[str, Any] = {row.pop("topic"): row for row in client.get_api("/messages/preferences").json()}
    assert chosen["money"] == {"in_app": True, "mail": False}
    assert chosen["bookings"] == {"in_app": True, "mail": True}


def test_the_account_topic_cannot_be_switched_off_over_the_api() -> None:
    client = ApiClient(make_user())

    answer = client.put_api("/messages/preferences", [{"topic": "account", "in_app": False, "mail": False}])

    assert [row for row in answer.json() if row["topic"] == "account"] == [
        {"topic": "account", "in_app": True, "mail": True}
    ]
