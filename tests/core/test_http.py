"""Errors leave as problem documents or pages, never as a bare 500."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DataError, OperationalError
from django.http import Http404, HttpResponse
from django.test import Client, RequestFactory
from django.utils import translation

from backend.accounts.actions import create_token
from backend.accounts.models import User
from backend.core.errors import Busy, Forbidden, NotFound, Refusal, Refused, Stale, Throttled, Unauthenticated
from backend.core.http import ErrorMiddleware, as_known, problem, problem_response
from backend.core.logs import MaskSecrets, masked
from tests.factories import make_user


def handle(path: str, error: Exception, **headers: str) -> HttpResponse | None:
    request = RequestFactory().get(path, headers=headers)
    return ErrorMiddleware(lambda _: HttpResponse()).process_exception(request, error)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Unauthenticated(), 401),
        (Forbidden(), 403),
        (PermissionDenied(), 403),
        (NotFound(), 404),
        (Http404(), 404),
        (Refused(Refusal("taken", "Taken.")), 409),
        (Stale(), 412),
        (DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), 422),
        (Throttled(), 429),
        (Busy(), 503),
        (OperationalError("database is locked"), 503),
    ],
)
def test_api_answers_a_problem_document(error: Exception, status: int) -> None:
    response = handle("/api/v1/x", error)

    assert response is not None
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content)["status"] == status


@pytest.mark.parametrize("error", [ValueError("x"), OperationalError("no such table"), DataError("out of range")])
def test_unknown_errors_stay_errors(error: Exception) -> None:
    assert as_known(error) is None


def test_problem_has_the_parts_of_the_contract() -> None:
    noon = datetime(2026, 12, 1, 4, tzinfo=UTC)
    error = Refused(Refusal("too_early", "Not yet.", field="start", params={"min": 3}, until=noon, fix_text="Wait."))

    assert problem(error) == {
        "type": "about:blank#refused",
        "title": "This is not possible",
        "status": 409,
        "code": "refused",
        "detail": "Not yet.",
        "errors": [
            {
                "code": "too_early",
                "detail": "Not yet.",
                "field": "start",
                "params": {"min": 3},
                "until": "2026-12-01T04:00:00+00:00",
                "fix_text": "Wait.",
            }
        ],
    }


def test_problem_speaks_the_reader_s_language() -> None:
    with translation.override("zh-hans"):
        title = problem(NotFound())["title"]

    assert title != "Not found"


@pytest.mark.parametrize(("error", "seconds"), [(Throttled(30), "30"), (Busy(), "2")])
def test_load_errors_send_retry_after(error: Any, seconds: str) -> None:
    assert problem_response(error)["Retry-After"] == seconds


def test_unauthenticated_names_the_scheme() -> None:
    assert problem_response(Unauthenticated())["WWW-Authenticate"] == "Bearer"


def test_page_sends_the_visitor_to_sign_in_and_back() -> None:
    response = handle("/bookings/?status=requested&page=2", Unauthenticated())

    assert response is not None
    assert response.status_code == 302
    assert response["Location"] == "/account/login/?next=%2Fbookings%2F%3Fstatus%3Drequested%26page%3D2"


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/bookings/7/?tab=talk", "%2Fbookings%2F7%2F%3Ftab%3Dtalk"),
        ("https://elsewhere.example/bookings/7/", "%2F"),
        ("http://testserver//elsewhere.example/", "%2F"),
        ("", "%2F"),
    ],
)
def test_who_sent_a_form_signs_in_and_comes_back_to_its_page(referer: str, back: str) -> None:
    request = RequestFactory().post("/account/tokens/new/", headers={"referer": referer})
    response = ErrorMiddleware(lambda _: HttpResponse()).process_exception(request, Unauthenticated())

    assert response is not None
    assert response["Location"] == f"/account/login/?next={back}"


def test_htmx_gets_a_fragment_for_the_problems(db: None) -> None:
    response = handle("/bookings/1/", Refused(Refusal("taken", "It is taken.")), **{"HX-Request": "true"})

    assert response is not None
    assert response.status_code == 409
    assert response["HX-Retarget"] == "#problems"
    assert "It is taken." in response.content.decode()
    assert "<html" not in response.content.decode()


def test_unknown_page_and_unknown_route(db: None) -> None:
    client = Client(headers={"accept-language": "en"})

    page, route = client.get("/no/such/page"), client.get("/api/v1/no/such/route")

    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert (route.status_code, route["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/v1/no/such/route", 404, "not_found"),
        ("post", "/api/v1/no/such/route", 404, "not_found"),
        ("get", "/api/v1/bookings/abc", 404, "not_found"),
        ("get", "/api/v1/instruments/-1", 404, "not_found"),
        ("get", f"/api/v1/instruments/{10**30}", 404, "not_found"),
        ("get", "/api/v9", 404, "not_found"),
        ("delete", "/api/v1/bookings", 405, "method_not_allowed"),
    ],
)
def test_every_error_under_api_is_a_problem_document(
    method: str, path: str, status: int, code: str, debug: bool, db: None, settings: Any
) -> None:
    settings.DEBUG = debug
    client = Client(enforce_csrf_checks=True, headers={"accept-language": "en"})

    response = getattr(client, method)(path)

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert response.json()["code"] == code


def test_a_wrong_method_is_told_the_right_ones(db: None) -> None:
    assert Client().delete("/api/v1/bookings")["Allow"] == "GET, POST"


@pytest.mark.parametrize("debug", [False, True])
def test_too_much_is_413(db: None, settings: Any, debug: bool) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE, settings.DEBUG = 100, debug
    client = Client(headers={"accept-language": "en"})
    client.force_login(make_user())

    response = client.post("/api/v1/bookings", {"notes": "x" * 200}, content_type="application/json")

    assert (response.status_code, response["Content-Type"]) == (413, "application/problem+json")
    assert response.json()["code"] == "too_large"


def test_a_request_that_cannot_be_understood_is_400(db: None) -> None:
    api, page = [Client().get(path, headers={"host": "evil.example"}) for path in ("/api/v1/me", "/")]

    assert (api.status_code, api["Content-Type"]) == (400, "application/problem+json")
    assert (page.status_code, page["Content-Type"]) == (400, "text/html; charset=utf-8")


def test_what_a_signed_in_person_sees_is_kept_by_nobody(db: None) -> None:
    user = make_user()
    browser, visitor = Client(), Client()
    browser.force_login(user)
    machine = Client(headers={"authorization": f"Bearer {create_token(user=user, name='agent')[1]}"})

    kept = [
        client.get(path).get("Cache-Control")
        for client, path in ((browser, "/"), (browser, "/api/v1/me"), (machine, "/api/v1/me"), (browser, "/no/page"))
    ]
    tagged = browser.get("/api/v1/instruments")

    assert kept == ["private, no-store"] * 4
    assert (tagged["Cache-Control"], tagged.has_header("ETag")) == ("private, no-cache", True)
    assert not visitor.get("/api/v1/openapi.json").has_header("Cache-Control")
    assert "Cookie" not in visitor.get("/api/v1/openapi.json").get("Vary", "")


@pytest.mark.parametrize(("path", "kept"), [("/api/v1/x", "private, no-cache"), ("/x", "private, no-store")])
def test_only_an_answer_of_the_api_with_an_etag_may_be_asked_about_again(path: str, kept: str) -> None:
    request = RequestFactory().get(path)
    request.user = User(pk=1)
    own = HttpResponse(headers={"Cache-Control": "public, max-age=60"})

    tagged = ErrorMiddleware(lambda _: HttpResponse(headers={"ETag": '"a"'}))(request)

    assert tagged["Cache-Control"] == kept
    assert ErrorMiddleware(lambda _: own)(request)["Cache-Control"] == "public, max-age=60"


def test_a_page_without_csrf_token_says_so(db: None) -> None:
    response = Client(enforce_csrf_checks=True, headers={"accept-language": "en"}).post("/account/organisation/")

    assert response.status_code == 403
    assert "expired" in response.content.decode()
    assert "HX-Refresh" not in response


def test_a_step_without_csrf_token_loads_the_page_again(db: None) -> None:
    headers = {"accept-language": "en", "HX-Request": "true"}
    response = Client(enforce_csrf_checks=True, headers=headers).post("/account/organisation/")

    assert response.status_code == 403
    assert response["HX-Refresh"] == "true"


def test_every_answer_carries_the_request_s_id(db: None) -> None:
    given = Client().get("/healthz", headers={"X-Request-ID": "abc-12345"})
    forged = Client().get("/healthz", headers={"X-Request-ID": "a\tb"})

    assert given["X-Request-ID"] == "abc-12345"
    assert len(forged["X-Request-ID"]) == 32


def test_secrets_are_masked_in_logs() -> None:
    assert masked("GET /calendar/abcdEFGH123_-xyz.ics") == "GET /calendar/abcd….ics"
    assert masked("Authorization: Bearer abcdEFGH") == "Authorization: Bearer abcd…"
    entry = logging.LogRecord("x", logging.INFO, "", 0, "%s", ("/calendar/abcdEFGHijkl.ics",), None)

    MaskSecrets().filter(entry)

    assert entry.getMessage() == "/calendar/abcd….ics"
