"""What a use would cost by a price list, line by line, with the subtotals that percentages stand on; never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backend.core.errors import Refusal
from instruments.pricing.engine import price
from instruments.pricing.lines import NOTHING_CODE, ChargeLine
from instruments.pricing.model import PriceList, Rule
from instruments.pricing.names import asked_facts, asked_parties
from instruments.pricing.program import select
from instruments.pricing.units import PERCENT

PARTIES = ("person", "group", "project", "organisation")
OWN = "trial"
# Attributes that a trial has fields of its own for.
ALWAYS = frozenset({"audience", "mode", "event", "samples", *PARTIES, "instrument", "history"})


@dataclass(frozen=True, slots=True)
class TriedLine:
    """A line of the bill, or with ``subtotal`` what stands above it together."""

    name: str
    amount: Decimal
    why: str = ""
    account: str = "invoice"
    subtotal: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    lines: list[TriedLine]
    total: Decimal
    refusals: list[Refusal]
    currency: str


def parties_of(price_list: PriceList, instrument: str) -> dict[str, str]:
    """One party for everything that scopes and histories tell apart."""
    return {**dict.fromkeys([*PARTIES, *asked_parties(price_list)], OWN), "instrument": instrument}


def extra_facts(price_list: PriceList) -> list[Any]:
    """What the list asks for besides the usual."""
    return [each for each in asked_facts(price_list) if each.name not in ALWAYS]


def try_prices(price_list: PriceList, records: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> Tried:
    """Of the records that are not history; `Invalid` for times that make no sense."""
    priced = price(price_list, records, tz=zone)
    rules = {rule.code: (place, rule) for place, rule in enumerate(price_list.rules)}
    lines: list[TriedLine] = []
    before: list[ChargeLine] = []
    for line in priced.lines:
        found = rules.get(line.code)
        if found is not None and line.unit == PERCENT:
            lines += _subtotal(price_list, *found, before, lines)
        if line.code != NOTHING_CODE:
            before.append(line)
        lines.append(TriedLine(line.name, line.amount, line.why, line.account))
    return Tried(lines, priced.total(), priced.refusals, price_list.currency)


def _subtotal(
    price_list: PriceList, place: int, rule: Rule, before: Sequence[ChargeLine], lines: Sequence[TriedLine]
) -> list[TriedLine]:
    """Of two lines or more, once."""
    above = select(price_list.rules[:place], rule.on)
    base = [line for line in before if line.code in above]
    if len(base) < 2 or rule.as_if or rule.scope:
        return []
    amount = Decimal(0) + sum((line.amount for line in base), Decimal(0))
    name = _("Subtotal") if len(base) == len(before) else _("Subtotal: %(names)s") % {"names": _names(base)}
    known = [line for line in lines if line.subtotal]
    again = bool(known) and (known[-1].name, known[-1].amount) == (name, amount)
    return [] if again else [TriedLine(name, amount, subtotal=True)]


def _names(lines: Sequence[ChargeLine]) -> str:
    return " + ".join(dict.fromkeys(line.name for line in lines))
