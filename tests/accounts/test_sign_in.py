"""Sign-in with mail and password, and its throttle."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests.factories import make_enterprise, make_member, make_user

PASSWORD = "correct horse"  # that of make_user


@pytest.fixture(autouse=True)
def _empty_cache(db: None) -> None:
    cache.clear()


def sign_in(email: str, password: str = PASSWORD, client: Client | None = None, **extra: Any) -> Any:
    client = client or Client(headers={"accept-language": "en"})
    return client.post("/account/login/", {"login": email, "password": password}, **extra)


def test_the_right_password_opens_the_door() -> None:
    user = make_user(email="li@example.org")
    client = Client()

    response = sign_in("LI@example.org", client=client)

    assert response.status_code == 302
    assert client.session["_auth_user_id"] == str(user.pk)


def test_the_wrong_password_and_the_unknown_person_look_alike() -> None:
    make_user(email="li@example.org")

    wrong, unknown = sign_in("li@example.org", "wrong"), sign_in("nobody@example.org", "wrong")

    assert wrong.status_code == unknown.status_code == 200
    assert wrong.context["form"].errors == unknown.context["form"].errors


def test_nobody_signs_up_alone() -> None:
    response = Client().get("/account/signup/")

    assert b'name="password1"' not in response.content


def test_one_account_is_throttled_after_five_failures() -> None:
    make_user(email="li@example.org")
    for _ in range(5):
        sign_in("li@example.org", "wrong")

    response = sign_in("li@example.org")

    assert response.status_code == 200
    assert "Too many failed" in str(response.context["form"].errors)


def test_one_address_is_throttled_after_ten_failures() -> None:
    make_user(email="li@example.org")
    for n in range(10):
        sign_in(f"user{n}@example.org", "wrong")

    here = sign_in("li@example.org")
    elsewhere = sign_in("li@example.org", REMOTE_ADDR="192.0.2.7")

    assert here.status_code == 200
    assert elsewhere.status_code == 302


def test_an_address_that_floods_gets_429() -> None:
    answers = [sign_in("nobody@example.org", "wrong") for _ in range(31)]

    assert answers[-1].status_code == 429
    assert answers[-1]["Retry-After"] == "60"


def test_a_forged_forwarding_header_does_not_help() -> None:
    make_user(email="li@example.org")
    for n in range(10):
        sign_in(f"user{n}@example.org", "wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}")

    assert sign_in("li@example.org", HTTP_X_FORWARDED_FOR="192.0.2.99").status_code == 200


def test_behind_a_trusted_proxy_the_forwarded_address_counts(settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    make_user(email="li@example.org")
    for n in range(10):
        # What the client wrote itself stands on the left; only the proxy's entry counts.
        sign_in(f"user{n}@example.org", "wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{n}, 192.0.2.1")

    same = sign_in("li@example.org", HTTP_X_FORWARDED_FOR="203.0.113.77, 192.0.2.1")
    other = sign_in("li@example.org", HTTP_X_FORWARDED_FOR="203.0.113.77, 192.0.2.2")

    assert (same.status_code, other.status_code) == (200, 302)


def test_switching_the_organisation() -> None:
    user = make_user()
    one, two, foreign = make_enterprise(), make_enterprise(), make_enterprise()
    make_member(one, user=user)
    make_member(two, user=user)
    client = Client()
    client.force_login(user)

    switched = client.post("/account/organisation/", {"organisation": two.pk, "next": "/x/"})
    refused = [client.post("/account/organisation/", {"organisation": value}) for value in (foreign.pk, "x", "")]
    away = client.post("/account/organisation/", {"organisation": one.pk, "next": "https://evil.example/"})

    assert (switched.status_code, switched["Location"]) == (302, "/x/")
    assert [answer.status_code for answer in refused] == [404, 404, 404]
    assert away["Location"] == "/"
