"""The PDF: from the snapshot alone, once, with the right characters."""

from __future__ import annotations

import hashlib
import io
import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.template.loader import render_to_string
from pypdf import PdfReader

from backend.accounts.models import Organisation, Role
from backend.audit.models import Entry
from backend.core import pdf
from backend.core.errors import Refused
from invoices import rules
from invoices.actions.corrections import correct_charges
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Invoice, InvoicePdf, TaxRate
from invoices.tasks import render_pdf
from invoices.verification import code_as_data
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member

pytestmark = pytest.mark.django_db


def make_issued(*amounts: str, customer_name: str = "示例新能源材料股份有限公司", **line: Any) -> Invoice:
    institution = make_institution(
        code="kx",
        name="示例市材料研究院",
        bank="示例银行大学支行",
        bank_account="0602000019091234567",
        phone="0471-499",
    )
    customer = make_enterprise(name=customer_name, uscc="91350100M000100Y43", address="包头市示例路 8 号")
    TaxRate.objects.create(name="研发和技术服务", code="3040105", percent=Decimal(6), valid_from=date(2020, 1, 1))
    for amount in amounts or ("16409.02",):
        make_charge(customer, make_line(amount, **line), institution=institution)
    by = make_member(institution, Role.FINANCE)
    draft = draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period="2026-12", by=by)
    return issue_invoice(invoice=draft, by=by)


def text_of(document: InvoicePdf) -> str:
    pages = PdfReader(io.BytesIO(bytes(document.content))).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_the_pdf_shows_all_that_an_accountant_asks_for() -> None:
    invoice = make_issued("16409.02")

    text = text_of(ensure_pdf(invoice=invoice))

    for expected in (
        "结算单",
        "非税务发票",
        "Not a tax invoice",
        invoice.number,
        "2026-12",
        str(invoice.due_date),
        "示例市材料研究院",
        "示例新能源材料股份有限公司",
        "91350100M000100Y43",
        "包头市示例路 8 号",
        "扫描电子显微镜",
        "机时费",
        "小时",
        "15,480.21",
        "928.81",
        "16,409.02",
        "人民币壹万陆仟肆佰零玖元零贰分",
        "示例银行大学支行",
        "0602000019091234567",
        invoice.snapshot_sha256,
        "第 1 页 / 共 1 页",
    ):
        assert str(expected) in text


def test_the_pdf_is_written_once() -> None:
    invoice = make_issued()

    first, again = ensure_pdf(invoice=invoice), ensure_pdf(invoice=invoice)

    assert first == again
    assert hashlib.sha256(bytes(first.content)).hexdigest() == first.sha256
    assert Entry.objects.get(action="invoice.pdf_made").after["sha256"] == first.sha256


def test_the_worker_makes_the_same_bytes() -> None:
    invoice = make_issued()

    digest = render_pdf(invoice.pk)

    assert ensure_pdf(invoice=invoice).sha256 == digest
    assert pdf.render(as_html(invoice)) == bytes(InvoicePdf.objects.get().content)


def test_the_pdf_comes_from_the_snapshot_alone() -> None:
    invoice = make_issued(customer_name="旧名称有限公司")
    Organisation.objects.update(name="新名称")

    text = text_of(ensure_pdf(invoice=Invoice.objects.get(pk=invoice.pk)))

    assert "旧名称有限公司" in text
    assert "新名称" not in text


def test_a_draft_has_no_pdf() -> None:
    charge = make_charge()
    draft = draft_invoice(
        institution_id=charge.institution_id, customer_id=charge.customer_id, period="2026-12", by=charge.user
    )

    with pytest.raises(Refused) as raised:
        ensure_pdf(invoice=draft)

    assert raised.value.refusals[0].code == "not_issued"


def test_a_snapshot_that_is_not_what_was_issued_is_refused() -> None:
    invoice = make_issued()
    invoice.snapshot = {**invoice.snapshot, "total": "1.00"}

    with pytest.raises(Refused) as raised:
        ensure_pdf(invoice=invoice)

    assert raised.value.refusals[0].code == "snapshot_changed"


def test_markup_in_a_field_stays_text() -> None:
    nasty = '<img src="file:///etc/passwd"><b>x</b>'

    text = text_of(ensure_pdf(invoice=make_issued(customer_name=nasty, name=nasty)))

    assert "root:" not in text
    assert text.replace(" ", "").count("<b>x</b>") == 2


def test_the_database_refuses_to_change_the_pdf() -> None:
    document = ensure_pdf(invoice=make_issued())

    for attempt in (
        lambda: InvoicePdf.objects.filter(pk=document.pk).update(content=b"x"),
        lambda: InvoicePdf.objects.filter(pk=document.pk).update(sha256="x"),
        lambda: InvoicePdf.objects.filter(pk=document.pk)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
            attempt()


def test_long_documents_number_their_pages() -> None:
    invoice = make_issued(*["10.00"] * 60)

    document = ensure_pdf(invoice=invoice)

    pages = PdfReader(io.BytesIO(bytes(document.content))).pages
    assert len(pages) > 1
    assert f"第 {len(pages)} 页 / 共 {len(pages)} 页" in pages[-1].extract_text()


def as_html(invoice: Invoice) -> str:
    context = {
        "paper": rules.paper(invoice.snapshot),
        "sha256": invoice.snapshot_sha256,
        "family": pdf.FAMILY,
        "verify": code_as_data(invoice),
    }
    return render_to_string("invoices/statement.html", context)


@pytest.mark.parametrize("lines", [9, 33])
def test_the_totals_never_stand_alone_on_a_page(lines: int) -> None:
    """These many lines fill a page so that the totals do not fit under them."""
    document = ensure_pdf(invoice=make_issued(*["10.00"] * lines))

    pages = PdfReader(io.BytesIO(bytes(document.content))).pages
    last = pages[-1].extract_text()
    assert len(pages) > 1
    assert "价税合计" in last
    assert last.count("机时费") >= 2
    assert sum(page.extract_text().count("机时费") for page in pages) == lines


@pytest.mark.parametrize(("charges", "lines", "name"), [(2, 100, "机时费"), (3, 4, "机" * 120), (2, 9, "机" * 120)])
def test_a_charge_longer_than_a_page_goes_on_on_the_next(charges: int, lines: int, name: str) -> None:
    snapshot = make_issued("10.00").snapshot
    line = {**snapshot["lines"][0], "name": name, "amount": "7.31"}
    snapshot["lines"] = [{**line, "charge": str(charge)} for charge in range(charges) for _ in range(lines)]
    context = {"paper": rules.paper(snapshot), "sha256": "", "family": pdf.FAMILY}

    content = pdf.render(render_to_string("invoices/statement.html", context))

    pages = PdfReader(io.BytesIO(content)).pages
    assert len(pages) > 1
    assert sum(page.extract_text().count("7.31") for page in pages) == charges * lines


def test_a_correction_names_what_it_corrects() -> None:
    first = make_issued("100.00")
    charge = first.charges.get()
    correct_charges(
        source=charge.source,
        source_uid=charge.source_uid,
        correction_uid=uuid.uuid4(),
        lines=[make_line("150.00")],
        differences=[],
        service_date=charge.service_date,
        by_id=None,
    )
    by = make_member(first.institution, Role.FINANCE)
    draft = draft_invoice(institution_id=first.institution_id, customer_id=first.customer_id, period="2026-12", by=by)

    text = text_of(ensure_pdf(invoice=issue_invoice(invoice=draft, by=by)))

    assert f"更正Corrects{first.number}" in text.replace(" ", "")
    assert "-100.00" in text
