"""Pure decisions of the ledger and its documents: values in, values out; no database, no clock."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from backend.accounts.models import Organisation
from backend.core.money import ZERO, add_up, format_amount, in_capitals, round_half_up
from invoices.models import ChargeLine, Invoice, TaxRate

Number = Decimal | Fraction | int

# What a party should have on a document; without it the document can be issued, but an accountant will ask.
PARTY_FIELDS = ("uscc", "address", "phone", "bank", "bank_account")
# More rows than this make a PDF that no accountant reads and no renderer likes (5,000: 9 s, 475 MiB).
MAX_LINES = 1000
PAYMENT_DAYS = 30
# Begins the reference of what is paid from a customer's credit.
CREDIT_REFERENCE = "CR"
# Printed rows of one charge that are kept on one page.
TOGETHER = 16

_PERIOD = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
_FAPIAO = re.compile(r"[0-9]{20}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a charge. ``amount`` has two decimals; ``why`` is the calculation as a sentence.

    ``quantity`` and ``unit_price`` are for the reader and may be None; exact fractions are rounded to
    four decimals when the line is posted.
    """

    code: str
    name: str
    quantity: Number | None
    unit: str
    unit_price: Number | None
    amount: Decimal
    why: str = ""


def as_posted(line: Line) -> Line:
    """The line as the ledger keeps it: numbers rounded, texts cut to what a column holds.

    Raises ValueError for an amount with more than two decimals: rounding it is the price's business.
    """
    if round_half_up(line.amount) != line.amount:
        raise ValueError(f"{line.code}: {line.amount} has more than two decimals")
    return replace(
        line,
        code=_fit(line.code, 40),
        name=_fit(line.name, 120),
        quantity=four_places(line.quantity),
        unit=_fit(line.unit, 20),
        unit_price=four_places(line.unit_price),
        amount=round_half_up(line.amount),
        why=_clean(line.why),
    )


def four_places(number: Number | None) -> Decimal | None:
    return None if number is None else round_half_up(number, 4)


def total_of(lines: Sequence[Line]) -> Decimal:
    return add_up(line.amount for line in lines)


def reversal(line: Line) -> Line:
    """The line that takes another back."""
    taken = None if line.quantity is None else -line.quantity
    return replace(line, quantity=taken, amount=-line.amount if line.amount else ZERO)


def in_effect(corrects: Mapping[int, int | None]) -> set[int]:
    """Which lines still say something, given for each line the one that it takes back.

    A line is taken back by another that is itself in effect: to take a correction back brings the line again
    that it had taken back. Lines are numbered in the order in which they were posted.
    """
    gone: set[int] = set()
    for line in sorted(corrects, reverse=True):  # what takes back is younger than what is taken back
        taken = corrects[line]
        if line not in gone and taken is not None:
            gone.add(taken)
    return set(corrects) - gone


def without_pairs(lines: Sequence[ChargeLine]) -> list[ChargeLine]:
    """Without the lines of these that others of these take back, and without those others."""
    here = {line.pk: line for line in lines}
    paired: set[int] = set()
    for line in sorted(lines, key=lambda line: -line.pk):  # the youngest first, as in `in_effect`
        taken = line.corrects_id
        if line.pk not in paired and taken in here:
            paired |= {line.pk, taken}
    return [line for line in lines if line.pk not in paired]


class Split(NamedTuple):
    """``net + tax = total``, to the cent."""

    net: Decimal
    tax: Decimal
    total: Decimal


def split_tax(amount: Decimal, percent: Decimal, *, included: bool) -> Split:
    """Split the sum of the lines into net and tax.

    With ``included`` the amount is the total, otherwise the net. Rounded once, half up, on the sum: so
    that a reader can recompute the document from its last lines.
    """
    rate = Fraction(percent) / 100
    if included:
        net = round_half_up(Fraction(amount) / (1 + rate))
        return Split(net, round_half_up(amount - net), round_half_up(amount))
    tax = round_half_up(Fraction(amount) * rate)
    return Split(round_half_up(amount), tax, round_half_up(amount + tax))


def status_of(stored: str, due: date | None, today: date, *, total: Decimal, paid: Decimal = ZERO) -> str:
    """The status that people see of an invoice.

    Issued and not paid in full, it is ``open`` or ``part_paid`` until its due date has passed, then ``overdue``.
    A credit note, which is below zero, is only ``issued``.
    """
    if stored != "issued" or total < 0:
        return stored
    if paid >= total:
        return "paid"
    if due is not None and due < today:
        return "overdue"
    return "part_paid" if paid else "open"


# The last day of each band of the ageing list, in days past due; the first holds what is not due yet.
AGE_BANDS = (0, 30, 60, 90)


def age_band(due: date | None, today: date) -> int:
    """0: not due yet; 1: up to 30 days past due; 2: up to 60; 3: up to 90; 4: longer."""
    late = (today - due).days if due else 0
    return sum(late > last for last in AGE_BANDS)


def due_date(issued: date, days: int = PAYMENT_DAYS) -> date:
    return issued + timedelta(days=days)


def is_period(text: str) -> bool:
    return _PERIOD.fullmatch(text) is not None


def last_day(period: str) -> date:
    """Of a month written ``YYYY-MM``; ValueError if it is not one."""
    if not is_period(period):
        raise ValueError(f"not a month: {period!r}")
    year, month = (int(part) for part in period.split("-"))
    return date(year, month, monthrange(year, month)[1])


def first_day(period: str) -> date:
    return last_day(period).replace(day=1)


def period_of(day: date) -> str:
    return f"{day:%Y-%m}"


def neighbour(period: str, months: int) -> str:
    """The month that many months later, or earlier if negative."""
    first = first_day(period)
    index = first.year * 12 + first.month - 1 + months
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def day_at(institution: Organisation, now: datetime) -> date:
    """The day on the institution's calendar: documents are dated and taxed by it."""
    return now.astimezone(ZoneInfo(institution.timezone)).date()


def invoice_number(series: str, institution_code: str, year: int, sequence: int) -> str:
    return f"{series}-{institution_code}-{year}-{sequence:06d}"


def fapiao_number(text: str) -> str | None:
    """The 20 digits of a fully digitalised fapiao (数电发票); None if it is something else.

    Spaces and full-width digits, as they come from copying, are put right.
    """
    digits = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text))
    return digits if _FAPIAO.fullmatch(digits) else None


def canonical(snapshot: Mapping[str, Any]) -> bytes:
    """One spelling for one content, whatever order the database keeps keys in."""
    return json.dumps(snapshot, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest(snapshot: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(snapshot)).hexdigest()


def party_of(organisation: Organisation) -> dict[str, str]:
    """What a document says about a party, copied so that it stays as it was."""
    fields = ("name", "name_en", "uscc", "address", "phone", "email", "bank", "bank_account", "country", "vat_id")
    return {field: getattr(organisation, field) or "" for field in fields}


def snapshot_line(position: int, line: ChargeLine) -> dict[str, Any]:
    """A printed line; ``line.charge`` with its user and project has been fetched."""
    charge = line.charge
    return {
        "position": position,
        "charge": str(charge.uid),
        "service_date": charge.service_date.isoformat(),
        "subject": charge.subject,
        "person": charge.user.name,
        "project": charge.project.code if charge.project else "",
        "code": line.code,
        "name": line.name,
        "quantity": plain_number(line.quantity),
        "unit": line.unit,
        "unit_price": plain_price(line.unit_price),
        "amount": format_amount(line.amount),
        "why": line.why,
        # The earlier document whose line this takes back.
        **({"corrects": line.corrects.charge.invoice.number} if line.corrects and line.corrects.charge.invoice else {}),
    }


def make_snapshot(invoice: Invoice, lines: Sequence[ChargeLine], rate: TaxRate | None, today: date) -> dict[str, Any]:
    """Everything that the document shows, as texts; an unissued invoice has no number yet.

    ``invoice.institution`` and ``invoice.customer`` have been fetched.
    """
    included = rate.included if rate else True
    percent = rate.percent if rate else ZERO
    split = split_tax(add_up(line.amount for line in lines), percent, included=included)
    return {
        "schema": 1,
        "uid": str(invoice.uid),
        "number": invoice.number or "",
        "period": invoice.period,
        "issue_date": today.isoformat(),
        "due_date": due_date(today).isoformat(),
        "currency": invoice.currency,
        "institution": party_of(invoice.institution),
        "customer": party_of(invoice.customer),
        "tax": {
            "name": rate.name if rate else "",
            "code": rate.code if rate else "",
            "percent": plain_number(percent),
            "included": included,
        },
        "net": format_amount(split.net),
        "tax_amount": format_amount(split.tax),
        "total": format_amount(split.total),
        "total_in_capitals": in_capitals(split.total) if invoice.currency == "CNY" else "",
        "lines": [snapshot_line(position, line) for position, line in enumerate(lines, 1)],
        **({"wording": invoice.wording} if invoice.wording else {}),
    }


def gaps(snapshot: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Party (``institution`` or ``customer``) and field of what the document lacks."""
    return [
        (side, field) for side in ("institution", "customer") for field in PARTY_FIELDS if not snapshot[side].get(field)
    ]


def credit_snapshot(note: Invoice, original: Mapping[str, Any], sha256: str, today: date) -> dict[str, Any]:
    """What a credit note shows: the original's parties and rate, its figures with the opposite sign."""
    negative = {key: negated(original[key]) for key in ("net", "tax_amount", "total")}
    flipped = [
        {**line, "quantity": negated(line["quantity"]), "amount": negated(line["amount"])} for line in original["lines"]
    ]
    total = Decimal(negative["total"])
    return {
        **original,
        **negative,
        "kind": note.kind,
        "uid": str(note.uid),
        "number": note.number,
        "issue_date": today.isoformat(),
        "due_date": "",
        "reason": note.reason,
        "credits": {
            "number": original["number"],
            "issue_date": original["issue_date"],
            "total": original["total"],
            "sha256": sha256,
        },
        "total_in_capitals": in_capitals(total) if original["total_in_capitals"] else "",
        "lines": flipped,
    }


def negated(number: str) -> str:
    """``12.50`` → ``-12.50``; zero and nothing stay as they are."""
    if not number or not Decimal(number):
        return number
    return number[1:] if number.startswith("-") else f"-{number}"


# Printed on documents, which are Chinese whatever language the reader of a page has chosen.
UNIT_WORDS = {
    "minute": "分钟", "quarter_hour": "刻钟", "half_hour": "半小时", "hour": "小时", "day": "天", "week": "周",
    "use": "次", "sample": "个样品", "point": "个点", "person": "人", "scan": "次扫描", "element": "个元素",
    "component": "个组分", "group": "组", "piece": "件", "slot": "时段", "block": "段", "percent": "%",
    "adjustment": "调整",
}  # fmt: skip


def printed_unit(code: str) -> str:
    """The unit as a document names it; an institution's own word stays as it is."""
    return UNIT_WORDS.get(code, code)


def paper(snapshot: Mapping[str, Any], *, unit: Callable[[str], str] = printed_unit) -> dict[str, Any]:
    """A snapshot for the eye: amounts with grouped digits, lines gathered by charge in their order (by date).

    ``unit`` turns the stored code of a unit into a word.
    """
    entries = []
    for _charge, group in groupby(snapshot["lines"], key=lambda line: line["charge"]):
        lines = [
            {
                **line,
                **{key: grouped(line[key]) for key in ("quantity", "unit_price", "amount")},
                "unit": unit(line["unit"]),
            }
            for line in group
        ]
        shown = {key: lines[0][key] for key in ("service_date", "subject", "person", "project")}
        entries.append({**shown, "lines": lines, "together": _is_short(lines)})
    totals: dict[str, Any] = {key: grouped(snapshot[key]) for key in ("net", "tax_amount", "total")}
    if "credits" in snapshot:
        totals["credits"] = {**snapshot["credits"], "total": grouped(snapshot["credits"]["total"])}
    if "voucher" in snapshot or "prepaid" in snapshot:
        totals |= _settled_otherwise(snapshot)
    return {**snapshot, **totals, "entries": entries}


def _settled_otherwise(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """What vouchers and prepaid accounts take over, each voucher with its sum, and what is left ``to_pay``."""
    shown: dict[str, Any] = {}
    left = Decimal(snapshot["total"])
    if "voucher" in snapshot:
        sums: dict[tuple[str, str], Decimal] = {}
        for use in snapshot["voucher"]["uses"]:
            key = (use["scheme"], use["number"])
            sums[key] = sums.get(key, ZERO) + Decimal(use["amount"])
        rows = [
            {"scheme": scheme, "number": number, "amount": grouped(format_amount(-amount))}
            for (scheme, number), amount in sums.items()
        ]
        shown["voucher"] = {**snapshot["voucher"], "grants": rows}
        left -= Decimal(snapshot["voucher"]["amount"])
    if "prepaid" in snapshot:
        left -= Decimal(snapshot["prepaid"])
        shown["prepaid"] = grouped(negated(snapshot["prepaid"]))
    words = in_capitals(left) if snapshot["total_in_capitals"] else ""
    return {**shown, "to_pay": grouped(format_amount(left)), "to_pay_in_capitals": words}


def _is_short(lines: Sequence[Mapping[str, str]]) -> bool:
    """Whether they surely fit on a part of a page: the renderer fails on more that it shall keep together.

    The column of items takes about ten Chinese characters.
    """
    return sum(1 + len(line["name"]) // 10 for line in lines) <= TOGETHER


def grouped(number: str) -> str:
    """``1234.50`` → ``1,234.50``; nothing stays nothing."""
    return f"{Decimal(number):,f}" if number else ""


def plain_number(value: Decimal | None) -> str:
    """Without needless zeros: ``1.5000`` → ``1.5``, ``20.0000`` → ``20``."""
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_price(value: Decimal | None) -> str:
    """A unit price: two decimals, more only where they say something."""
    if value is None:
        return ""
    return f"{value:.2f}" if value == round_half_up(value) else plain_number(value)


def _fit(text: str, length: int) -> str:
    text = _clean(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def _clean(text: str) -> str:
    """Without NUL, which PostgreSQL refuses."""
    return text.replace("\0", "")
