"""The tables of money, reopened with another library: totals of the database, types, hostile text, memory."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from python_calamine import CalamineWorkbook

from backend.accounts.models import Organisation, Role
from backend.core.export import csv_stream, xlsx_file
from backend.core.money import add_up
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import write_fapiao_number
from invoices.actions.payments import record_payment
from invoices.models import Charge, Invoice, InvoiceLine, Payment
from tests.conftest import ApiClient
from tests.factories import make_charge, make_enterprise, make_line, make_member
from tests.invoices.ledger import FAPIAO, Ledger
from tests.invoices.test_views import browser, html

HOSTILE = [
    "=1+1",
    "＝cmd|' /C calc'!A0",
    "\t@SUM(A1)",
    "-2+3",
    '\u200b=HYPERLINK("x")',
    "名" * 300,
    "\x00\x1f\x7fx",
    "‮عربي",
]


@pytest.fixture
def ledger(db: None, time_machine: Any) -> Ledger:
    """Two invoices, one with a payment and a fapiao, one credited; a charge that stands on none."""
    time_machine.move_to("2026-12-01T10:00:00+08:00")
    ledger = Ledger()
    first, second = ledger.issued("100.00", "6.00"), ledger.issued("53.10")
    record_payment(invoice=first, amount=Decimal("60.05"), date=date(2026, 12, 1), reference="0012", by=ledger.finance)
    write_fapiao_number(invoice=first, number=FAPIAO, by=ledger.finance)
    credit_invoice(invoice=second, reason="x", by=ledger.finance)
    ledger.charge("7.00")
    return ledger


def body(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


def from_csv(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def from_xlsx(content: bytes) -> list[dict[str, Any]]:
    head, *rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("kind", "column", "rows", "field"),
    [
        ("invoices", "Total", Invoice.objects.exclude(status="draft"), "total"),
        ("invoice-lines", "Amount", InvoiceLine.objects.all(), "amount"),
        ("payments", "Amount", Payment.objects.all(), "amount"),
        ("charges", "Amount", Charge.objects.all(), "total"),
    ],
)
def test_both_forms_add_up_to_the_database(ledger: Ledger, kind: str, column: str, rows: Any, field: str) -> None:
    api = ApiClient(ledger.finance)
    whole, count = rows.order_by().aggregate(sum=Sum(field))["sum"], rows.count()

    text = from_csv(body(api.get_api(f"/exports/{kind}.csv")))
    cells = from_xlsx(body(api.get_api(f"/exports/{kind}.xlsx")))

    assert (len(text), add_up(Decimal(row[column]) for row in text)) == (count, whole)
    assert (len(cells), round(sum(row[column] for row in cells), 2)) == (count, float(whole))


def test_cells_have_their_types(ledger: Ledger) -> None:
    row = from_xlsx(body(ApiClient(ledger.finance).get_api("/exports/invoices.xlsx")))[0]

    assert (row["Total"], row["Paid so far"], row["Balance"]) == (106.0, 60.05, 45.95)
    assert row["Issued on"] == date(2026, 12, 1)
    assert (row["Fapiao number"], row["Unified social credit code"]) == (FAPIAO, "91350100M000100Y43")
    paid = from_xlsx(body(ApiClient(ledger.finance).get_api("/exports/payments.xlsx")))[0]
    assert (paid["Reference"], paid["Date"]) == ("0012", date(2026, 12, 1))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(db: None, text: str) -> None:
    ledger = Ledger()
    Organisation.objects.filter(pk=ledger.customer.pk).update(name=text[:100].replace("\0", ""))
    make_charge(
        ledger.customer, make_line(name=text), institution=ledger.institution, subject=text[:200].replace("\0", "")
    )
    ledger.issue()
    api = ApiClient(ledger.finance)

    table = from_csv(body(api.get_api("/exports/invoice-lines.csv")))[0]
    cells = from_xlsx(body(api.get_api("/exports/invoice-lines.xlsx")))[0]

    for column in ("Charge item", "Instrument", "Customer"):
        assert table[column][:1] not in tuple("=+-@\t\r＝")
        assert isinstance(cells[column], str)
        assert not set(cells[column]) & {"\0", "\x1f"}


def test_charges_are_filtered_as_seen(ledger: Ledger) -> None:
    api = ApiClient(ledger.finance)

    def amounts(**query: Any) -> list[str]:
        return sorted(row["Amount"] for row in from_csv(body(api.get_api("/exports/charges.csv", **query))))

    assert amounts(status="final") == ["7.00"]
    assert amounts(period="2020-01") == []
    assert len(amounts(institution=ledger.institution.pk)) == 4
    page = browser(ledger.finance).get("/exports/charges.csv?state=final&period=")
    assert [row["Amount"] for row in from_csv(body(page))] == ["7.00"]


def test_each_sees_the_own_charges(ledger: Ledger) -> None:
    member, stranger = make_member(ledger.customer), make_member(make_enterprise(), Role.ADMIN)
    make_charge(ledger.customer, make_line("1.00"), institution=ledger.institution, user=member)

    def count(who: Any) -> int:
        return len(from_csv(body(ApiClient(who).get_api("/exports/charges.csv"))))

    assert (count(member), count(make_member(ledger.customer, Role.ADMIN)), count(stranger)) == (1, 5, 0)


def test_the_centre_offers_what_the_person_may_have(ledger: Ledger) -> None:
    finance = html(browser(ledger.finance).get("/exports/?period=2026-12&status=issued"))
    buyer = html(browser(make_member(ledger.customer, Role.ADMIN)).get("/exports/"))
    member = html(browser(make_member(ledger.customer)).get("/exports/?period=nonsense&institution=x"))

    assert "/invoices/export/invoices.xlsx?period=2026-12&amp;status=issued" in finance
    assert "/finance/journal/?period=2026-12" in finance
    assert "/finance/ageing.csv" in finance
    assert ("/invoices/export/payments.csv" in buyer, "/finance/journal/" in buyer) == (True, False)
    assert ("/invoices/export/" in member, "/exports/charges.csv" in member) == (False, True)


def test_the_centre_costs_the_same_however_much_there_is(ledger: Ledger) -> None:
    client = browser(ledger.finance)
    client.get("/exports/")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/exports/")
        return len(queries)

    before = cost()
    ledger.issued("1.00")

    assert cost() == before


# --- memory --------------------------------------------------------------------------------------------------------


def made(count: int) -> Iterator[list[Any]]:
    for index in range(count):
        yield [index, f"JS-x-2026-{index:06d}", "客户" * 10, Decimal("12.50"), date(2026, 12, 1)]


def peak(count: int, form: str) -> int:
    tracemalloc.start()
    try:
        if form == "csv":
            for _chunk in csv_stream(["a", "b", "c", "d", "e"], made(count)):
                pass
        else:
            xlsx_file(["a", "b", "c", "d", "e"], made(count), title="t").close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_memory_does_not_grow_with_the_rows(form: str) -> None:
    few = peak(200, form)

    assert peak(4_000, form) < few + 300_000
