"""Suggestions below the search field, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect


def typed(page: Page, words: str) -> Any:
    """The options after typing."""
    page.goto("/instruments/")
    page.keyboard.press("/")
    page.keyboard.type(words)
    options = page.get_by_role("option")
    expect(options.first).to_be_visible()
    return options


def test_suggestions_are_chosen_by_the_keyboard(new_page: Callable[..., Page]) -> None:
    page = new_page()
    field = page.get_by_role("combobox").and_(page.locator("#search"))
    options = typed(page, "smdj")
    first = options.first.get_attribute("data-words") or ""

    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_value("smdj")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_value(first)
    expect(field).to_have_attribute("aria-activedescendant", options.first.get_attribute("id") or "")
    page.keyboard.press("Escape")
    expect(field).to_have_value("smdj")
    expect(field).to_have_attribute("aria-expanded", "false")

    typed(page, "smdj")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".instrument-card").first).to_be_visible()
    expect(page.locator("#search")).to_have_value(first)


def test_suggestions_are_chosen_by_touch(new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.set_viewport_size({"width": 390, "height": 800})
    options = typed(page, "smdj")
    words = options.first.get_attribute("data-words") or ""

    options.first.click()

    expect(page.locator(".instrument-card").first).to_be_visible()
    expect(page.locator("#search")).to_have_value(words)
