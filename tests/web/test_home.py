"""The home page of a visitor and of each role."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Role
from backend.accounts.own_actions.registering import refuse_registration, register_enterprise
from booking.actions.using import finish_booking, verify_usage
from booking.models import Booking
from tests.accounts.making import ENTERPRISE, make_operator
from tests.booking.lab import NOW, Lab, browser, html, queries
from tests.factories import at, make_charge, make_enterprise, make_instrument, make_line, make_member, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def test_a_visitor_is_asked_what_and_when() -> None:
    Lab()

    page = html(browser().get("/"))

    assert "What do you want to measure? When?" in page
    assert '<form class="hero-search" action="/instruments/"' in page
    assert "Electron optics" in page
    assert "/instruments/?category=0101" in page


def test_the_visitors_figures_are_those_of_the_network() -> None:
    lab = Lab()
    make_instrument(lab.institution)
    make_instrument(sharing="none")

    page = html(browser().get("/"))

    assert '<dd class="num">2</dd>' in page
    assert '<dd class="num">1</dd>' in page


def test_an_engineer_sees_what_comes_next() -> None:
    lab = Lab(approval=True)
    booking = lab.book()

    page = html(browser(lab.engineer).get("/"))

    assert "Next bookings" in page
    assert f'href="/bookings/{booking.pk}/"' in page
    assert "Requests to decide" not in page
    assert "Nothing booked" in html(browser(lab.stranger).get("/"))


def test_a_manager_sees_what_waits() -> None:
    lab = Lab(approval=True)
    booking = lab.book()

    page = html(browser(lab.manager).get("/"))

    assert f'href="/desk/?request={booking.pk}"' in page
    assert "Requests waiting for you" in page
    assert "All decided" in html(browser(Lab().manager).get("/"))


def test_finance_sees_what_is_to_be_drafted(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(21))
    verify_usage(usage=finish_booking(booking=booking, by=lab.manager, start=at(9), end=at(12)), by=lab.manager)

    page = html(browser(make_member(lab.institution, Role.FINANCE)).get("/"))

    assert "To draft" in page
    assert "¥300" in page
    assert 'href="/finance/"' in page
    assert "charges-by-month" in page


def test_a_chart_without_anything_says_so_instead() -> None:
    lab = Lab()
    network = make_member(lab.institution.__class__.objects.create(kind="network", code="n", name="Net"), Role.OPERATOR)

    money, uses = (html(browser(who).get("/")) for who in (make_member(lab.institution, Role.FINANCE), network))

    assert "Nothing charged yet" in money
    assert "data-chart" not in money
    assert "No use yet" in uses
    assert "data-chart" not in uses


def test_an_administrator_sees_people_and_the_operator_the_network() -> None:
    lab = Lab()
    network = make_member(lab.institution.__class__.objects.create(kind="network", code="n", name="Net"), Role.OPERATOR)

    assert "People of your organisation" in html(browser(lab.boss).get("/"))
    assert "Uses by institution, last 30 days" in html(browser(network).get("/"))
    assert "Uses by institution" not in html(browser(lab.manager).get("/"))


def test_without_organisation_it_says_what_to_do() -> None:
    assert "You belong to no organisation yet" in html(browser(make_user()).get("/"))


def test_a_registration_that_waits_or_was_refused_is_shown() -> None:
    user, operator = make_user(), make_operator()
    registration = register_enterprise(enterprise=ENTERPRISE, by=user)

    waiting = html(browser(user).get("/"))
    refuse_registration(registration=registration, by=operator, reason="No such street")
    refused = html(browser(user).get("/"))

    assert "You will get a mail as soon as you can book." in waiting
    assert f'href="/register/{registration.pk}/"' in waiting
    assert "You belong to no organisation yet" not in waiting
    assert "No such street" in refused


def test_money_is_that_of_the_organisation_one_acts_for(clock: Any) -> None:
    user, one, other = make_user(), make_enterprise(), make_enterprise()
    make_member(one, Role.ADMIN, user=user)
    make_member(other, Role.ADMIN, user=user)
    make_charge(one, make_line("300.00"), service_date=NOW.date())
    make_charge(other, make_line("70.00"), service_date=NOW.date())
    client = browser(user)

    first = html(client.get("/"))
    client.post("/account/organisation/", {"organisation": other.pk})
    second = html(client.get("/"))

    assert ("¥300" in first, "¥70" in first) == (True, False)
    assert ("¥300" in second, "¥70" in second) == (False, True)


def test_the_operators_pages_are_one_click_away() -> None:
    page = html(browser(make_operator(is_staff=True)).get("/"))

    for path in (
        "/registrations/",
        "/network/rules/",
        "/network/holidays/",
        "/operator/deliveries/",
        "/operator/admin/",
    ):
        assert f'class="btn" href="{path}"' in page


def test_query_counts_do_not_depend_on_the_data(clock: Any) -> None:
    lab = Lab(approval=True)
    people = [lab.engineer, lab.boss, lab.manager, make_member(lab.institution, Role.FINANCE), None]
    people.append(make_member(lab.institution, Role.ADMIN))
    lab.book(8, 9)
    few = [queries(browser(user), "/") for user in people]
    for day in range(2, 12):
        for hour in (8, 10, 12):
            lab.book(hour, hour + 1, day=date(2026, 12, day))
    many = [queries(browser(user), "/") for user in people]

    assert few == many
    assert max(few) <= 14
    assert Booking.objects.count() == 31
