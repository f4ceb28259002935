"""The whole journey in a browser: an engineer finds, books and uses; the lab approves and verifies; finance invoices.

The subscribed calendar is read after every step, as a calendar program would.
"""

from __future__ import annotations

import io
import itertools
import re
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events
import vobject
from icalendar import Calendar
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.e2e.site import Site

ENGINEER, MANAGER, FINANCE = "enterprise@demo.example", "manager@demo.example", "finance@demo.example"
OTHER, MANAGER2 = "other@demo.example", "manager2@demo.example"
COMPANY = "示例新材料科技有限公司"
SHANGHAI = ZoneInfo("Asia/Shanghai")

# An instrument that is open round the clock, so that the journey can happen now, at any hour.
PREPARE = """
from datetime import date
from backend.accounts.models import User
from backend.accounts.queries import access_of
from booking.actions.policies import save_policy
from booking.rules.presets import Answers, apply_presets
from instruments.models import Instrument, OpeningHours
instrument = Instrument.objects.get(institution__memberships__user__email="manager@demo.example",
    institution__memberships__role="manager", name="场发射扫描电子显微镜")
instrument.open_on_holidays, instrument.mode_self = True, True
instrument.save()
instrument.opening_hours.all().delete()
instrument.special_days.all().delete()
OpeningHours.objects.bulk_create(
    OpeningHours(instrument=instrument, weekday=day, opens="00:00", closes="00:00") for day in range(1, 8))
manager = User.objects.get(email="manager@demo.example")
save_policy(instrument=instrument, document=apply_presets({}, Answers(approval="external")), by=manager)
print("instrument", instrument.pk)
"""


def test_journey_from_search_to_invoice(
    site: Site, sign_in: Callable[..., Page], new_page: Callable[..., Page]
) -> None:
    instrument = int(re.findall(r"instrument (\d+)", site.manage("shell", "-c", PREPARE))[-1])
    engineer = sign_in(ENGINEER)
    feed = subscribe(engineer)
    already = summaries(feed)

    start = (datetime.now(SHANGHAI) + timedelta(minutes=2)).replace(second=0, microsecond=0)
    booking = book(engineer, instrument, start)
    expect(engineer.locator(".state, main").first).to_contain_text("等待审批")
    assert state_of(feed, booking, already) == "TENTATIVE"

    manager = sign_in(MANAGER)
    approve(manager, booking)
    engineer.reload()
    expect(engineer.locator("main")).to_contain_text("已确认")
    assert state_of(feed, booking, already) == "CONFIRMED"

    use(engineer)
    total = verify(manager, booking)

    finance = sign_in(FINANCE)
    invoice, number = invoice_it(finance)
    text = pdf_text(finance, invoice)
    assert number in text
    assert "非税务发票" in text
    charged = text.partition("场发射扫描电子显微镜")[2].replace(",", "")
    amounts = map(Decimal, re.findall(r"(\d+\.\d\d)$", charged, re.MULTILINE))
    assert Decimal(total) in itertools.islice(itertools.accumulate(amounts), 3)
    assert engineer.request.get(f"/invoices/{invoice}/").ok

    strangers_see_nothing(sign_in, new_page, booking=booking, invoice=invoice)


def subscribe(page: Page) -> str:
    page.goto("/account/feeds/")
    page.locator("form[action$='/feeds/new/'] button[type=submit]").click()
    address = page.locator("#feed-url").input_value()
    assert page.locator("img.feed-code").is_visible()
    return address


def fetch(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/calendar")
        content: bytes = answer.read()
    return content


def summaries(address: str) -> set[str]:
    return {str(event["UID"]) for event in Calendar.from_ical(fetch(address)).walk("VEVENT")}


def state_of(address: str, booking: int, already: set[str]) -> str:
    """Status of the one new event, read by two further libraries."""
    content = fetch(address)
    new = [e for e in Calendar.from_ical(content).walk("VEVENT") if str(e["UID"]) not in already]
    assert len(new) == 1
    assert f"/bookings/{booking}/" in str(new[0]["URL"])
    start = new[0]["DTSTART"].dt
    assert [str(e["UID"]) for e in recurring_ical_events.of(Calendar.from_ical(content)).between(start, start)].count(
        str(new[0]["UID"])
    ) == 1
    read_otherwise = [e for e in vobject.readOne(content.decode()).vevent_list if e.uid.value == str(new[0]["UID"])]
    assert read_otherwise[0].dtstart.value == start
    return str(new[0]["STATUS"])


def book(page: Page, instrument: int, start: datetime) -> int:
    """Search, open, choose the time, see price and approval, submit; returns the booking's number."""
    page.goto("/")
    page.keyboard.press("/")
    page.locator("header input[name=q]").fill("场发射扫描电镜")
    page.keyboard.press("Enter")
    page.wait_for_url("**/instruments/**")
    page.locator(f"a[href^='/instruments/{instrument}/']").first.click()
    page.wait_for_url(f"**/instruments/{instrument}/**")
    page.locator("#modes label", has_text="委托").click()
    page.locator("#id_end").fill(f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M}")
    page.locator("#id_start").fill(f"{start:%Y-%m-%dT%H:%M}")
    page.locator("#id_start").blur()
    expect(page.locator("#panel-foot strong")).to_contain_text("¥")
    page.locator("#id_purpose").fill("端到端：合金断口形貌")
    page.locator("#panel-foot button[type=submit]").click()
    page.wait_for_url("**/bookings/*/")
    return int(page.url.rstrip("/").rsplit("/", 1)[1])


def approve(page: Page, booking: int) -> None:
    page.goto("/desk/")
    page.locator(f".desk-list a[href$='request={booking}']").click()
    page.wait_for_url(f"**request={booking}")
    page.locator(f"form[action*='/{booking}/approve/'] button").click()
    expect(page.locator(f"form[action*='/{booking}/approve/']")).to_have_count(0)


def use(page: Page) -> None:
    """Check in now, check out when a minute has passed: uses are written down in minutes."""
    page.locator("form[action$='/start/'] button[type=submit]").click()
    expect(page.locator("form[action$='/finish/']").first).to_be_visible()
    began = datetime.now(SHANGHAI)
    page.wait_for_timeout(1000 * (61 - began.second))
    page.reload()
    page.locator("form[action$='/finish/'] button[type=submit]").click()
    expect(page.locator("form[action$='/finish/']")).to_have_count(0)


def verify(page: Page, booking: int) -> str:
    """One tap on the usage page; returns the final amount as it is shown, without grouping."""
    page.goto("/usage/")
    row = page.locator("tr", has=page.locator(f"a[href='/bookings/{booking}/']"))
    key = row.get_attribute("id")
    row.locator("button[type=submit]").click()
    done = page.locator(f"#{key}")
    expect(done.locator("button")).to_have_count(0)
    return re.findall(r"¥([\d,]+\.\d\d)", done.inner_text())[0].replace(",", "")


def invoice_it(page: Page) -> tuple[int, str]:
    """Draft and issue for the engineer's company; returns the invoice's id and number."""
    page.goto("/finance/")
    page.locator("#to-draft tr", has_text=COMPANY).locator("button[type=submit]").click()
    draft = page.locator("#drafts tr", has_text=COMPANY)
    address = draft.locator("a[href^='/invoices/']").first.get_attribute("href") or ""
    page.goto(address)
    page.locator("form[action$='/issue/'] button[type=submit]").first.click()
    page.locator("dialog[open] .btn-primary").click()
    expect(page.locator("form[action$='/issue/']")).to_have_count(0)
    page.goto(address)
    number = re.findall(r"JS-[\w-]+-\d{4}-\d{6}", page.locator("main").inner_text())[0]
    return int(address.strip("/").rsplit("/", 1)[1]), number


def pdf_text(page: Page, invoice: int) -> str:
    answer = page.request.get(f"/invoices/{invoice}/pdf/")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pdf")
    return "\n".join(p.extract_text() for p in PdfReader(io.BytesIO(answer.body())).pages)


def strangers_see_nothing(
    sign_in: Callable[..., Page], new_page: Callable[..., Page], *, booking: int, invoice: int
) -> None:
    addresses = [f"/bookings/{booking}/", f"/invoices/{invoice}/", f"/invoices/{invoice}/pdf/"]
    addresses += [f"/api/v1/bookings/{booking}", f"/api/v1/invoices/{invoice}", f"/api/v1/invoices/{invoice}/pdf"]
    statuses: dict[str, list[int]] = {}
    for email in (OTHER, MANAGER2):
        page: Any = sign_in(email)
        statuses[email] = [page.request.get(address).status for address in addresses]
    visitor = new_page()
    statuses["visitor"] = [visitor.request.get(address, max_redirects=0).status for address in addresses]

    assert statuses == {OTHER: [404] * 6, MANAGER2: [404] * 6, "visitor": [302, 302, 302, 401, 401, 401]}
