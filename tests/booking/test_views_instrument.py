"""The page of an instrument: what it shows to whom, the live answer, booking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import time_machine

from backend.accounts.models import Membership, Project, Role
from booking.actions.policies import save_policy
from booking.models import Booking, Status
from instruments.models import Condition, Sharing
from tests.booking.lab import HTMX, NOW, Lab, browser, html, queries, wall
from tests.factories import at, make_enterprise, make_instrument, make_member, make_price_list

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _november() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def wish(start: int = 9, end: int = 11, **more: Any) -> dict[str, Any]:
    return {"mode": "self", "start": wall(at(start)), "end": wall(at(end)), "purpose": "Grain size", **more}


def test_a_visitor_reads_prices_rules_and_free_times() -> None:
    lab = Lab(approval=True)

    page = html(browser().get(f"/instruments/{lab.instrument.pk}/"))

    assert "¥100.00/h" in page
    assert "Bookings of other organisations need the instrument manager’s approval." in page
    assert "0471-1234567" in page
    assert 'data-fill-start="2026-11-24T10:00"' in page
    assert "Sign in and book" in page


@pytest.mark.parametrize("fields", [{"sharing": Sharing.NONE}, {"sharing": Sharing.INTERNAL}])
def test_an_instrument_that_is_not_shared_is_absent(fields: dict[str, str]) -> None:
    lab = Lab(**fields)
    path = f"/instruments/{lab.instrument.pk}/"

    for address in (path, f"{path}times/", f"{path}events/"):
        assert browser(lab.engineer).get(address).status_code == 404
    assert browser(lab.engineer).post(f"{path}check/", wish()).status_code == 404
    assert browser(lab.engineer).post(f"{path}book/", wish()).status_code == 404
    assert browser(lab.manager).get(path).status_code == 200


def test_rules_about_times_are_told_only_where_a_time_can_be_booked() -> None:
    by_time = Lab()
    by_sample = Lab(mode_self=False, mode_operator=False, mode_sample=True)
    broken = Lab(condition=Condition.REPAIR)

    told = [
        'id="rules-title"' in html(browser().get(f"/instruments/{lab.instrument.pk}/"))
        for lab in (by_time, by_sample, broken)
    ]

    assert told == [True, False, True]


def test_samples_only_says_how_to_submit_them() -> None:
    lab = Lab(mode_self=False, mode_operator=False, mode_sample=True)

    page = html(browser().get(f"/instruments/{lab.instrument.pk}/"))

    assert "Submit samples" in page
    assert f"/instruments/{lab.instrument.pk}/samples/" in page
    assert 'type="datetime-local"' not in page
    assert "0471-1234567" in page


def test_out_of_order_has_no_panel() -> None:
    lab = Lab(condition=Condition.REPAIR)

    page = html(browser().get(f"/instruments/{lab.instrument.pk}/"))

    assert "Not available at the moment" in page
    assert 'id="panel"' not in page


def test_the_query_count_does_not_depend_on_the_number_of_bookings() -> None:
    lab = Lab()
    client, path = browser(lab.engineer), f"/instruments/{lab.instrument.pk}/"
    lab.book(9, 10)
    one = queries(client, path), queries(client, f"{path}events/?start=2026-11-30T16:00:00Z&end=2026-12-07T16:00:00Z")
    for day in range(2, 12):
        for hour in (8, 12, 16):
            lab.book(hour, hour + 2, day=date(2026, 12, day))
    many = queries(client, path), queries(client, f"{path}events/?start=2026-11-30T16:00:00Z&end=2026-12-07T16:00:00Z")

    assert one == many
    assert one[0] <= 17


def test_an_unknown_holiday_calendar_is_said() -> None:
    lab = Lab()

    with time_machine.travel("2026-12-28T02:00:00Z", tick=False):
        page = html(browser().get(f"/instruments/{lab.instrument.pk}/"))
        answer = html(
            browser().post(
                f"/instruments/{lab.instrument.pk}/check/",
                wish() | {"start": "2027-01-05T09:00", "end": "2027-01-05T10:00"},
            )
        )

    assert "The public holidays of 2027 are not announced yet" in page
    assert "The public holidays of 2027 are not announced yet" in answer


def test_the_check_shows_price_and_approval_and_writes_nothing() -> None:
    lab = Lab(approval=True)

    answer = html(browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/check/", wish()))

    assert "¥200.00" in answer
    assert "Needs approval (Lab manager)" in answer
    assert "Submit request" in answer
    assert not Booking.objects.exists()


def test_a_visitor_may_check_too() -> None:
    lab = Lab()

    answer = html(browser().post(f"/instruments/{lab.instrument.pk}/check/", wish()))

    assert "¥200.00" in answer
    assert "Sign in and book" in answer


def test_each_refusal_has_its_sentence_and_a_button_that_works() -> None:
    lab = Lab()
    lab.book(9, 12)

    answer = html(browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/check/", wish(7, 10)))

    assert 'data-code="closed"' in answer
    assert 'data-code="taken"' in answer
    assert "Outside the opening hours: on this day 08:00–20:00." in answer
    assert 'data-fill-start="2026-12-01T12:00" data-fill-end="2026-12-01T15:00"' in answer
    assert "disabled" in answer


def test_a_fix_that_fails_elsewhere_gets_no_button() -> None:
    lab = Lab()
    lab.book(8, 10)

    answer = html(browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/check/", wish(7, 9)))

    assert 'data-code="closed"' in answer
    assert 'data-fill-start="2026-12-01T08:00"' not in answer


def test_booking_leads_to_the_booking_with_a_toast() -> None:
    lab = Lab()
    client = browser(lab.engineer)

    response = client.post(f"/instruments/{lab.instrument.pk}/book/", wish(notes="fragile"), headers=HTMX)

    booking = Booking.objects.get()
    assert response["HX-Redirect"] == f"/bookings/{booking.pk}/"
    assert (booking.status, booking.purpose, booking.notes) == (Status.CONFIRMED, "Grain size", "fragile")
    assert (booking.start, booking.end) == (at(9), at(11))
    assert "Booked. The time is yours." in html(client.get(f"/bookings/{booking.pk}/"))


def test_a_refused_booking_is_409_into_the_problems_so_that_the_form_stays() -> None:
    lab = Lab()
    lab.book(9, 11)

    response = browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/book/", wish(), headers=HTMX)

    assert response.status_code == 409
    assert response["HX-Retarget"] == "#problems"
    assert "This time is already taken." in response.content.decode()


def test_a_booking_without_purpose_is_422() -> None:
    lab = Lab()

    response = browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/book/", wish(purpose=""), headers=HTMX)

    assert "Purpose: This field is required." in html(response, 422)


def test_what_would_make_the_address_too_long_stays_in_the_browser() -> None:
    lab = Lab()

    long = wish(purpose="长" * 200, notes="长" * 2000)
    response = browser().post(f"/instruments/{lab.instrument.pk}/book/", long, headers=HTMX)

    [back] = parse_qs(urlsplit(response["HX-Redirect"]).query)["next"]
    choice = parse_qs(urlsplit(back).query)
    assert choice["purpose"] == ["长" * 200]
    assert "notes" not in choice
    # Less than what usual servers take as one line.
    assert len(response["HX-Redirect"]) < 4000


def test_an_overlong_purpose_is_refused_with_its_length() -> None:
    lab = Lab()

    response = browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/book/", wish(purpose="a" * 300))

    assert "Purpose: At most 200 characters, please; now there are 300." in html(response, 422)


def test_a_visitor_signs_in_and_finds_the_choice_again() -> None:
    lab = Lab()

    response = browser().post(f"/instruments/{lab.instrument.pk}/book/", wish(), headers=HTMX)
    back = parse_qs(urlsplit(response["HX-Redirect"]).query)["next"][0]
    page = html(browser(lab.engineer).get(back))

    assert urlsplit(response["HX-Redirect"]).path == "/account/login/"
    assert 'value="2026-12-01T09:00"' in page
    assert 'value="Grain size"' in page
    assert "¥200.00" in page
    assert not Booking.objects.exists()


@pytest.mark.parametrize("start", ["2026-12-01T09:00", "2026-12-01T01:00:00Z", "2026-12-01T09:00:00+08:00"])
def test_a_start_in_the_address_is_filled_in_and_answered(start: str) -> None:
    lab = Lab()

    page = html(browser(lab.engineer).get(f"/instruments/{lab.instrument.pk}/", {"start": start}))

    assert 'value="2026-12-01T09:00"' in page
    assert 'value="2026-12-01T10:00"' in page
    assert "¥100.00" in page


@pytest.mark.parametrize(
    "query",
    [
        "?start=nonsense",
        "?start=%00",
        "?mode=sample&length=x",
        "?day=9999-99-99",
        "?start=9999-12-31T23:30",
        "?start=0001-01-01T00:00&day=0001-01-01",
        "?start=0001-01-01T00:00%2B14:00",
    ],
)
def test_an_address_that_makes_no_sense_is_harmless(query: str) -> None:
    lab = Lab()

    assert browser().get(f"/instruments/{lab.instrument.pk}/{query}").status_code == 200
    assert browser().get(f"/instruments/{lab.instrument.pk}/times/{query}").status_code == 200


class TestClocksThatChange:
    """Berlin sets its clocks forward on 28 March 2027 and back on 25 October 2026."""

    @pytest.fixture
    def lab(self) -> Lab:
        lab = Lab(timezone="Europe/Berlin", open_on_holidays=True)
        lab.instrument.opening_hours.update(opens="00:00", closes="00:00")
        return lab

    def check(self, lab: Lab, start: str, end: str, **more: str) -> str:
        data = wish() | {"start": start, "end": end, **more}
        return html(browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/check/", data))

    def test_a_time_in_the_gap_is_refused(self, lab: Lab) -> None:
        answer = self.check(lab, "2027-03-28T02:30", "2027-03-28T04:00")

        assert "The clock skips 02:30 on this day" in answer
        assert "disabled" in answer

    def test_a_time_that_comes_twice_is_asked_for(self, lab: Lab) -> None:
        with time_machine.travel("2026-10-20T08:00:00Z", tick=False):
            asked = self.check(lab, "2026-10-25T02:30", "2026-10-25T05:00")
            answered = self.check(lab, "2026-10-25T02:30", "2026-10-25T05:00", start_fold="1")

        assert "The clock shows 02:30 twice on this day" in asked
        assert "the first, UTC+02:00" in asked
        assert "the second, UTC+01:00" in asked
        # From the second 02:30 to 05:00 are two and a half hours.
        assert "¥250.00" in answered
        assert 'value="1" checked' in answered

    def test_fees_follow_elapsed_time(self, lab: Lab) -> None:
        answer = self.check(lab, "2027-03-28T01:00", "2027-03-28T04:00")

        assert "¥200.00" in answer

    def test_the_chosen_fold_is_booked(self, lab: Lab) -> None:
        data = wish() | {"start": "2026-10-25T02:30", "end": "2026-10-25T05:00", "start_fold": "1"}
        with time_machine.travel("2026-10-20T08:00:00Z", tick=False):
            browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/book/", data)

        assert Booking.objects.get().start == datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("UTC"))


def test_the_week_never_says_who_to_others() -> None:
    lab = Lab()
    booking = lab.book()
    path = f"/instruments/{lab.instrument.pk}/events/?start=2026-11-30T16:00:00Z&end=2026-12-07T16:00:00Z"

    seen = {who: browser(user).get(path).content.decode() for who, user in (("visitor", None), ("other", lab.stranger))}
    own = json.loads(browser(lab.engineer).get(path).content)
    managed = json.loads(browser(lab.manager).get(path).content)

    for text in seen.values():
        assert "Taken" in text
        assert "Example Materials" not in text
        assert booking.user.name not in text
        assert "/bookings/" not in text
    assert [row["url"] for row in own if "url" in row] == [f"/bookings/{booking.pk}/"]
    assert "Example Materials" in next(row["title"] for row in managed if "url" in row)


def test_several_units_are_busy_only_when_all_are_taken() -> None:
    lab = Lab(units=2)
    path = f"/instruments/{lab.instrument.pk}/events/?start=2026-11-30T16:00:00Z&end=2026-12-07T16:00:00Z"
    lab.book(9, 12)
    one = [row for row in json.loads(browser().get(path).content) if not row.get("background")]
    lab.book(11, 14)
    both = [row for row in json.loads(browser().get(path).content) if not row.get("background")]

    assert one == []
    assert [(row["start"], row["end"]) for row in both] == [("2026-12-01T03:00:00+00:00", "2026-12-01T04:00:00+00:00")]


def test_who_belongs_to_two_organisations_chooses_one() -> None:
    lab = Lab()
    other = make_enterprise()
    Membership.objects.create(user=lab.engineer, organisation=other, role=Role.MEMBER)
    foreign = Project.objects.create(organisation=other, code="B", name="B")
    client, path = browser(lab.engineer), f"/instruments/{lab.instrument.pk}/book/"

    wrong = client.post(path, wish(organisation=lab.enterprise.pk, project=foreign.pk), headers=HTMX)
    right = client.post(path, wish(organisation=other.pk, project=foreign.pk), headers=HTMX)

    assert "This project belongs to another organisation." in html(wrong, 422)
    assert right.status_code == 204
    assert (Booking.objects.get().organisation, Booking.objects.get().project) == (other, foreign)


def test_a_foreign_organisation_cannot_be_named() -> None:
    lab = Lab()

    response = browser(lab.stranger).post(
        f"/instruments/{lab.instrument.pk}/book/", wish(organisation=lab.enterprise.pk), headers=HTMX
    )

    assert response.status_code == 422


def test_a_person_without_organisation_cannot_book() -> None:
    lab = Lab()
    Membership.objects.all().delete()
    client = browser(lab.engineer)

    assert "belongs to no organisation that can book" in html(client.get(f"/instruments/{lab.instrument.pk}/"))
    assert client.post(f"/instruments/{lab.instrument.pk}/book/", wish(), headers=HTMX).status_code == 403


def test_own_members_read_their_own_price() -> None:
    lab = Lab()
    rules = [
        {
            "code": "time",
            "name": "Time",
            "kind": "price",
            "qty": ["booked"],
            "rows": [{"when": {"audience": "internal"}, "rate": 40}, {"when": {"audience": "enterprise"}, "rate": 180}],
        }
    ]
    make_price_list(lab.instrument, {"name": "Rows", "currency": "CNY", "rules": rules})
    member = make_member(lab.institution)

    inside = html(browser(member).get(f"/instruments/{lab.instrument.pk}/"))
    outside = html(browser(lab.engineer).get(f"/instruments/{lab.instrument.pk}/"))

    assert inside.index("¥40.00") < inside.index("Prices for other customers") < inside.index("¥180.00")
    assert outside.index("¥180.00") < outside.index("Prices for other customers") < outside.index("¥40.00")


def test_days_and_times_against_the_rules_are_marked() -> None:
    lab = Lab()
    lead = {"rules": [{"kind": "deadline", "topic": "lead", "latest": "start -48h"}]}
    save_policy(instrument=lab.instrument, document=lead, by=lab.manager, valid_from=date(2026, 1, 1))

    page = html(browser(lab.engineer).get(f"/instruments/{lab.instrument.pk}/"))

    assert 'value="2026-11-26" checked' in page
    assert page.count("strip-against") == 2


def test_an_instrument_without_opening_hours_shows_closed_days() -> None:
    instrument = make_instrument(hours=False)
    make_price_list(instrument)

    page = html(browser().get(f"/instruments/{instrument.pk}/"))

    assert page.count("load-closed") == 14
    assert "No time of this length is free on this day." in page


def test_a_start_in_the_past_is_said_once() -> None:
    lab = Lab()
    lead = {"rules": [{"kind": "deadline", "topic": "lead", "latest": "start -48h"}]}
    save_policy(instrument=lab.instrument, document=lead, by=lab.manager, valid_from=date(2026, 1, 1))
    gone = {"start": "2026-11-02T09:00", "end": "2026-11-02T12:00"}

    answer = html(browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/check/", wish() | gone))

    assert "The start lies in the past." in answer
    assert "This was possible only until" not in answer


def test_a_booking_that_is_too_long_is_offered_at_the_longest_length() -> None:
    lab = Lab()
    longest = {"rules": [{"kind": "length", "topic": "length", "max": 120}]}
    save_policy(instrument=lab.instrument, document=longest, by=lab.manager, valid_from=date(2026, 1, 1))

    answer = html(browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/check/", wish(9, 12)))

    assert "At most 2 hours; this is 3 hours." in answer
    assert f'data-fill-end="{wish(9, 11)["end"]}"' in answer


def test_an_unreadable_date_names_its_field_once() -> None:
    lab = Lab()

    answer = html(browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/check/", wish() | {"start": "soon"}))

    assert answer.count('<li class="refusal">') == 1
    assert "From: Please give a date and a time." in answer
