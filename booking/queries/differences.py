"""Why one price is not another: first the facts that changed, then each line that changed; whole sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backend.core.periods import Period, hours
from booking.models import Booking, Usage

ZERO = Decimal("0.00")


class Item(NamedTuple):
    """What all lines of one code come to."""

    name: str
    amount: Decimal


Items = Mapping[str, Item]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a price follows from; ``zone`` is the instrument's."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    samples: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hours(self) -> str:
        return number(float(hours([Period(self.start, self.end)])))

    @property
    def clock_change(self) -> int:
        """Minutes by which the clocks went forward from start to end; negative: back."""
        before, after = (at.astimezone(self.zone).utcoffset() for at in (self.start, self.end))
        assert before is not None
        assert after is not None
        return round((after - before).total_seconds() / 60)

    @property
    def clock(self) -> str:
        """``09:00–12:00``; with dates where it reaches into another day."""
        start, end = self.start.astimezone(self.zone), self.end.astimezone(self.zone)
        same_day = start.date() == end.date()
        return f"{start:%H:%M}–{end:%H:%M}" if same_day else f"{start:%m-%d %H:%M} – {end:%m-%d %H:%M}"


def facts_of(row: Booking | Usage) -> Facts:
    """Of a booking, or of a use that has ended."""
    assert row.end is not None
    return Facts(row.start, row.end, row.instrument.zone, row.samples, row.parameters)


def items_of(lines: Iterable[Any]) -> dict[str, Item]:
    """Lines of the pricing engine or of the ledger, added up by code in their order."""
    out: dict[str, Item] = {}
    for line in lines:
        out[line.code] = Item(line.name, out.get(line.code, Item("", ZERO)).amount + line.amount)
    return out


def quoted_items(quote: Mapping[str, Any]) -> dict[str, Item]:
    """The lines of a stored quote, added up by code."""
    out: dict[str, Item] = {}
    for line in quote.get("lines", []):
        code = line["code"]
        out[code] = Item(line["description"], out.get(code, Item("", ZERO)).amount + Decimal(line["amount"]))
    return out


def from_quote(booked: Facts, used: Facts, quoted: Items, final: Items, as_booked: Items | None = None) -> list[str]:
    """Why a charge is not its quote; nothing where every line is as quoted.

    ``as_booked``: what it would cost now if it had been used as booked, where the party's other records matter.
    """
    items = list(changed_items(quoted, final))
    if not items:
        return []
    others = as_booked is not None and any(changed_items(quoted, as_booked))
    told = [_("Other records of the same period were counted before this one.")] if others else []
    return [*_facts_from_booking(booked, used), *told, *items]


def _facts_from_booking(booked: Facts, used: Facts) -> Iterator[str]:
    if booked.hours != used.hours:
        yield _("Used %(used)s h instead of the booked %(booked)s h.") % {"used": used.hours, "booked": booked.hours}
    elif (booked.start, booked.end) != (used.start, used.end):
        yield _("Used %(used)s instead of the booked %(booked)s.") % {"used": used.clock, "booked": booked.clock}
    yield from _changed_clocks(booked, used)
    yield from _other_facts(booked, used)


def _changed_clocks(booked: Facts, used: Facts) -> Iterator[str]:
    """Where summer time begins or ends within the use or the booked time, and not within the other."""
    minutes = used.clock_change
    if minutes and minutes != booked.clock_change:
        words = _("The clocks went back by %(minutes)s minutes during the use: it lasted longer than they show.")
        if minutes > 0:
            words = _("The clocks went forward by %(minutes)s minutes during the use: it was shorter than they show.")
        yield words % {"minutes": abs(minutes)}


def from_record(was: Facts, now: Facts, charged: Items, final: Items) -> list[str]:
    """What a correction changes: every fact, and every line of the charge."""
    out = []
    if (was.start, was.end) != (now.start, now.end):
        words = _("Used %(now)s (%(now_hours)s h), not %(was)s (%(was_hours)s h).")
        out.append(
            words % {"now": now.clock, "now_hours": now.hours, "was": was.clock, "was_hours": was.hours},
        )
    return [*out, *_other_facts(was, now), *changed_items(charged, final)]


def _other_facts(was: Facts, now: Facts) -> Iterator[str]:
    if was.samples != now.samples:
        yield _("%(used)s samples instead of %(booked)s.") % {"used": now.samples or 0, "booked": was.samples or 0}
    for name in sorted({*was.parameters, *now.parameters}):
        before, after = was.parameters.get(name), now.parameters.get(name)
        if before != after:
            yield _item_sentence(name, _value(after), _value(before))


def changed_items(was: Items, now: Items) -> Iterator[str]:
    for code in [*was, *(code for code in now if code not in was)]:
        before, after = (each.get(code, Item("", ZERO)) for each in (was, now))
        if before.amount != after.amount:
            yield _item_sentence(after.name or before.name, str(after.amount), str(before.amount))


def _item_sentence(item: str, now: str, was: str) -> str:
    return _("%(item)s: %(now)s instead of %(was)s.") % {"item": item, "now": now, "was": was}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "—" if value is None else str(value)


def number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
