"""UBL 2.1 of an issued document: valid against the OASIS schemas, and true to EN 16931's arithmetic."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from lxml import etree
from peppol.rules import check_rules
from peppol.xsd import validate_xsd

from backend.accounts.models import Organisation, Role
from backend.core.errors import Refused
from invoices import rules
from invoices.actions.credits import credit_invoice
from invoices.exports.ubl import divided, priced, ubl_xml
from invoices.models import Invoice, InvoiceKind, InvoiceStatus
from tests.conftest import ApiClient
from tests.factories import make_charge, make_enterprise, make_line, make_member
from tests.invoices.ledger import Ledger, code_of
from tests.invoices.test_views import browser, html

NS = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}
PARTY = {
    "name": "Beispiel GmbH", "name_en": "", "uscc": "", "address": "Weg 1, Berlin", "phone": "", "email": "",
    "bank": "", "bank_account": "", "country": "DE", "vat_id": "DE123456789",
}  # fmt: skip
SELLER = {
    **PARTY, "name": "示例大学", "name_en": "Example University", "uscc": "91350100M000100Y43", "country": "CN",
    "vat_id": "", "bank": "示例银行", "bank_account": "0602", "phone": "0471", "email": "f@example.com",
}  # fmt: skip


def line(position: int, amount: str, quantity: str = "1", unit: str = "hour", **more: Any) -> dict[str, Any]:
    return {
        "position": position, "charge": "c", "service_date": "2026-11-03", "subject": "SEM", "person": "P",
        "project": "", "code": "time", "name": "机时费", "quantity": quantity, "unit": unit, "unit_price": amount,
        "amount": amount, "why": "", **more,
    }  # fmt: skip


def paper(*lines: dict[str, Any], percent: str = "6", included: bool = True, **more: Any) -> Invoice:
    """Not saved; totals as issuing computes them."""
    whole = sum((Decimal(one["amount"]) for one in lines), Decimal("0.00"))
    split = rules.split_tax(whole, Decimal(percent), included=included)
    snapshot = {
        "number": "JS-x-2026-000001", "period": "2026-11", "issue_date": "2026-12-01", "due_date": "2026-12-31",
        "currency": "EUR", "institution": SELLER, "customer": PARTY,
        "tax": {"name": "VAT", "code": "3040105", "percent": percent, "included": included},
        "net": str(split.net), "tax_amount": str(split.tax), "total": str(split.total), "lines": list(lines), **more,
    }  # fmt: skip
    return Invoice(number="JS-x-2026-000001", status=InvoiceStatus.ISSUED, kind=InvoiceKind.INVOICE, snapshot=snapshot)


def parsed(xml: bytes) -> Any:
    """Valid against the schema, and without a finding of the published rules that are about arithmetic."""
    valid, errors = validate_xsd(xml)
    assert valid, errors
    return etree.fromstring(xml)


def text(root: Any, path: str) -> str:
    return str(root.xpath(f"string({path})", namespaces=NS))


def number(root: Any, path: str) -> Decimal:
    return Decimal(text(root, path) or "0")


def check_calculation(root: Any) -> None:
    """EN 16931, BR-CO-10 to BR-CO-17, read from the document alone."""
    total = "cac:LegalMonetaryTotal/cbc:"
    lines = root.xpath("cac:InvoiceLine|cac:CreditNoteLine", namespaces=NS)
    net = sum(number(one, "cbc:LineExtensionAmount") for one in lines)
    tax = sum(number(one, "cbc:TaxAmount") for one in root.xpath("cac:TaxTotal/cac:TaxSubtotal", namespaces=NS))
    assert net == number(root, f"{total}LineExtensionAmount")  # BR-CO-10
    assert not root.xpath("cac:AllowanceCharge", namespaces=NS)  # BR-CO-11, BR-CO-12
    assert net == number(root, f"{total}TaxExclusiveAmount")  # BR-CO-13
    assert tax == number(root, "cac:TaxTotal/cbc:TaxAmount")  # BR-CO-14
    gross = number(root, f"{total}TaxInclusiveAmount")
    assert gross == net + tax  # BR-CO-15
    left = gross - number(root, f"{total}PrepaidAmount") + number(root, f"{total}PayableRoundingAmount")
    assert left == number(root, f"{total}PayableAmount")  # BR-CO-16
    for part in root.xpath("cac:TaxTotal/cac:TaxSubtotal", namespaces=NS):
        exact = number(part, "cbc:TaxableAmount") * number(part, "cac:TaxCategory/cbc:Percent") / 100
        assert number(part, "cbc:TaxAmount") == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)  # BR-CO-17
    for one in lines:
        price, count = (
            number(one, "cac:Price/cbc:PriceAmount"),
            number(one, "cbc:InvoicedQuantity|cbc:CreditedQuantity"),
        )
        assert price >= 0  # BR-27
        product = (price * count).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert product == number(one, "cbc:LineExtensionAmount")


def test_an_invoice_is_valid_and_says_what_the_document_says() -> None:
    root = parsed(ubl_xml(paper(line(1, "100.00", "2"), line(2, "6.00", "", "sample"))))

    check_calculation(root)
    assert not [finding for finding in check_rules(root) if finding.rule_id.startswith("BR-CO-1")]
    assert text(root, "cbc:CustomizationID") == "urn:cen.eu:en16931:2017"
    assert text(root, "cbc:InvoiceTypeCode") == "380"
    assert (text(root, "cbc:IssueDate"), text(root, "cbc:DueDate")) == ("2026-12-01", "2026-12-31")
    assert text(root, "cac:LegalMonetaryTotal/cbc:PayableAmount") == "106.00"
    assert text(root, "cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID") == "S"
    assert text(root, "cac:InvoiceLine[1]/cbc:InvoicedQuantity/@unitCode") == "HUR"
    assert text(root, "cac:AccountingSupplierParty//cac:Country/cbc:IdentificationCode") == "CN"
    buyer = "cac:AccountingCustomerParty/cac:Party"
    assert text(root, f"{buyer}/cac:PartyTaxScheme/cbc:CompanyID") == "DE123456789"
    assert text(root, "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID") == "0602"


def test_arithmetic_holds_for_any_lines() -> None:
    chance = random.Random(16931)
    rounded = 0
    for _case in range(300):
        lines = [
            line(position, f"{chance.randint(-5_000, 90_000) / 100:.2f}", chance.choice(["", "1", "0.5", "3", "7.25"]))
            for position in range(1, chance.randint(2, 12))
        ]
        if sum(Decimal(one["amount"]) for one in lines) <= 0:
            continue
        made = paper(*lines, percent=chance.choice(["6", "13", "1", "0", "19.5"]), included=chance.random() < 0.6)

        root = etree.fromstring(ubl_xml(made))

        check_calculation(root)
        assert number(root, "cac:LegalMonetaryTotal/cbc:PayableAmount") == Decimal(made.snapshot["total"])
        rounded += bool(root.xpath("cac:LegalMonetaryTotal/cbc:PayableRoundingAmount", namespaces=NS))
    assert rounded  # the rare case came up


def test_what_vouchers_and_prepaid_amounts_settle_is_paid_already() -> None:
    made = paper(line(1, "106.00"))
    made.settled = Decimal("40.00")

    root = parsed(ubl_xml(made))

    check_calculation(root)
    total = "cac:LegalMonetaryTotal/cbc:"
    assert (text(root, f"{total}PrepaidAmount"), text(root, f"{total}PayableAmount")) == ("40.00", "66.00")


def test_without_tax_the_category_says_why() -> None:
    exempt = parsed(ubl_xml(paper(line(1, "100.00"), percent="0")))
    none = parsed(ubl_xml(paper(line(1, "100.00"), percent="0", tax={
        "name": "", "code": "", "percent": "0", "included": True,
    })))  # fmt: skip

    category = "cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory"
    assert (text(exempt, f"{category}/cbc:ID"), text(exempt, f"{category}/cbc:TaxExemptionReason")) == ("E", "VAT")
    assert text(none, f"{category}/cbc:ID") == "O"
    assert not none.xpath("//cac:ClassifiedTaxCategory/cbc:Percent", namespaces=NS)
    assert not none.xpath("cac:AccountingCustomerParty//cac:PartyTaxScheme", namespaces=NS)


@pytest.mark.parametrize(
    ("country", "vat_id", "tax", "legal"),
    [
        ("DE", "DE123456789", "DE123456789", ""),
        ("GR", "EL123456789", "EL123456789", ""),
        ("JP", "T1234567890123", "", "T1234567890123"),
        ("MN", "", "", ""),
    ],
)
def test_a_foreign_number_goes_where_the_standard_wants_it(country: str, vat_id: str, tax: str, legal: str) -> None:
    root = parsed(ubl_xml(paper(line(1, "100.00"), customer={**PARTY, "country": country, "vat_id": vat_id})))

    party = "cac:AccountingCustomerParty/cac:Party"
    assert text(root, f"{party}/cac:PartyTaxScheme/cbc:CompanyID") == tax
    assert text(root, f"{party}/cac:PartyLegalEntity/cbc:CompanyID") == legal


HOSTILE = "\x00\x08<x>&]]>\ud800\ufffe" + "𠀀" * 300 + "‮عربي <!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;"


def test_hostile_text_stays_text() -> None:
    hostile = {**PARTY, "name": HOSTILE, "address": HOSTILE}

    xml = ubl_xml(paper(line(1, "100.00", name=HOSTILE, subject=HOSTILE, why=HOSTILE), customer=hostile))
    root = parsed(xml)

    clean = HOSTILE.translate(dict.fromkeys([0, 8, 0xD800, 0xFFFE]))
    assert text(root, "cac:InvoiceLine/cac:Item/cbc:Name") == clean
    assert text(root, "cac:AccountingCustomerParty//cac:PartyLegalEntity/cbc:RegistrationName") == clean
    assert root.getroottree().docinfo.doctype == ""


def test_what_the_standard_demands_and_the_document_lacks_is_named() -> None:
    with pytest.raises(Refused) as raised:
        ubl_xml(paper(line(1, "100.00"), institution={**SELLER, "uscc": ""}))

    assert [(one.code, one.field) for one in raised.value.refusals] == [("missing", "institution.uscc")]


def test_net_is_divided_to_the_cent() -> None:
    parts = divided(Decimal("94.34"), [Decimal("33.33"), Decimal("33.33"), Decimal("33.34")])

    assert (parts, sum(parts)) == ([Decimal("31.45"), Decimal("31.44"), Decimal("31.45")], Decimal("94.34"))
    assert priced(Decimal("10.00"), "3") == ("3", "3.33333333")
    assert priced(Decimal("-10.00"), "2") == ("-1", "10.00")


# --- on real documents ---------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(db: None) -> Ledger:
    ledger = Ledger()
    Organisation.objects.filter(pk=ledger.institution.pk).update(uscc="9115010022MQ4W4X10")
    ledger.institution.refresh_from_db()
    return ledger


def test_a_credit_note_names_its_invoice_and_is_above_zero(ledger: Ledger) -> None:
    invoice = ledger.issued("100.00", "6.00")
    note = credit_invoice(invoice=invoice, reason="wrong", by=ledger.finance)

    root = parsed(ubl_xml(note))

    check_calculation(root)
    assert etree.QName(root).localname == "CreditNote"
    assert text(root, "cbc:CreditNoteTypeCode") == "381"
    assert text(root, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID") == invoice.number
    assert text(root, "cac:LegalMonetaryTotal/cbc:PayableAmount") == "106.00"


def test_a_later_change_of_data_changes_nothing(ledger: Ledger) -> None:
    invoice = ledger.issued()
    before = ubl_xml(invoice)

    Organisation.objects.update(name="Another", country="FR", vat_id="FR1", address="Elsewhere")

    assert ubl_xml(Invoice.objects.get(pk=invoice.pk)) == before


def test_a_draft_has_no_xml(ledger: Ledger) -> None:
    ledger.charge()

    with pytest.raises(Refused) as raised:
        ubl_xml(ledger.draft())

    assert code_of(raised) == "not_issued"


def test_both_doors_give_it_to_those_who_read_the_invoice(ledger: Ledger) -> None:
    make_charge(ledger.customer, make_line("10.00"), institution=ledger.institution, currency="USD")
    invoice = ledger.issue()
    buyer, stranger = make_member(ledger.customer, Role.ADMIN), make_member(make_enterprise(), Role.ADMIN)

    file = ApiClient(buyer).get_api(f"/invoices/{invoice.pk}/ubl.xml")
    page = browser(buyer).get(f"/invoices/{invoice.pk}/ubl.xml")

    assert file["Content-Type"] == "application/xml; charset=utf-8"
    assert f"{invoice.number}.xml" in file["Content-Disposition"]
    assert file.content == page.content
    assert f"/invoices/{invoice.pk}/ubl.xml" in html(browser(buyer).get(f"/invoices/{invoice.pk}/"))
    assert ApiClient(stranger).get_api(f"/invoices/{invoice.pk}/ubl.xml").status_code == 404
    assert browser(stranger).get(f"/invoices/{invoice.pk}/ubl.xml").status_code == 404
