"""What was typed survives a session that ended in the meantime, whether HTMX or the browser itself sends the form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from backend.web.seed.accounts import PASSWORD

WORDS = "说明：样品架没有清理"


def end_session(page: Page) -> None:
    page.context.clear_cookies(name="sessionid")


def sign_in_again(page: Page, email: str) -> None:
    page.wait_for_url("**/account/login/?**")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")


@pytest.mark.parametrize(
    ("email", "path", "field"),
    [
        ("manager@demo.example", "/manage/violations/new/", "textarea[name=reason]"),
        ("enterprise@demo.example", "/account/profile/", "input[name=name]"),
    ],
)
def test_typed_text_is_back_after_signing_in_again(
    email: str, path: str, field: str, sign_in: Callable[..., Page]
) -> None:
    page = sign_in(email)
    page.goto(path)
    page.fill(field, WORDS)
    end_session(page)

    page.locator("form", has=page.locator(field)).locator("button[type=submit], button:not([type])").first.click()
    sign_in_again(page, email)

    page.wait_for_url(f"**{path}")
    expect(page.locator(field)).to_have_value(WORDS)


def test_a_form_that_was_accepted_is_not_brought_back(sign_in: Callable[..., Page]) -> None:
    page = sign_in("enterprise@demo.example")
    page.goto("/account/tokens/")
    page.fill("input[name=name]", WORDS)

    page.locator("form", has=page.locator("input[name=name]")).locator("button").first.click()
    page.wait_for_load_state("networkidle")
    page.goto("/account/tokens/")

    expect(page.get_by_text(WORDS).first).to_be_visible()
    expect(page.locator("input[name=name]")).not_to_have_value(WORDS)
    assert page.evaluate("sessionStorage.getItem('yixiang-typed')") is None
