"""The day of a lab: what is odd about it, and the page that shows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from backend.accounts.queries import access_of
from booking.actions.correcting import correct_usage
from booking.actions.using import finish_booking, record_usage, start_booking, verify_usage
from booking.models import Usage, UsageState
from booking.queries import log
from booking.rules.daybook import Pair, overlapping, problems_of
from tests.booking.lab import HTMX, TODAY, Lab, browser, html, queries
from tests.factories import DAY, at, make_instrument, make_price_list

BOOKED = (at(9), at(12))

PROBLEMS: dict[str, tuple[Pair, list[str]]] = {
    "still to come": (Pair(BOOKED), []),
    "no record": (Pair(BOOKED, over=True), ["No record: nobody logged the use."]),
    "never finished": (
        Pair(BOOKED, (at(9), at(12, 3)), over=True),
        ["The booked time is over, but nobody has finished the use."],
    ),
    "still going on": (
        Pair(BOOKED, (at(9), at(12, 24)), over=True),
        [
            "The booked time is over, but nobody has finished the use.",
            "Still running 24 minutes after the booking.",
        ],
    ),
    "as booked": (Pair(BOOKED, BOOKED), []),
    "a few minutes": (Pair(BOOKED, (at(8, 56), at(12, 5))), []),
    "earlier": (Pair(BOOKED, (at(8, 30), at(11))), ["Began 30 minutes before the booking."]),
    "later": (Pair(BOOKED, (at(9), at(13))), ["Ended 60 minutes after the booking."]),
    "longer at both ends": (
        Pair(BOOKED, (at(8, 30), at(12, 30))),
        [
            "Began 30 minutes before the booking.",
            "Ended 30 minutes after the booking.",
            "60 minutes longer than booked.",
        ],
    ),
    "elsewhere": (Pair(BOOKED, (at(13), at(14))), ["The use lies outside the booked time."]),
    "unbooked": (Pair(None, BOOKED), ["Used without a booking."]),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_odd_is_said(name: str) -> None:
    pair, texts = PROBLEMS[name]

    assert [problem.text for problem in problems_of(pair)] == texts


def test_uses_overlap_only_beyond_the_number_of_units() -> None:
    uses = [(at(9), at(11)), (at(10), at(12)), (at(11), at(13))]

    assert overlapping(uses) == {0, 1, 2}
    assert overlapping(uses[::2]) == set()
    assert overlapping(uses, units=2) == set()
    assert overlapping([*uses, (at(10, 30), at(10, 40))], units=2) == {0, 1, 3}


@pytest.fixture
def clock(db: None) -> Any:
    with time_machine.travel(at(9, day=TODAY), tick=False) as traveller:
        yield traveller


def used(lab: Lab, start: int, end: int, **more: Any) -> Usage:
    return record_usage(
        by=lab.manager, source_ref=f"device/{start}-{end}", instrument=lab.instrument, user=lab.engineer,
        organisation=lab.enterprise, start=at(start), end=at(end), **more,
    )  # fmt: skip


def test_the_day_lists_missing_records_first_and_names_problems(clock: Any) -> None:
    lab = Lab()
    early, late, never = lab.book(9, 10), lab.book(11, 12), lab.book(14, 15)
    clock.move_to(at(21))
    finish_booking(booking=early, by=lab.manager, start=at(9), end=at(10))
    finish_booking(booking=late, by=lab.manager, start=at(11), end=at(13))
    used(lab, 9, 10)

    page = html(browser(lab.manager).get(f"/usage/?day={DAY:%Y-%m-%d}"))
    day = page[page.index("log-day") :]

    assert day.index("nobody logged") < day.index("Overlaps another use.")
    assert "Ended 60 minutes after the booking." in day
    assert "Used without a booking." in day
    assert f'href="/bookings/{never.pk}/"' in day
    assert 'class="bar-open" x="480" width="720"' in day
    assert "style=" not in day


def test_an_instrument_of_several_units_has_a_lane_for_each(clock: Any) -> None:
    lab = Lab(units=2)
    lab.book(9, 12)
    lab.book(9, 12, user=lab.boss)
    clock.move_to(at(21))
    used(lab, 9, 12)

    lanes = log.log_day(access_of(lab.manager), DAY).lanes

    assert [(lane.unit, len(lane.entries)) for lane in lanes] == [(1, 1), (2, 1), (0, 1)]


def test_of_a_corrected_use_only_the_newest_record_is_drawn(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(21))
    old = verify_usage(usage=finish_booking(booking=booking, by=booking.user), by=lab.manager)
    new = correct_usage(
        usage=old, by=lab.manager, start=at(9), end=at(11), samples=None, parameters={}, reason="device log"
    )

    page = html(browser(lab.manager).get(f"/usage/?day={DAY:%Y-%m-%d}"))

    assert 'class="bar-used bar-good" x="540" width="120"' in page
    assert page.count("bar-used bar-good") == 1
    assert f'href="/usage/{new.pk}/"' in page
    assert f'href="/usage/{old.pk}/"' not in page
    assert "Corrected record" in page


def test_a_running_use_is_drawn_until_now(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(9))
    start_booking(booking=booking, by=booking.user)
    clock.move_to(at(10, 30))

    page = html(browser(lab.manager).get("/usage/"))

    assert 'class="bar-used bar-busy" x="540" width="90"' in page
    assert "running since" in page


def test_one_tap_in_the_day_answers_with_the_lane_on_the_same_scale(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(21))
    usage = finish_booking(booking=booking, by=booking.user)
    data = {"day": f"{DAY:%Y-%m-%d}", "scale": "6-22"}

    lane = html(browser(lab.manager).post(f"/usage/{usage.pk}/verify/", data, headers=HTMX))

    usage.refresh_from_db()
    assert usage.state == UsageState.VERIFIED
    assert lane.startswith('<section class="log-lane"')
    assert 'viewBox="360 0 960 10"' in lane
    assert "bar-used bar-good" in lane
    assert "¥300.00" in lane


def test_without_script_verifying_leads_back_to_the_day(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(21))
    usage = finish_booking(booking=booking, by=booking.user)

    answer = browser(lab.manager).post(f"/usage/{usage.pk}/verify/", {"day": "2026-12-01"})

    assert answer["Location"] == "/usage/?day=2026-12-01"


@pytest.mark.parametrize("scale", ["", "8", "x-y", "20-8", "8-99"])
def test_a_scale_that_makes_no_sense_is_left_out(scale: str) -> None:
    assert log.scale_of(scale) == ""


def test_the_filter_shows_one_instrument_also_where_nothing_happened(clock: Any) -> None:
    lab, other = Lab(), Lab()
    second = make_instrument(lab.institution)
    make_price_list(second)
    lab.book()
    clock.move_to(at(21))

    page = html(browser(lab.manager).get(f"/usage/?day={DAY:%Y-%m-%d}&instrument={second.pk}"))
    foreign = html(browser(lab.manager).get(f"/usage/?day={DAY:%Y-%m-%d}&instrument={other.instrument.pk}"))

    assert second.name_en in page
    assert "Records that are missing" not in page
    assert f"?day=2026-11-30&instrument={second.pk}#day-title" in page.replace("&amp;", "&")
    assert "Records that are missing" in foreign
    assert f"/instruments/{other.instrument.pk}/" not in foreign


def test_the_day_needs_as_many_queries_for_one_use_as_for_many(clock: Any) -> None:
    lab = Lab()
    first, second = lab.book(8, 9), lab.book(10, 11)
    clock.move_to(at(21))
    verify_usage(usage=finish_booking(booking=first, by=lab.engineer), by=lab.manager)
    finish_booking(booking=second, by=lab.engineer)
    path = f"/usage/?day={DAY:%Y-%m-%d}"
    one = queries(browser(lab.manager), path)
    for number in range(12):
        lab.instrument = make_instrument(lab.institution)
        make_price_list(lab.instrument)
        for hour in (8, 10):
            clock.move_to(at(9, day=TODAY) + timedelta(minutes=number))
            booking = lab.book(hour, hour + 1)
            clock.move_to(at(21))
            usage = finish_booking(booking=booking, by=booking.user)
            if hour == 8:
                verify_usage(usage=usage, by=lab.manager)

    assert queries(browser(lab.manager), path) == one


def test_what_could_not_be_verified_is_named(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(21))
    usage = verify_usage(usage=finish_booking(booking=booking, by=booking.user), by=lab.manager)
    client = browser(lab.manager)

    client.post("/usage/verify/", {"usage": [usage.pk]})

    assert "Only a submitted record can be verified" in html(client.get("/usage/"))
