"""The page of subscriptions and the calendars behind their addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.conf import settings

from booking.models import Feed
from tests.booking.lab import HTMX, NOW, Lab, browser, html, queries

pytestmark = pytest.mark.django_db

MINE = {"scope": "mine", "detail": "full", "name": "phone"}


@pytest.fixture(autouse=True)
def _november() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def address(response: Any) -> str:
    found = re.search(rf'value="{re.escape(settings.SITE_URL)}(/calendar/[\w-]+\.ics)"', html(response))
    assert found
    return found[1]


def test_the_address_is_shown_once_with_its_code() -> None:
    lab = Lab()
    client = browser(lab.engineer)

    made = client.post("/account/feeds/new/", MINE, headers=HTMX)

    assert made["Cache-Control"] == "no-store"
    assert 'src="data:image/svg+xml' in html(made)
    assert address(made)
    assert "/calendar/" not in re.sub(r'href="/calendar/"', "", html(client.get("/account/feeds/")))
    assert "phone" in html(client.get("/account/feeds/"))
    assert "not read yet" in html(client.get("/account/feeds/"))


def test_without_script_the_address_comes_on_a_whole_page() -> None:
    lab = Lab()

    made = browser(lab.engineer).post("/account/feeds/new/", MINE)

    assert address(made)
    assert "<html" in html(made)


def test_the_calendar_has_its_headers_and_304() -> None:
    lab = Lab()
    booking = lab.book()
    path = address(browser(lab.engineer).post("/account/feeds/new/", MINE, headers=HTMX))

    first = browser().get(path)
    again = browser().get(path, headers={"If-None-Match": first["ETag"]})

    assert first["Content-Type"] == "text/calendar; charset=utf-8"
    assert first["Cache-Control"] == again["Cache-Control"] == "private"
    assert first["Referrer-Policy"] == again["Referrer-Policy"] == "no-referrer"
    assert f"UID:{booking.uid}" in first.content.decode()
    assert (again.status_code, again.content) == (304, b"")
    assert browser().head(path).status_code == 200
    assert browser().post(path).status_code == 405


def test_a_replaced_or_revoked_address_is_404() -> None:
    lab = Lab()
    client = browser(lab.engineer)
    old = address(client.post("/account/feeds/new/", MINE, headers=HTMX))
    feed = Feed.objects.get()

    new = address(client.post(f"/account/feeds/{feed.pk}/replace/", headers=HTMX))

    assert browser().get(old).status_code == 404
    assert browser().get(new).status_code == 200
    assert client.post(f"/account/feeds/{feed.pk}/revoke/", headers=HTMX)["HX-Redirect"] == "/account/feeds/"
    assert browser().get(new).status_code == 404
    assert browser().get("/calendar/unknown.ics").status_code == 404


def test_a_strangers_subscription_is_absent() -> None:
    lab = Lab()
    browser(lab.engineer).post("/account/feeds/new/", MINE, headers=HTMX)
    feed = Feed.objects.get()

    for step in ("replace", "revoke"):
        assert browser(lab.stranger).post(f"/account/feeds/{feed.pk}/{step}/").status_code == 404
        assert browser().post(f"/account/feeds/{feed.pk}/{step}/").status_code == 302


def test_the_busy_times_of_an_instrument_but_not_who() -> None:
    lab = Lab()
    lab.book()
    lab.book(13, 14, user=lab.boss)
    client = browser(lab.engineer)
    data = {"scope": "instrument", "instrument": lab.instrument.pk}

    busy = address(client.post("/account/feeds/new/", {**data, "detail": "busy"}, headers=HTMX))

    assert "Example Materials" not in browser().get(busy).content.decode()
    assert browser().get(busy).content.count(b"BEGIN:VEVENT") == 2
    assert client.post("/account/feeds/new/", {**data, "detail": "full"}, headers=HTMX).status_code == 403


def test_a_wrong_choice_is_422() -> None:
    lab = Lab()

    assert browser(lab.engineer).post("/account/feeds/new/", {"scope": "all"}, headers=HTMX).status_code == 422


def test_the_query_count_does_not_depend_on_the_number_of_subscriptions() -> None:
    lab = Lab()
    client = browser(lab.engineer)
    client.post("/account/feeds/new/", MINE, headers=HTMX)
    one = queries(client, "/account/feeds/")
    for _number in range(29):
        client.post("/account/feeds/new/", MINE, headers=HTMX)

    assert queries(client, "/account/feeds/") == one
