"""Pages and API of credit notes, payments and open balances."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from backend.accounts.models import Role
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import issue_invoice
from invoices.actions.payments import record_payment
from invoices.models import Invoice, Payment, Surplus
from tests.conftest import ApiClient
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member
from tests.invoices.test_api import World
from tests.invoices.test_views import HTMX, browser, html

pytestmark = pytest.mark.django_db

PAID = {"amount": "40.00", "date": "2026-12-15", "reference": "R1"}


@pytest.fixture(autouse=True)
def _december() -> Iterator[None]:
    with time_machine.travel("2026-12-15T02:00:00Z", tick=False):
        yield


@pytest.fixture
def world() -> World:
    return World()


def pay(world: World, invoice: Invoice, amount: str = "40.00", reference: str = "R1") -> Payment:
    return record_payment(
        invoice=invoice, amount=Decimal(amount), date=timezone.localdate(), reference=reference, by=world.finance
    )


def table(response: Any) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_a_payment_is_recorded_and_the_balance_shown(world: World) -> None:
    invoice = world.issued()
    client = browser(world.finance)

    response = client.post(f"/invoices/{invoice.pk}/pay/", PAID)

    page = html(client.get(f"/invoices/{invoice.pk}/"))
    customer = html(browser(world.payer).get(f"/invoices/{invoice.pk}/"))
    assert response.headers["Location"] == f"/invoices/{invoice.pk}/"
    assert 'value="60.00"' in page
    for seen in (page, customer):
        assert "Partly paid" in seen
        assert "Payment of ¥40.00 recorded" in seen
        assert "R1" in seen
    assert world.finance.name in page
    assert world.finance.name not in customer
    assert "Record a payment" not in customer


def test_a_wrong_payment_form_comes_back_with_its_words(world: World) -> None:
    invoice = world.issued()

    response = browser(world.finance).post(f"/invoices/{invoice.pk}/pay/", {**PAID, "amount": "x"})

    assert response.status_code == 422
    assert 'value="R1"' in response.content.decode()
    assert not Payment.objects.exists()


def test_too_much_is_refused_on_the_page(world: World) -> None:
    invoice = world.issued()

    response = browser(world.finance).post(f"/invoices/{invoice.pk}/pay/", {**PAID, "amount": "100.01"}, headers=HTMX)

    assert response.status_code == 409
    assert "Only CNY 100.00 is still to be paid" in response.content.decode()


def test_a_payment_is_reversed_with_its_reason(world: World) -> None:
    invoice = world.issued()
    payment = pay(world, invoice)
    client = browser(world.finance)
    address = f"/invoices/{invoice.pk}/payments/{payment.pk}/reverse/"

    asked = html(client.get(address))
    empty = client.post(address, {"reason": ""})
    done = client.post(address, {"reason": "Typed wrong"})

    assert "takes it back" in asked
    assert (empty.status_code, done.status_code) == (422, 302)
    assert "Typed wrong" in html(client.get(f"/invoices/{invoice.pk}/"))
    assert Invoice.objects.get().paid == 0


def test_a_payment_of_another_invoice_is_not_found(world: World) -> None:
    first, second = world.issued("2026-11"), world.issued("2026-12")
    payment = pay(world, first)

    response = browser(world.finance).get(f"/invoices/{second.pk}/payments/{payment.pk}/reverse/")
    api = ApiClient(world.finance).post_api(f"/invoices/{second.pk}/payments/{payment.pk}/reverse", {"reason": "x"})

    assert (response.status_code, api.status_code) == (404, 404)


def test_crediting_says_what_happens_and_leads_to_the_note(world: World) -> None:
    invoice = world.issued()
    client = browser(world.finance)

    asked = html(client.get(f"/invoices/{invoice.pk}/credit/"))
    empty = client.post(f"/invoices/{invoice.pk}/credit/", {"reason": " "})
    done = client.post(f"/invoices/{invoice.pk}/credit/", {"reason": "Wrong buyer", "rebill": "on"})

    note = Invoice.objects.get(kind="credit_note")
    assert "Tick nothing to credit all that is left." in asked
    assert (empty.status_code, done.headers["Location"]) == (422, f"/invoices/{note.pk}/")
    shown = html(client.get(f"/invoices/{note.pk}/"))
    for text in (note.number, invoice.number, "Wrong buyer", "-100.00", "人民币负壹佰元整"):
        assert text in shown
    assert "Record a payment" not in shown
    original = html(client.get(f"/invoices/{invoice.pk}/"))
    assert f"Credited by {note.number}" in original
    assert "Credit this invoice" not in original
    assert "¥100.00" in html(client.get("/finance/?period=2026-12"))


def test_chosen_lines_are_credited_on_the_page_and_what_was_paid_becomes_credit(world: World) -> None:
    world.charge(make_line("90.00"), make_line("10.00", "b"))
    client = browser(world.finance)
    invoice = issue_invoice(invoice=world.draft(), by=world.finance)
    pay(world, invoice)
    address = f"/invoices/{invoice.pk}/credit/"

    asked = html(client.get(address))
    wrong = client.post(address, {"reason": "x", "amount-1": "1.005"}, headers=HTMX)
    done = client.post(address, {"reason": "x", "line": "2", "amount-1": "70"})

    note = Invoice.objects.get(kind="credit_note")
    invoice.refresh_from_db()
    assert "¥40.00 was paid on this." in asked
    assert (wrong.status_code, done.status_code, note.total) == (422, 302, Decimal("-80.00"))
    assert (invoice.balance, Surplus.objects.get().amount) == (Decimal("0.00"), Decimal("20.00"))
    assert "Credited in part:" in html(client.get(f"/invoices/{invoice.pk}/"))


def test_a_draft_is_not_credited(world: World) -> None:
    world.charge()

    assert browser(world.finance).get(f"/invoices/{world.draft().pk}/credit/").status_code == 404


def test_a_draft_says_what_to_look_at(world: World) -> None:
    world.charge(make_line("70.00"))
    draft = world.draft()

    page = html(browser(world.finance).get(f"/invoices/{draft.pk}/"))

    assert "The document will lack these details" in page
    assert f"{world.customer.name}: USCC" in page
    assert "By instrument" in page
    assert "This cannot be issued yet" not in page


def test_a_draft_below_zero_says_that_it_waits(world: World) -> None:
    from invoices.actions.charges import finalise_charges

    charge = world.charge()
    draft = world.draft()
    finalise_charges(source=charge.source, source_uid=charge.source_uid, lines=[], differences=["Free of charge."])

    page = html(browser(world.finance).get(f"/invoices/{draft.pk}/"))

    assert "This cannot be issued yet" in page
    assert "Free of charge." in page


def test_the_money_page_shows_what_is_to_be_paid(world: World) -> None:
    part = world.issued("2026-10")
    pay(world, part)
    note = credit_invoice(invoice=world.issued("2026-11"), reason="x", by=world.finance)

    page = html(browser(world.admin).get("/money/?period=2026-12"))

    assert "¥60.00" in page
    assert note.number in page
    assert "credits JS-kx-2026-000002" in page


def test_open_balances_stand_by_age_and_currency(world: World) -> None:
    for day in ("2026-12-15", "2026-11-14", "2026-08-01"):
        with time_machine.travel(f"{day}T02:00:00Z", tick=False):
            world.issued("2026-07")
    pay(world, Invoice.objects.order_by("issued_at")[0], "10.00")
    other = make_enterprise(name="Abroad Ltd")
    make_charge(other, make_line("7.00"), institution=world.institution, currency="USD")
    foreign = browser(world.finance)
    ApiClient(world.finance).post_api(
        "/invoices/draft", {"institution": world.institution.pk, "enterprise": other.pk, "period": "2026-12"}
    )
    ApiClient(world.finance).post_api(f"/invoices/{Invoice.objects.get(status='draft').pk}/issue")

    page = html(foreign.get("/finance/ageing/"))
    rows = table(foreign.get("/finance/ageing.csv"))
    same = table(ApiClient(world.finance).get_api("/exports/ageing.csv"))

    assert f"status=owing&amp;institution={world.institution.pk}&amp;customer={world.customer.pk}" in page
    assert rows == same
    assert [row[0] for row in rows[1:]] == [world.customer.name, "Abroad Ltd"]
    assert rows[1][2:9] == ["CNY", "100.00", "100.00", "0.00", "0.00", "90.00", "290.00"]
    assert rows[2][2:5] == ["USD", "7.00", "0.00"]


def test_an_empty_ageing_list_says_so(world: World) -> None:
    assert "Nobody owes anything" in html(browser(world.finance).get("/finance/ageing/"))


def test_the_api_pays_reverses_and_credits(world: World) -> None:
    invoice = world.issued()
    client = ApiClient(world.finance)
    path = f"/invoices/{invoice.pk}"

    paid = client.post_api(f"{path}/payments", PAID)
    payment = paid.json()["payments"][0]["id"]
    reversed_ = client.post_api(f"{path}/payments/{payment}/reverse", {"reason": "Typed wrong"})
    credited = client.post_api(f"{path}/credit", {"reason": "Wrong buyer", "lines": [1], "rebill": True})

    body = paid.json()
    assert (body["status"], body["paid"], body["balance"]) == ("part_paid", "40.00", "60.00")
    assert [one["amount"] for one in reversed_.json()["payments"]] == ["40.00", "-40.00"]
    note = credited.json()
    assert (note["kind"], note["credits"], note["total"]) == ("credit_note", invoice.number, "-100.00")
    assert (note["status"], note["reason"], note["balance"]) == ("issued", "Wrong buyer", "0.00")
    original = client.get_api(path).json()
    assert (original["status"], original["credit_note"]) == ("credited", note["number"])
    assert client.get_api("/invoices", kind="credit_note").json()["count"] == 1
    assert client.get_api("/invoices", status="owing").json()["count"] == 0


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("payments", {**PAID, "amount": "1.001"}, "amount"),
        ("payments", {**PAID, "amount": "0"}, "amount"),
        ("payments", {**PAID, "date": "2099-01-01"}, "date"),
        ("payments", {**PAID, "date": "1700-01-01"}, "date"),
        ("payments", {**PAID, "reference": " "}, "reference"),
        ("payments", {**PAID, "reference": "a\x00b"}, "reference"),
        ("payments", {**PAID, "more": 1}, "more"),
        ("credit", {"reason": ""}, "reason"),
        ("credit", {"reason": "x", "lines": [2]}, "lines"),
    ],
)
def test_bad_input_is_named(world: World, path: str, body: dict[str, Any], field: str) -> None:
    invoice = world.issued()

    response = ApiClient(world.finance).post_api(f"/invoices/{invoice.pk}/{path}", body)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)
    assert Invoice.objects.count() == 1
    assert not Payment.objects.exists()


def test_tables_carry_signs_kinds_and_payments(world: World) -> None:
    invoice = world.issued("2026-11")
    paid = world.issued("2026-12")
    pay(world, paid)
    note = credit_invoice(invoice=invoice, reason="x", by=world.finance)
    client = ApiClient(world.admin)

    papers = {row[0]: row for row in table(client.get_api("/exports/invoices.csv"))}
    lines = {row[0]: row for row in table(client.get_api("/exports/invoice-lines.csv"))}
    payments = table(client.get_api("/exports/payments.csv"))
    workbook = load_workbook(io.BytesIO(b"".join(client.get_api("/exports/payments.xlsx").streaming_content)))
    page = table(browser(world.admin).get("/invoices/export/payments.csv?period=2026-12"))

    assert papers[note.number][10] == "-100.00"
    assert papers[note.number][15:19] == ["Credit note", invoice.number, "0.00", "0.00"]
    assert papers[paid.number][15:19] == ["Invoice", "", "40.00", "60.00"]
    assert (lines[note.number][14], lines[note.number][-2:]) == ("-100.00", ["Credit note", invoice.number])
    assert payments[1][0] == paid.number
    assert payments[1][5:9] == ["2026-12-15", "40.00", "CNY", "R1"]
    assert workbook.active is not None
    assert workbook.active["G2"].value == 40
    assert page == payments


PATHS = ["pay/", "credit/", "payments/1/reverse/"]


@pytest.mark.parametrize("path", PATHS)
def test_only_finance_of_the_institution_presses_these_buttons(world: World, path: str) -> None:
    invoice = world.issued()
    pay(world, invoice)

    for who in (world.admin, world.payer):
        assert browser(who).post(f"/invoices/{invoice.pk}/{path}").status_code == 403
    for who in (world.member, *world.strangers()):
        assert browser(who).post(f"/invoices/{invoice.pk}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["payments", "credit", "payments/1/reverse"])
def test_the_api_is_as_strict(world: World, path: str) -> None:
    invoice = world.issued()
    pay(world, invoice)
    body = PAID if path == "payments" else {"reason": "x"}

    assert ApiClient(world.payer).post_api(f"/invoices/{invoice.pk}/{path}", body).status_code == 403
    for who in (world.member, *world.strangers()):
        assert ApiClient(who).post_api(f"/invoices/{invoice.pk}/{path}", body).status_code == 404


@pytest.mark.parametrize("path", ["/finance/ageing/", "/finance/ageing.csv", "/finance/fapiao-batch/"])
def test_the_ledger_is_for_those_who_keep_one(world: World, path: str) -> None:
    world.issued()

    for who in (world.admin, world.member, make_member(world.institution, Role.ADMIN)):
        assert browser(who).get(path).status_code == 403
    stranger = make_member(make_institution(), Role.FINANCE)
    response = browser(stranger).get(path)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    assert world.customer.name not in content.decode()


@pytest.mark.parametrize("path", ["/finance/ageing/", "/finance/fapiao-batch/", "/finance/"])
def test_lists_take_as_many_queries_for_many_rows(path: str) -> None:
    world = World()

    def add(n: int) -> None:
        for _ in range(n):
            customer = make_enterprise()
            make_charge(customer, institution=world.institution, service_date=date(2026, 10, 1))
            api = ApiClient(world.finance)
            draft = {"institution": world.institution.pk, "enterprise": customer.pk, "period": "2026-10"}
            made = api.post_api("/invoices/draft", draft).json()["id"]
            with time_machine.travel("2026-10-05T02:00:00Z", tick=False):
                api.post_api(f"/invoices/{made}/issue")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            html(browser(world.finance).get(path))
        return len(captured)

    add(1)
    few = queries()
    add(8)

    assert queries() == few


def test_a_page_with_many_payments_takes_as_many_queries(world: World) -> None:
    invoice = world.issued()
    client = browser(world.finance)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            html(client.get(f"/invoices/{invoice.pk}/"))
        return len(captured)

    pay(world, invoice, "1.00", "R0")
    few = queries()
    for number in range(1, 12):
        pay(world, invoice, "1.00", f"R{number}")

    assert queries() == few
