"""A browser and a site for it. Every page that a test opens must stay free of errors and refused content."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from backend.web.seed.accounts import PASSWORD
from tests.e2e.browser import DESKTOP, chromium
from tests.e2e.site import Site


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        if "browser" in os.environ.get("TEST_REQUIRE", ""):
            pytest.fail("TEST_REQUIRE asks for a browser, but there is no Chromium")
        pytest.skip("no Chromium; install it or name it in CHROMIUM")
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=path)
        yield chrome
        chrome.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo on a scratch database, web and worker, shared by all tests of a run."""
    with Site(tmp_path_factory.mktemp("site")) as running:
        running.start_worker()
        yield running


@pytest.fixture
def new_page(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """``new_page()`` opens a page with cookies of its own; ``new_page(viewport=PHONE)`` one on a phone."""
    contexts, problems = [], []

    def make(**options: Any) -> Page:
        context = browser.new_context(
            **{
                "base_url": site.url,
                "viewport": DESKTOP,
                "locale": "zh-CN",
                "timezone_id": "Asia/Shanghai",
                "accept_downloads": True,
                **options,
            }
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
        page.on("console", lambda message: message.type == "error" and problems.append(f"{page.url}: {message.text}"))
        return page

    yield make
    for context in contexts:
        context.close()
    # An answer of 4xx is logged by the browser as an error; a test that wants one looks at it itself.
    assert [problem for problem in problems if "the server responded with a status of 4" not in problem] == []


@pytest.fixture
def sign_in(new_page: Callable[..., Page]) -> Callable[..., Page]:
    """``sign_in("manager@demo.example")`` → a page of that person, at home."""

    def enter(email: str, **options: Any) -> Page:
        page = new_page(**options)
        page.goto("/account/login/")
        page.fill("input[name=login]", email)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/")
        return page

    return enter
