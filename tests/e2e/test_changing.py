"""Booking with the keyboard alone, changing by dragging, and the desk by its keys, in a browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.site import Site

ENGINEER, MANAGER = "enterprise@demo.example", "manager@demo.example"

# An instrument of its own that nobody has booked, open round the clock, without rules but for a price.
PREPARE = """
from backend.accounts.models import User
from booking.actions.policies import save_policy
from instruments.models import Instrument, OpeningHours
from tests.factories import make_instrument, make_price_list
manager = User.objects.get(email="manager@demo.example")
home = Instrument.objects.filter(institution__memberships__user=manager).first().institution
instrument = make_instrument(home, hours=False, local_no="E2E", open_on_holidays=True, sharing="external")
make_price_list(instrument)
OpeningHours.objects.bulk_create(
    OpeningHours(instrument=instrument, weekday=day, opens="00:00", closes="00:00") for day in range(1, 8))
save_policy(instrument=instrument, document={"rules": []}, by=manager)
print("instrument", instrument.pk)
"""
AT = "selector => document.activeElement.matches(selector)"


@pytest.fixture(scope="module")
def instrument(site: Site) -> int:
    return int(re.findall(r"instrument (\d+)", site.manage("shell", "-c", PREPARE))[-1])


def tab_to(page: Page, selector: str) -> None:
    """Presses the tab key until the focus is there, as somebody without a mouse would."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate(AT, selector):
            return
    raise AssertionError(f"the tab key does not lead to {selector}")


def book_by_keyboard(page: Page, instrument: int) -> int:
    page.goto(f"/instruments/{instrument}/")
    tab_to(page, "#strip input[name=day]")
    with page.expect_response(lambda answer: "/times/" in answer.url):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
    page.wait_for_load_state("networkidle")
    tab_to(page, "#times .time[data-fill-start$='T10:00']")
    page.keyboard.press("Enter")
    expect(page.locator("#panel-foot strong")).to_contain_text("¥")
    tab_to(page, "#id_purpose")
    page.keyboard.type("只用键盘预约")
    tab_to(page, "#panel-foot button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/bookings/*/")
    return int(page.url.rstrip("/").rsplit("/", 1)[1])


def test_booking_and_changing_with_the_keyboard_alone(instrument: int, sign_in: Callable[..., Page]) -> None:
    page = sign_in(ENGINEER)
    booking = book_by_keyboard(page, instrument)

    # The same time again: the panel says why not, and its first alternative is one key away.
    page.goto(f"/bookings/{booking}/length/")
    tab_to(page, ".length-steps button:last-child")
    page.keyboard.press("Enter")
    expect(page.locator("#answer .change")).to_be_visible()
    tab_to(page, "#panel-foot button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/bookings/{booking}/")
    expect(page.locator(".state-when")).to_contain_text("10:00–13:00")


def test_a_taken_time_offers_others_live_and_by_key(instrument: int, sign_in: Callable[..., Page]) -> None:
    page = sign_in(ENGINEER)
    page.goto("/bookings/")
    page.goto(f"/instruments/{instrument}/")
    tab_to(page, "#strip input[name=day]")
    with page.expect_response(lambda answer: "/times/" in answer.url):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
    day = page.locator("#strip input:checked").get_attribute("value")
    page.locator("#id_end").fill(f"{day}T12:00")
    # Typed, not left: the answer comes all the same.
    page.locator("#id_start").fill(f"{day}T11:00")
    expect(page.locator("#answer [data-code=taken]")).to_be_visible()

    tab_to(page, "#answer button.other")
    page.keyboard.press("Enter")

    expect(page.locator("#panel-foot strong")).to_contain_text("¥")
    expect(page.locator("#answer [data-code=taken]")).to_have_count(0)
    # The button went with the old answer; the focus is in the new one, not lost.
    assert page.evaluate(AT, "#answer *")


def drag(page: Page, event: Locator, *, down: float) -> None:
    event.scroll_into_view_if_needed()
    box = event.bounding_box()
    assert box is not None
    x, y = box["x"] + 20, box["y"] + 12
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(x, y + down * step / 10)
    page.mouse.up()


def own_event(page: Page, instrument: int) -> Locator:
    """The booking of these tests in the week of the instrument's page, one day or two on."""
    page.goto(f"/instruments/{instrument}/")
    expect(page.locator(".ec-event.ev-movable")).to_have_count(1)
    return page.locator(".ec-event.ev-movable")


def test_a_dragged_booking_is_asked_about_and_goes_back_or_moves(
    instrument: int, sign_in: Callable[..., Page], site: Any
) -> None:
    page = sign_in(ENGINEER, viewport={"width": 1280, "height": 1800})
    event = own_event(page, instrument)
    before = event.inner_text()
    hour = page.locator(".ec-time-grid .ec-slot, .ec-slots .ec-slot, .ec-slot").first.bounding_box()
    assert hour is not None

    drag(page, event, down=hour["height"] * 2)
    dialog = page.locator("#drag")
    expect(dialog).to_be_visible()
    expect(dialog.locator(".change")).to_contain_text("¥")
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    assert event.inner_text() == before

    drag(page, event, down=hour["height"] * 2)
    expect(dialog).to_be_visible()
    dialog.locator("button[type=submit]").click()
    expect(dialog).not_to_be_visible()
    expect(page.locator(".toast-line")).to_be_visible()
    expect(page.locator(".ec-event.ev-movable")).not_to_have_text(before)


def test_the_desk_by_its_keys(sign_in: Callable[..., Page]) -> None:
    page = sign_in(MANAGER)
    page.goto("/desk/")
    count = page.locator(".desk-list li").count()
    assert count > 3
    page.keyboard.press("x")
    expect(page.locator(".desk-marked-list li")).to_have_count(1)
    page.keyboard.press("j")
    page.wait_for_url("**/desk/?request=*")
    page.keyboard.press("x")
    expect(page.locator(".desk-marked-list li")).to_have_count(2)

    page.keyboard.press("a")
    expect(page.locator("dialog#ask")).to_be_visible()
    page.keyboard.press("Enter")

    expect(page.locator(".desk-list li")).to_have_count(count - 2)
    expect(page.locator(".toast-line").first).to_be_visible()


def test_keys_typed_ahead_are_about_what_comes(sign_in: Callable[..., Page]) -> None:
    """On a slow line a key must not decide about the request that is just leaving the screen."""
    page = sign_in(MANAGER)
    page.goto("/desk/")
    titles = page.locator(".desk-list .desk-name").all_inner_texts()
    first = page.locator(".desk-list li").nth(0).locator("a").get_attribute("href")

    def slowly(route: Any) -> None:
        time.sleep(0.5)
        route.continue_()

    page.route(re.compile(r"/desk/\?request="), slowly)
    for key in "xjxj":
        page.keyboard.press(key)

    expect(page.locator(".desk-marked-list li")).to_have_count(2)
    expect(page.locator(".desk-marked-list li").nth(1)).to_contain_text(titles[1])
    expect(page.locator(".desk-list li").nth(2)).to_have_class("on")
    assert page.locator(".desk-list li").nth(0).locator("a").get_attribute("href") == first
