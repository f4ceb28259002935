"""Pure decisions about credit notes: figures of a part, and what the note prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from backend.core.money import ZERO, add_up, format_amount, in_capitals
from invoices.models import Invoice
from invoices.rules import Split, negated, split_tax


@dataclass(frozen=True, slots=True)
class Part:
    """What is credited of the printed line at ``position``: ``amount`` of it, with its sign.

    ``whole``: all that is left of it; ``earlier`` are then the amounts, below zero, of the notes that credited parts.
    """

    position: int
    amount: Decimal
    whole: bool
    earlier: tuple[Decimal, ...] = ()


def split_of_part(before: Decimal, amount: Decimal, percent: Decimal, *, included: bool) -> Split:
    """Net, tax and total of ``amount`` when the lines credited before come to ``before``.

    The difference of two sums that are each rounded once: all parts together are the invoice to the cent.
    """
    first = split_tax(before, percent, included=included)
    both = split_tax(before + amount, percent, included=included)
    return Split(both.net - first.net, both.tax - first.tax, both.total - first.total)


def credit_snapshot(
    note: Invoice, original: Mapping[str, Any], sha256: str, today: date, parts: Sequence[Part], *, full: bool
) -> dict[str, Any]:
    """What a credit note shows: the original's parties and rate, ``parts`` of its lines with the opposite sign.

    ``note`` has its figures. ``full``: it alone credits all of the original.
    """
    printed = {line["position"]: line for line in original["lines"]}
    lines = [line for part in parts for line in _printed(printed[part.position], part)]
    return {
        **original,
        "net": format_amount(note.net),
        "tax_amount": format_amount(note.tax),
        "total": format_amount(note.total),
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
            **({} if full else {"part": True}),
        },
        "total_in_capitals": in_capitals(note.total) if original["total_in_capitals"] else "",
        "lines": [{**line, "position": position} for position, line in enumerate(lines, 1)],
    }


def _printed(line: Mapping[str, Any], part: Part) -> Iterable[dict[str, Any]]:
    """One row; for the rest of a line of which parts were credited before, those taken back as well."""
    plain = {**line, "quantity": "", "unit": "", "unit_price": ""}
    if not part.whole:
        yield {**plain, "amount": format_amount(-part.amount)}
        return
    yield {**line, "quantity": negated(line["quantity"]), "amount": negated(line["amount"])}
    for amount in part.earlier:
        yield {**plain, "amount": format_amount(-amount)}


def total_of_parts(parts: Iterable[Part]) -> Decimal:
    return add_up(part.amount for part in parts) or ZERO
