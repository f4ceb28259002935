"""The template for making tax invoices (数电票) in a batch on the tax authority's platform.

Its layout changes from year to year and is data: ``batch_YYYY_MM.json`` beside this file, each with the day from which
it is valid. All cells are text; the header stands on row 3, data from row 4. Nothing is exported while anything
is missing or too long: `Batch.problems` names invoice and field.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from backend.accounts.models import Organisation
from backend.core.errors import Refusal, Refused, refuse
from backend.core.export import XLSX_TYPE, Format, attachment
from backend.core.money import add_up, format_amount, round_half_up
from invoices import rules
from invoices.models import Invoice, InvoiceKind, InvoiceStatus

CURRENCY = "CNY"
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
# By the name of a value in the layout: the word for it in a sentence, and what to do when it is missing.
_WORDS: dict[str, Callable[[], tuple[str, str]]] = {
    "buyer_name": lambda: (_("the customer's name"), ""),
    "buyer_uscc": lambda: (_("the customer's credit code"), _("The customer enters it under Organisation.")),
    "tax_code": lambda: (_("the tax classification"), _("The network's operator enters it with the tax rate.")),
    "tax_rate": lambda: (_("the tax rate"), _("The network's operator enters it with the tax rate.")),
    "amount": lambda: (_("the amount"), ""),
    "remark": lambda: (_("the remark"), ""),
    "item": lambda: (_("the item"), ""),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What to mend before the batch can be exported."""

    invoice: Invoice
    code: str
    field: str
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    layout: Mapping[str, Any]
    invoices: list[Invoice]
    problems: list[Problem]
    rows: dict[str, list[dict[str, str]]]


@cache
def layouts() -> list[dict[str, Any]]:
    """All known layouts, the oldest first."""
    files = Path(__file__).parent.glob("batch_*.json")
    return sorted((json.loads(file.read_text(encoding="utf-8")) for file in files), key=lambda one: one["valid_from"])


def layout_for(day: date) -> dict[str, Any]:
    """The newest that is valid on the day; before the first of all, the first."""
    known = layouts()
    return next((one for one in reversed(known) if one["valid_from"] <= day.isoformat()), known[0])


def make_batch(institution: Organisation, day: date, period: str = "") -> Batch:
    """All issued invoices in yuan that have no fapiao number and were not credited; one query."""
    found = Invoice.objects.filter(
        institution=institution,
        kind=InvoiceKind.INVOICE,
        status=InvoiceStatus.ISSUED,
        currency=CURRENCY,
        fapiao_number="",
        **({"period": period} if period else {}),
    )
    invoices = list(found.select_related("customer").order_by("year", "sequence"))
    layout = layout_for(day)
    rows: dict[str, list[dict[str, str]]] = {"invoices": [], "lines": [], "none": []}
    problems: list[Problem] = []
    for invoice in invoices:
        entries = {"invoices": [_head(invoice)], "lines": list(_lines(invoice)), "none": []}
        for name, part in entries.items():
            rows[name] += part
        problems += _problems(layout, invoice, entries)
    return Batch(layout, invoices, problems, rows)


def batch_response(batch: Batch, form: Format, name: str) -> HttpResponse:
    """The workbook; `Refused` with all that is to be mended, for CSV, or if there is nothing to make."""
    if form != "xlsx":
        raise refuse("xlsx_only", _("The batch template has several sheets; it exists as XLSX only."))
    if not batch.invoices:
        raise refuse("nothing_to_export", _("Every issued invoice has its fapiao number already."))
    if batch.problems:
        raise Refused(*(_refusal(problem) for problem in batch.problems))
    response = HttpResponse(_workbook(batch), content_type=XLSX_TYPE)
    response["Content-Disposition"] = attachment(f"{name}.xlsx")
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _refusal(problem: Problem) -> Refusal:
    number = str(problem.invoice.number)
    return Refusal(
        problem.code,
        f"{number}: {problem.detail}",
        field=problem.field,
        params={"invoice": number, "field": problem.field},
        fix_text=problem.fix,
    )


def _head(invoice: Invoice) -> dict[str, str]:
    buyer = _buyer(invoice)
    remark = f"结算单 {invoice.number}，期间 {invoice.period}"
    return {
        "serial": _serial(invoice),
        "tax_included": "是" if invoice.snapshot["tax"]["included"] else "否",
        "buyer_name": buyer["name"],
        "buyer_uscc": buyer["uscc"],
        "buyer_address": buyer["address"],
        "buyer_phone": buyer["phone"],
        "buyer_bank": buyer["bank"],
        "buyer_account": buyer["bank_account"],
        "buyer_email": buyer["email"],
        "remark": remark,
    }


def _buyer(invoice: Invoice) -> dict[str, str]:
    """As on the statement; what was missing there is taken from what the customer has entered since."""
    now = rules.party_of(invoice.customer)
    return {key: invoice.snapshot["customer"].get(key) or value for key, value in now.items()}


def _serial(invoice: Invoice) -> str:
    """At most 20 characters, unlike a number with a long institution code; unique within the institution."""
    return f"{invoice.series}{invoice.year}{invoice.sequence:06d}"


def _lines(invoice: Invoice) -> Iterator[dict[str, str]]:
    tax = invoice.snapshot["tax"]
    rate = rules.plain_number(Decimal(tax["percent"]) / 100) or "0"
    for line in _positive(invoice.snapshot["lines"]):
        yield {
            "serial": _serial(invoice),
            "item": line["name"],
            "tax_code": tax["code"],
            "model": line["subject"],
            "unit": rules.printed_unit(line["unit"]) if line["quantity"] else "",
            "quantity": line["quantity"],
            "unit_price": line["unit_price"] if line["quantity"] else "",
            "amount": line["amount"],
            "tax_rate": rate,
        }


def _positive(lines: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The platform takes no lines below zero: with corrections among them, equal items are added up.

    Lines of 0.00 are left out. Quantity and price are kept only where their product is the amount.
    """
    if all(Decimal(line["amount"]) >= 0 for line in lines):
        return [_with_sound_quantity(line) for line in lines if Decimal(line["amount"])]
    groups: dict[tuple[str, str], list[Decimal]] = {}
    for line in lines:
        groups.setdefault((line["name"], line["subject"]), []).append(Decimal(line["amount"]))
    nothing = {"unit": "", "quantity": "", "unit_price": ""}
    summed = [(key, add_up(amounts)) for key, amounts in groups.items()]
    return [
        {"name": name, "subject": subject, "amount": format_amount(amount), **nothing}
        for (name, subject), amount in summed
        if amount
    ]


def _with_sound_quantity(line: Mapping[str, str]) -> dict[str, str]:
    kept = dict(line)
    if line["quantity"] and line["unit_price"]:
        product = round_half_up(Decimal(line["quantity"]) * Decimal(line["unit_price"]))
        if product == Decimal(line["amount"]):
            return kept
    return {**kept, "quantity": "", "unit_price": ""}


def _problems(
    layout: Mapping[str, Any], invoice: Invoice, entries: Mapping[str, Sequence[Mapping[str, str]]]
) -> list[Problem]:
    """Each field of an invoice once, however many of its lines have it wrong."""
    found: dict[tuple[str, str], Problem] = {}
    for sheet in layout["sheets"]:
        for row in entries[sheet["rows"]]:
            for column in sheet["columns"]:
                problem = _judge(invoice, column, row.get(column.get("value", ""), ""))
                if problem:
                    found.setdefault((problem.code, problem.field), problem)
    if any(Decimal(line["amount"]) < 0 for line in entries["lines"]):
        detail = _("A line stays below zero, which the tax platform does not take.")
        fix = _("Make this tax invoice by hand on the platform and note its number here.")
        found["negative", "amount"] = Problem(invoice, "negative_line", "金额", detail, fix)
    return list(found.values())


def _judge(invoice: Invoice, column: Mapping[str, Any], value: str) -> Problem | None:
    name, title = column.get("value", ""), column["title"]
    word, fix = _WORDS[name]() if name in _WORDS else (title, "")
    if column.get("required") and not value:
        return Problem(invoice, "missing", title, _("%(what)s is missing.") % {"what": _first_up(word)}, fix)
    longest = column.get("longest")
    if longest and len(value) > longest:
        params = {"what": _first_up(word), "length": len(value), "longest": longest}
        detail = _("%(what)s has %(length)s characters; the template takes %(longest)s.") % params
        return Problem(invoice, "too_long", title, detail, _("Credit the invoice and bill it anew with a shorter one."))
    return None


def _first_up(word: str) -> str:
    return word[:1].upper() + word[1:]


def _workbook(batch: Batch) -> bytes:
    book = Workbook(write_only=True)
    for sheet in batch.layout["sheets"]:
        page = book.create_sheet(sheet["name"])
        titles = [column["title"] for column in sheet["columns"]]
        page.append([_text(page, batch.layout["title"])])
        page.append([_text(page, batch.layout["hint"])])
        head = [_text(page, title) for title in titles]
        for cell in head:
            cell.font = Font(bold=True)
        page.append(head)
        for row in batch.rows[sheet["rows"]]:
            page.append([_text(page, _value(column, row)) for column in sheet["columns"]])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _value(column: Mapping[str, Any], row: Mapping[str, str]) -> str:
    return str(column.get("constant") or row.get(column.get("value", ""), ""))


def _text(page: Any, value: str) -> Any:
    """A cell that stays text, whatever it looks like; ``Any``: openpyxl's types know no such page."""
    cell = WriteOnlyCell(page, value=_CONTROLS.sub("", value))
    cell.data_type, cell.number_format = "s", "@"
    return cell
