"""Money in a browser: a price is published, booked and used; finance drafts, issues, is paid, credits and exports.

In Chinese from the price list on; in English again for what was credited and is billed anew.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.site import Site
from tests.e2e.test_journey import COMPANY, ENGINEER, FINANCE, MANAGER, PREPARE, SHANGHAI, approve, book, use, verify

PRICES = {
    "name": "端到端",
    "currency": "CNY",
    "rules": [
        {
            "code": "time",
            "name": "机时费",
            "kind": "price",
            "required": True,
            "qty": ["booked"],
            "rate": 137,
            "when": {"event": "use"},
        }
    ],
}
WAIT = 120_000


def test_from_the_price_list_to_payment_credit_note_and_export(site: Site, sign_in: Callable[..., Page]) -> None:
    instrument = int(re.findall(r"instrument (\d+)", site.manage("shell", "-c", PREPARE))[-1])
    manager, engineer = sign_in(MANAGER), sign_in(ENGINEER)
    put(manager, f"/api/v1/instruments/{instrument}/price-list", PRICES)
    engineer.goto(f"/instruments/{instrument}/")
    expect(engineer.locator("main")).to_contain_text("137")
    start = (datetime.now(SHANGHAI) + timedelta(minutes=2)).replace(second=0, microsecond=0)
    booking = book(engineer, instrument, start)
    approve(manager, booking)
    engineer.reload()
    use(engineer)
    assert verify(manager, booking) == "137.00"

    finance = sign_in(FINANCE)
    finance.goto("/finance/run/")
    assert finance.locator("html").get_attribute("lang") == "zh-Hans"
    first = bill(finance, "感谢合作", rebill=True)

    finance = sign_in(FINANCE, locale="en-US")
    finance.goto("/finance/run/")
    assert finance.locator("html").get_attribute("lang") == "en"
    second = bill(finance, "Many thanks", rebill=False)

    assert first != second


def put(page: Page, path: str, body: Any) -> None:
    page.goto("/")
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie.get("name") == "csrftoken")
    answer = page.request.put(path, data=body, headers={"X-CSRFToken": token, "Referer": page.url})
    assert answer.ok, answer.text()


def bill(page: Page, remark: str, *, rebill: bool) -> str:
    """Run, look, write, issue, take the money of one invoice and credit the company's; returns its number."""
    page.locator("button[name=all]").click()
    page.wait_for_url("**/finance/runs/*/")
    page.locator("#run-progress a[href*='/finance/drafts/']").click(timeout=WAIT)
    row = page.locator("main tr", has=page.locator("a[href$='/words/']")).filter(
        has_text=re.compile(f"{COMPANY}|New Materials")
    )
    row.locator("a[href$='/words/']").click()
    page.fill("[name=remark]", remark)
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/invoices/*/")
    address = page.url
    expect(page.locator("main")).to_contain_text(remark)

    page.goto("/finance/drafts/")
    page.locator("button[name=all]").click()
    page.locator("dialog[open] .btn-primary").click()
    page.wait_for_url("**/finance/runs/*/")
    page.locator("#run-progress a[href*='/invoices/']").first.click(timeout=WAIT)

    page.goto(address)
    number = re.findall(r"JS-[\w-]+-\d{4}-\d{6}", page.locator("main").inner_text())[0]
    document = page.request.get(f"{address}pdf/")
    assert document.body().startswith(b"%PDF-")
    credit(page, address, rebill=rebill)
    pay_another(page)
    exported(page, number, remark)
    return number


def credit(page: Page, address: str, *, rebill: bool) -> None:
    page.goto(f"{address}credit/")
    page.fill("[name=reason]", "端到端")
    if rebill:
        page.locator("[name=rebill]").check()
    page.locator("main form button[type=submit]").last.click()
    page.locator("dialog[open] .btn-danger, dialog[open] .btn-primary").first.click()
    page.wait_for_url(re.compile(r"/invoices/\d+/$"))
    expect(page.locator("h1")).to_contain_text("HC-")


def pay_another(page: Page) -> None:
    page.goto("/invoices/?status=owing")
    page.locator("main tbody a[href^='/invoices/']").first.click()
    page.locator("#payments details:has(form[action$='/pay/']) > summary").click()
    page.fill("form[action$='/pay/'] [name=reference]", f"E2E {datetime.now(SHANGHAI):%H%M%S}")
    page.locator("form[action$='/pay/'] button[type=submit]").click()
    expect(page.locator("form[action$='/pay/']")).to_have_count(0)


def exported(page: Page, number: str, remark: str) -> None:
    """The list as seen, with the invoice and what credits it."""
    answer = page.request.get("/invoices/export/invoices.csv?status=issued")
    rows = list(csv.reader(io.StringIO(answer.body().decode("utf-8-sig"))))
    assert [row[0] for row in rows].count(number) == 1
    assert any(number in row[1:] for row in rows), remark
    page.goto("/finance/figures/")
    expect(page.locator("[data-chart] canvas, [data-chart] svg").first).to_be_visible()
