"""Authenticator app, recovery codes and keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.core.cache import cache
from django.test import Client

from backend.accounts.actions import NewPerson, create_person
from backend.accounts.models import User
from tests.accounts.making import PASSWORD, browser, sign_in
from tests.factories import make_user


@pytest.fixture(autouse=True)
def _empty_cache(db: None) -> None:
    cache.clear()


def code_for(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return str(format_hotp_value(hotp_value(secret, counter)))


def proven(user: User) -> Client:
    """Signed in, and asked for the password once more."""
    client = sign_in(user)
    client.post("/account/reauthenticate/", {"password": "correct horse"})
    return client


def switch_on(client: Client) -> str:
    """Set the app up as a person does; returns its secret."""
    page = client.get("/account/2fa/totp/activate/")
    secret: str = page.context["form"].secret
    answer = client.post("/account/2fa/totp/activate/", {"code": code_for(secret)})
    assert answer.status_code == 302
    return secret


def begin(user: User) -> tuple[Client, Any]:
    client = browser()
    return client, client.post("/account/login/", {"login": user.email, "password": "correct horse"})


def test_with_the_app_the_password_is_not_enough() -> None:
    user = make_user()
    secret = switch_on(proven(user))
    cache.clear()  # a code counts once

    client, first = begin(user)
    wrong = client.post("/account/2fa/authenticate/", {"code": "000000"})
    outside = "_auth_user_id" in client.session
    right = client.post("/account/2fa/authenticate/", {"code": code_for(secret)})

    assert first["Location"] == "/account/2fa/authenticate/"
    assert (wrong.status_code, outside, right.status_code) == (200, False, 302)
    assert b"wrong or too old" in wrong.content
    assert client.session["_auth_user_id"] == str(user.pk)


def test_the_owner_hears_of_it(committed: None) -> None:
    switch_on(proven(make_user()))

    assert "An authenticator app protects your account from now on." in mail.outbox[0].body
    assert mail.outbox[0].subject == "Authenticator app switched on"


def test_secrets_are_stored_encrypted(settings: Any) -> None:
    user = make_user()
    secret = switch_on(proven(user))

    stored = Authenticator.objects.get(user=user, type="totp").data["secret"]

    assert secret not in stored
    assert get_adapter().decrypt(stored) == secret
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a new one" * 10
    assert get_adapter().decrypt(stored) == secret


def test_a_recovery_code_works_once() -> None:
    user = make_user()
    signed_in = proven(user)
    switch_on(signed_in)
    page = signed_in.get("/account/2fa/recovery-codes/").content.decode()
    codes = re.findall(r"<li>(\d{8})</li>", page)

    def try_code() -> int:
        cache.clear()
        client, _ = begin(user)
        return client.post("/account/2fa/authenticate/", {"code": codes[0]}).status_code

    assert len(codes) == 10
    assert (try_code(), try_code()) == (302, 200)
    assert b"9 of 10 codes are left" in signed_in.get("/account/2fa/").content
    assert signed_in.get("/account/2fa/recovery-codes/download/")["Content-Disposition"].startswith("attachment")


def test_new_codes_replace_the_old() -> None:
    client = proven(make_user())
    switch_on(client)
    before = client.get("/account/2fa/recovery-codes/").content

    shown = client.get("/account/2fa/recovery-codes/generate/")
    made = client.post("/account/2fa/recovery-codes/generate/")

    assert (shown.status_code, made.status_code) == (200, 302)
    assert client.get("/account/2fa/recovery-codes/").content != before


def test_the_app_is_switched_off() -> None:
    user = make_user()
    client = proven(user)
    switch_on(client)

    shown = client.get("/account/2fa/totp/deactivate/")
    client.post("/account/2fa/totp/deactivate/")

    assert shown.status_code == 200
    assert not Authenticator.objects.filter(user=user).exists()
    assert begin(user)[0].session["_auth_user_id"] == str(user.pk)


def test_the_password_is_asked_again_before_keys_change() -> None:
    client = sign_in(make_user())

    away = client.get("/account/2fa/totp/activate/")
    page = client.get(away["Location"])
    wrong = client.post(away["Location"], {"password": "wrong"})
    back = client.post(away["Location"], {"password": "correct horse"})

    assert away["Location"].startswith("/account/reauthenticate/")
    assert b"Is it you?" in page.content
    assert (wrong.status_code, back.status_code) == (200, 302)


def test_an_unconfirmed_address_sets_up_nothing() -> None:
    user = create_person(person=NewPerson(email="li@acme.example", name="Li", password=PASSWORD), verified=False)

    answer = sign_in(user, password=PASSWORD).get("/account/2fa/totp/activate/")

    assert answer["Location"] == "/account/2fa/"


def test_the_pages_of_keys() -> None:
    user = make_user()
    client = proven(user)

    add = client.get("/account/2fa/webauthn/add/").content
    key = Authenticator.objects.create(user=user, type="webauthn", data={"name": "Blue key", "credential": {}})
    listed = client.get("/account/2fa/webauthn/").content
    renamed = client.get(f"/account/2fa/webauthn/keys/{key.pk}/edit/")
    removing = client.get(f"/account/2fa/webauthn/keys/{key.pk}/remove/")
    foreign = proven(make_user()).get(f"/account/2fa/webauthn/keys/{key.pk}/remove/")

    assert b"accounts/passkey.js" in add
    assert b"Blue key" in listed
    assert (renamed.status_code, removing.status_code, foreign.status_code) == (200, 200, 404)


def test_sign_in_offers_a_passkey() -> None:
    page = browser().get("/account/login/")

    assert b"Sign in with a passkey" in page.content
    assert browser().get("/account/2fa/webauthn/login/", headers={"accept": "application/json"}).status_code == 200
    assert "unsafe-inline" not in page["Content-Security-Policy"]
