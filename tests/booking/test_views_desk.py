"""The manager's desk and the usage log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Agreement, Role
from booking.actions.deciding import approve_booking, expire_holds
from booking.actions.using import finish_booking
from booking.models import Booking, Status, Usage, UsageState
from instruments.models import PriceList
from tests.booking.lab import HTMX, NOW, Lab, browser, html, queries
from tests.factories import DAY, at, make_instrument, make_manager, make_member, make_price_list

pytestmark = pytest.mark.django_db

PAGES = ["/desk/", "/desk/events/", "/usage/"]


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.mark.parametrize("path", PAGES)
def test_only_for_those_who_manage_instruments(path: str) -> None:
    lab = Lab()
    finance = make_member(lab.institution, Role.FINANCE)
    admin = make_member(lab.institution, Role.ADMIN)

    for user in (lab.engineer, lab.boss, lab.stranger, finance, make_member(lab.institution)):
        assert browser(user).get(path).status_code == 404
    for user in (lab.manager, admin):
        assert browser(user).get(path).status_code == 200
    assert browser().get(path).status_code == 302


def test_an_empty_desk_is_calm() -> None:
    lab = Lab()

    assert "All decided" in html(browser(lab.manager).get("/desk/"))


def test_the_request_whose_hold_ends_first_stands_on_top() -> None:
    lab = Lab(approval=True)
    later, sooner = lab.book(9, 10), lab.book(11, 12)
    Booking.objects.filter(pk=sooner.pk).update(hold_expires_at=at(10, day=date(2026, 11, 24)))

    page = html(browser(lab.manager).get("/desk/"))

    assert page.index(f"?request={sooner.pk}") < page.index(f"?request={later.pk}")
    assert f"/desk/{sooner.pk}/approve/" in page
    assert "desk-soon" in page


def test_the_request_is_shown_with_what_a_decision_needs() -> None:
    lab = Lab(approval=True)
    Agreement.objects.create(
        institution=lab.institution, customer=lab.enterprise, number="HT-7", valid_from=date(2026, 1, 1)
    )
    other = make_instrument(lab.institution)
    make_price_list(other)
    booking = lab.book(9, 12)
    lab.book(13, 14, user=lab.boss)
    lab.instrument = other
    lab.book(10, 11)

    page = html(browser(lab.manager).get(f"/desk/?request={booking.pk}"))

    assert "HT-7" in page
    assert "0 completed, 0 cancelled, 0 missed" in page
    assert "¥300.00" in page
    assert "this request" in page
    assert "has another booking at this time" in page
    assert 'data-key="j"' in page
    assert 'data-key="a"' in page
    assert 'data-key="r"' in page


def test_deciding_brings_the_next_request() -> None:
    lab = Lab(approval=True)
    one, two = lab.book(9, 10), lab.book(11, 12)
    client = browser(lab.manager)

    approved = client.post(f"/desk/{one.pk}/approve/", {"version": one.version}, headers=HTMX)
    rejected = client.post(
        f"/desk/{two.pk}/reject/", {"version": two.version, "reason": "Too large a sample."}, headers=HTMX
    )

    assert approved["HX-Trigger"] == "desk-changed"
    assert f"/desk/{two.pk}/approve/" in html(approved)
    assert "Approved." in html(approved)
    assert "All decided" in html(rejected)
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.status, two.status) == (Status.CONFIRMED, Status.REJECTED)


def test_who_comes_second_is_told_who_was_faster_and_sees_the_next_request() -> None:
    lab = Lab(approval=True)
    decided, following = lab.book(9, 10), lab.book(11, 12)
    colleague = make_manager(lab.institution)
    seen = decided.version
    approve_booking(booking=decided, by=colleague)

    answer = browser(lab.manager).post(f"/desk/{decided.pk}/approve/", {"version": seen}, headers=HTMX)

    assert answer.status_code == 200
    assert f"{colleague.name} was faster: this request is “Confirmed” by now." in html(answer)
    assert f"/desk/{following.pk}/approve/" in html(answer)
    assert answer["HX-Trigger"] == "desk-changed"


def test_a_request_that_expired_meanwhile_is_said_to_be_so(clock: Any) -> None:
    lab = Lab(approval=True)
    gone = lab.book()
    assert gone.hold_expires_at is not None
    clock.move_to(gone.hold_expires_at)
    expire_holds()

    data = {"version": gone.version, "reason": "Late"}
    answer = browser(lab.manager).post(f"/desk/{gone.pk}/reject/", data, headers=HTMX)

    assert "This request is “Expired” by now." in html(answer)
    assert "All decided" in html(answer)


def test_the_list_says_that_more_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(approval=True)
    for hour in (9, 11):
        lab.book(hour, hour + 1)
    assert "more follow" not in html(browser(lab.manager).get("/desk/"))

    monkeypatch.setattr("booking.views.desk.MOST_REQUESTS", 1)

    assert "more follow as you decide" in html(browser(lab.manager).get("/desk/"))


def test_deciding_without_script_goes_back_to_the_desk() -> None:
    lab = Lab(approval=True)
    booking = lab.book()

    response = browser(lab.manager).post(f"/desk/{booking.pk}/approve/", {"version": booking.version})

    assert response["Location"] == "/desk/"


def test_another_labs_request_is_absent() -> None:
    lab, other = Lab(approval=True), Lab()
    booking = lab.book()

    for what in ("approve", "reject"):
        path = f"/desk/{booking.pk}/{what}/"
        assert browser(other.manager).post(path, {"version": 1, "reason": "x"}).status_code == 404
    assert "All decided" in html(browser(other.manager).get(f"/desk/?request={booking.pk}"))
    assert browser(other.manager).get("/desk/events/?start=2026-11-30T16:00:00Z&end=2026-12-07T16:00:00Z").json() == []


def logged(lab: Lab, start: int, end: int, *, minutes_less: int = 0) -> Usage:
    booking = lab.book(start, end)
    with time_machine.travel(at(21), tick=False):
        return finish_booking(booking=booking, by=lab.manager, start=booking.start, end=at(end, -minutes_less))


def test_missing_records_come_first_with_a_form(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(13))

    page = html(browser(lab.manager).get("/usage/"))

    assert page.index("Records that are missing") < page.index("To verify")
    assert f'action="/bookings/{booking.pk}/finish/"' in page
    assert 'value="2026-12-01T09:00"' in page


def test_one_tap_verifies_and_shows_the_charge(clock: Any) -> None:
    lab = Lab()
    usage = logged(lab, 9, 12)
    clock.move_to(at(21))

    row = html(browser(lab.manager).post(f"/usage/{usage.pk}/verify/", headers=HTMX))

    usage.refresh_from_db()
    assert usage.state == UsageState.VERIFIED
    assert "¥300.00" in row
    assert browser(lab.manager).post(f"/usage/{usage.pk}/verify/", headers=HTMX).status_code == 409


def test_the_difference_from_the_quote_is_named(clock: Any) -> None:
    lab = Lab()
    used = {"code": "time", "name": "Time", "kind": "price", "required": True, "qty": ["used"], "rate": 100}
    make_price_list(lab.instrument, {"name": "By use", "currency": "CNY", "rules": [used]})
    usage = logged(lab, 9, 12, minutes_less=60)
    clock.move_to(at(21))

    row = html(browser(lab.manager).post(f"/usage/{usage.pk}/verify/", headers=HTMX))

    assert "¥200.00" in row
    assert "Quoted:" in row
    assert "instead of the booked" in row


def test_many_at_once_and_one_without_a_price_does_not_hold_up_the_rest(clock: Any) -> None:
    lab = Lab()
    good, bad = logged(lab, 9, 10), logged(lab, 11, 12)
    nothing = PriceList.objects.create(
        instrument=lab.instrument,
        version=9,
        valid_from=date(2027, 1, 1),
        document={
            "currency": "CNY",
            "rules": [
                {
                    "code": "t",
                    "name": "T",
                    "kind": "price",
                    "required": True,
                    "rows": [{"when": {"audience": "nobody"}, "rate": 1}],
                }
            ],
        },
    )
    Booking.objects.filter(pk=bad.booking_id).update(price_list=nothing)
    clock.move_to(at(21))
    client = browser(lab.manager)

    client.post("/usage/verify/", {"usage": [good.pk, bad.pk]})
    page = html(client.get("/usage/"))

    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, bad.state) == (UsageState.VERIFIED, UsageState.SUBMITTED)
    assert "1 record verified." in page
    assert "not offered, there is no price for this" in page


def test_another_labs_record_is_absent(clock: Any) -> None:
    lab, other = Lab(), Lab()
    usage = logged(lab, 9, 10)
    clock.move_to(at(21))

    assert browser(other.manager).post(f"/usage/{usage.pk}/verify/").status_code == 404
    assert browser(other.manager).post("/usage/verify/", {"usage": [usage.pk]}).status_code == 404
    assert browser(lab.engineer).post(f"/usage/{usage.pk}/verify/").status_code == 403
    usage.refresh_from_db()
    assert usage.state == UsageState.SUBMITTED


def test_the_day_draws_booked_against_used(clock: Any) -> None:
    lab = Lab()
    logged(lab, 9, 12, minutes_less=30)
    clock.move_to(at(21))

    page = html(browser(lab.manager).get(f"/usage/?day={DAY:%Y-%m-%d}"))

    assert 'class="bar-booked bar-off" x="540" width="180"' in page
    assert 'class="bar-used bar-busy" x="540" width="150"' in page
    for day in ("nonsense", "0001-01-01", "9999-12-31"):
        assert browser(lab.manager).get(f"/usage/?day={day}").status_code == 200


def test_query_counts_are_equal_for_one_row_and_thirty(clock: Any) -> None:
    lab = Lab(approval=True)
    client = browser(lab.manager)
    lab.book(8, 9)
    paths = ["/desk/", "/desk/events/?start=2026-11-30T16:00:00Z&end=2026-12-14T16:00:00Z"]
    one = [queries(client, path) for path in paths]
    for day in range(2, 12):
        for hour in (8, 10, 12):
            lab.book(hour, hour + 1, day=date(2026, 12, day))
    many = [queries(client, path) for path in paths]

    assert one == many


def test_the_log_has_equal_query_counts_for_one_row_and_thirty(clock: Any) -> None:
    lab = Lab()
    for hour in (8, 9):
        lab.book(hour, hour + 1)
    clock.move_to(at(21))
    finish_booking(booking=Booking.objects.earliest("start"), by=lab.manager)
    one = queries(browser(lab.manager), f"/usage/?day={DAY:%Y-%m-%d}")
    clock.move_to(NOW)
    for hour in range(10, 19):
        lab.book(hour, hour + 1)
    for day in range(2, 12):
        lab.book(8, 9, day=date(2026, 12, day))
        lab.book(10, 11, day=date(2026, 12, day))
    clock.move_to(at(21, day=date(2026, 12, 12)))
    for booking in Booking.objects.filter(status=Status.CONFIRMED).order_by("pk")[:14]:
        finish_booking(booking=booking, by=lab.manager, start=booking.start, end=booking.end)

    assert queries(browser(lab.manager), f"/usage/?day={DAY:%Y-%m-%d}") == one


def test_all_requests_can_be_marked_at_once() -> None:
    lab = Lab(approval=True)
    one, two = lab.book(9, 10), lab.book(11, 12)
    client = browser(lab.manager)

    before = html(client.get(f"/desk/?request={one.pk}"))
    marked = html(client.get(f"/desk/?request={one.pk}&pick=all"))

    assert "mark all" in before
    assert "2 requests are marked" in marked
    assert f'name="marked" value="{two.pk}:{two.version}"' in marked
    assert "mark all" not in marked


def test_on_a_phone_too_all_uses_can_be_selected(clock: Any) -> None:
    lab = Lab()
    logged(lab, 9, 12)
    clock.move_to(at(21))

    page = html(browser(lab.manager).get("/usage/"))

    assert re.search(r'<label class="form-check d-md-none[^>]*>\s*<input[^>]*data-check-all="usage"', page)


def test_the_desk_is_one_tap_away_on_a_phone_for_who_decides() -> None:
    lab = Lab()
    link = '<a class="tab" href="/desk/"'

    assert link in html(browser(lab.manager).get("/bookings/"))
    assert link not in html(browser(lab.book(9, 10).user).get("/bookings/"))
