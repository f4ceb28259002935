"""An issued document as UBL 2.1 XML after EN 16931, for customers abroad; only from what is frozen.

EN 16931 wants line amounts without tax: where prices include it, the net is divided over the lines in whole cents. Its
rules BR-CO-10 to 17 hold to the cent; where our tax, which is what the total leaves, differs from net × rate by a
cent, the difference is the payable rounding amount. Code lists: UNCL 1001, 4461, 5305, ISO 3166 and 4217, UN/ECE
Recommendation 20.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree as ET

from django.http import HttpResponse
from django.utils.translation import gettext as _

from backend.core.errors import Refusal, Refused, refuse
from backend.core.export import attachment
from backend.core.money import ZERO, add_up, format_amount, round_half_up
from invoices import rules
from invoices.models import Invoice, InvoiceKind, InvoiceStatus

XML_TYPE = "application/xml; charset=utf-8"
_NAMESPACES = {
    "xmlns:cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "xmlns:cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}
_CUSTOMIZATION = "urn:cen.eu:en16931:2017"
_COMMERCIAL_INVOICE, _CREDIT_NOTE, _CREDIT_TRANSFER = "380", "381", "30"
_UNITS = {"minute": "MIN", "hour": "HUR", "day": "DAY", "week": "WEE", "piece": "H87", "percent": "P1"}
_ONE = "C62"
# Not allowed in XML 1.0.
_CONTROLS = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VAT_PREFIX = {"GR": "EL"}


def ubl_response(invoice: Invoice) -> HttpResponse:
    response = HttpResponse(ubl_xml(invoice), content_type=XML_TYPE)
    response["Content-Disposition"] = attachment(f"{invoice.number}.xml")
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def ubl_xml(invoice: Invoice) -> bytes:
    """`Refused` for a draft, and where the frozen document lacks what the standard demands."""
    if invoice.status == InvoiceStatus.DRAFT:
        raise refuse("not_issued", _("A draft has no document. Issue it first."))
    snapshot = invoice.snapshot
    gaps = _gaps(snapshot)
    if gaps:
        raise Refused(*gaps)
    root = _document(snapshot, invoice.settled, is_note=invoice.kind == InvoiceKind.CREDIT_NOTE)
    body = ET.tostring(root, encoding="unicode", short_empty_elements=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'.encode()


def _gaps(snapshot: Mapping[str, Any]) -> list[Refusal]:
    fix = _("Credit it, complete the data under Organisation and bill it anew.")
    missing = {
        "institution.uscc": (not snapshot["institution"]["uscc"], _("The institution has no credit code on this.")),
        "institution.name": (not snapshot["institution"]["name"], _("The institution has no name on this.")),
        "customer.name": (not snapshot["customer"]["name"], _("The customer has no name on this.")),
    }
    return [
        Refusal("missing", detail, field=field, fix_text=fix) for field, (lacks, detail) in missing.items() if lacks
    ]


# --- amounts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Totals:
    """As the standard wants them, above zero also on a credit note."""

    lines: list[Decimal]
    net: Decimal
    tax: Decimal
    prepaid: Decimal
    rounding: Decimal
    payable: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


def totals_of(snapshot: Mapping[str, Any], sign: int, settled: Decimal = ZERO) -> Totals:
    """``sign``: -1 turns a credit note's amounts round. ``settled``: what vouchers and prepaid accounts take over."""
    net, total = sign * Decimal(snapshot["net"]), sign * Decimal(snapshot["total"])
    tax = round_half_up(Fraction(net) * Fraction(Decimal(snapshot["tax"]["percent"] or 0)) / 100)
    prepaid = sign * settled
    lines = divided(net, [sign * Decimal(line["amount"]) for line in snapshot["lines"]])
    return Totals(lines, net, tax, prepaid, total - net - tax, total - prepaid)


def divided(net: Decimal, amounts: Sequence[Decimal]) -> list[Decimal]:
    """``net`` in proportion to the amounts, in whole cents and exactly, the largest remainders first."""
    whole = Fraction(add_up(amounts))
    if not whole or whole == net:
        return list(amounts)
    exact = [Fraction(amount) * Fraction(net) * 100 / whole for amount in amounts]
    cents = [share.numerator // share.denominator for share in exact]
    left = int(net * 100) - sum(cents)
    for index in sorted(range(len(exact)), key=lambda i: cents[i] - exact[i])[:left]:
        cents[index] += 1
    return [Decimal(amount).scaleb(-2) for amount in cents]


# --- the document --------------------------------------------------------------------------------------------------


def _document(snapshot: Mapping[str, Any], settled: Decimal, *, is_note: bool) -> ET.Element:
    name = "CreditNote" if is_note else "Invoice"
    root = ET.Element(name, {"xmlns": f"urn:oasis:names:specification:ubl:schema:xsd:{name}-2", **_NAMESPACES})
    currency, category = snapshot["currency"], _category(snapshot)
    totals = totals_of(snapshot, -1 if is_note else 1, settled)
    _basic(root, "CustomizationID", _CUSTOMIZATION)
    _basic(root, "ID", snapshot["number"])
    _basic(root, "IssueDate", snapshot["issue_date"])
    if snapshot["due_date"] and not is_note:
        _basic(root, "DueDate", snapshot["due_date"])
    _basic(root, f"{name}TypeCode", _CREDIT_NOTE if is_note else _COMMERCIAL_INVOICE)
    reason = snapshot.get("reason", "")
    _basic(root, "Note", " ".join(filter(None, ["Statement of charges 结算单（非税务发票）.", reason])))
    _basic(root, "DocumentCurrencyCode", currency)
    _period(root, rules.first_day(snapshot["period"]).isoformat(), rules.last_day(snapshot["period"]).isoformat())
    order = (snapshot.get("wording") or {}).get("order_number", "")
    if order:
        _basic(_group(root, "OrderReference"), "ID", order)
    if is_note:
        reference = _group(_group(root, "BillingReference"), "InvoiceDocumentReference")
        _basic(reference, "ID", snapshot["credits"]["number"])
        _basic(reference, "IssueDate", snapshot["credits"]["issue_date"])
    _party(_group(root, "AccountingSupplierParty"), snapshot["institution"], category, seller=True)
    _party(_group(root, "AccountingCustomerParty"), snapshot["customer"], category, seller=False)
    _payment(root, snapshot, is_note=is_note)
    _tax_total(root, totals, category, currency)
    _monetary_total(root, totals, currency)
    for line, net in zip(snapshot["lines"], totals.lines, strict=True):
        _line(root, line, net, category, currency, is_note=is_note)
    return root


@dataclass(frozen=True, slots=True)
class Category:
    """UNCL 5305: S with a rate, E exempt, O where nothing says that there is a tax."""

    code: str
    percent: str
    reason: str


def _category(snapshot: Mapping[str, Any]) -> Category:
    tax = snapshot["tax"]
    percent = Decimal(tax["percent"] or 0)
    if percent:
        return Category("S", rules.plain_number(percent), "")
    if tax["name"] or tax["code"]:
        return Category("E", "0", tax["name"] or "Exempt from VAT")
    return Category("O", "", "Not subject to VAT")


def _payment(root: ET.Element, snapshot: Mapping[str, Any], *, is_note: bool) -> None:
    seller = snapshot["institution"]
    if seller["bank_account"] and not is_note:
        means = _group(root, "PaymentMeans")
        _basic(means, "PaymentMeansCode", _CREDIT_TRANSFER, name="Credit transfer")
        _basic(means, "PaymentID", snapshot["number"])
        account = _group(means, "PayeeFinancialAccount")
        _basic(account, "ID", seller["bank_account"])
        _basic(account, "Name", seller["name"])
    if not is_note:
        due = f"Due on {snapshot['due_date']}." if snapshot["due_date"] else ""
        bank = f"Bank: {seller['bank']}." if seller["bank"] else ""
        _basic(_group(root, "PaymentTerms"), "Note", " ".join(filter(None, [due, bank])) or "Due on receipt.")


def _party(parent: ET.Element, data: Mapping[str, str], category: Category, *, seller: bool) -> None:
    party = _group(parent, "Party")
    country = data.get("country") or "CN"
    if data["name_en"] and data["name_en"] != data["name"]:
        _basic(_group(party, "PartyName"), "Name", data["name_en"])
    address = _group(party, "PostalAddress")
    if data["address"]:
        _basic(address, "StreetName", data["address"])
    _basic(_group(address, "Country"), "IdentificationCode", country)
    vat_id = data.get("vat_id") or ""
    is_vat = vat_id.startswith((country, _VAT_PREFIX.get(country, country)))
    if seller:
        _tax_number(party, data["uscc"], "TAX")
    elif is_vat and category.code != "O":
        _tax_number(party, vat_id, "VAT")
    legal = _group(party, "PartyLegalEntity")
    _basic(legal, "RegistrationName", data["name"])
    number = data["uscc"] or ("" if is_vat else vat_id)
    if number:
        _basic(legal, "CompanyID", number)
    if data["phone"] or data["email"]:
        contact = _group(party, "Contact")
        if data["phone"]:
            _basic(contact, "Telephone", data["phone"])
        if data["email"]:
            _basic(contact, "ElectronicMail", data["email"])


def _tax_number(party: ET.Element, number: str, scheme: str) -> None:
    """``VAT`` numbers begin with the country; others are registrations of the seller's own country."""
    tax = _group(party, "PartyTaxScheme")
    _basic(tax, "CompanyID", number)
    _basic(_group(tax, "TaxScheme"), "ID", scheme)


def _tax_total(root: ET.Element, totals: Totals, category: Category, currency: str) -> None:
    whole = _group(root, "TaxTotal")
    _amount(whole, "TaxAmount", totals.tax, currency)
    part = _group(whole, "TaxSubtotal")
    _amount(part, "TaxableAmount", totals.net, currency)
    _amount(part, "TaxAmount", totals.tax, currency)
    _tax_category(_group(part, "TaxCategory"), category, with_reason=True)


def _tax_category(group: ET.Element, category: Category, *, with_reason: bool) -> None:
    _basic(group, "ID", category.code)
    if category.percent:
        _basic(group, "Percent", category.percent)
    if with_reason and category.reason:
        _basic(group, "TaxExemptionReason", category.reason)
    _basic(_group(group, "TaxScheme"), "ID", "VAT")


def _monetary_total(root: ET.Element, totals: Totals, currency: str) -> None:
    whole = _group(root, "LegalMonetaryTotal")
    _amount(whole, "LineExtensionAmount", add_up(totals.lines), currency)
    _amount(whole, "TaxExclusiveAmount", totals.net, currency)
    _amount(whole, "TaxInclusiveAmount", totals.gross, currency)
    if totals.prepaid:
        _amount(whole, "PrepaidAmount", totals.prepaid, currency)
    if totals.rounding:
        _amount(whole, "PayableRoundingAmount", totals.rounding, currency)
    _amount(whole, "PayableAmount", totals.payable, currency)


def _line(
    root: ET.Element, line: Mapping[str, str], net: Decimal, category: Category, currency: str, *, is_note: bool
) -> None:
    group = _group(root, "CreditNoteLine" if is_note else "InvoiceLine")
    quantity, price = priced(net, line["quantity"], -1 if is_note else 1)
    unit = _UNITS.get(line["unit"], _ONE) if quantity not in ("1", "-1") or line["quantity"] else _ONE
    _basic(group, "ID", str(line["position"]))
    if line["why"]:
        _basic(group, "Note", line["why"])
    _basic(group, "CreditedQuantity" if is_note else "InvoicedQuantity", quantity, unitCode=unit)
    _amount(group, "LineExtensionAmount", net, currency)
    _period(group, line["service_date"], line["service_date"])
    item = _group(group, "Item")
    _basic(item, "Description", line["subject"])
    _basic(item, "Name", line["name"])
    _tax_category(_group(item, "ClassifiedTaxCategory"), category, with_reason=False)
    _basic(_group(group, "Price"), "PriceAmount", price, currencyID=currency)


def priced(net: Decimal, quantity: str, sign: int = 1) -> tuple[str, str]:
    """Quantity and net price of one, never below zero, whose product is the net amount; one piece where none is."""
    count = sign * Decimal(quantity or 0)
    if count and net and (count > 0) == (net > 0):
        price = round_half_up(Fraction(net) / Fraction(count), 8)
        if round_half_up(Fraction(price) * Fraction(count)) == net:
            return rules.plain_number(count), rules.plain_price(price)
    return ("-1" if net < 0 else "1"), format_amount(abs(net))


def _period(parent: ET.Element, start: str, end: str) -> None:
    group = _group(parent, "InvoicePeriod")
    _basic(group, "StartDate", start)
    _basic(group, "EndDate", end)


def _group(parent: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(parent, f"cac:{name}")


def _basic(parent: ET.Element, name: str, text: str, /, **attributes: str) -> None:
    ET.SubElement(parent, f"cbc:{name}", attributes).text = _CONTROLS.sub("", text)


def _amount(parent: ET.Element, name: str, amount: Decimal, currency: str) -> None:
    _basic(parent, name, format_amount(amount or ZERO), currencyID=currency)
