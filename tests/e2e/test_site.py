"""The site as a browser sees it: pages open without an error, and fit on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import DESKTOP, PHONE
from tests.e2e.pages import PAGES

WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


ACCOUNTS = sorted({account for account, _, _ in PAGES})


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("account", ACCOUNTS, ids=[account or "visitor" for account in ACCOUNTS])
def test_pages_open_and_fit(
    account: str, viewport: dict[str, int], new_page: Callable[..., Page], sign_in: Callable[..., Page]
) -> None:
    page = sign_in(account, viewport=viewport) if account else new_page(viewport=viewport)
    problems = []
    for owner, name, path in PAGES:
        if owner == account:
            response = page.goto(path)
            expected = 404 if name == "not-found" else 200
            if response is None or response.status != expected or not page.locator("main").is_visible():
                problems.append(f"{path}: {response and response.status}")
            elif page.evaluate(WIDER) > 0:
                problems.append(f"{path}: {page.evaluate(WIDER)} px too wide")

    assert problems == []


def test_chinese_is_the_default_and_english_a_choice(new_page: Callable[..., Page]) -> None:
    chinese, english = new_page(), new_page(locale="en-GB")

    chinese.goto("/")
    english.goto("/")

    assert chinese.locator("html").get_attribute("lang") == "zh-Hans"
    assert english.locator("html").get_attribute("lang") == "en"


def test_the_api_s_documentation_works_under_the_content_policy(new_page: Callable[..., Page]) -> None:
    page = new_page()

    page.goto("/api/v1/docs")

    expect(page.locator(".swagger-ui .info .title")).to_contain_text("Yixiang")


def test_the_worker_makes_the_site_ready(new_page: Callable[..., Page], site: Any) -> None:
    page = new_page()
    # The first tick comes within a minute; the demo has put one into the queue.
    for _ in range(60):
        answer = page.request.get("/readyz")
        if answer.ok:
            break
        page.wait_for_timeout(500)

    assert answer.json()["status"] == "ok"
