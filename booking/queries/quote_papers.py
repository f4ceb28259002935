"""What a quote says on paper: of a booking, whose price is fixed, or of a time that nobody has booked yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from backend.core.errors import Refused, refuse
from backend.core.money import ZERO, format_amount, in_capitals
from booking.models import Booking, Status
from booking.queries.wishes import Assessment, Wish, wish_of
from instruments.models import Mode
from invoices.models import TaxRate
from invoices.rules import grouped, party_of, plain_number, printed_unit, split_tax

LIVE = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE)


def paper_of_booking(booking: Booking) -> dict[str, Any]:
    """The quote that the booking keeps. `Refused` where it was made without a price."""
    if booking.price_list_id is None or not booking.quote.get("lines"):
        raise refuse("no_quote", _("This booking was made without a quote."))
    issued = booking.requested_at.astimezone(booking.instrument.zone)
    return {
        **_paper(wish_of(booking), booking.quote),
        "number": f"YG{issued:%y%m}-{booking.pk:05d}",
        "booking": booking.pk,
        "issue_date": f"{issued:%Y-%m-%d}",
        "binding": booking.status in LIVE,
        "status": _chinese(booking.get_status_display),
        **_validity(booking),
    }


def paper_of_wish(wish: Wish, answer: Assessment, lines: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """``lines`` is the quote as a booking would keep it. `Refused` where the time cannot be booked."""
    if not answer.bookable:
        raise Refused(*answer.refusals)
    if not answer.quote.lines:
        raise refuse("no_quote", _("There is no price for this."))
    issued = now.astimezone(wish.instrument.zone)
    return {
        **_paper(wish, lines),
        "number": f"YG{issued:%y%m%d-%H%M%S}",
        "issue_date": f"{issued:%Y-%m-%d}",
        "binding": False,
        "valid_until": f"{issued:%Y-%m-%d}",
        "held": "",
    }


def _validity(booking: Booking) -> dict[str, str]:
    zone = booking.instrument.zone
    hold = booking.hold_expires_at
    if booking.status == Status.REQUESTED and hold is not None:
        until = f"{hold.astimezone(zone):%Y-%m-%d %H:%M}"
        return {"valid_until": until, "held": until}
    end = f"{booking.end.astimezone(zone):%Y-%m-%d %H:%M}"
    return {"valid_until": end if booking.status in LIVE else "", "held": end if booking.status in LIVE else ""}


def _paper(wish: Wish, quote: Mapping[str, Any]) -> dict[str, Any]:
    instrument, zone = wish.instrument, wish.instrument.zone
    start, end = (at.astimezone(zone) for at in (wish.start, wish.end))
    currency, total = quote["currency"], Decimal(quote["total"])
    rate = TaxRate.objects.in_force(instrument.institution_id, start.date())
    split = split_tax(total, rate.percent if rate else ZERO, included=rate.included if rate else True)
    return {
        "institution": party_of(instrument.institution),
        "customer": party_of(wish.organisation),
        "person": wish.user.name,
        "project": f"{wish.project.code} {wish.project.name}".strip() if wish.project else "",
        "instrument": instrument.name,
        "instrument_en": instrument.name_en,
        "local_no": instrument.local_no,
        "mode": _chinese(lambda: str(Mode(wish.mode).label)),
        "samples": wish.samples,
        "start": f"{start:%Y-%m-%d %H:%M}",
        "end": f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}",
        "zone": instrument.timezone,
        "currency": currency,
        "price_list": quote.get("price_list", ""),
        "lines": list(_lines(quote["lines"])),
        "tax": {"name": rate.name if rate else "", "percent": plain_number(rate.percent if rate else ZERO)},
        "net": grouped(format_amount(split.net)),
        "tax_amount": grouped(format_amount(split.tax)),
        "total": grouped(format_amount(split.total)),
        "capitals": in_capitals(split.total) if currency == "CNY" else "",
    }


def _lines(lines: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, str]]:
    for line in lines:
        shown = {name: grouped(line[name]) if line[name] else "" for name in ("quantity", "unit_price", "amount")}
        yield {**shown, "name": line["description"], "unit": printed_unit(line["unit"]), "why": line["why"]}


def _chinese(word: Any) -> str:
    """Documents are in Chinese whoever reads them."""
    with translation.override("zh-hans"):
        return str(word())
