"""Words and small shapes that several pages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from backend.accounts.models import Role
from backend.core.errors import Refusal
from booking.forms import WALL
from booking.models import Booking, Status
from booking.queries.dossier import Ending
from instruments.models import Mode
from instruments.pricing.published import PublishedRow
from instruments.pricing.units import unit_label


def go(request: HttpRequest, url: str) -> HttpResponse:
    """To another page, also out of a fragment."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)


def sign_in(request: HttpRequest, back: str) -> HttpResponse:
    return go(request, f"{reverse('account_login')}?{urlencode({'next': back})}")


def audiences() -> dict[str, str]:
    """What the codes of price lists and policies are called; an institution's own codes are shown as they are."""
    return {
        "internal": _("Own institution"),
        "academic": _("Other institutions"),
        "enterprise": _("Enterprises"),
        "audience": _("customer"),
        "mode": _("mode"),
        **{f"mode:{mode.value}": str(mode.label) for mode in Mode},
    }


def role_word(role: str) -> str:
    """A role of ours in words; a policy's own role is shown as it is."""
    return str(Role(role).label) if role in Role.values else role


def roles_words(roles: Iterable[str]) -> str:
    return _(", ").join(role_word(role) for role in roles)


def lines(quote: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of a stored or fresh quote, with what stands under each: “3 h × ¥100.00”."""
    out = []
    for line in quote.get("lines", []):
        counted = line.get("quantity") is not None and line.get("unit_price") is not None
        out.append(
            {
                "name": line["description"],
                "quantity": _quantity(line) if counted else "",
                "unit_price": line["unit_price"] if counted else None,
                "amount": line["amount"],
                "why": line.get("why", ""),
            }
        )
    return out


def ledger_lines(ending: Ending) -> list[dict[str, Any]]:
    """The lines of a charge in the shape of `lines`."""
    return lines(
        {
            "lines": [
                {
                    "description": line.name,
                    "quantity": None if line.quantity is None else str(line.quantity),
                    "unit": line.unit,
                    "unit_price": line.unit_price,
                    "amount": line.amount,
                    "why": line.why,
                }
                for line in ending.lines
            ]
        }
    )


def _quantity(line: Mapping[str, Any]) -> str:
    unit = str(line.get("unit") or "")
    quantity = _short(str(line["quantity"]))
    return quantity if unit in ("", "use") else f"{quantity} {unit_label(unit)}"


def _short(number: str) -> str:
    """No more than two decimals of a quantity that was kept exactly."""
    if "/" in number:
        over, under = number.split("/")
        number = str(int(over) / int(under))
    text = f"{float(number):.2f}"
    return text.rstrip("0").rstrip(".")


def price_rows(rows: Iterable[PublishedRow]) -> list[dict[str, Any]]:
    """The published table's rows with the unit in words."""
    return [
        {
            "item": row.item,
            "audience": row.audience,
            "price": row.price,
            "percent": row.unit == "percent",
            "unit": unit_label(row.unit) if row.unit not in ("", "use", "percent") else "",
            "note": row.note,
        }
        for row in rows
    ]


def offers(
    refusals: Iterable[Refusal], length: timedelta, zone: ZoneInfo, works: Callable[[datetime], bool]
) -> list[dict[str, Any]]:
    """Each refusal with the wall times that its button would fill in; a time that fails elsewhere gets none."""
    out = []
    for refusal in refusals:
        fix = refusal.fix if isinstance(refusal.fix, datetime) and works(refusal.fix) else None
        out.append(
            {
                "code": refusal.code,
                "detail": refusal.detail,
                "until": refusal.until,
                "fix_text": refusal.fix_text,
                "fix": fix,
                "fix_start": wall(fix, zone) if fix else "",
                "fix_end": wall(fix + length, zone) if fix else "",
            }
        )
    return out


def wall(at: datetime, zone: ZoneInfo) -> str:
    """As a field for local date and time takes it."""
    return at.astimezone(zone).strftime(WALL)


# What each recorded act is called in a booking's story, and how it looks.
def acts() -> dict[str, tuple[str, str]]:
    return {
        "booking.request": (_("Requested"), "wait"),
        "booking.agree": (_("One role agreed"), "wait"),
        "booking.approve": (_("Confirmed"), "good"),
        "booking.reject": (_("Rejected"), "bad"),
        "booking.withdraw": (_("Withdrawn"), "off"),
        "booking.expire": (_("Expired without a decision"), "off"),
        "booking.cancel": (_("Cancelled"), "off"),
        "booking.displace": (_("Displaced by an outage"), "bad"),
        "booking.reschedule": (_("Moved to another time"), "busy"),
        "booking.start": (_("Use started"), "busy"),
        "booking.finish": (_("Use logged"), "good"),
        "booking.no_show": (_("Nobody came"), "bad"),
        "usage.verify": (_("Use verified"), "good"),
        "usage.record": (_("Use logged"), "good"),
    }


def story(history: Iterable[Mapping[str, Any]], *, confirmed_at_once: bool) -> list[dict[str, Any]]:
    """The timeline's entries; who did it is “the system” where nobody did."""
    words = acts()
    out = []
    for row in history:
        text, tone = words.get(row["action"], (row["action"], "off"))
        if row["action"] == "booking.request" and confirmed_at_once:
            text, tone = _("Booked"), "good"
        out.append(
            {"at": row["at"], "text": text, "by": row["by"] or _("the system"), "detail": row["reason"], "tone": tone}
        )
    return out


def reasons_to_reject() -> list[str]:
    """Sentences that a manager sends with one click and may change."""
    return [
        _("The time is needed for maintenance. Please choose another time."),
        _("Please describe the samples and the measurement in more detail, then ask again."),
        _("This sample cannot be measured with this instrument. Please call us, we will suggest another."),
        _("An agreement with your organisation is needed first. Please contact our office."),
        _("A training on this instrument is needed before you can use it yourself."),
    ]


def status_tone(booking: Booking) -> str:
    return {
        Status.REQUESTED: "wait",
        Status.CONFIRMED: "good",
        Status.IN_USE: "busy",
        Status.COMPLETED: "good",
        Status.REJECTED: "bad",
        Status.NO_SHOW: "bad",
        Status.DISPLACED: "bad",
    }.get(Status(booking.status), "off")
