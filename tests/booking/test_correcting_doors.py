"""Correcting records of use over the API and on the pages."""

from __future__ import annotations

from typing import Any

import pytest

from booking.models import Usage, UsageState
from instruments.models import Instrument
from tests.booking.lab import HTMX, browser, html, wall
from tests.booking.records import correct, make_lab, submitted, verified
from tests.conftest import ApiClient
from tests.factories import at, make_member

pytestmark = pytest.mark.django_db


# --- the API --------------------------------------------------------------------------------------------------------


def test_the_api_amends_and_corrects(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)
    client = ApiClient(lab.manager)

    amended = client.patch_api(f"/usage/{usage.pk}", {"end": at(11).isoformat()})
    client.post_api(f"/usage/{usage.pk}/verify")
    made = client.post_api(f"/usage/{usage.pk}/correct", {"end": at(10).isoformat(), "reason": "typo"})

    assert amended.status_code == 200, amended.content
    assert amended.json()["end"] == "2026-12-01T11:00:00+08:00"
    assert made.status_code == 201, made.content
    assert (made.json()["corrects"], made.json()["reason"]) == (usage.pk, "typo")
    listed = client.get_api("/usage").json()
    assert [row["id"] for row in listed["items"]] == [made.json()["id"]]
    everything = client.get_api("/usage", corrected="true").json()["items"]
    assert {row["id"]: row["corrected_by"] for row in everything} == {
        usage.pk: made.json()["id"],
        made.json()["id"]: None,
    }
    assert client.post_api(f"/usage/{usage.pk}/correct", {"reason": "again"}).status_code == 409
    assert client.post_api(f"/usage/{usage.pk}/correct", {"end": at(10).isoformat()}).status_code == 422


def test_null_in_the_body_leaves_the_time_as_it_is(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    answer = ApiClient(lab.manager).patch_api(f"/usage/{usage.pk}", {"end": None, "comment": None, "samples": None})

    assert answer.status_code == 200
    assert answer.json()["end"] == "2026-12-01T12:00:00+08:00"


def test_who_may_amend_and_correct(clock: Any) -> None:
    lab, other = make_lab(), make_lab()
    usage = verified(lab, clock)
    paths = [f"/usage/{usage.pk}/preview/", f"/usage/{usage.pk}/amend/", f"/usage/{usage.pk}/correct/"]
    strangers = [lab.stranger, other.manager]

    for path in paths:
        assert [browser(who).post(path).status_code for who in strangers] == [404, 404]
        assert browser(lab.engineer).post(path).status_code == 403
    for who in strangers:
        assert browser(who).get(f"/usage/{usage.pk}/").status_code == 404
        assert ApiClient(who).get_api(f"/usage/{usage.pk}").status_code == 404
        assert ApiClient(who).patch_api(f"/usage/{usage.pk}", {}).status_code == 404
        assert ApiClient(who).post_api(f"/usage/{usage.pk}/correct", {"reason": "r"}).status_code == 404
    assert ApiClient(lab.engineer).post_api(f"/usage/{usage.pk}/correct", {"reason": "r"}).status_code == 403
    assert ApiClient(lab.engineer).patch_api(f"/usage/{usage.pk}", {}).status_code == 403
    assert Usage.objects.count() == 1


# --- the pages ------------------------------------------------------------------------------------------------------


def form(usage: Usage, **changes: Any) -> dict[str, Any]:
    assert usage.end is not None
    return {"start": wall(usage.start), "end": wall(usage.end), "samples": "", "comment": "", **changes}


def test_the_page_previews_corrects_and_shows_the_chain(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    client = browser(lab.manager)

    preview = html(client.post(f"/usage/{old.pk}/preview/", form(old, end=wall(at(11))), headers=HTMX))
    plain = html(client.post(f"/usage/{old.pk}/preview/", form(old, end=wall(at(11)))))
    done = client.post(f"/usage/{old.pk}/correct/", form(old, end=wall(at(11)), reason="typo"))
    new = Usage.objects.get(corrects=old)
    page, before = html(client.get(f"/usage/{new.pk}/")), html(client.get(f"/usage/{old.pk}/"))

    assert "¥200.00" in preview
    assert "100.00" in preview
    assert "<html" not in preview
    assert "What this changes" in plain
    assert "<html" in plain
    assert done.status_code == 302
    assert done["Location"] == f"/usage/{new.pk}/"
    assert "Corrections" in page
    assert "typo" in page
    assert "Quote and charge" in page
    assert "A newer record has taken the place" in before
    assert f'action="/usage/{old.pk}/correct/"' not in before


def test_the_customer_reads_the_record_and_cannot_change_it(clock: Any) -> None:
    lab = make_lab()
    usage = verified(lab, clock)

    page = html(browser(lab.engineer).get(f"/usage/{usage.pk}/"))

    assert "Quote and charge" in page
    assert "Correct the record" not in page


def test_the_page_changes_a_record_that_waits(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    browser(lab.manager).post(f"/usage/{usage.pk}/amend/", form(usage, end=wall(at(11)), comment="Gun changed"))

    usage.refresh_from_db()
    assert (usage.end, usage.comment) == (at(11), "Gun changed")


def test_the_record_is_verified_on_its_page_which_then_shows_the_charge(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)
    client = browser(lab.manager)
    assert "Verifying makes the charge final." in html(client.get(f"/usage/{usage.pk}/"))

    answer = client.post(f"/usage/{usage.pk}/verify/", {"back": "record"})

    assert (answer.status_code, answer["Location"]) == (302, f"/usage/{usage.pk}/")
    page = html(client.get(f"/usage/{usage.pk}/"))
    assert "Verifying makes" not in page
    assert "Quote and charge" in page


def test_a_time_that_the_clock_shows_twice_is_asked_about_in_the_form(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)
    Instrument.objects.update(timezone="Europe/Berlin")
    client, times = browser(lab.manager), {"start": "2025-10-26T02:30", "end": "2025-10-26T06:00"}

    for step in ("preview", "amend", "correct"):
        answer = client.post(f"/usage/{usage.pk}/{step}/", form(usage, reason="typo", **times), headers=HTMX)
        assert (answer.status_code, answer["HX-Retarget"]) == (422, "#which")
        assert "Which start is meant?" in html(answer, 422)

    said = form(usage, **times, start_fold="1")
    answered = html(client.post(f"/usage/{usage.pk}/preview/", said, headers=HTMX), 422)
    assert "Which start is meant?" not in answered
    assert "must lie within a day of the booked time" in answered


def test_own_use_is_not_offered_for_verifying(clock: Any) -> None:
    lab = make_lab()
    make_member(lab.enterprise, user=lab.manager)
    usage = submitted(lab, clock, user=lab.manager)

    page = html(browser(lab.manager).get(f"/usage/{usage.pk}/"))

    assert "a colleague verifies it" in page
    assert f"/usage/{usage.pk}/verify/" not in page


def test_the_customer_is_not_offered_verifying(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    page = html(browser(lab.engineer).get(f"/usage/{usage.pk}/"))

    assert f"/usage/{usage.pk}/verify/" not in page
    assert "a colleague verifies it" not in page


def test_the_booking_page_compares_quote_and_charge(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    correct(old, lab.manager, end=at(11))

    for who in (lab.engineer, lab.manager):
        page = html(browser(who).get(f"/bookings/{old.booking_id}/"))
        assert "Charged" in page
        assert "¥300.00" in page
        assert "¥200.00" in page
        assert "Corrected: The device log says so" in page
        assert "Use corrected" in page


def test_a_use_without_booking_is_logged_on_a_page(clock: Any) -> None:
    lab = make_lab()
    submitted(lab, clock)  # so that the enterprise is a customer
    client, path = browser(lab.manager), f"/manage/instruments/{lab.instrument.pk}/usage/new/"
    data = {
        "reference": "b1f0e0de-0000-4000-8000-000000000001", "email": lab.engineer.email.upper(),
        "start": wall(at(15)), "end": wall(at(16)), "samples": "", "comment": "",
    }  # fmt: skip

    assert "Who used it" in html(client.get(path))
    first = client.post(path, data)
    again = client.post(path, data)
    unknown = client.post(path, {**data, "email": lab.stranger.email})

    made = Usage.objects.get(booking=None)
    assert first["Location"] == again["Location"] == f"/usage/{made.pk}/"
    assert (made.user, made.organisation, made.state) == (lab.engineer, lab.enterprise, UsageState.SUBMITTED)
    assert unknown.status_code == 422
    assert f'href="{path}"' in html(client.get("/usage/new/"))
    assert browser(lab.engineer).get(path).status_code == 403
    assert browser(lab.engineer).get("/usage/new/").status_code == 404
