"""``python -m tests.e2e.screenshots [NAME …]``: pictures of the pages to var/screenshots, 1280 and 390 px wide."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import django
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.browser import DESKTOP, PHONE, chromium
from tests.e2e.pages import PAGES
from tests.e2e.site import ROOT, Site

FOLDER = ROOT / "var" / "screenshots"


def main(names: Collection[str]) -> int:
    executable = chromium()
    if executable is None:
        print("There is no Chromium. Install it: sudo apt-get install chromium", file=sys.stderr)
        return 1
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    django.setup()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder)) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        for size, viewport in (("1280", DESKTOP), ("390", PHONE)):
            for account in sorted({account for account, _, _ in PAGES}):
                take(browser, site, account, size, viewport, names)
        browser.close()
    print(f"{FOLDER.relative_to(ROOT)}/")
    return 0


def take(
    browser: Browser, site: Site, account: str, size: str, viewport: dict[str, int], names: Collection[str]
) -> None:
    context = browser.new_context(base_url=site.url, viewport=viewport, locale="zh-CN", timezone_id="Asia/Shanghai")
    page = context.new_page()
    if account:
        sign_in(page, account)
    for owner, name, path in PAGES:
        if owner == account and (not names or name in names):
            page.goto(path, wait_until="networkidle")
            page.screenshot(path=FOLDER / f"{name}-{size}.png", full_page=size == "390")
    context.close()


def sign_in(page: Page, account: str) -> None:
    from backend.web.seed.accounts import PASSWORD  # needs Django to be set up

    page.goto("/account/login/")
    page.fill("input[name=login]", account)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
