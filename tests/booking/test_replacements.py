"""Whom an outage displaces is proposed other times and takes one with a click; outages without a known end."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from backend.accounts.models import User
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.changing import cancel_booking
from booking.actions.extending import extend_open_outage, extend_outage, extend_outages
from booking.actions.outages import change_outage, create_outage, delete_outage, end_outage
from booking.actions.replacing import accept_replacement, decline_all, decline_replacement, propose_due
from booking.models import Booking, Displacement, DisplacementState, Replacement, ReplacementState, Status
from booking.queries.outages import shown_end
from instruments.models import Occupancy, OccupancyKind, Outage
from invoices.models import Charge, ChargeState
from tests.booking.lab import HTMX, NOW, Lab, browser, html, wall
from tests.conftest import ApiClient
from tests.factories import DAY, at, make_member, make_price_list

pytestmark = pytest.mark.django_db


def out(lab: Lab, start: Any, end: Any = None, **more: Any) -> Outage:
    return create_outage(
        **{"instrument": lab.instrument, "start": start, "end": end, "reason": "Leak", "by": lab.manager, **more}
    )


def displaced(lab: Lab, *bookings: Booking, start: int = 9, end: int = 12) -> Outage:
    outage = out(lab, at(start), at(end), displace=True, expected=[each.pk for each in bookings])
    propose_due()
    return outage


def proposed(booking: Booking) -> list[Replacement]:
    rows = Replacement.objects.filter(displacement__booking=booking, state=ReplacementState.PROPOSED)
    return list(rows.order_by("pk"))


def codes(raised: pytest.ExceptionInfo[Any]) -> list[str]:
    return [refusal.code for refusal in raised.value.refusals]


def told(kind: str) -> list[int]:
    return list(Message.objects.filter(kind=kind, channel="mail").order_by("pk").values_list("recipient", flat=True))


# --- proposals -----------------------------------------------------------------------------------------------------


def test_an_outage_proposes_the_nearest_times_with_their_price(lab: Lab) -> None:
    booking = lab.book()

    outage = displaced(lab, booking)

    found = proposed(booking)
    assert found[0].instrument_id == lab.instrument.pk
    assert (found[0].start, found[0].end, str(found[0].total)) == (at(12), at(15), "300.00")
    assert Displacement.objects.get().outage == outage
    assert told("replacements_proposed") == [lab.engineer.pk]
    assert Charge.objects.get().state == ChargeState.RELEASED


def test_nothing_is_proposed_twice_by_the_next_minute(lab: Lab) -> None:
    booking = lab.book()
    displaced(lab, booking)
    before = [row.pk for row in proposed(booking)]

    propose_due()

    assert [row.pk for row in proposed(booking)] == before
    assert told("replacements_proposed") == [lab.engineer.pk]


def test_proposals_that_are_over_are_looked_for_again(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    displaced(lab, booking)
    last = max(row.start for row in proposed(booking))

    clock.move_to(last)
    propose_due()

    assert all(row.start > last for row in proposed(booking))
    assert proposed(booking)


def test_accept_replacement_books_it_linked_and_without_a_fee(lab: Lab) -> None:
    booking = lab.book()
    displaced(lab, booking)

    made = accept_replacement(replacement=proposed(booking)[0], by=lab.engineer)

    row = Displacement.objects.get()
    assert (made.status, made.start, made.purpose) == (Status.CONFIRMED, at(12), booking.purpose)
    assert (row.state, row.replaced_by, row.answered_by) == (DisplacementState.ACCEPTED, made, lab.engineer)
    assert sorted(Charge.objects.values_list("state", flat=True)) == [ChargeState.RELEASED, ChargeState.RESERVED]
    assert not proposed(booking)
    with pytest.raises(Refused) as refused:
        decline_all(displacement=row, by=lab.engineer)
    assert codes(refused) == ["answered"]


def test_accept_replacement_that_was_taken_meanwhile_shows_others(lab: Lab) -> None:
    booking = lab.book()
    displaced(lab, booking)
    first = proposed(booking)[0]
    lab.book(13, 14, user=make_member(lab.enterprise))

    with pytest.raises(Refused) as refused:
        accept_replacement(replacement=first, by=lab.engineer)

    assert codes(refused)[:2] == ["replacement_gone", "taken"]
    assert first.pk not in [row.pk for row in proposed(booking)]
    assert all(row.start >= at(14) or row.end <= at(13) for row in proposed(booking))
    assert accept_replacement(replacement=proposed(booking)[0], by=lab.engineer).status == Status.CONFIRMED


def test_accept_replacement_never_costs_more_than_was_proposed(lab: Lab) -> None:
    booking = lab.book()
    displaced(lab, booking)
    document = lab.instrument.price_lists.get().document
    make_price_list(lab.instrument, {**document, "rules": [{**document["rules"][0], "rate": 120}]})

    with pytest.raises(Refused) as refused:
        accept_replacement(replacement=proposed(booking)[0], by=lab.engineer)

    assert codes(refused) == ["replacement_gone", "dearer"]
    assert {str(row.total) for row in proposed(booking)} == {"360.00"}
    assert Booking.objects.filter(status=Status.CONFIRMED).count() == 0


def test_decline_replacement_one_by_one_until_none_is_left(lab: Lab) -> None:
    booking = lab.book()
    displaced(lab, booking)
    rows = proposed(booking)

    for row in rows[:-1]:
        assert decline_replacement(replacement=row, by=lab.engineer).state == DisplacementState.OPEN
    with pytest.raises(Refused) as refused:
        decline_replacement(replacement=rows[0], by=lab.engineer)
    assert codes(refused) == ["not_proposed"]
    assert decline_replacement(replacement=rows[-1], by=lab.engineer).state == DisplacementState.DECLINED


def test_a_shortened_outage_proposes_the_old_time_again(lab: Lab) -> None:
    booking = lab.book()
    outage = displaced(lab, booking)

    delete_outage(outage=outage, by=lab.manager)
    propose_due()

    assert at(9) in [row.start for row in proposed(booking)]


# --- pages and API -------------------------------------------------------------------------------------------------


def test_the_page_accepts_with_one_click(lab: Lab) -> None:
    booking = lab.book()
    displaced(lab, booking)
    first = proposed(booking)[0]
    client = browser(lab.engineer)

    for path in ("/bookings/", f"/bookings/{booking.pk}/"):
        assert f"/bookings/{booking.pk}/replacements/{first.pk}/accept/" in html(client.get(path))
    answer = client.post(f"/bookings/{booking.pk}/replacements/{first.pk}/accept/")

    made = Booking.objects.get(status=Status.CONFIRMED)
    assert answer["Location"] == f"/bookings/{made.pk}/"
    assert f"/bookings/{made.pk}/" in html(client.get(f"/bookings/{booking.pk}/"))
    assert "Replacement accepted" in html(browser(lab.manager).get(f"/manage/instruments/{lab.instrument.pk}/outages/"))


def test_the_page_declines_all(lab: Lab) -> None:
    booking = lab.book()
    displaced(lab, booking)

    answer = browser(lab.engineer).post(f"/bookings/{booking.pk}/replacements/decline/")

    assert answer.status_code == 302
    assert Displacement.objects.get().state == DisplacementState.DECLINED
    assert "wants no replacement" in html(browser(lab.manager).get(f"/bookings/{booking.pk}/"))


def test_the_api_lists_accepts_and_tells_the_lab(lab: Lab, api: type[ApiClient]) -> None:
    booking = lab.book()
    outage = displaced(lab, booking)
    path = f"/bookings/{booking.pk}/replacements"
    listed = api(lab.engineer).get_api(path).json()
    first = listed["proposals"][0]
    assert (listed["state"], first["total"], first["state"]) == ("open", "300.00", "proposed")
    assert api(lab.manager).post_api(f"{path}/{first['id']}/accept").status_code == 403
    assert api(lab.stranger).get_api(path).status_code == 404

    made = api(lab.engineer).post_api(f"{path}/{first['id']}/accept")

    assert made.status_code == 201
    assert api(lab.engineer).post_api(f"{path}/{first['id']}/accept").status_code == 409
    rows = api(lab.manager).get_api(f"/instruments/{lab.instrument.pk}/outages/{outage.pk}/displaced").json()
    assert [(row["booking"], row["state"], row["replaced_by"]) for row in rows] == [
        (booking.pk, "accepted", made.json()["id"])
    ]


# --- without a known end -------------------------------------------------------------------------------------------


def tomorrow(lab: Lab) -> User:
    return make_member(lab.enterprise)


def test_an_open_outage_is_shown_to_the_end_of_tomorrow(lab: Lab) -> None:
    outage = out(lab, NOW + timedelta(hours=1), open_ended=True)

    assert outage.end == at(24, day=NOW.date() + timedelta(days=1)) == shown_end(lab.instrument, NOW)
    with pytest.raises(Invalid) as refused:
        out(lab, at(9))
    assert codes(refused) == ["end_needed"]


def opened(lab: Lab, **more: Any) -> Outage:
    """From now on, shown to midnight after tomorrow (26 November)."""
    return out(lab, NOW, open_ended=True, **more)


def test_it_moves_on_by_a_day_each_day(lab: Lab, clock: Any) -> None:
    outage = opened(lab)
    assert extend_outages() == 0

    clock.move_to(at(0, day=NOW.date() + timedelta(days=1)))
    assert extend_outages() == 1
    assert extend_outages() == 0

    outage.refresh_from_db()
    assert outage.end == at(24, day=NOW.date() + timedelta(days=2))
    assert outage.open_ended
    taken = Occupancy.objects.order_by("start")
    assert [(row.start, row.end, row.kind) for row in taken] == [
        (NOW, at(24, day=NOW.date() + timedelta(days=1)), OccupancyKind.OUTAGE),
        (at(24, day=NOW.date() + timedelta(days=1)), outage.end, OccupancyKind.OUTAGE),
    ]


def test_what_it_newly_hits_is_displaced_the_day_before_where_it_may(lab: Lab, clock: Any) -> None:
    day = NOW.date() + timedelta(days=2)
    booking = lab.book(9, 12, day=day)
    outage = opened(lab, displaces=True)

    clock.move_to(at(0, day=NOW.date() + timedelta(days=1)))
    extend_outages()
    propose_due()

    booking.refresh_from_db()
    assert booking.status == Status.DISPLACED
    assert Displacement.objects.get().outage == outage
    assert told("booking_displaced") == [lab.engineer.pk]
    assert told("outage_extended") == [lab.manager.pk]
    assert proposed(booking)


def test_else_the_lab_is_asked_once_and_nothing_is_booked_twice(lab: Lab, clock: Any) -> None:
    day = NOW.date() + timedelta(days=2)
    booking = lab.book(9, 12, day=day)
    outage = opened(lab)

    clock.move_to(at(0, day=NOW.date() + timedelta(days=1)))
    for _ in range(3):
        extend_outages()

    booking.refresh_from_db()
    outage.refresh_from_db()
    assert (booking.status, outage.end) == (Status.CONFIRMED, at(9, day=day))
    assert told("outage_extended") == [lab.manager.pk]
    page = html(browser(lab.manager).get(f"/manage/instruments/{lab.instrument.pk}/outages/"))
    assert f"outages/{outage.pk}/extend/" in page

    extended = extend_outage(outage=outage, by=lab.manager, expected=[booking.pk])

    booking.refresh_from_db()
    assert booking.status == Status.DISPLACED
    assert extended.end == at(24, day=day)


def test_only_an_open_end_is_extended_so(lab: Lab) -> None:
    outage = out(lab, at(9), at(12))

    with pytest.raises(Refused) as refused:
        extend_outage(outage=outage, by=lab.manager, expected=[])

    assert codes(refused) == ["has_an_end"]


def test_what_comes_in_its_way_meanwhile_is_shown_again(lab: Lab, clock: Any) -> None:
    day = NOW.date() + timedelta(days=2)
    booking = lab.book(9, 12, day=day)
    outage = opened(lab)
    clock.move_to(at(0, day=NOW.date() + timedelta(days=1)))
    extend_outages()
    lab.book(13, 14, day=day, user=tomorrow(lab))

    with pytest.raises(Refused) as refused:
        extend_outage(outage=outage, by=lab.manager, expected=[booking.pk])

    assert codes(refused) == ["hits_changed", "hits_booking", "hits_booking"]


def test_whoever_entered_it_does_not_get_rid_of_their_own_booking(lab: Lab, clock: Any) -> None:
    day = NOW.date() + timedelta(days=2)
    own = lab.book(9, 12, day=day)
    outage = opened(lab, displaces=True)
    Outage.objects.update(created_by=lab.engineer)

    clock.move_to(at(0, day=NOW.date() + timedelta(days=1)))
    extend_open_outage(outage=outage)

    own.refresh_from_db()
    assert own.status == Status.CONFIRMED


def test_a_booking_that_took_place_in_its_way_does_not_stop_it(lab: Lab, clock: Any) -> None:
    day = NOW.date() + timedelta(days=2)
    booking = lab.book(9, 12, day=day)
    outage = opened(lab)
    clock.move_to(at(12, day=day))

    extend_outages()

    booking.refresh_from_db()
    outage.refresh_from_db()
    assert (booking.status, outage.end) == (Status.CONFIRMED, at(24, day=day + timedelta(days=1)))
    rows = list(Occupancy.objects.order_by("start"))
    assert all(first.end <= second.start for first, second in itertools.pairwise(rows))


def test_working_again_frees_the_rest_and_ends_it(lab: Lab, clock: Any) -> None:
    booking = lab.book(9, 12, day=NOW.date() + timedelta(days=1))
    outage = out(lab, NOW, open_ended=True, displace=True)
    propose_due()
    clock.move_to(NOW + timedelta(hours=2, seconds=30))

    end_outage(outage=outage, by=lab.manager)
    clock.shift(timedelta(days=2))
    extend_outages()

    outage.refresh_from_db()
    assert (outage.open_ended, outage.end) == (False, NOW + timedelta(hours=2))
    assert told("booking_time_free") == [booking.user_id]
    assert [(row.start, row.end) for row in Occupancy.objects.all()] == [(NOW, NOW + timedelta(hours=2))]


def test_an_open_end_can_be_given_later(lab: Lab, clock: Any) -> None:
    outage = opened(lab)

    change_outage(outage=outage, by=lab.manager, open_ended=False, end=at(12, day=NOW.date()))
    clock.shift(timedelta(days=2))
    extend_outages()

    outage.refresh_from_db()
    assert outage.end == at(12, day=NOW.date())


def test_the_page_and_the_api_make_one(lab: Lab, api: type[ApiClient]) -> None:
    path = f"/manage/instruments/{lab.instrument.pk}/outages/"
    answer = browser(lab.manager).post(path, {"start": wall(NOW), "end": "", "reason": "Leak", "open_ended": "on"})
    assert answer.status_code == 302
    assert "end not known" in html(browser(lab.manager).get(path))
    refused = browser(lab.manager).post(path, {"start": wall(at(9)), "end": "", "reason": "Leak"}, headers=HTMX)
    assert "say that it is not known yet" in html(refused, 422)
    other = Lab()

    body = {"start": NOW.isoformat(), "reason": "Leak", "open_ended": True, "displaces": True}
    made = api(other.manager).post_api(f"/instruments/{other.instrument.pk}/outages", body)

    assert made.status_code == 201, made.json()
    assert (made.json()["open_ended"], made.json()["displaces"]) == (True, True)
    bad = api(other.manager).post_api(f"/instruments/{other.instrument.pk}/outages", {**body, "open_ended": False})
    assert bad.status_code == 422


def test_a_cancelled_booking_is_never_proposed_anything(lab: Lab) -> None:
    booking = lab.book(day=DAY)
    cancel_booking(booking=booking, by=lab.engineer)

    assert propose_due() == 0
