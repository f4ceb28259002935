"""Words and small shapes that several pages share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backend.accounts.models import Role
from backend.core.errors import Refusal
from backend.core.http import go
from backend.core.money import shown_amount
from backend.core.periods import clock_words
from booking.forms import WALL
from booking.models import Booking, Status
from booking.queries.dossier import Ending
from booking.queries.owed import compared, owed_for_booking
from booking.queries.reasons import reasons_for
from instruments.models import Instrument, Mode
from instruments.pricing.published import PublishedRow
from instruments.pricing.units import unit_label


def sign_in(request: HttpRequest, back: str) -> HttpResponse:
    return go(request, f"{reverse('account_login')}?{urlencode({'next': back})}")


def done_in_place(text: str) -> HttpResponse:
    """What was dropped or drawn on a calendar is done: the dialog closes, the calendar loads anew, the reader stays."""
    told = {"booking-changed": {}, "toast": {"text": text, "level": "success"}}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(told)})


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


def agreements(booking: Booking, ending: Ending) -> list[dict[str, Any]]:
    """Each role that the booking asks for, with what it said so far."""
    said = {approval.role: approval for approval in ending.approvals}
    return [{"role": role_word(role), "approval": said.get(role)} for role in booking.approval_roles]


def lines(quote: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of a stored or fresh quote, with what stands under each: “3 h × ¥100.00”."""
    out = []
    for line in quote.get("lines", []):
        counted = line.get("quantity") is not None and line.get("unit_price") is not None
        quantity = _quantity(line) if counted else ""
        out.append(
            {
                "name": line["description"],
                "quantity": quantity,
                "unit_price": line["unit_price"] if counted else None,
                "amount": line["amount"],
                "why": _why(line, quantity),
            }
        )
    return out


def _why(line: Mapping[str, Any], quantity: str) -> str:
    """How a line came about, in the words in which it was kept; nothing where that only repeats its numbers."""
    why = str(line.get("why") or "")
    rest = why.replace(str(line["description"]), "")
    if not quantity:
        return why if re.search(r"\w", rest.replace(str(line["amount"]), "")) else ""
    shown = {Decimal(_short(str(line[name]))) for name in ("quantity", "unit_price", "amount")}
    return "" if {Decimal(number) for number in re.findall(r"\d+(?:\.\d+)?", rest)} <= shown else why


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


def quote_and_charge(booking: Booking, ending: Ending) -> dict[str, Any]:
    """For `_price.html`; the comparison where something was used, and nothing before the charge is final."""
    owed = owed_for_booking(booking) if ending.charge is not None else None
    return {"owed": owed, "compared": compared(booking, owed) if ending.usage is not None else []}


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
    refusals: Iterable[Refusal],
    start: datetime,
    length: timedelta,
    zone: ZoneInfo,
    works: Callable[[datetime, datetime], bool],
) -> list[dict[str, Any]]:
    """Each refusal with the wall times that its button would fill in; a time that fails elsewhere gets none."""
    out = []
    for refusal in _meaningful(list(refusals)):
        fix = refusal.fix
        fix = fix if isinstance(fix, datetime) and works(fix, fix + length) else None
        shorter = _longest(refusal)
        shorter = shorter if shorter and works(start, start + shorter) else None
        out.append(
            {
                "code": refusal.code,
                "detail": refusal.detail,
                # What is taken becomes free then; a rule's sentence that names its day is not repeated.
                "until": refusal.until if refusal.code == "taken" else None,
                "opens": refusal.until if refusal.code != "taken" and "from" not in refusal.params else None,
                "shorter": shorter,
                "same_start": wall(start, zone),
                "shorter_end": wall(start + shorter, zone) if shorter else "",
                "fix_text": refusal.fix_text,
                "training": refusal.params.get("training"),
                "fix": fix,
                "fix_start": wall(fix, zone) if fix else "",
                "fix_end": wall(fix + length, zone) if fix else "",
            }
        )
    return out


def _meaningful(refusals: list[Refusal]) -> list[Refusal]:
    """Of a start in the past, how long ago a rule closed says nothing."""
    if not any(refusal.code == "past" for refusal in refusals):
        return refusals
    return [refusal for refusal in refusals if not {"to", "topic"} <= refusal.params.keys() or "from" in refusal.params]


def _longest(refusal: Refusal) -> timedelta | None:
    """What a rule allows at most, where it says so."""
    most = refusal.params.get("max")
    if refusal.code != "too_long" or not isinstance(most, (int, float)) or most < 1:
        return None
    return timedelta(minutes=int(most))


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
        "booking.displace": (_("Displaced"), "bad"),
        "booking.overtake": (_("Came before what was booked"), "good"),
        "booking.reschedule": (_("Moved to another time"), "busy"),
        "booking.replace": (_("Another time was booked instead"), "good"),
        "booking.decline_replacement": (_("Replacement declined"), "off"),
        "booking.extend": (_("Made longer"), "busy"),
        "booking.shorten": (_("Made shorter"), "busy"),
        "booking.transfer": (_("Handed to a colleague"), "busy"),
        "booking.confirm_coming": (_("The customer confirmed that they come"), "good"),
        "booking.overrun": (_("Still in use after its end"), "wait"),
        "booking.unconfirmed": (_("Not confirmed in time"), "bad"),
        "booking.start": (_("Use started"), "busy"),
        "booking.finish": (_("Use logged"), "good"),
        "booking.no_show": (_("Nobody came"), "bad"),
        "usage.verify": (_("Use verified"), "good"),
        "usage.amend": (_("Record changed before verification"), "busy"),
        "usage.correct": (_("Use corrected"), "wait"),
        "usage.record": (_("Use logged"), "good"),
    }


def story(
    history: Iterable[Mapping[str, Any]], zone: ZoneInfo, *, confirmed_at_once: bool, currency: str
) -> list[dict[str, Any]]:
    """The timeline's entries; who did it is “the system” where nobody did."""
    words = acts()
    out = []
    time = ""
    for row in history:
        after, detail = row["after"], row["reason"]
        was, time = _times(after, zone, "was_start", "was_end") or time, _times(after, zone, "start", "end") or time
        if row["action"] in ("booking.reschedule", "booking.extend", "booking.shorten") and time:
            moved = f"{was} → {time}" if was else f"→ {time}"
            detail = f"{moved} · {detail}" if detail else moved
        text, tone = words.get(row["action"], (row["action"], "off"))
        if row["action"] == "booking.request" and confirmed_at_once:
            text, tone = _("Booked"), "good"
        if row["action"] == "booking.finish" and row["before"].get("status") == Status.NO_SHOW:
            text = _("Used after all: the no-show is taken back")
        more = [_times(after, zone, "used_from", "used_to"), _fee(after, currency), detail]
        detail = " · ".join(each for each in more if each)
        out.append({"at": row["at"], "text": text, "by": row["by"] or _("the system"), "detail": detail, "tone": tone})
    return out


def _fee(after: Mapping[str, Any], currency: str) -> str:
    fee = str(after.get("fee") or "0.00")
    return "" if fee == "0.00" else _("fee %(fee)s") % {"fee": shown_amount(Decimal(fee), currency)}


def _times(after: Mapping[str, Any], zone: ZoneInfo, first: str, last: str) -> str:
    """``2026-03-05 09:00–12:00`` of two instants that an audit row holds; empty where it holds none."""
    try:
        start, end = (datetime.fromisoformat(str(after[name])) for name in (first, last))
    except (KeyError, ValueError):
        return ""
    return clock_words(start, end, zone)


def reasons_to_reject(instrument: Instrument) -> list[str]:
    """Sentences that a manager sends with one click and may change."""
    return reasons_for(instrument.institution_id, get_language() or "")


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
