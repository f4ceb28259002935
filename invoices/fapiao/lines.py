"""From the lines of an issued invoice to those of a tax invoice: nothing below zero, discounts beside what they reduce.

The platform takes no lines below zero. What corrects an earlier invoice is added up with equal items; any other
negative line is a discount and goes into the column for discounts of lines of the same charge, then of the same
subject, then of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from backend.core.money import ZERO, add_up, format_amount, round_half_up
from invoices import rules
from invoices.fapiao.layout import Filling, Limits

Stored = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the template. ``amount`` is before, ``discount`` what is taken off, never more."""

    item: str
    tax_code: str
    policy: str
    model: str
    unit: str
    quantity: str
    unit_price: str
    amount: Decimal
    discount: Decimal = ZERO
    charge: str = ""

    @property
    def total(self) -> Decimal:
        return self.amount - self.discount


def entries_of(snapshot: Mapping[str, Any], filling: Filling) -> tuple[list[Entry], Decimal]:
    """The lines as the platform takes them, and what is left below zero: then the tax invoice is made by hand.

    Their sum less what is left is the sum of the invoice's lines.
    """
    stored: Sequence[Stored] = snapshot["lines"]
    correcting = {line["charge"] for line in stored if line.get("corrects")}
    netted = _netted([line for line in stored if line["charge"] in correcting])
    plain = [line for line in stored if line["charge"] not in correcting]
    left = add_up(-Decimal(line["amount"]) for line in netted if Decimal(line["amount"]) < 0)
    positive = [line for line in [*plain, *netted] if Decimal(line["amount"]) > 0]
    tax_code = snapshot["tax"]["code"]
    entries = [_entry(line, filling, tax_code) for line in positive]
    for line in plain:
        if Decimal(line["amount"]) < 0:
            left += _take_off(entries, line, -Decimal(line["amount"]))
    return entries, left


def _entry(line: Stored, filling: Filling, tax_code: str) -> Entry:
    how = filling.class_of(line)
    quantity, price = _sound_quantity(line)
    return Entry(
        item=how.item or line["name"],
        tax_code=how.tax_code or tax_code,
        policy=how.policy,
        model=line["subject"],
        unit=rules.printed_unit(line["unit"]) if quantity else "",
        quantity=quantity,
        unit_price=price,
        amount=Decimal(line["amount"]),
        charge=line["charge"],
    )


def _sound_quantity(line: Stored) -> tuple[str, str]:
    """Quantity and price only where their product is the amount: the platform multiplies."""
    if line["quantity"] and line["unit_price"]:
        product = round_half_up(Decimal(line["quantity"]) * Decimal(line["unit_price"]))
        if product == Decimal(line["amount"]):
            return line["quantity"], line["unit_price"]
    return "", ""


def _netted(lines: Iterable[Stored]) -> list[dict[str, Any]]:
    """Equal items of corrections as one, without quantity; those that come to nothing are left out."""
    groups: dict[tuple[str, str], list[Stored]] = {}
    for line in lines:
        groups.setdefault((line["name"], line["subject"]), []).append(line)
    nothing = {"quantity": "", "unit": "", "unit_price": ""}
    summed = [(group[0], add_up(Decimal(line["amount"]) for line in group)) for group in groups.values()]
    return [{**first, **nothing, "amount": format_amount(amount)} for first, amount in summed if amount]


def _take_off(entries: list[Entry], line: Stored, amount: Decimal) -> Decimal:
    """Spread a discount in place over the nearest lines; what none of them could take is returned."""

    def nearness(index: int) -> tuple[bool, bool, int]:
        entry = entries[index]
        return (entry.charge != line["charge"], entry.model != line["subject"], index)

    for index in sorted(range(len(entries)), key=nearness):
        taken = min(amount, entries[index].total)
        if taken > 0:
            entries[index] = replace(entries[index], discount=entries[index].discount + taken)
            amount -= taken
        if not amount:
            break
    return amount


def split_up(entries: Sequence[Entry], limits: Limits) -> list[list[Entry]]:
    """Tax invoices within the platform's limits, the lines in their order; their sums are those of the lines.

    A line that alone is above the largest amount is divided; its parts have no quantity.
    """
    parts: list[list[Entry]] = [[]]
    room = limits.amount
    for entry in _small_enough(entries, limits.amount):
        full = len(parts[-1]) >= limits.lines or (room is not None and entry.total > room)
        if parts[-1] and full:
            parts.append([])
            room = limits.amount
        parts[-1].append(entry)
        room = None if room is None else room - entry.total
    return parts


def _small_enough(entries: Iterable[Entry], most: Decimal | None) -> Iterator[Entry]:
    for entry in entries:
        rest = entry
        while most is not None and rest.total > most:
            piece = replace(rest, unit="", quantity="", unit_price="", amount=most, discount=ZERO)
            yield piece
            rest = replace(piece, amount=rest.amount - most, discount=rest.discount)
        yield rest


def as_row(serial: str, entry: Entry, percent: Decimal) -> dict[str, str]:
    """The values that the layout's columns ask for."""
    return {
        "serial": serial,
        "item": entry.item,
        "tax_code": entry.tax_code,
        "model": entry.model,
        "unit": entry.unit,
        "quantity": entry.quantity,
        "unit_price": entry.unit_price,
        "amount": format_amount(entry.amount),
        "tax_rate": rules.plain_number(percent / 100) or "0",
        "discount": format_amount(entry.discount) if entry.discount else "",
        "favoured": "是" if entry.policy else "否",
        "policy": entry.policy,
    }
