"""Who may open what: every page and every API operation, by visitors and by strangers.

Routes come from the URL conf, so a new route that names no expectation here fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine
from django.urls import URLPattern, URLResolver, get_resolver

from backend.accounts.models import Role
from booking.actions.feeds import create_feed
from booking.actions.using import finish_booking, verify_usage
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge
from tests.booking.test_requesting import book
from tests.conftest import ApiClient
from tests.factories import at, make_enterprise, make_instrument, make_manager, make_member, make_price_list

pytestmark = pytest.mark.django_db

# Sign-in, registration and invitation pages, the operator's site and translations have guards and tests of their own.
ELSEWHERE = re.compile(
    r"^(account/(?!feeds|organisation)|operator/|i18n/|favicon|api/v1/(docs|openapi)|register/|invitation/)"
)
# What a visitor may read without signing in.
PUBLIC = re.compile(
    r"^(|healthz|readyz|calendar/<str:token>\.ics|instruments/(<int:pk>/(times/|check/|events/)?)?"
    r"|api/v1/(instruments(/<int:pk>(/availability|/price-list)?)?|availability|))$"
)
# Foreign objects behind these are public, so a missing right is 403 and reading them is 200.
ABOUT_INSTRUMENT = re.compile(r"^(api/v1/)?instruments/|^manage/instruments/")


def routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[str]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and not ELSEWHERE.match(route):
            yield route


@pytest.fixture
def journey() -> Any:
    """One whole journey of a company at a lab: ids of what came of it."""
    with time_machine.travel(at(9, day=date(2026, 11, 24)), tick=False) as clock:
        instrument = make_instrument()
        make_price_list(instrument)
        booking = book(instrument)
        manager, finance = make_manager(instrument.institution), make_member(instrument.institution, Role.FINANCE)
        feed, _ = create_feed(user=booking.user, scope="mine")
        clock.move_to(at(12))
        usage = verify_usage(usage=finish_booking(booking=booking, by=booking.user), by=manager)
        charge = Charge.objects.get()
        invoice = issue_invoice(
            invoice=draft_invoice(
                institution_id=instrument.institution_id,
                customer_id=booking.organisation_id,
                period="2026-12",
                by=finance,
            ),
            by=finance,
        )
        yield {
            "bookings": booking.pk, "usage": usage.pk, "charges": charge.pk, "invoices": invoice.pk,
            "instruments": instrument.pk, "feeds": feed.pk, "desk": booking.pk,
        }  # fmt: skip


# A body that passes the shape of the operation, so that the answer is about the right.
SLOT = {"start": "2026-12-20T09:00:00+08:00", "end": "2026-12-20T10:00:00+08:00", "reason": "r"}
BODIES = {"reschedule": SLOT, "outages": SLOT, "reject": {"reason": "r"}, "fapiao": {"number": "1" * 20}}


def fill(route: str, ids: dict[str, int]) -> str:
    """The address of the journey's object of the kind that the route is about."""
    kind = next((kind for kind in ids if f"{kind}/<int:pk>" in route), "")
    path = re.sub(r"<int:\w+>", str(ids.get(kind, 10**6)), route)
    path = path.replace("<str:token>", "x" * 43).replace("<table_format:form>", "csv")
    path = path.replace("<invoice_table:kind>", "invoices")
    return "/" + re.sub(r"<[^>]+>", "x", path)


def test_visitors_are_sent_to_sign_in_or_get_401(journey: dict[str, int]) -> None:
    wrong = {}
    for route in set(routes()):
        path = fill(route, journey)
        for method in ("get", "post"):
            answer = getattr(ApiClient(), method)(path)
            if PUBLIC.match(route) or answer.status_code == 405:
                continue
            if path.startswith("/api/"):
                allowed = answer.status_code == 401
            else:
                allowed = answer.status_code == 302 and "/account/login/" in answer["Location"]
            if not allowed:
                wrong[f"{method} {path}"] = answer.status_code

    assert wrong == {}


@pytest.mark.parametrize("who", ["another company's administrator", "another institution's manager", "its finance"])
def test_strangers_get_404_for_everything_of_the_journey(journey: dict[str, int], who: str) -> None:
    stranger = {
        "another company's administrator": lambda: make_member(make_enterprise(), Role.ADMIN),
        "another institution's manager": lambda: make_manager(make_instrument().institution),
        "its finance": lambda: make_member(make_instrument().institution, Role.FINANCE),
    }[who]()
    client, wrong, seen = ApiClient(stranger), {}, 0
    for route in set(routes()):
        if route == "instruments/<int:pk>/book/":
            continue  # anybody may book a public instrument
        if not any(f"{kind}/<int:pk>" in route for kind in journey) or PUBLIC.match(route):
            continue
        path = fill(route, journey)
        for method in ("get", "post"):
            body = BODIES.get(path.rstrip("/").rsplit("/", 1)[-1], {}) if method == "post" else None
            answer = getattr(client, method)(path, body, content_type="application/json")
            expected = {403, 404} if ABOUT_INSTRUMENT.match(route) else {404}
            if answer.status_code not in expected | {405}:
                wrong[f"{method} {path}"] = answer.status_code
            seen += answer.status_code in expected

    assert wrong == {}
    assert seen >= 20
