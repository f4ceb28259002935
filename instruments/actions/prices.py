"""Price lists: dated versions, and the starting prices that the catalogue shows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Stale, invalid, refuse
from backend.core.text import has_control_characters
from instruments.actions.noting import record_instrument
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument, Mode, PriceList, StartingPrice
from instruments.pricing.checks import check_price_list
from instruments.pricing.engine import price
from instruments.pricing.model import PriceList as Rules
from instruments.pricing.reading import parse_price_list

AUDIENCES = ("internal", "academic", "enterprise")
LONGEST_DOCUMENT = 200_000
LAST_DAY = date(2200, 1, 1)
# Hours at which a working week is tried for its cheapest price: a Wednesday morning, a Sunday night.
_TRIALS = ((2, time(10)), (6, time(2)))
_LONGEST_MINIMUM = 12


@atomic_action
def save_price_list(
    *,
    instrument: Instrument,
    by: User | None,
    document: Mapping[str, Any],
    valid_from: date | None = None,
    base: int | None = None,
) -> PriceList:
    """A new dated version; `Invalid` with every reason if the rules cannot be read or would charge nonsense.

    Fees are published in advance: only the first version may begin in the past. `Stale` where ``base``, the last
    version that the writer knew, is not the last one any more.
    """
    instrument = lock_instruments([instrument.pk])[instrument.pk]
    currency = instrument.institution.currency
    if isinstance(document, Mapping):
        document = {"currency": currency, **document}
    document = checked(document)
    if document["currency"] != currency:
        text = _("The institution's prices are in %(currency)s.") % {"currency": currency}
        raise invalid("currency", text, params={"currency": currency})
    today = timezone.localdate(timezone=instrument.zone)
    day = valid_from or stated_day(document) or today
    known = instrument.price_lists.order_by("-version").first()
    if base is not None and base != (known.version if known else 0):
        raise Stale
    if known is not None and day < today:
        raise refuse("in_the_past", _("A new version can begin today at the earliest."), field="valid_from")
    if day > LAST_DAY:
        raise invalid("valid_from", _("This date is too far away."))
    version = PriceList.objects.create(
        instrument=instrument,
        version=known.version + 1 if known else 1,
        valid_from=day,
        document={**document, "valid_from": day.isoformat()},
        created_by=by,
    )
    update_starting_prices(instrument=instrument, day=today)
    record_instrument(
        instrument,
        by,
        "instrument.price_list",
        before={"version": known.version if known else None},
        after={"version": version.version, "valid_from": day, "document": version.document},
    )
    return version


def checked(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it will be stored, once nothing speaks against it."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError, TypeError) as error:
        raise invalid("document", _("This is not JSON.")) from error
    if len(text) > LONGEST_DOCUMENT:
        raise invalid("document", _("The price list is too long."), code="too_long")
    if "\\u0000" in text or has_control_characters(text):
        raise invalid("document", _("The text contains characters that cannot be stored or shown."))
    reasons = check_price_list(parse_price_list(document))
    if reasons:
        raise Invalid(*reasons)
    out: dict[str, Any] = json.loads(text)
    return out


def update_starting_prices(*, instrument: Instrument, day: date) -> None:
    """Work out anew what the catalogue shows, from the version in force on the day."""
    current = instrument.price_lists.in_force(day).first()
    rows = starting_prices(current.document, instrument.modes, instrument.timezone, day) if current else {}
    StartingPrice.objects.filter(instrument=instrument).exclude(audience__in=rows).delete()
    StartingPrice.objects.bulk_create(
        [StartingPrice(instrument=instrument, audience=a, amount=p[0], unit=p[1]) for a, p in rows.items()],
        update_conflicts=True,
        unique_fields=["instrument", "audience"],
        update_fields=["amount", "unit"],
    )


@atomic_action
def begin_versions(*, day: date) -> int:
    """Bring starting prices up to date for versions that began in the week before; how many instruments.

    Repeating it changes nothing, so a scheduler that missed days catches up.
    """
    began = PriceList.objects.filter(valid_from__gt=day - timedelta(days=7), valid_from__lte=day)
    instruments = Instrument.objects.filter(pk__in=began.values("instrument")).order_by("pk")
    for instrument in instruments:
        update_starting_prices(instrument=instrument, day=day)
    return len(instruments)


def starting_prices(
    document: Mapping[str, Any], modes: Collection[str], zone: str, day: date
) -> dict[str, tuple[Decimal, str]]:
    """Per audience the lowest price and its unit: of an hour, else of a sample, else of a use."""
    text = json.dumps(document, sort_keys=True)
    return dict(_starting_prices(text, tuple(sorted(modes)), zone, day))


@lru_cache(maxsize=256)
def _starting_prices(
    text: str, modes: tuple[str, ...], zone: str, day: date
) -> tuple[tuple[str, tuple[Decimal, str]], ...]:
    document = json.loads(text)
    rules = parse_price_list(document)
    audiences = dict.fromkeys([*AUDIENCES, *_named_audiences(document)])
    found = ((audience, _cheapest(rules, audience, modes, ZoneInfo(zone), day)) for audience in audiences)
    return tuple((audience, best) for audience, best in found if best is not None)


def _cheapest(
    rules: Rules, audience: str, modes: Collection[str], zone: ZoneInfo, day: date
) -> tuple[Decimal, str] | None:
    timed = [mode for mode in modes if mode != Mode.SAMPLE]
    hours = [_hour(rules, audience, mode, zone, day) for mode in timed]
    samples = [_sample(rules, audience, mode, zone, day) for mode in modes]
    uses = [_total(rules, audience, mode, zone, _trial(day, *_TRIALS[0]), 1, 1) for mode in modes]
    for prices, unit in ((hours, "hour"), (samples, "sample"), (uses, "use")):
        positive = [amount for amount in prices if amount]
        if positive:
            return min(positive), unit
    return (Decimal("0.00"), "use") if any(amount is not None for amount in uses) else None


def _hour(rules: Rules, audience: str, mode: str, zone: ZoneInfo, day: date) -> Decimal | None:
    """What one more hour costs, once the minimum is reached; the lowest of the trials."""
    found = []
    for weekday, clock in _TRIALS:
        start = _trial(day, weekday, clock)
        before = _total(rules, audience, mode, zone, start, 1, 1)
        for hours in range(2, _LONGEST_MINIMUM + 2):
            after = _total(rules, audience, mode, zone, start, hours, 1)
            if before is None or after is None:
                break
            if after > before:
                found.append(after - before)
                break
            before = after
    return min(found, default=None)


def _sample(rules: Rules, audience: str, mode: str, zone: ZoneInfo, day: date) -> Decimal | None:
    start = _trial(day, *_TRIALS[0])
    one, two = (_total(rules, audience, mode, zone, start, 1, samples) for samples in (1, 2))
    return two - one if one is not None and two is not None and two > one else None


def _total(
    rules: Rules, audience: str, mode: str, zone: ZoneInfo, start: datetime, hours: int, samples: int
) -> Decimal | None:
    """None: not offered, or nothing that the list prices."""
    parties = dict.fromkeys(("instrument", "person", "group", "project", "organisation"), "-")
    facts = {"event": "use", "audience": audience, "mode": mode, "samples": samples, **parties}
    booked = [[start.isoformat(), (start + timedelta(hours=hours)).isoformat()]]
    pricing = price(rules, [{**facts, "at": start.isoformat(), "booked": booked}], tz=zone)
    priced = any(line.code for line in pricing.lines)
    return pricing.total() if priced and not pricing.refusals else None


def _trial(day: date, weekday: int, clock: time) -> datetime:
    """Wall time on the next such weekday (Monday is 0)."""
    return datetime.combine(day + timedelta(days=(weekday - day.weekday()) % 7), clock)


def _named_audiences(value: Any) -> Iterator[str]:
    """Every audience that a condition of the document names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "audience":
                names = inner if isinstance(inner, list) else [inner]
                yield from (name for name in names if isinstance(name, str) and 0 < len(name) <= 30)
            else:
                yield from _named_audiences(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named_audiences(inner)


def stated_day(document: Mapping[str, Any]) -> date | None:
    stated = document.get("valid_from")
    return date.fromisoformat(stated) if isinstance(stated, str) else None
