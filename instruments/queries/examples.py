"""A price list tried out on the plainest uses, for who is writing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backend.core.periods import to_utc
from instruments.models import Instrument, Mode
from instruments.pricing.engine import price
from instruments.pricing.reading import parse_price_list

HOURS, SAMPLES = 2, 3


@dataclass(frozen=True, slots=True)
class Example:
    """What one use costs; ``steps`` adds it up."""

    audience: str
    mode: str
    amount: str
    total: Decimal
    steps: str


def worked_examples(
    document: Mapping[str, Any], instrument: Instrument, audiences: Mapping[str, str], day: date
) -> list[Example]:
    """Two hours in the morning, or three samples, for every audience and mode that the list prices."""
    rules = parse_price_list(dict(document))
    out = []
    for code, label in audiences.items():
        for mode in instrument.modes:
            priced = price(rules, [_record(instrument, code, mode, day)], tz=instrument.zone)
            lines = [line for line in priced.lines if line.account == "invoice" and line.amount]
            if priced.refusals or not lines:
                continue
            steps = " + ".join(f"{line.name} {line.amount}" for line in lines)
            out.append(Example(label, str(Mode(mode).label), _amount(mode), priced.total(), steps))
    return out


def _record(instrument: Instrument, audience: str, mode: str, day: date) -> dict[str, Any]:
    start = datetime.combine(day, time(9), tzinfo=instrument.zone)
    record: dict[str, Any] = {
        "id": "example",
        "event": "use",
        "at": to_utc(start),
        "audience": audience,
        "mode": mode,
        "instrument": instrument.local_no,
        **dict.fromkeys(("person", "group", "project", "organisation"), "example"),
    }
    times = [[to_utc(start), to_utc(start + timedelta(hours=HOURS))]]
    return record | ({"samples": SAMPLES, "booked": times} if mode == Mode.SAMPLE else {"booked": times})


def _amount(mode: str) -> str:
    if mode == Mode.SAMPLE:
        return ngettext("%(number)s sample", "%(number)s samples", SAMPLES) % {"number": SAMPLES}
    return _("%(hours)s h from 09:00") % {"hours": HOURS}
