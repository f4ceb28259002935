"""Machines' credentials: what each can do, and when it ends."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from backend.accounts import auth
from backend.accounts.actions import create_token
from backend.accounts.models import ApiToken, User, digest_secret
from tests.factories import make_enterprise, make_member, make_user
from tests.parallel import at_once


def ask(secret: str, **headers: str) -> Any:
    return Client(headers={"authorization": f"Bearer {secret}", **headers}).get("/api/v1/me")


def token_of(user: User, **more: Any) -> str:
    return create_token(user=user, name="agent", **more)[1]


def test_a_token_says_who_is_asking(db: None) -> None:
    enterprise = make_enterprise(name="Acme")
    user = make_member(enterprise, "member", "admin", user=make_user("Li", email="li@example.org"))

    response = ask(token_of(user))

    assert response.json() == {
        "id": user.pk,
        "email": "li@example.org",
        "name": "Li",
        "language": "en",
        "organisations": [{"id": enterprise.pk, "name": "Acme", "kind": "enterprise", "roles": ["admin", "member"]}],
    }


def test_only_the_digest_is_stored(db: None) -> None:
    secret = token_of(make_user())

    stored = ApiToken.objects.get()

    assert len(secret) == 43
    assert stored.digest == digest_secret(secret)
    assert secret not in str(vars(stored))


@pytest.mark.parametrize("secret", ["", "wrong", "扫描", "a" * 5000])
def test_a_wrong_token_is_refused(secret: str, db: None) -> None:
    response = ask(secret)

    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


def test_a_revoked_token_is_refused(db: None) -> None:
    secret = token_of(make_user())
    ApiToken.objects.update(revoked_at=timezone.now())

    assert ask(secret).status_code == 401


def test_an_expired_token_is_refused(db: None) -> None:
    secret = token_of(make_user(), days=2)

    assert ask(secret).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=2, seconds=1), tick=False):
        assert ask(secret).status_code == 401


def test_a_person_who_left_has_no_token(db: None) -> None:
    user = make_user()
    secret = token_of(user)
    User.objects.filter(pk=user.pk).update(is_active=False)

    assert ask(secret).status_code == 401


def test_a_read_only_token_reads_and_writes_nothing(db: None) -> None:
    secret = token_of(make_user(), read_only=True)
    client = Client(headers={"authorization": f"Bearer {secret}", "accept-language": "en"})

    read = client.get("/api/v1/me")
    write = client.post("/api/v1/bookings", {}, content_type="application/json")

    assert read.status_code == 200
    assert (write.status_code, write.json()["detail"]) == (403, "This token can only read.")


def test_a_token_needs_no_csrf_but_a_session_does(db: None) -> None:
    user = make_user()
    machine = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {token_of(user)}"})
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)

    assert machine.post("/api/v1/bookings", {}, content_type="application/json").status_code != 403
    assert browser.post("/api/v1/bookings", {}, content_type="application/json").status_code == 403


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp5"}])
def test_without_a_credential_a_write_is_401_not_a_csrf_failure(headers: dict[str, str], db: None) -> None:
    client = Client(enforce_csrf_checks=True, headers=headers)

    response = client.post("/api/v1/bookings", {}, content_type="application/json")

    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")


def test_a_session_without_csrf_token_says_so(db: None) -> None:
    browser = Client(enforce_csrf_checks=True, headers={"authorization": "Bearer wrong"})
    browser.force_login(make_user())

    response = browser.post("/api/v1/bookings", {}, content_type="application/json")

    assert (response.status_code, response.json()["code"]) == (403, "csrf")
    assert response["Content-Type"] == "application/problem+json"


def test_use_is_noted(db: None) -> None:
    secret = token_of(make_user())

    ask(secret)

    assert ApiToken.objects.get().last_used_at is not None


def test_too_many_requests_are_throttled(db: None, settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 40
    secret, other = token_of(make_user()), token_of(make_user())

    with time_machine.travel("2026-12-01T04:00:10Z", tick=False):
        answers = [ask(secret) for _ in range(50)]
        untouched = ask(other)
    with time_machine.travel("2026-12-01T04:01:10Z", tick=False):
        next_minute = ask(secret)

    refused = [answer for answer in answers if answer.status_code == 429]
    assert 0 < len(refused) <= 10
    assert refused[0]["Retry-After"] == "60"
    assert refused[0].json()["code"] == "throttled"
    assert (untouched.status_code, next_minute.status_code) == (200, 200)


@pytest.mark.parallel
def test_requests_at_once_are_all_counted(committed: None) -> None:
    """Counting is shared by threads: none may be lost, and none may fail."""
    auth._pending.clear()

    outcome = at_once([partial(lambda: [auth._collect((1, 5), batch=7) for _ in range(500)]) for _ in range(8)])

    assert outcome.errors == []
    assert sum(map(sum, outcome.results)) + auth._pending[1, 5] == 4000
    auth._pending.clear()


def test_the_command_prints_the_token_on_its_last_line(db: None) -> None:
    user = make_user(email="li@example.org")
    out = StringIO()

    call_command("create_token", user="LI@example.org", name="agent", days=3, stdout=out)

    secret = out.getvalue().splitlines()[-1]
    assert ask(secret).json()["id"] == user.pk


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"user": "nobody@example.org"}, "nobody@example.org"),
        ({"user": "li@example.org", "days": 0}, "at least 1"),
    ],
)
def test_the_command_refuses_nonsense(options: dict[str, Any], problem: str, db: None) -> None:
    make_user(email="li@example.org")

    with pytest.raises(CommandError, match=problem):
        call_command("create_token", name="agent", **options)


def test_me_takes_few_queries(db: None, django_assert_max_num_queries: Any) -> None:
    user = make_user()
    for _ in range(5):
        make_member(make_enterprise(), user=user)
    secret = token_of(user)
    ask(secret)

    with django_assert_max_num_queries(2):
        ask(secret)
