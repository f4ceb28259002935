"""Many requests at once, on the desk and over the API; and the reasons that a lab gives often."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backend.accounts.actions import create_token
from backend.accounts.models import Role
from backend.audit.models import Entry
from backend.outbox.models import Message
from booking.actions.conversation import add_note
from booking.actions.deciding import approve_booking
from booking.actions.templates import save_reasons
from booking.models import Booking, ReasonTemplate, Side, Status
from tests.booking.lab import HTMX, Lab, browser, html, queries
from tests.factories import DAY, at, make_institution, make_manager, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(clock: Any) -> Lab:
    return Lab(approval=True)


def statuses(*bookings: Booking) -> list[str]:
    return [Booking.objects.get(pk=booking.pk).status for booking in bookings]


def marks(*bookings: Booking) -> list[str]:
    return [f"{booking.pk}:{booking.version}" for booking in bookings]


# --- the desk -------------------------------------------------------------------------------------------------------


def test_marks_stay_while_going_through_the_list(lab: Lab) -> None:
    one, two = lab.book(9, 10), lab.book(11, 12)

    page = html(browser(lab.manager).get(f"/desk/?request={two.pk}&pick={one.pk}", headers=HTMX))

    assert f'name="pick" value="{one.pk}" checked' in page
    assert f'name="pick" value="{two.pk}" checked' not in page
    assert "1 request is marked" in page
    assert page.count('data-key="a"') == page.count('data-key="r"') == page.count('data-key="x"') == 1
    assert f'name="marked" value="{one.pk}:1"' in page


def test_a_mark_of_what_is_not_there_is_no_mark(lab: Lab) -> None:
    lab.book(9, 10)

    page = html(browser(lab.manager).get("/desk/?pick=999999&pick=x", headers=HTMX))

    assert "desk-marked" not in page


def test_all_marked_are_approved_at_once(lab: Lab) -> None:
    one, two, three = lab.book(9, 10), lab.book(11, 12), lab.book(13, 14)

    answer = browser(lab.manager).post(
        "/desk/decide/", {"decision": "approve", "marked": marks(one, two)}, headers=HTMX
    )

    assert statuses(one, two, three) == [Status.CONFIRMED, Status.CONFIRMED, Status.REQUESTED]
    assert "2 requests approved." in html(answer)
    assert f"/desk/{three.pk}/approve/" in html(answer)
    assert answer["HX-Trigger"] == "desk-changed"
    assert Entry.objects.filter(action="booking.approve").count() == 2


def test_what_fails_is_named_and_holds_up_nobody(lab: Lab) -> None:
    good, decided, changed = lab.book(9, 10), lab.book(11, 12), lab.book(13, 14)
    approve_booking(booking=decided, by=make_manager(lab.institution))
    Booking.objects.filter(pk=changed.pk).update(version=5)

    answer = browser(lab.manager).post(
        "/desk/decide/",
        {"decision": "reject", "reason": "Repair", "marked": marks(good, decided, changed)},
        headers=HTMX,
    )

    page = html(answer)
    assert answer.status_code == 200
    assert statuses(good, decided, changed) == [Status.REJECTED, Status.CONFIRMED, Status.REQUESTED]
    assert "1 request rejected." in page
    assert "2 requests could not be decided." in page
    assert "This is not possible any more: the booking is “Confirmed”." in page
    assert "This changed while you were looking at it." in page
    # What can still be decided stays marked, as it is now.
    assert f'name="marked" value="{changed.pk}:5"' in page


def test_rejecting_many_needs_a_reason_before_anything_is_done(lab: Lab) -> None:
    one = lab.book(9, 10)

    answer = browser(lab.manager).post("/desk/decide/", {"decision": "reject", "marked": marks(one)}, headers=HTMX)

    assert answer.status_code == 422
    assert statuses(one) == [Status.REQUESTED]


def test_nobody_decides_about_their_own_or_another_labs_request(lab: Lab) -> None:
    other = Lab(approval=True)
    foreign = other.book(9, 10)
    make_member(lab.enterprise, user=lab.manager)
    own = lab.book(9, 10, user=lab.manager)

    page = html(
        browser(lab.manager).post("/desk/decide/", {"decision": "approve", "marked": marks(foreign, own)}, headers=HTMX)
    )

    assert statuses(foreign, own) == [Status.REQUESTED, Status.REQUESTED]
    assert "You cannot decide about your own request." in page
    assert "Not found" in page
    assert other.enterprise.name not in page.replace(lab.enterprise.name, "")


def test_the_desk_reads_as_much_for_forty_requests_as_for_one(lab: Lab) -> None:
    client = browser(lab.manager)
    lab.book(9, 10)
    one = queries(client, "/desk/")
    for number in range(39):
        hour, week = 9 + number % 8, number // 8
        lab.book(hour, hour + 1, day=DAY + timedelta(days=7 * week + 1), user=lab.boss)

    assert queries(client, "/desk/") == one
    page = html(client.get("/desk/"))
    assert "40 requests" in page


def test_the_desk_shows_history_qualification_and_the_last_messages(lab: Lab) -> None:
    booking = lab.book(9, 10)
    add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, text="Six samples, gold coated")
    Booking.objects.filter(pk=lab.book(11, 12, user=lab.boss).pk).update(status=Status.NO_SHOW, occupancy=None)

    page = html(browser(lab.manager).get(f"/desk/?request={booking.pk}"))

    assert "Six samples, gold coated" in page
    assert f"{lab.engineer}: 0 completed, 0 cancelled, 0 missed" in page
    assert "0 completed, 0 cancelled, 1 missed" in page
    assert "Qualification" in page


def test_drawing_an_outage_opens_its_form_with_what_it_hits(lab: Lab) -> None:
    booking = lab.book(9, 12)
    drawn = {"instrument": lab.instrument.pk, "start": at(10).isoformat(), "end": at(14).isoformat()}
    client = browser(lab.manager)

    page = html(client.get("/desk/outage/", drawn))

    assert 'value="2026-12-01T10:00"' in page
    assert f'name="hit" value="{booking.pk}"' in page
    assert f'action="/manage/instruments/{lab.instrument.pk}/outages/"' in page
    assert browser(lab.engineer).get("/desk/outage/", drawn).status_code == 403
    assert client.get("/desk/outage/", {**drawn, "instrument": 10**9}).status_code == 404
    assert client.get("/desk/outage/", {"instrument": lab.instrument.pk}).status_code == 422


# --- the API --------------------------------------------------------------------------------------------------------


def call(who: Any, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {create_token(user=who, name='t')[1]}", "accept-language": "en"}
    send = getattr(browser(), method)
    return send(f"/api/v1{path}", body, content_type="application/json", headers=headers)


def test_the_api_answers_for_each_id(lab: Lab) -> None:
    good, stale = lab.book(9, 10), lab.book(11, 12)
    foreign = Lab(approval=True).book(9, 10)
    body = {
        "decision": "approve",
        "ids": [good.pk, stale.pk, foreign.pk, 10**9, good.pk],
        "versions": {str(good.pk): 1, str(stale.pk): 7},
    }

    answer = call(lab.manager, "post", "/bookings/decide", body)

    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [(each["id"], each["status"], each["code"]) for each in results] == [
        (good.pk, 200, ""),
        (stale.pk, 412, "stale"),
        (foreign.pk, 404, "not_found"),
        (10**9, 404, "not_found"),
    ]
    assert results[0]["booking"]["status"] == "confirmed"
    told = ("status", "code", "detail", "errors", "booking")
    assert [results[2][name] for name in told] == [results[3][name] for name in told]


def test_the_api_refuses_what_the_customer_may_not_decide(lab: Lab) -> None:
    booking = lab.book(9, 10)

    result = call(lab.engineer, "post", "/bookings/decide", {"decision": "approve", "ids": [booking.pk]})

    assert result.json()["results"][0]["status"] == 403
    no_reason = call(lab.manager, "post", "/bookings/decide", {"decision": "reject", "ids": [booking.pk]})
    assert (no_reason.status_code, no_reason.json()["errors"][0]["code"]) == (422, "reason_needed")
    assert statuses(booking) == [Status.REQUESTED]
    many = {"decision": "approve", "ids": list(range(1, 102))}
    assert call(lab.manager, "post", "/bookings/decide", many).status_code == 422


# --- reasons --------------------------------------------------------------------------------------------------------


def test_a_labs_own_reasons_take_the_place_of_the_usual_ones(lab: Lab) -> None:
    booking = lab.book(9, 10)
    client = browser(lab.manager)
    assert "The time is needed for maintenance." in html(client.get("/desk/"))
    path = f"/manage/institutions/{lab.institution.pk}/reasons/"
    assert "These are the usual ones." in html(client.get(path))

    saved = client.post(
        path, {"text": ["请先培训", " ", "样品太大"], "text_en": ["Training first", "", ""]}, headers=HTMX
    )

    assert saved.status_code == 204
    desk = html(client.get("/desk/"))
    assert 'data-text="Training first"' in desk
    assert 'data-text="样品太大"' in desk
    assert "needed for maintenance" not in desk
    assert 'data-text="Training first"' in html(client.get(f"/bookings/{booking.pk}/"))
    assert list(ReasonTemplate.objects.values_list("position", "text")) == [(0, "请先培训"), (1, "样品太大")]
    assert Entry.objects.get(action="reasons.save").after == {"reasons": ["请先培训", "样品太大"]}
    assert "These are the usual ones." not in html(client.get(path))


def test_reasons_of_another_lab_are_not_shown(lab: Lab) -> None:
    lab.book(9, 10)
    other = make_institution()
    save_reasons(institution=other, texts=[("别家的", "Theirs")], by=make_manager(other))

    assert "Theirs" not in html(browser(lab.manager).get("/desk/"))


def test_who_may_write_reasons(lab: Lab) -> None:
    path = f"/manage/institutions/{lab.institution.pk}/reasons/"
    finance = make_member(lab.institution, Role.FINANCE)

    assert browser(make_member(lab.institution, Role.ADMIN)).get(path).status_code == 200
    assert browser(finance).get(path).status_code == 403
    for user in (lab.engineer, Lab().manager):
        assert browser(user).get(path).status_code == 404
    assert browser(lab.boss).get(f"/manage/institutions/{lab.enterprise.pk}/reasons/").status_code == 404


def test_a_reason_has_chinese_and_at_most_300_characters(lab: Lab) -> None:
    path = f"/manage/institutions/{lab.institution.pk}/reasons/"
    client = browser(lab.manager)

    assert client.post(path, {"text": [""], "text_en": ["Only English"]}, headers=HTMX).status_code == 422
    assert client.post(path, {"text": ["长" * 301], "text_en": [""]}, headers=HTMX).status_code == 422
    assert client.post(path, {"text": ["长"] * 31, "text_en": [""] * 31}, headers=HTMX).status_code == 422
    assert client.post(path, {"text": ["长" * 300] * 30, "text_en": [""] * 30}, headers=HTMX).status_code == 204


def test_the_api_reads_and_replaces_reasons(lab: Lab) -> None:
    path = f"/institutions/{lab.institution.pk}/reason-templates"
    items = [{"text": "请先培训", "text_en": "Training first"}]

    assert call(lab.manager, "get", path).json() == {"items": []}
    assert call(lab.manager, "put", path, {"items": items}).json() == {"items": items}
    assert call(lab.manager, "get", path).json() == {"items": items}
    assert call(lab.engineer, "get", path).status_code == 404
    assert call(lab.manager, "put", path, {"items": [{"text": ""}]}).status_code == 422


def test_what_many_were_told_is_the_reason(lab: Lab) -> None:
    one, two = lab.book(9, 10), lab.book(11, 12, user=lab.boss)

    call(lab.manager, "post", "/bookings/decide", {"decision": "reject", "ids": [one.pk, two.pk], "reason": "Repair"})

    told = Message.objects.filter(kind="booking_rejected", channel="mail")
    assert {(message.recipient_id, message.context["reason"]) for message in told} == {
        (lab.engineer.pk, "Repair"),
        (lab.boss.pk, "Repair"),
    }
