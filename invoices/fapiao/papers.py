"""One issued invoice as the tax invoices to ask for, and what must be mended before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from backend.core.money import add_up
from invoices import rules
from invoices.fapiao.layout import NORMAL, SPECIAL, Filling, Layout
from invoices.fapiao.lines import as_row, entries_of, split_up
from invoices.models import Invoice

SHOW_ALL = "展示地址、电话、开户银行及银行账号"


@dataclass(frozen=True, slots=True)
class Problem:
    """What to mend before an invoice can go into a batch. ``where`` it is mended: customer, settings, invoice."""

    invoice: Invoice
    code: str
    field: str
    detail: str
    fix: str = ""
    where: str = "invoice"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One tax invoice: its serial number, its row of the first sheet and its rows of the second."""

    serial: str
    total: Decimal
    head: dict[str, str]
    lines: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Paper:
    """An invoice with the tax invoices that it needs."""

    invoice: Invoice
    parts: list[Wanted]
    problems: list[Problem] = field(default_factory=list)


def paper_of(invoice: Invoice, layout: Layout, filling: Filling) -> Paper:
    """No query: ``customer`` and the snapshot have been fetched."""
    snapshot = invoice.snapshot
    percent = Decimal(snapshot["tax"]["percent"] or 0)
    entries, left = entries_of(snapshot, filling)
    groups = split_up(entries, filling.limits(layout))
    head = _head(invoice, filling)
    parts = []
    for index, group in enumerate(groups, 1):
        serial = serial_of(invoice, index if len(groups) > 1 else 0)
        remark = head["remark"] + (f"（{index}/{len(groups)}）" if len(groups) > 1 else "")
        rows = [as_row(serial, entry, percent) for entry in group]
        total = add_up(entry.total for entry in group)
        parts.append(Wanted(serial, total, {**head, "serial": serial, "remark": remark}, rows))
    problems = _problems(layout, invoice, parts)
    if left:
        detail = _("A line stays below zero, which the tax platform does not take.")
        fix = _("Make this tax invoice by hand on the platform and note its number here.")
        problems.append(Problem(invoice, "negative_line", "金额", detail, fix))
    if not percent and any(not entry.policy for entry in entries):
        detail = _("The tax rate is 0 %, but no reason for the exemption is set.")
        fix = _("Name it with the classification, for example 免税.")
        problems.append(Problem(invoice, "no_policy", "优惠政策类型", detail, fix, "settings"))
    return Paper(invoice, parts, problems)


def serial_of(invoice: Invoice, part: int = 0) -> str:
    """At most 20 characters, unlike a number with a long institution code; unique within the institution."""
    serial = f"{invoice.series}{invoice.year}{invoice.sequence:06d}"
    return f"{serial}-{part}" if part else serial


def _head(invoice: Invoice, filling: Filling) -> dict[str, str]:
    buyer, seller = _buyer(invoice), invoice.snapshot["institution"]
    wants_special = buyer["uscc"] in filling.special
    return {
        "type": SPECIAL if wants_special else filling.type or NORMAL,
        "tax_included": "是" if invoice.snapshot["tax"]["included"] else "否",
        "buyer_name": buyer["name"],
        "buyer_uscc": buyer["uscc"],
        "buyer_address": buyer["address"],
        "buyer_phone": buyer["phone"],
        "buyer_bank": buyer["bank"],
        "buyer_account": buyer["bank_account"],
        "buyer_email": buyer["email"],
        "show_buyer": SHOW_ALL if filling.show_buyer else "",
        "seller_bank": seller["bank"] if filling.show_seller else "",
        "seller_account": seller["bank_account"] if filling.show_seller else "",
        "show_seller": SHOW_ALL if filling.show_seller else "",
        "payee": filling.payee,
        "reviewer": filling.reviewer,
        "remark": filling.remark.format(number=invoice.number, period=invoice.period),
    }


def _buyer(invoice: Invoice) -> dict[str, str]:
    """As on the statement; what was missing there is taken from what the customer has entered since."""
    now = rules.party_of(invoice.customer)
    return {key: invoice.snapshot["customer"].get(key) or value for key, value in now.items()}


# --- what must be mended -------------------------------------------------------------------------------------------


def _words(name: str) -> tuple[str, str, str] | None:
    """By the name of a value: the word for it in a sentence, what to do when it is missing, and where."""
    classes = _("Set it with the classifications, or the network's operator enters it with the tax rate.")
    by_customer = _("The customer enters it under Organisation.")
    shorter = _("Give the item a shorter name with the classifications.")
    known = {
        "buyer_name": (_("the customer's name"), by_customer, "customer"),
        "buyer_uscc": (_("the customer's credit code"), by_customer, "customer"),
        "buyer_address": (_("the customer's address"), by_customer, "customer"),
        "buyer_email": (_("the customer's e-mail"), by_customer, "customer"),
        "tax_code": (_("the tax classification"), classes, "settings"),
        "tax_rate": (_("the tax rate"), _("The network's operator enters it with the tax rate."), "invoice"),
        "amount": (_("the amount"), "", "invoice"),
        "remark": (_("the remark"), _("Shorten the remark in the settings."), "settings"),
        "item": (_("the item"), shorter, "settings"),
    }
    return known.get(name)


def _problems(layout: Layout, invoice: Invoice, parts: list[Wanted]) -> list[Problem]:
    """Each field of an invoice once, however many of its lines have it wrong."""
    found: dict[tuple[str, str], Problem] = {}
    for sheet in layout["sheets"]:
        for part in parts:
            for row in {"invoices": [part.head], "lines": part.lines}.get(sheet["rows"], []):
                for column in sheet["columns"]:
                    problem = _judge(invoice, column, row.get(column.get("value", ""), ""))
                    if problem:
                        found.setdefault((problem.code, problem.field), problem)
    return list(found.values())


def _judge(invoice: Invoice, column: Mapping[str, Any], value: str) -> Problem | None:
    title = column["title"]
    if column.get("required") and column.get("value") and not value:
        word, fix, where = _words(column["value"]) or (title, "", "invoice")
        detail = _("%(what)s is missing.") % {"what": _first_up(word)}
        return Problem(invoice, "missing", title, detail, fix, where)
    longest = column.get("longest")
    if longest and len(value) > longest and not column.get("cut"):
        word, fix, where = _words(column["value"]) or (title, "", "invoice")
        params = {"what": _first_up(word), "length": len(value), "longest": longest}
        detail = _("%(what)s has %(length)s characters; the template takes %(longest)s.") % params
        if where == "customer":
            fix, where = _("Credit the invoice and bill it anew with a shorter one."), "invoice"
        return Problem(invoice, "too_long", title, detail, fix, where)
    return None


def _first_up(word: str) -> str:
    return word[:1].upper() + word[1:]


def cell_of(column: Mapping[str, Any], row: Mapping[str, str]) -> str:
    """What stands in the cell: a constant, or a value, shortened where it is only for the reader."""
    text = str(column.get("constant") or row.get(column.get("value", ""), ""))
    longest = column.get("longest")
    return f"{text[: longest - 1]}…" if column.get("cut") and longest and len(text) > longest else text
