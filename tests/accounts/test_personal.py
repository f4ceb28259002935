"""A person's own pages: profile, password, sessions, tokens."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.utils import timezone

from backend.accounts.actions import (
    NewPerson,
    change_profile,
    create_person,
    create_token,
    revoke_token,
    sign_out_everywhere,
)
from backend.accounts.auth import UNKNOWN_ADDRESS, client_ip
from backend.accounts.models import ApiToken, User
from backend.audit.models import Entry
from backend.core.errors import Invalid, NotFound
from tests.accounts.making import PASSWORD, browser, link_in_mail, make_admin, sign_in
from tests.factories import make_enterprise, make_member, make_user


@pytest.fixture(autouse=True)
def _empty_cache(db: None) -> None:
    cache.clear()


# --- profile ----------------------------------------------------------------------------------------------------------


def test_the_profile_is_changed_and_recorded() -> None:
    user = make_admin()[0]

    change_profile(user=user, name="New", phone="123", language="en")
    change_profile(user=user, name="New", phone="123", language="en")

    assert Entry.objects.get().after == {"name": "New", "phone": "123"}
    assert User.objects.get(pk=user.pk).name == "New"


def test_who_belongs_nowhere_leaves_no_row() -> None:
    change_profile(user=make_user(), name="New", phone="", language="en")

    assert not Entry.objects.exists()


def test_the_profile_on_the_page() -> None:
    user = make_admin()[0]
    client = browser(user)

    shown = client.get("/account/profile/")
    saved = client.post("/account/profile/", {"name": "Li", "phone": "", "language": "zh-hans"})
    wrong = client.post("/account/profile/", {"name": "", "language": "xx"}, headers={"HX-Request": "true"})

    assert b"Only the password protects your account." in shown.content
    assert (saved.status_code, saved.cookies["django_language"].value) == (302, "zh-hans")
    assert wrong.status_code == 422
    assert User.objects.get(pk=user.pk).language == "zh-hans"


def test_visitors_are_sent_to_sign_in() -> None:
    for path in ("profile/", "tokens/", "signed-in/", "2fa/", "password/change/", "email/", "sessions/"):
        assert browser().get(f"/account/{path}")["Location"].startswith("/account/login/")
    for path in ("profile/confirm-address/", "tokens/new/", "tokens/1/revoke/", "signed-in/end/"):
        assert browser().post(f"/account/{path}")["Location"].startswith("/account/login/")


def test_the_address_is_confirmed_by_mail() -> None:
    user = create_person(person=NewPerson(email="li@acme.example", name="Li", password=PASSWORD), verified=False)
    client = sign_in(user, password=PASSWORD)

    shown = client.get("/account/profile/")
    client.post("/account/profile/confirm-address/")
    again = client.post("/account/profile/confirm-address/")
    confirmed = client.post(link_in_mail("/account/confirm-email/"))

    assert b"Please confirm that li@acme.example is yours" in shown.content
    assert (again.status_code, confirmed.status_code) == (429, 302)
    assert EmailAddress.objects.get(user=user).verified
    assert client.post("/account/profile/confirm-address/").status_code == 404


def test_an_account_made_by_others_counts_as_confirmed() -> None:
    user = make_user()

    sign_in(user)
    sign_in(user)

    assert EmailAddress.objects.get(user=user).verified


# --- password ---------------------------------------------------------------------------------------------------------


def test_the_password_is_reset_by_mail() -> None:
    user = make_user(email="li@acme.example")
    client = browser()

    asked = client.post("/account/password/reset/", {"email": "LI@acme.example"})
    link = link_in_mail("/account/password/reset/key/")
    page = client.get(link, follow=True)
    done = client.post(page.redirect_chain[-1][0], {"password1": PASSWORD, "password2": PASSWORD})

    assert asked.status_code == done.status_code == 302
    assert "Somebody asked for a new password" in mail.outbox[0].body
    assert mail.outbox[0].subject == "Set a new password"
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert b"used already or is too old" in browser().get(link, follow=True).content
    assert "The password of your account was set anew." in mail.outbox[-1].body


def test_an_unknown_address_gets_the_same_page_and_no_link() -> None:
    make_user(email="li@acme.example")
    known = browser().post("/account/password/reset/", {"email": "li@acme.example"}, follow=True)
    unknown = browser().post("/account/password/reset/", {"email": "no@acme.example"}, follow=True)

    assert known.redirect_chain == unknown.redirect_chain
    assert "there is no account" in mail.outbox[-1].body


def test_resetting_is_throttled_per_account_and_per_address() -> None:
    def ask(email: str, address: str) -> int:
        return browser().post("/account/password/reset/", {"email": email}, REMOTE_ADDR=address).status_code

    account = [ask("li@acme.example", f"192.0.2.{n}") for n in range(4)]
    address = [ask(f"p{n}@acme.example", "198.51.100.1") for n in range(11)]

    assert account == [302, 302, 302, 429]
    assert address == [302] * 10 + [429]


def test_mail_that_cannot_leave_breaks_nothing(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    answer = browser().post("/account/password/reset/", {"email": "li@acme.example"})

    assert answer.status_code == 302
    assert "could not be sent" in caplog.text


def test_the_password_is_changed_and_other_sessions_end() -> None:
    user = make_user()
    here, there = sign_in(user), sign_in(user)

    changed = here.post(
        "/account/password/change/",
        {"oldpassword": "correct horse", "password1": PASSWORD, "password2": PASSWORD},
    )

    assert changed.status_code == 302
    assert here.get("/account/profile/").status_code == 200
    assert there.get("/account/profile/").status_code == 302


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_signing_out_everywhere_keeps_this_browser() -> None:
    user = make_admin()[0]
    here, there, unlisted = sign_in(user), sign_in(user), browser(user)

    listed = here.get("/account/signed-in/")
    ended = here.post("/account/signed-in/end/")

    assert listed.content.count(b"signed in") == 2
    assert ended.status_code == 302
    assert here.get("/account/signed-in/").content.count(b"this one") == 1
    for client in (there, unlisted):
        assert client.get("/account/profile/").status_code == 302
    assert Entry.objects.get().action == "person.sign_out_everywhere"


def test_the_epoch_ends_every_session() -> None:
    user = make_user()
    client = browser(user)

    sign_out_everywhere(user=user)

    assert client.get("/account/profile/").status_code == 302


def test_the_list_that_allauth_brings_works_too() -> None:
    assert b"at 1 place" in sign_in(make_user()).get("/account/sessions/").content


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_revoked() -> None:
    user = make_admin()[0]
    client = browser(user)

    made = client.post("/account/tokens/new/", {"name": "Lab PC", "days": 30, "read_only": "on"})
    secret = made.context["secret"]
    machine = Client(headers={"authorization": f"Bearer {secret}"})
    works = machine.get("/api/v1/me").status_code
    listed = client.get("/account/tokens/").content.decode()
    revoked = client.post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke/")

    assert secret in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert secret not in listed
    assert "Lab PC" in listed
    assert "just now" in listed
    assert (works, revoked.status_code, machine.get("/api/v1/me").status_code) == (200, 302, 401)
    assert list(Entry.objects.order_by("pk").values_list("action", flat=True)) == ["token.create", "token.revoke"]


@pytest.mark.parametrize("data", [{}, {"name": "", "days": 3}, {"name": "x", "days": 0}, {"name": "x", "days": "y"}])
def test_a_wrong_token_is_not_made(data: dict[str, Any]) -> None:
    answer = browser(make_user()).post("/account/tokens/new/", data)

    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_tokens_of_others_are_not_found() -> None:
    token = create_token(user=make_user(), name="agent")[0]
    stranger = make_user()

    assert browser(stranger).post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    with pytest.raises(NotFound):
        revoke_token(token=token, by=stranger)
    ApiToken.objects.update(revoked_at=timezone.now())
    assert browser(token.user).post(f"/account/tokens/{token.pk}/revoke/").status_code == 404


def test_tokens_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.accounts.actions.MOST_TOKENS", 1)
    user = make_user()
    create_token(user=user, name="one")

    with pytest.raises(Invalid) as caught:
        create_token(user=user, name="two")

    assert caught.value.refusals[0].code == "too_many"


def test_making_tokens_is_throttled(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "create_token": "2/h/user"}
    client = browser(make_user())

    answers = [client.post("/account/tokens/new/", {"name": f"t{n}", "days": 1}).status_code for n in range(3)]

    assert answers == [200, 200, 429]


def test_guessing_tokens_is_throttled_per_address(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "wrong_token": "3/m/ip"}
    secret = create_token(user=make_user(), name="agent")[1]

    def ask(token: str, address: str = "192.0.2.1") -> int:
        return Client(headers={"authorization": f"Bearer {token}"}).get("/api/v1/me", REMOTE_ADDR=address).status_code

    assert [ask("wrong") for _ in range(4)] == [401, 401, 401, 429]
    assert ask("wrong", "192.0.2.2") == 401
    assert ask(secret) == 200


# --- whose address ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "forwarded", "remote", "expected"),
    [
        (0, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9, 192.0.2.7", "10.0.0.1", "192.0.2.7"),
        (2, "203.0.113.9, 192.0.2.7, 10.0.0.2", "10.0.0.1", "192.0.2.7"),
        (2, "203.0.113.9", "10.0.0.1", "10.0.0.1"),
        (1, "nonsense", "10.0.0.1", "10.0.0.1"),
        (1, "", "10.0.0.1", "10.0.0.1"),
        (1, "[2001:db8::1]:443", "10.0.0.1", "2001:db8::1"),
        (0, "", "", UNKNOWN_ADDRESS),
    ],
)
def test_the_address_is_that_behind_our_own_proxies(
    proxies: int, forwarded: str, remote: str, expected: str, settings: Any
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}

    assert client_ip(RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote)) == expected


def test_several_organisations_are_shown_with_their_roles() -> None:
    user = make_member(make_enterprise(name="One Ltd."), "member", "admin")
    make_member(make_enterprise(name="Two Ltd."), user=user)

    page = browser(user).get("/account/profile/").content.decode()

    assert "One Ltd." in page
    assert "Two Ltd." in page
    assert "Administrator" in page
