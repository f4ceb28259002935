"""A use and its corrections: the records of a chain, and what the ledger holds for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from backend.core.money import add_up
from booking.models import Booking, Usage
from booking.queries.differences import Item, Items, items_of, quoted_items
from invoices.models import Charge, ChargeLine, ChargeState, Stage

BOOKING, USAGE = "booking", "usage"
Source = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Owed:
    """The first charge, and what corrections, credit notes and new bills added to it later."""

    first: Charge
    later: Sequence[Charge] = ()

    @property
    def total(self) -> Decimal:
        return add_up(charge.total for charge in (self.first, *self.later))

    @property
    def quoted(self) -> Decimal:
        return self.first.reserved_total

    @property
    def currency(self) -> str:
        return self.first.currency

    @property
    def differences(self) -> list[str]:
        """Each sentence once, in the order of posting."""
        return list(dict.fromkeys(text for charge in (self.first, *self.later) for text in charge.differences))

    @property
    def is_final(self) -> bool:
        return self.first.state in (ChargeState.FINAL, ChargeState.INVOICED)


class Compared(NamedTuple):
    """One item of the price; None where it was not quoted or is not charged."""

    name: str
    quoted: Decimal | None
    charged: Decimal | None

    @property
    def difference(self) -> Decimal:
        return (self.charged or Decimal("0.00")) - (self.quoted or Decimal("0.00"))


def first_uids(usages: Iterable[Usage]) -> dict[int, UUID]:
    """The uid of the record that each one's chain begins with; one query for each step of the longest chain."""
    known: dict[int, tuple[int | None, UUID]] = {row.pk: (row.corrects_id, row.uid) for row in usages}
    asked = list(known)
    missing = {older for older, _ in known.values() if older} - known.keys()
    while missing:
        rows = Usage.objects.filter(pk__in=missing).values_list("pk", "corrects", "uid")
        known |= {pk: (older, uid) for pk, older, uid in rows}
        missing = {older for older, _ in known.values() if older} - known.keys()
    return {pk: _first(pk, known) for pk in asked}


def _first(pk: int, known: dict[int, tuple[int | None, UUID]]) -> UUID:
    older, uid = known[pk]
    while older:
        older, uid = known[older]
    return uid


def sources_of(usages: Sequence[Usage]) -> dict[int, Source]:
    """Under what the ledger knows each use: its booking, or the first record of a use without booking."""
    unbooked = first_uids(row for row in usages if row.booking_id is None)
    return {row.pk: (BOOKING, row.booking.uid) if row.booking else (USAGE, unbooked[row.pk]) for row in usages}


def owed_for(usages: Sequence[Usage]) -> dict[int, Owed]:
    """By the id of the record; two queries, and those of `first_uids` where uses without booking were corrected."""
    sources = sources_of(usages)
    found = owed_by_source(list(sources.values()))
    return {pk: found[source] for pk, source in sources.items() if source in found}


def owed_by_source(sources: Sequence[Source]) -> dict[Source, Owed]:
    return owed_of((BOOKING, USAGE), [uid for _, uid in sources])


def owed_of(kinds: Sequence[str], uids: Sequence[UUID]) -> dict[Source, Owed]:
    """Two queries."""
    rows = Charge.objects.filter(source__in=kinds, source_uid__in=uids).select_related("invoice")
    first = {(row.source, row.source_uid): row for row in rows.defer("invoice__snapshot")}
    roots = [row.pk for row in first.values()]
    later: dict[int | None, list[Charge]] = {}
    for row in Charge.objects.filter(original__in=roots).order_by("pk"):
        later.setdefault(row.original_id, []).append(row)
    return {source: Owed(charge, later.get(charge.pk, [])) for source, charge in first.items()}


def owed_for_booking(booking: Booking) -> Owed | None:
    source = (BOOKING, booking.uid)
    return owed_by_source([source]).get(source)


def final_items(owed: Owed) -> dict[str, Item]:
    """What is owed in the end, by item; lines that were taken back cancel out. One query."""
    family = Q(charge=owed.first.pk) | Q(charge__original=owed.first.pk)
    lines = ChargeLine.objects.filter(family, stage=Stage.FINAL).order_by("pk")
    return {code: item for code, item in items_of(lines).items() if item.amount}


def compare(quoted: Items, charged: Items) -> list[Compared]:
    """The quote beside the charge, item by item."""
    codes = [*quoted, *(code for code in charged if code not in quoted)]
    return [
        Compared(
            (charged.get(code) or quoted[code]).name,
            quoted[code].amount if code in quoted else None,
            charged[code].amount if code in charged else None,
        )
        for code in codes
    ]


def compared(booking: Booking | None, owed: Owed | None) -> list[Compared]:
    """For the page of a booking or a use; nothing before the charge is final."""
    if owed is None or not owed.is_final:
        return []
    return compare(quoted_items(booking.quote) if booking else {}, final_items(owed))


def chain_of(usage: Usage) -> list[Usage]:
    """The record and all that it corrects or that correct it, oldest first; one query for each step."""
    rows = Usage.objects.select_related("recorded_by", "verified_by", "instrument", "booking")
    chain = [usage]
    while chain[0].corrects_id:
        chain.insert(0, rows.get(pk=chain[0].corrects_id))
    while (newer := rows.filter(corrects=chain[-1].pk).first()) is not None:
        chain.append(newer)
    return chain
