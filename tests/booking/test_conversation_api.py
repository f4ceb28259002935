"""The API of messages about a booking, and what is too large to be sent at all."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from backend.accounts.models import Role
from backend.core import attachments as limits
from booking.models import Note
from tests.booking.lab import HTMX, Lab, browser, html
from tests.booking.test_conversation import CSV, _now, upload
from tests.conftest import ApiClient
from tests.factories import make_member

__all__ = ["_now"]
pytestmark = pytest.mark.django_db


def test_the_api_lists_and_writes() -> None:
    lab = Lab()
    booking = lab.book()
    path = f"/bookings/{booking.pk}/messages"

    made = ApiClient(lab.manager).post_api(path, {"text": "Fine"})
    page = ApiClient(lab.engineer).get_api(path, limit=1)

    assert made.status_code == 201
    assert page.json() == {"items": [made.json()], "count": 1}
    assert made.json() == {
        "id": Note.objects.get().pk,
        "side": "lab",
        "author": {"id": lab.manager.pk, "name": lab.manager.name},
        "text": "Fine",
        "at": "2026-11-24T09:00:00+08:00",
        "files": [],
    }


def test_the_api_takes_files_and_gives_them_back() -> None:
    lab = Lab()
    booking = lab.book()

    made = ApiClient(lab.engineer).post(
        f"/api/v1/bookings/{booking.pk}/files", {"text": "The list", "files": [upload()]}
    )

    assert made.status_code == 201, made.content
    file = made.json()["files"][0]
    assert {**file, "id": 0, "url": ""} == {
        "id": 0, "url": "", "name": "list.csv", "media_type": "text/csv", "size": len(CSV),
        "sha256": hashlib.sha256(CSV).hexdigest(),
    }  # fmt: skip
    answer = ApiClient(lab.manager).get(file["url"])
    assert b"".join(answer.streaming_content) == CSV


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("messages", {"text": "   "}, "string_too_short"),
        ("messages", {"text": "x" * 5001}, "string_too_long"),
        ("messages", {"text": "a\0b"}, "control_characters"),
        ("messages", {}, "missing"),
        ("messages", {"text": "x", "side": "lab"}, "extra_forbidden"),
        ("files", {}, "missing"),
    ],
)
def test_the_api_names_what_is_wrong(path: str, body: dict[str, str], code: str) -> None:
    lab = Lab()
    client = ApiClient(lab.engineer)
    url = f"/api/v1/bookings/{lab.book().pk}/{path}"

    answer = client.post(url, body) if path == "files" else client.post(url, body, content_type="application/json")

    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == [code]
    assert not Note.objects.exists()


def test_who_only_agrees_in_another_role_takes_no_part() -> None:
    lab = Lab()
    booking = lab.book()
    finance = make_member(lab.institution, Role.FINANCE)
    booking.approval_roles = ["finance"]
    booking.save(update_fields=["approval_roles"])

    assert ApiClient(finance).get_api(f"/bookings/{booking.pk}/messages").status_code == 403
    assert browser(finance).post(f"/bookings/{booking.pk}/messages/", {"text": "x"}).status_code == 403


@override_settings(UPLOAD_MAX_BYTES=2000)
def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    lab = Lab()
    booking = lab.book()
    large = b"1,2\n" * 1000
    client = ApiClient(lab.engineer)

    with CaptureQueriesContext(connection) as caught:
        page = client.post(f"/bookings/{booking.pk}/messages/", {"files": [upload(content=large)]}, headers=HTMX)
        answer = client.post(f"/api/v1/bookings/{booking.pk}/files", {"files": [upload(content=large)]})

    assert (page.status_code, answer.status_code) == (413, 413)
    assert "This is more than can be sent at once." in page.content.decode()
    assert answer.json()["code"] == "too_large"
    assert not [query for query in caught.captured_queries if "INSERT" in query["sql"]]


def test_the_limits_fit_each_other(settings: Any) -> None:
    assert limits.MOST_FILES * limits.MOST_BYTES < settings.UPLOAD_MAX_BYTES
    assert limits.MOST_BYTES_ALTOGETHER >= limits.MOST_FILES * limits.MOST_BYTES


@override_settings(UPLOAD_MAX_BYTES=2000)
def test_the_same_holds_where_the_form_s_token_is_looked_for_first() -> None:
    lab = Lab()
    booking = lab.book()
    client = Client(enforce_csrf_checks=True, headers={"accept-language": "en"})
    client.force_login(lab.engineer)
    client.get(f"/bookings/{booking.pk}/")

    answer = client.post(
        f"/bookings/{booking.pk}/messages/", {"files": [upload(content=b"1,2\n" * 1000)]}, headers=HTMX
    )

    assert "This is more than can be sent at once." in html(answer, 413)
    assert answer["HX-Retarget"] == "#problems"
