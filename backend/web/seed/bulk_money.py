"""What many bookings cost: priced by the real engine, and in the ledger as the bookings' states want it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import translation

from backend.core.money import ZERO
from booking.actions.requesting import SOURCE, ledger_line, quote_out
from booking.models import OCCUPYING, Booking, Status, Usage, UsageState
from booking.queries.wishes import Quote
from instruments.models import Instrument, PriceList
from instruments.pricing.engine import price
from instruments.pricing.lines import Pricing
from instruments.pricing.model import PriceList as Rules
from instruments.pricing.reading import parse_price_list
from invoices.actions.charges import posted_line
from invoices.models import Charge, ChargeLine, ChargeState, Stage
from invoices.rules import Line, as_posted, total_of

# Two instruments of a category with the same modes have the same prices; the day does not matter to them.
_MORNING = datetime(2026, 3, 10, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
_NOTHING_OWED = (Status.CANCELLED, Status.WITHDRAWN, Status.REJECTED, Status.EXPIRED, Status.NO_SHOW, Status.DISPLACED)


class Prices:
    """Quotes and charges, each kind worked out once."""

    def __init__(self) -> None:
        self._rules: dict[tuple[object, ...], Rules] = {}
        self._priced: dict[tuple[object, ...], Pricing] = {}

    def lines(
        self, price_list: PriceList, instrument: Instrument, mode: str, audience: str, booked: int, used: int = 0
    ) -> Pricing:
        """``booked`` and ``used`` in minutes; without ``used`` the quote."""
        kind = (instrument.category_id, *instrument.modes)
        key = (*kind, mode, audience, booked, used)
        if key not in self._priced:
            if kind not in self._rules:
                self._rules[kind] = parse_price_list(price_list.document)
            record: dict[str, Any] = {
                "id": "booking", "event": "use", "at": _MORNING, "booked": [[_MORNING, _MORNING + _minutes(booked)]],
                "audience": audience, "mode": mode, "person": "1", "group": "1", "project": "1", "organisation": "1",
            }  # fmt: skip
            if used:
                record["used"] = [[_MORNING, _MORNING + _minutes(used)]]
            with translation.override("zh-hans"):
                self._priced[key] = price(self._rules[kind], [record], tz=instrument.zone)
        return self._priced[key]

    def quote(
        self, price_list: PriceList, instrument: Instrument, mode: str, audience: str, minutes: int
    ) -> dict[str, Any]:
        priced = self.lines(price_list, instrument, mode, audience, minutes)
        return quote_out(Quote(price_list.currency, priced.total(), tuple(priced.lines), price_list))


def made_uid(rng: random.Random) -> uuid.UUID:
    """The same every time, unlike `uuid.uuid4`."""
    return uuid.UUID(int=rng.getrandbits(128), version=4)


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def store_charges(rows: Sequence[Booking], used: Mapping[int, Usage], prices: Prices, rng: random.Random) -> None:
    """Reserved while the use is open, final once it is verified, released where nothing is owed."""
    charges, lines = [], []
    for row in rows:
        quoted = _posted(prices, row, 0)
        usage = used.get(row.pk)
        final: list[Line] = []
        if usage is not None and usage.state == UsageState.VERIFIED:
            assert usage.end is not None
            final = _posted(prices, row, int((usage.end - usage.start).total_seconds()) // 60)
        charge = _charge(row, quoted, final, usage, rng)
        charges.append(charge)
        lines += [posted_line(charge, Stage.RESERVED, number, line) for number, line in enumerate(quoted, 1)]
        lines += [posted_line(charge, Stage.FINAL, number, line) for number, line in enumerate(final, 1)]
    Charge.objects.bulk_create(charges)
    ChargeLine.objects.bulk_create(lines)


def _posted(prices: Prices, row: Booking, used: int) -> list[Line]:
    assert row.price_list is not None
    booked = int((row.end - row.start).total_seconds()) // 60
    priced = prices.lines(row.price_list, row.instrument, row.mode, row.audience, booked, used)
    return [as_posted(ledger_line(line)) for line in priced.lines if line.account == "invoice"]


def _charge(
    row: Booking, quoted: Sequence[Line], final: Sequence[Line], usage: Usage | None, rng: random.Random
) -> Charge:
    state, total, settled = ChargeState.RESERVED, total_of(quoted), None
    if final and usage is not None:
        state, total, settled = ChargeState.FINAL, total_of(final), usage.verified_at
    elif row.status in _NOTHING_OWED:
        state, total, settled = ChargeState.RELEASED, ZERO, row.changed_at
    else:
        assert row.status in (*OCCUPYING, Status.COMPLETED)
    longer = usage is not None and usage.end is not None and usage.end > row.end
    return Charge(
        uid=made_uid(rng),
        institution_id=row.instrument.institution_id,
        customer_id=row.organisation_id,
        user_id=row.user_id,
        source=SOURCE,
        source_uid=row.uid,
        subject=row.instrument.name,
        service_date=row.start.astimezone(row.instrument.zone).date(),
        price_list=row.quote["price_list"],
        currency=row.quote["currency"],
        state=state,
        reserved_total=total_of(quoted),
        total=total,
        differences=["实际使用时间比预约时间长。"] if longer and final and total != total_of(quoted) else [],
        finalised_at=settled,
    )
