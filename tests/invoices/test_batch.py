"""The batch template for the tax platform: its sheets, and what must be mended before it is made."""

from __future__ import annotations

import io
import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from backend.accounts.models import Organisation, Role
from invoices.actions.corrections import correct_charges
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import write_fapiao_number
from invoices.fapiao.layout import layout_for
from invoices.models import TaxRate
from invoices.queries.fapiao import plan_of
from tests.conftest import ApiClient
from tests.factories import DAY, make_charge, make_institution, make_line, make_member
from tests.invoices.ledger import FAPIAO, Ledger
from tests.invoices.test_views import browser, html

pytestmark = pytest.mark.django_db
PATH = "/exports/fapiao-batch.xlsx"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def sheets(response: Any) -> dict[str, list[list[Any]]]:
    """Read by another library than the one that wrote it."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(response.content))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def column(rows: list[list[Any]], title: str) -> list[Any]:
    return [row[rows[2].index(title)] for row in rows[3:]]


def codes(ledger: Ledger) -> list[tuple[str, str]]:
    response = ApiClient(ledger.finance).get_api(PATH)
    assert response.status_code == 409
    return [(error["code"], error["field"]) for error in response.json()["errors"]]


def test_the_workbook_has_the_platforms_sheets(ledger: Ledger) -> None:
    invoice = ledger.issued("100.00", "6.00")

    response = ApiClient(ledger.finance).get_api(PATH)
    found = sheets(response)

    assert list(found) == ["1-发票基本信息", "2-发票明细信息", "3-特定业务信息", "4-附加要素信息"]
    heads, lines = found["1-发票基本信息"], found["2-发票明细信息"]
    serial = f"JS{invoice.year}000001"
    assert column(heads, "发票流水号") == [serial]
    assert column(heads, "购买方纳税人识别号") == ["91350100M000100Y43"]
    assert column(heads, "购买方名称") == [ledger.customer.name]
    assert column(heads, "是否含税") == ["是"]
    assert str(invoice.number) in column(heads, "备注")[0]
    assert column(lines, "发票流水号") == [serial, serial]
    assert column(lines, "金额") == ["100.00", "6.00"]
    assert column(lines, "税率") == ["0.06", "0.06"]
    assert column(lines, "商品和服务税收编码") == ["3040105", "3040105"]
    assert [len(found[name]) for name in ("3-特定业务信息", "4-附加要素信息")] == [3, 3]
    assert "fapiao-batch.xlsx" in response["Content-Disposition"]


def test_every_cell_is_text(ledger: Ledger) -> None:
    make_charge(
        ledger.customer, make_line("10.00", name="=1+1", quantity=Decimal("2"), unit_price=Decimal("5")),
        institution=ledger.institution,
    )  # fmt: skip
    ledger.issue()

    book = load_workbook(io.BytesIO(ApiClient(ledger.finance).get_api(PATH).content))
    cells = [cell for sheet in book for row in sheet.iter_rows(min_row=4) for cell in row if cell.value is not None]

    assert {(cell.data_type, cell.number_format) for cell in cells} == {("s", "@")}
    assert "=1+1" in [cell.value for cell in cells]


def test_only_what_still_needs_a_fapiao_is_in_it(ledger: Ledger) -> None:
    noted, credited, wanted, later = (ledger.issued() for _ in range(4))
    write_fapiao_number(invoice=noted, number=FAPIAO, by=ledger.finance)
    credit_invoice(invoice=credited, reason="x", by=ledger.finance)
    make_charge(ledger.customer, institution=ledger.institution, currency="USD")
    ledger.issue()
    ledger.charge()
    ledger.draft()

    assert plan_of(ledger.institution, DAY).invoices == [wanted, later]
    assert plan_of(ledger.institution, DAY, "2026-11").invoices == []


def test_what_is_missing_is_named_by_invoice_and_field(ledger: Ledger) -> None:
    TaxRate.objects.update(code="")
    Organisation.objects.filter(pk=ledger.customer.pk).update(uscc=None)
    invoice = ledger.issued("100.00", "6.00")

    response = ApiClient(ledger.finance).get_api(PATH)
    errors = response.json()["errors"]
    page = html(browser(ledger.finance).get("/finance/fapiao-batch/"))

    assert response.status_code == 409
    assert [(error["code"], error["field"]) for error in errors] == [
        ("missing", "购买方纳税人识别号"),
        ("missing", "商品和服务税收编码"),
    ]
    assert all(str(invoice.number) in error["detail"] for error in errors)
    assert "2 things are to be mended first" in page
    assert f"/invoices/{invoice.pk}/" in page
    assert "Make the batch" not in page
    assert "/finance/fapiao-settings/" in page


def test_what_was_missing_is_taken_from_what_the_customer_entered_since(ledger: Ledger) -> None:
    Organisation.objects.filter(pk=ledger.customer.pk).update(uscc=None)
    ledger.issued()
    assert codes(ledger) == [("missing", "购买方纳税人识别号")]

    Organisation.objects.filter(pk=ledger.customer.pk).update(uscc="91350100M000100Y43")

    assert ApiClient(ledger.finance).get_api(PATH).status_code == 200


def test_what_is_too_long_is_named(ledger: Ledger) -> None:
    make_charge(ledger.customer, make_line(name="项" * 120), institution=ledger.institution)
    ledger.issue()

    assert codes(ledger) == [("too_long", "项目名称")]


def correct(ledger: Ledger, first: str, then: str) -> None:
    charge = ledger.charge(first)
    write_fapiao_number(invoice=ledger.issue(), number=FAPIAO, by=ledger.finance)
    correct_charges(
        source=charge.source,
        source_uid=charge.source_uid,
        correction_uid=uuid.uuid4(),
        lines=[make_line(then)],
        differences=[],
        service_date=DAY,
        by_id=None,
    )


def test_a_correction_is_added_up_because_the_platform_takes_no_negative_lines(ledger: Ledger) -> None:
    correct(ledger, "100.00", "150.00")
    ledger.issue()

    lines = sheets(ApiClient(ledger.finance).get_api(PATH))["2-发票明细信息"]

    assert (column(lines, "金额"), column(lines, "数量")) == (["50.00"], [""])


def test_a_line_that_stays_below_zero_is_named(ledger: Ledger) -> None:
    correct(ledger, "100.00", "70.00")
    make_charge(ledger.customer, make_line("200.00", name="开机费"), institution=ledger.institution)
    ledger.issue()

    assert codes(ledger) == [("negative_line", "金额")]


@pytest.mark.parametrize(("form", "code"), [("csv", "xlsx_only"), ("xlsx", "nothing_to_export")])
def test_what_cannot_be_made_says_why(ledger: Ledger, form: str, code: str) -> None:
    response = ApiClient(ledger.finance).get_api(f"/exports/fapiao-batch.{form}")

    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, code)


def test_the_page_shows_what_the_batch_holds(ledger: Ledger) -> None:
    client = browser(ledger.finance)
    empty = html(client.get("/finance/fapiao-batch/"))
    invoice = ledger.issued()

    page = html(client.get("/finance/fapiao-batch/"))
    file = client.get("/finance/fapiao-batch.xlsx")

    assert "Every issued invoice has its fapiao number" in empty
    assert str(invoice.number) in page
    assert sheets(file)["1-发票基本信息"][3][0] == f"JS{invoice.year}000001"


def test_a_batch_is_for_finance_of_one_institution(ledger: Ledger) -> None:
    ledger.issued()
    other = make_institution()
    both = make_member(other, Role.FINANCE, user=ledger.finance)

    def status(who: Any, **query: Any) -> int:
        return int(ApiClient(who).get_api(PATH, **query).status_code)

    assert status(make_member(ledger.customer, Role.ADMIN)) == 403
    assert status(make_member(ledger.institution, Role.ADMIN), institution=ledger.institution.pk) == 403
    assert status(make_member(make_institution(), Role.FINANCE), institution=ledger.institution.pk) == 404
    assert status(both) == 422
    assert status(both, institution=ledger.institution.pk) == 200


def test_the_layout_of_the_day_is_taken() -> None:
    assert layout_for(date(2026, 12, 1))["version"] == "2026-04"
    assert layout_for(date(2020, 1, 1))["version"] == "2026-04"
