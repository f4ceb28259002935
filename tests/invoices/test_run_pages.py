"""The pages and the API of the monthly run, the words of drafts, the settings and the figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from openpyxl import load_workbook

from backend.accounts.models import Role
from invoices.actions.credits import credit_invoice
from invoices.actions.payments import record_payment
from invoices.actions.running import work_on_run
from invoices.models import BillingSettings, Invoice, InvoiceRun, InvoiceStatus, RunState
from tests.booking.lab import browser, html
from tests.conftest import ApiClient
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member
from tests.invoices.ledger import Ledger
from tests.invoices.test_billing import picture

pytestmark = pytest.mark.django_db

MONTH = "2026-12"
RUN = f"/finance/run/?period={MONTH}"


@pytest.fixture(autouse=True)
def _december() -> Iterator[None]:
    with time_machine.travel("2026-12-15T02:00:00Z", tick=False):
        yield


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def table(response: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def start(ledger: Ledger, step: str, **more: Any) -> InvoiceRun:
    """By the page, as its buttons do; then what the worker would."""
    form = {"institution": ledger.institution.pk, "period": MONTH, "step": step, **more}
    response = browser(ledger.finance).post("/finance/run/start/", form)
    run = InvoiceRun.objects.latest("pk")
    assert response.headers["Location"] == f"/finance/runs/{run.pk}/"
    work_on_run(run_id=run.pk)
    return run


# --- the run -----------------------------------------------------------------------------------------


def test_a_month_is_billed_by_the_pages(ledger: Ledger) -> None:
    ledger.charge()
    other = make_enterprise(name="Other company")
    make_charge(other, institution=ledger.institution)
    client = browser(ledger.finance)

    page = html(client.get(RUN))
    assert "Make all 2 drafts" in page
    assert "¥200.00" in page
    assert "Example Company" in page
    assert "lacks: Address, Phone" in page

    drafted = start(ledger, "draft", all="1")
    shown = html(client.get(f"/finance/runs/{drafted.pk}/"))
    assert "2 of 2 done" in shown
    assert "Look through the drafts" in shown
    drafts = html(client.get(f"/finance/drafts/?period={MONTH}"))
    assert "Issue all 2 drafts" in drafts

    issued = start(ledger, "issue", all="1")
    shown = html(client.get(f"/finance/runs/{issued.pk}/"))
    assert "2 of 2 PDFs made" in shown
    assert "No drafts for this month" in html(client.get(f"/finance/drafts/?period={MONTH}"))
    assert "Nothing to bill" in html(client.get(RUN))


def test_a_run_draws_itself_anew_only_while_it_is_under_way(ledger: Ledger) -> None:
    ledger.charge()
    client, form = browser(ledger.finance), {"institution": ledger.institution.pk, "period": MONTH, "step": "draft"}
    client.post("/finance/run/start/", {**form, "all": "1"})
    run = InvoiceRun.objects.get()
    address = f"/finance/runs/{run.pk}/"

    part = html(client.get(address, headers={"HX-Request": "true"}))
    assert "<html" not in part
    assert f'hx-get="{address}"' in part
    assert f'hx-post="{address}stop/"' in part
    assert "Under way" in html(client.get(RUN))
    client.post(f"{address}stop/")
    part = html(client.get(address, headers={"HX-Request": "true"}))
    assert "1 left out" in part
    assert "hx-get" not in part
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED


def test_only_what_is_chosen_is_done_and_nothing_chosen_is_nothing(ledger: Ledger) -> None:
    ledger.charge()
    other = make_enterprise()
    make_charge(other, institution=ledger.institution)
    client = browser(ledger.finance)

    form = {"institution": ledger.institution.pk, "period": MONTH, "step": "draft"}
    assert client.post("/finance/run/start/", form).status_code == 409
    start(ledger, "draft", only=[other.pk])
    assert Invoice.objects.get().customer == other
    assert client.post("/finance/run/start/", {**form, "step": "issue", "only": ["9" * 30]}).status_code == 409
    start(ledger, "issue", only=[Invoice.objects.get().pk])
    assert Invoice.objects.get().number


def test_the_list_is_narrowed_and_exported_as_seen(ledger: Ledger) -> None:
    full = {"uscc": "91350100M000100Y4X", "address": "x", "phone": "1", "bank": "x", "bank_account": "1"}
    ready, noted, held = make_enterprise(**full), make_enterprise(), make_enterprise()
    for customer in (ready, noted):
        make_charge(customer, institution=ledger.institution)
    make_charge(held, institution=ledger.institution, final=False)
    client = browser(ledger.finance)

    names = {
        shown: {row[0] for row in table(client.get(f"/finance/run.csv?period={MONTH}&show={shown}"))[1:]}
        for shown in ("", "ready", "trouble", "blocked", "nonsense")
    }

    assert names[""] == names["nonsense"] == {ready.name, noted.name, held.name}
    assert names["ready"] == {ready.name}
    assert names["trouble"] == {noted.name, held.name}
    assert names["blocked"] == {held.name}
    page = html(client.get(f"{RUN}&show=ready"))
    assert noted.name not in page
    sheet = load_workbook(io.BytesIO(b"".join(client.get(f"/finance/run.xlsx?period={MONTH}").streaming_content)))
    assert [cell.value for cell in sheet.active[1]][:2] == ["Customer", "Unified social credit code"]


def test_a_customer_is_asked_from_the_page(ledger: Ledger) -> None:
    ledger.charge()
    make_member(ledger.customer, Role.ADMIN)
    client = browser(ledger.finance)

    assert f"/finance/{ledger.institution.pk}/ask/{ledger.customer.pk}/" in html(client.get(RUN))
    assert client.post(f"/finance/{ledger.institution.pk}/ask/{ledger.customer.pk}/").status_code == 302
    stranger = make_enterprise()
    assert client.post(f"/finance/{ledger.institution.pk}/ask/{stranger.pk}/").status_code == 404


def test_strangers_find_no_run(ledger: Ledger) -> None:
    ledger.charge()
    run = start(ledger, "draft", all="1")
    addresses = [f"/finance/runs/{run.pk}/", f"/finance/runs/{run.pk + 1}/"]
    other = make_member(make_institution(), Role.FINANCE)

    assert [browser(other).get(address).status_code for address in addresses] == [404, 404]
    assert browser(make_member(ledger.institution, Role.ADMIN)).get(addresses[0]).status_code == 403
    assert browser(make_member(ledger.customer, Role.ADMIN)).get("/finance/run/").status_code == 403


# --- words and settings ------------------------------------------------------------------------------


def test_the_words_of_a_draft_are_written_on_its_page(ledger: Ledger) -> None:
    ledger.charge()
    draft = ledger.draft()
    client = browser(ledger.finance)
    address = f"/invoices/{draft.pk}/words/"

    assert address in html(client.get(f"/invoices/{draft.pk}/"))
    response = client.post(address, {"remark": "Thanks", "period": "x" * 61})
    assert response.status_code == 422
    assert client.post(address, {"remark": "Many thanks", "total": "1.00"}).status_code == 302
    page = html(client.get(f"/invoices/{draft.pk}/"))
    assert "Many thanks" in page
    assert "¥100.00" in page
    assert 'value=""' in html(client.get(address))
    issued = ledger.issue()
    assert client.post(address, {"remark": "Later"}).status_code == 409
    assert Invoice.objects.get(pk=issued.pk).wording == {"remark": "Many thanks"}


def test_both_sides_choose_how_they_are_billed(ledger: Ledger) -> None:
    admin = make_member(ledger.customer, Role.ADMIN)
    lender, payer = browser(ledger.finance), browser(admin)

    assert "If tax data of a party is missing" in html(lender.get("/finance/billing/"))
    assert lender.post("/finance/billing/", {"missing_data": "nonsense"}).status_code == 422
    assert lender.post("/finance/billing/", {"missing_data": "block"}).status_code == 302
    assert "Attach the PDF" in html(payer.get("/finance/billing/"))
    assert payer.post("/finance/billing/", {"attach_pdf": "on"}).status_code == 302

    assert BillingSettings.objects.get(organisation=ledger.institution).missing_data == "block"
    assert BillingSettings.objects.get(organisation=ledger.customer).attach_pdf
    assert browser(make_member(ledger.customer)).get("/finance/billing/").status_code == 403
    assert browser(make_member(ledger.institution, Role.ADMIN)).get("/finance/billing/").status_code == 403


def test_a_logo_is_put_on_documents_and_taken_off(ledger: Ledger) -> None:
    client, address = browser(ledger.finance), f"/finance/{ledger.institution.pk}/logo/"

    assert client.get(address).status_code == 404
    assert client.post(f"{address}change/", {}).status_code == 422
    assert client.post(f"{address}change/", {"logo": picture()}).status_code == 302
    assert client.get(address).content.startswith(b"\x89PNG")
    assert address in html(client.get("/finance/billing/"))
    assert client.post(f"{address}change/", {"remove": "1"}).status_code == 302
    assert client.get(address).status_code == 404


# --- figures -----------------------------------------------------------------------------------------


def billed(ledger: Ledger) -> None:
    """Two months, two customers: 300.00 invoiced, 30.00 paid, one of 50.00 credited."""
    first = ledger.issued("200.00")
    record_payment(
        invoice=first, amount=first.total * 15 / 100, date=first.issued_at.date(), reference="R", by=ledger.finance
    )
    other = make_enterprise(name="Other company")
    for amount in ("100.00", "50.00"):
        make_charge(other, make_line(amount), institution=ledger.institution, subject="Microscope")
        form = {"institution": ledger.institution.pk, "enterprise": other.pk, "period": "2027-01"}
        drafted = ApiClient(ledger.finance).post_api("/invoices/draft", form).json()
        ApiClient(ledger.finance).post_api(f"/invoices/{drafted['id']}/issue", {})
    credit_invoice(invoice=Invoice.objects.get(total="50.00"), reason="Wrong", by=ledger.finance)


@pytest.mark.parametrize("by", ["month", "instrument", "customer", "age"])
def test_figures_add_up_to_the_same_however_they_are_broken_down(ledger: Ledger, by: str) -> None:
    billed(ledger)
    client = browser(ledger.finance)
    query = f"first=2026-12&last=2027-01&by={by}"

    rows = table(client.get(f"/finance/figures.csv?{query}"))[1:]
    sums = [sum(float(row[column] or 0) for row in rows) for column in (3, 4, 5)]

    expected = {"instrument": [300.0, 0, 0]}.get(by, [300.0, 30.0, 270.0])
    assert sums == expected
    page = html(client.get(f"/finance/figures/?{query}"))
    assert f"¥{expected[0]:.2f}" in page
    assert 'data-chart="figures-chart"' in page


def test_figures_are_narrowed_and_told_by_the_api(ledger: Ledger) -> None:
    billed(ledger)
    api = ApiClient(ledger.finance)

    told = api.get_api("/finance/figures", first="2026-12", last="2027-01", customer=ledger.customer.pk).json()
    assert [(row["key"], row["invoiced"], row["paid"], row["open"]) for row in told["months"]] == [
        ("2026-12", "200.00", "30.00", "170.00"),
        ("2027-01", "0.00", "0.00", "0.00"),
    ]
    assert [row["label"] for row in told["customers"]] == [ledger.customer.name]
    assert [row["number"] for row in told["ages"]] == [1, 0, 0, 0, 0]
    assert api.get_api("/finance/figures", currency="USD").json()["customers"] == []
    assert "Nothing was issued in these months" in html(browser(ledger.finance).get("/finance/figures/?last=2020-01"))
    assert api.get_api("/finance/figures", first="2026-13").status_code == 422


# --- the API -----------------------------------------------------------------------------------------


def test_a_month_is_billed_by_the_api(ledger: Ledger) -> None:
    ledger.charge()
    api = ApiClient(ledger.finance)

    told = api.get_api("/finance/preview", period=MONTH).json()
    assert told["totals"] == {"CNY": "100.00"}
    assert [row["can_be_drafted"] for row in told["rows"]] == [True]
    assert {trouble["code"] for trouble in told["rows"][0]["troubles"]} == {"customer_data"}
    body = {"institution": ledger.institution.pk, "period": MONTH}
    run = api.post_api("/finance/runs", {**body, "step": "draft"}).json()
    assert (run["state"], run["items"], run["waiting"]) == ("active", 1, 1)
    refused = api.post_api("/finance/runs", {**body, "step": "issue"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "run_under_way")
    work_on_run(run_id=run["id"])
    assert api.get_api(f"/finance/runs/{run['id']}").json()["state"] == "done"
    draft = Invoice.objects.get(status=InvoiceStatus.DRAFT)
    worded = api.put(f"/api/v1/invoices/{draft.pk}/words", {"remark": "Hello"}, content_type="application/json")
    assert worded.json()["remark"] == "Hello"
    run = api.post_api("/finance/runs", {**body, "step": "issue", "only": [draft.pk]}).json()
    assert api.post_api(f"/finance/runs/{run['id']}/stop", {}).json()["skipped"] == 1


def test_settings_by_the_api(ledger: Ledger) -> None:
    admin = make_member(ledger.customer, Role.ADMIN)
    make_charge(ledger.customer, institution=ledger.institution)
    lender, payer = ApiClient(ledger.finance), ApiClient(admin)
    own, theirs = f"/api/v1/billing/{ledger.institution.pk}", f"/api/v1/billing/{ledger.customer.pk}"

    assert payer.put(theirs, {"attach_pdf": True}, content_type="application/json").json()["attach_pdf"]
    assert lender.put(own, {"missing_data": "block"}, content_type="application/json").json()["missing_data"] == "block"
    assert lender.post(f"{own}/logo", {"logo": picture()}).json()["logo_sha256"]
    assert lender.delete(f"{own}/logo").json()["logo_sha256"] is None
    assert [lender.get(theirs).status_code, payer.get(own).status_code] == [404, 404]
    assert ApiClient(make_member(ledger.institution, Role.ADMIN)).get(own).status_code == 403
    assert ApiClient(make_member(ledger.customer)).get(theirs).status_code == 403
    body = {"institution": ledger.institution.pk, "customer": ledger.customer.pk}
    assert lender.post_api("/finance/ask-for-tax-data", body).status_code == 204
