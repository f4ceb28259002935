"""What a customer meets on the way: suggestions that fit, words that are true, nothing typed that is lost."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from backend.outbox.models import Message
from booking.actions.policies import save_policy
from booking.models import Booking, SampleOrder, Status, Wait
from tests.booking.lab import HTMX, TODAY, Lab, browser, html, wall
from tests.booking.samples import Bench
from tests.booking.test_waitlist_pages import offered
from tests.conftest import ApiClient
from tests.factories import at, make_enterprise, make_instrument, make_member, make_price_list

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

TOMORROW = date(2026, 11, 25)
HALF_HOURS = {"rules": [{"id": "l", "kind": "length", "min": 60, "max": 480, "step": 30}]}


def rules(lab: Lab, document: Any) -> None:
    save_policy(instrument=lab.instrument, document=document, by=lab.manager, valid_from=date(2026, 1, 1))


def check(lab: Lab, user: Any, start: Any, end: Any, **more: Any) -> str:
    typed = {"start": wall(start), "end": wall(end), "mode": "self", **more}
    return html(browser(user).post(f"/instruments/{lab.instrument.pk}/check/", typed, headers=HTMX))


# --- the live answer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "suggested"),
    [
        (at(9), at(10, 10), "2026-12-01T10:30"),  # rounded up to the step
        (at(9), at(9, 20), "2026-12-01T10:00"),  # the shortest
        (at(9), at(19), "2026-12-01T17:00"),  # the longest
    ],
)
def test_a_length_that_is_refused_leads_to_the_nearest_that_fits(
    lab: Lab, start: Any, end: Any, suggested: str
) -> None:
    rules(lab, HALF_HOURS)

    page = check(lab, lab.engineer, start, end)

    assert f'data-fill-start="2026-12-01T09:00" data-fill-end="{suggested}"' in page


def test_another_instrument_is_named_in_the_readers_language_and_takes_what_was_typed_along(lab: Lab) -> None:
    lab.book(9, 11, user=lab.boss)
    there = make_instrument(
        lab.institution, name="扫描电镜", name_en="Electron microscope", category=lab.instrument.category
    )
    make_price_list(there)

    page = check(lab, lab.engineer, at(9), at(11), purpose="Grain size")

    assert "Electron microscope · Example University" in page
    assert "扫描电镜" not in page
    assert "purpose=Grain+size" in page


def test_a_time_that_one_has_booked_oneself_leads_to_the_booking(lab: Lab) -> None:
    booking = lab.book(9, 11)

    mine, others = (check(lab, user, at(9), at(11)) for user in (lab.engineer, lab.stranger))

    assert f'href="/bookings/{booking.pk}/"' in mine
    assert "/wait/" not in mine
    assert f"/bookings/{booking.pk}/" not in others
    assert "/wait/" in others


def test_a_start_beside_the_grid_leads_to_the_nearest_on_it_with_a_length_that_fits(lab: Lab) -> None:
    rules(lab, {"rules": [*HALF_HOURS["rules"], {"id": "g", "kind": "slots", "step": 60}]})

    page = check(lab, lab.engineer, at(9, 20), at(12))

    assert 'data-fill-start="2026-12-01T09:00" data-fill-end="2026-12-01T12:00"' in page


# --- a price that nobody has published --------------------------------------------------------------------------------


def only_operated(lab: Lab, audience: str = "enterprise") -> None:
    rule = {
        "code": "time",
        "kind": "price",
        "name": "Operated",
        "rate": 300,
        "qty": ["booked"],
        "when": {"mode": "operator", "audience": audience},
    }
    make_price_list(lab.instrument, {"name": "Prices", "currency": "CNY", "rules": [rule]})


def test_a_mode_that_the_list_does_not_price_is_not_free_of_charge(lab: Lab) -> None:
    only_operated(lab)

    page = check(lab, lab.engineer, at(9), at(11))
    answer = ApiClient(lab.engineer).post_api("/bookings", {**_slot(lab), "mode": "self", "purpose": "Grain size"})

    assert "The price list has no price for this mode of use for you." in page
    assert "¥0.00" not in page
    assert answer.status_code == 409
    assert [one["code"] for one in answer.json()["errors"]] == ["no_price"]


def test_what_is_priced_at_nothing_or_by_nothing_is_free(lab: Lab) -> None:
    free = {"code": "time", "kind": "price", "name": "Free", "rate": 0, "qty": ["booked"]}
    never_came = {"code": "no", "name": "Absent", "kind": "price", "rate": 80, "when": {"event": "no_show"}}
    for document in ({"rules": [free]}, {"rules": []}, {"rules": [never_came]}):
        make_price_list(lab.instrument, {"name": "Prices", "currency": "CNY", **document})

        answer = ApiClient(lab.engineer).post_api("/bookings/check", {**_slot(lab), "mode": "self"}).json()

        assert (answer["bookable"], answer["quote"]["total"]) == (True, "0.00")


def test_a_booking_made_without_a_price_can_still_be_moved(lab: Lab) -> None:
    booking = lab.book(9, 11)
    only_operated(lab)
    Booking.objects.update(price_list=lab.instrument.price_lists.latest("version"))

    done = browser(lab.engineer).post(
        f"/bookings/{booking.pk}/move/", {**_version(), "start": wall(at(13)), "end": wall(at(15))}
    )

    assert done.status_code == 302
    assert Booking.objects.get().start == at(13)


def _version() -> dict[str, Any]:
    return {"version": Booking.objects.get().version}


def _slot(lab: Lab) -> dict[str, Any]:
    return {"instrument": lab.instrument.pk, "start": at(9).isoformat(), "end": at(11).isoformat()}


def test_a_price_kept_in_another_language_is_read_as_numbers(lab: Lab) -> None:
    lab.engineer.language = "zh-hans"
    lab.engineer.save()
    booking = lab.book(9, 11)

    page = html(browser(lab.boss).get(f"/bookings/{booking.pk}/"))

    assert "= 200.00" in booking.quote["lines"][0]["why"]
    assert "= 200.00" not in page
    assert "2 h × <span" in page


def test_a_line_that_is_more_than_a_product_says_how_it_came_about(lab: Lab) -> None:
    tiers = [{"from": 0, "rate": 100}, {"from": 1, "rate": 60}]
    time = {"code": "time", "name": "Time", "kind": "price", "qty": ["booked"], "tiers": tiers}
    make_price_list(lab.instrument, {"name": "Prices", "currency": "CNY", "rules": [time]})

    page = check(lab, lab.engineer, at(9), at(12))

    assert "1 h × 100.00 + 2 h × 60.00 = 220.00" in page


# --- changes ---------------------------------------------------------------------------------------------------------


def test_the_preview_of_a_move_says_until_when_the_request_is_really_held(clock: Any) -> None:
    lab = Lab(approval=True)
    booking = lab.book(9, 11)
    clock.shift(3600 * 5)

    page = html(
        browser(lab.engineer).post(
            f"/bookings/{booking.pk}/move/check/",
            {**_version(), "start": wall(at(13)), "end": wall(at(15))},
            headers=HTMX,
        )
    )
    browser(lab.engineer).post(
        f"/bookings/{booking.pk}/move/", {**_version(), "start": wall(at(13)), "end": wall(at(15))}
    )

    held = Booking.objects.get().hold_expires_at
    assert held == booking.hold_expires_at
    assert f"2026-11-{held.astimezone(lab.instrument.zone):%d %H:%M}" in page


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ((13, 15), "Moved to the new time. It still waits for approval."),
        ((9, 10), "Shortened. The rest of the time is free. It still waits for approval."),
        ((9, 13), "The booking lasts longer now. It still waits for approval."),
    ],
)
def test_what_was_done_to_a_request_is_said_as_it_is(times: tuple[int, int], words: str) -> None:
    lab = Lab(approval=True)
    booking = lab.book(9, 11)
    client = browser(lab.engineer)

    typed = {**_version(), "start": wall(at(times[0])), "end": wall(at(times[1]))}
    page = html(client.post(f"/bookings/{booking.pk}/move/", typed, follow=True))

    assert words in page
    assert Booking.objects.get().status == Status.REQUESTED


def test_the_page_for_another_time_opens_on_the_bookings_day(lab: Lab) -> None:
    booking = lab.book(9, 11)

    page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/move/"))

    assert 'data-date="2026-12-01"' in page


def test_what_one_moves_does_not_stand_in_its_own_way(lab: Lab) -> None:
    booking = lab.book(9, 11)
    client, address = browser(lab.engineer), f"/instruments/{lab.instrument.pk}/times/"
    asked = {"day": "2026-12-01", "length": "120", "mode": "self"}
    inside, itself = 'data-fill-start="2026-12-01T10:00"', 'data-fill-start="2026-12-01T09:00"'

    page = html(client.get(f"/bookings/{booking.pk}/move/"))
    again = html(client.get(address, {**asked, "moving": booking.pk}))
    usual = html(client.get(address, asked))

    assert [(inside in each, itself in each) for each in (page, again, usual)] == [(True, False)] * 2 + [(False, False)]
    assert browser(lab.stranger).get(address, {**asked, "moving": booking.pk}).status_code == 404


def test_the_page_of_the_length_speaks_of_the_end(lab: Lab) -> None:
    booking = lab.book(9, 11)

    page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/length/"))

    assert "Change the length" in page
    assert "Move the booking" not in page


def late_fee(lab: Lab) -> None:
    """Half of the price with less than a day's notice."""
    time = {"code": "time", "name": "Time", "kind": "price", "qty": ["booked"], "rate": 100, "when": {"event": "use"}}
    late = {
        "code": "late",
        "name": "Late",
        "kind": "percent",
        "rate": 50,
        "on": ["time"],
        "as_if": {"event": "use"},
        "when": {"event": "cancel", "notice": {"<": 24}},
    }
    make_price_list(lab.instrument, {"name": "Prices", "currency": "CNY", "rules": [time, late]})


def test_a_start_so_near_that_cancelling_costs_is_told_before_booking(lab: Lab) -> None:
    late_fee(lab)
    words = "cancelling after booking would cost"

    near = check(lab, lab.engineer, at(13, day=TODAY), at(15, day=TODAY))
    exactly_a_day = check(lab, lab.engineer, at(9, day=TOMORROW), at(11, day=TOMORROW))

    assert "¥100.00" in near[near.index(words) :][:120]
    assert words not in exactly_a_day


def test_a_fee_is_named_as_money_when_moving_and_in_the_story(lab: Lab) -> None:
    late_fee(lab)
    booking = lab.book(13, 15, day=TODAY)
    client = browser(lab.engineer)
    typed = {**_version(), "start": wall(at(16, day=TODAY)), "end": wall(at(18, day=TODAY))}

    refused = html(client.post(f"/bookings/{booking.pk}/move/check/", typed, headers=HTMX))
    client.post(f"/bookings/{booking.pk}/cancel/", _version())

    assert "it would cost ¥100.00." in refused
    assert "fee ¥100.00" in html(client.get(f"/bookings/{booking.pk}/"))


# --- for a colleague -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["page", "api"])
def test_an_administrator_puts_a_colleague_on_the_waitlist(lab: Lab, door: str) -> None:
    lab.book(9, 12, user=make_member(make_enterprise()))
    if door == "page":
        typed = {"start": wall(at(9)), "end": wall(at(12)), "minutes": "120", "mode": "self", "purpose": "SEM"}
        party = f"{lab.enterprise.pk}-{lab.engineer.pk}"
        browser(lab.boss).post(f"/instruments/{lab.instrument.pk}/wait/", {**typed, "party": party})
    else:
        window = {"from": at(9).isoformat(), "to": at(12).isoformat(), "duration_minutes": 120}
        body = {"instrument": lab.instrument.pk, **window, "mode": "self", "on_behalf_of": lab.engineer.pk}
        assert ApiClient(lab.boss).post_api("/waitlist", body).status_code == 201

    assert (Wait.objects.get().user, Wait.objects.get().organisation) == (lab.engineer, lab.enterprise)
    told = Message.objects.filter(kind="wait_joined")
    assert {(one.recipient_id, one.context["by"]) for one in told} == {(lab.engineer.pk, lab.boss.name)}


def test_nobody_waits_for_a_stranger(lab: Lab) -> None:
    lab.book(9, 12, user=make_member(make_enterprise()))
    window = {"from": at(9).isoformat(), "to": at(12).isoformat(), "duration_minutes": 120}
    body = {"instrument": lab.instrument.pk, **window, "mode": "self"}

    for user, whom in ((lab.engineer, lab.boss), (lab.boss, lab.stranger)):
        answer = ApiClient(user).post_api("/waitlist", {**body, "on_behalf_of": whom.pk})
        assert answer.status_code == 422

    assert not Wait.objects.exists()


@pytest.mark.parametrize("door", ["page", "api"])
def test_an_administrator_submits_samples_for_a_colleague(door: str) -> None:
    bench = Bench()
    if door == "page":
        typed = {"purpose": "Phase purity", "row": "r0", "item-r0-name": "Powder", "item-r0-quantity": "2"}
        party = f"{bench.enterprise.pk}-{bench.engineer.pk}"
        browser(bench.boss).post(f"/instruments/{bench.instrument.pk}/samples/", {**typed, "party": party})
    else:
        body = {
            "instrument": bench.instrument.pk,
            "purpose": "Phase purity",
            "items": [{"name": "Powder", "quantity": 2}],
        }
        sent = {**body, "on_behalf_of_email": bench.engineer.email}
        assert ApiClient(bench.boss).post_api("/sample-orders", sent).status_code == 201

    order = SampleOrder.objects.get()
    assert (order.user, order.made_by) == (bench.engineer, bench.boss)
    assert {one.recipient_id for one in Message.objects.filter(kind="samples_ordered")} == {bench.engineer.pk}


def test_who_submits_for_themselves_is_not_told_of_it() -> None:
    bench = Bench()
    body = {"instrument": bench.instrument.pk, "purpose": "Phase purity", "items": [{"name": "Powder", "quantity": 2}]}

    assert ApiClient(bench.engineer).post_api("/sample-orders", body).status_code == 201
    assert (
        ApiClient(bench.engineer).post_api("/sample-orders", {**body, "on_behalf_of": bench.boss.pk}).status_code == 422
    )

    assert not Message.objects.filter(kind="samples_ordered").exists()


def test_of_a_colleagues_booking_it_says_who_operates(lab: Lab) -> None:
    booking = lab.book(9, 11)

    pages = [html(browser(user).get(f"/bookings/{booking.pk}/")) for user in (lab.engineer, lab.boss)]

    assert "You operate the instrument yourself." in pages[0]
    assert "You operate" not in pages[1]
    assert f"{lab.engineer} operates the instrument." in pages[1]


# --- offers and experiments ------------------------------------------------------------------------------------------


def test_an_offer_says_what_it_costs(lab: Lab) -> None:
    wait = offered(lab)

    for address in ("/bookings/waiting/", "/bookings/"):
        page = html(browser(lab.engineer).get(address))
        offer = page[page.index(f'id="offer-{wait.pk}"') :]
        assert "¥300.00" in offer


def test_an_instrument_goes_into_the_experiment_with_the_time_that_was_chosen(lab: Lab) -> None:
    client = browser(lab.engineer)
    other = make_instrument(lab.institution)
    typed = {"start": wall(at(9)), "end": wall(at(11)), "mode": "operator", "purpose": "Grain size"}

    client.post(f"/instruments/{lab.instrument.pk}/together/", typed)
    page = html(client.post(f"/instruments/{other.pk}/together/", {"start": "", "end": ""}, follow=True))

    assert 'name="minutes-0" value="120"' in page
    assert '<option value="operator" selected>' in page
    assert 'name="minutes-1" value="60"' in page
    assert 'value="2026-12-01T09:00"' in page
    assert 'value="Grain size"' in page


def test_the_first_time_that_fits_is_looked_for_from_the_start_that_was_typed(lab: Lab) -> None:
    client = browser(lab.engineer)
    client.post(f"/instruments/{lab.instrument.pk}/together/")

    typed = {"do": "find", "start": wall(at(14)), "arrangement": "chain", "gap": "0"}
    found = client.post("/bookings/together/", typed)

    assert "start=2026-12-01T14%3A00" in found["Location"]


def test_nobody_is_told_that_everything_is_booked_while_the_lab_is_asked() -> None:
    lab = Lab(approval=True)
    client = browser(lab.engineer)
    client.post(f"/instruments/{lab.instrument.pk}/together/")

    typed = {"start": wall(at(14)), "arrangement": "chain", "gap": "0", "purpose": "Grain size"}
    page = html(client.post("/bookings/together/book/", typed, follow=True))

    assert "what needs approval waits for the lab" in page
    assert "Everything has been booked." not in page


def test_who_belongs_to_no_organisation_is_led_on_instead_of_404(lab: Lab) -> None:
    nobody = make_member(lab.enterprise)
    nobody.memberships.all().delete()

    page = html(browser(nobody).get("/money/", follow=True))

    assert "You belong to no organisation yet" in page
