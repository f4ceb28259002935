"""Rows as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.core.http import refusal_out
from backend.core.money import ZERO, format_amount
from booking.actions.requesting import quote_out
from booking.models import Booking, Policy, Status, Usage
from booking.queries.assess import as_refusal
from booking.queries.times import unknown_years
from booking.queries.trying import Tried
from booking.queries.wishes import Assessment, Wish
from instruments.models import Outage
from invoices.queries.means import Hold


def named(row: Any) -> dict[str, Any]:
    return {"id": row.pk, "name": str(row)}


def local(instant: datetime, row: Booking | Usage) -> str:
    """ISO 8601 with the offset at the instrument, always the same for the same instant."""
    return instant.astimezone(row.instrument.zone).isoformat()


def booking_out(booking: Booking) -> dict[str, Any]:
    return {
        "id": booking.pk,
        "uid": str(booking.uid),
        "version": booking.version,
        "status": booking.status,
        "instrument": named(booking.instrument),
        "institution": named(booking.instrument.institution),
        "unit": booking.unit,
        "start": local(booking.start, booking),
        "end": local(booking.end, booking),
        "timezone": booking.instrument.timezone,
        "mode": booking.mode,
        "organisation": named(booking.organisation),
        "user": named(booking.user),
        "made_by": named(booking.made_by),
        "project": named(booking.project) if booking.project else None,
        "purpose": booking.purpose,
        "notes": booking.notes,
        "samples": booking.samples,
        "quote": booking.quote,
        "approval_roles": booking.approval_roles,
        "awaiting": _awaiting(booking),
        "approvals": [
            {
                "role": each.role,
                "decision": each.decision,
                "by": each.by.name if each.by else None,
                "at": local(each.at, booking),
            }
            for each in booking.approvals.all()
        ],
        "hold_expires_at": local(booking.hold_expires_at, booking) if booking.hold_expires_at else None,
        "confirm_by": local(booking.confirm_by, booking) if booking.confirm_by else None,
        "coming_at": local(booking.coming_at, booking) if booking.coming_at else None,
        "reason": booking.reason,
    }


def _awaiting(booking: Booking) -> str | None:
    if booking.status != Status.REQUESTED:
        return None
    return "customer" if booking.awaits_customer else "institution"


def usage_out(usage: Usage) -> dict[str, Any]:
    newer = getattr(usage, "corrected_by", None)
    return {
        "id": usage.pk,
        "uid": str(usage.uid),
        "source_ref": usage.source_ref,
        "status": usage.state,
        "instrument": named(usage.instrument),
        "booking": usage.booking_id,
        "organisation": named(usage.organisation),
        "user": named(usage.user),
        "start": local(usage.start, usage),
        "end": local(usage.end, usage) if usage.end else None,
        "samples": usage.samples,
        "parameters": usage.parameters,
        "comment": usage.comment,
        "verified_at": local(usage.verified_at, usage) if usage.verified_at else None,
        "corrects": usage.corrects_id,
        "corrected_by": newer.pk if newer else None,
        "reason": usage.reason,
    }


def outage_out(outage: Outage) -> dict[str, Any]:
    zone = outage.instrument.zone
    return {
        "id": outage.pk,
        "uid": str(outage.uid),
        "sequence": outage.sequence,
        "instrument": outage.instrument_id,
        "start": outage.start.astimezone(zone).isoformat(),
        "end": outage.end.astimezone(zone).isoformat(),
        "open_ended": outage.open_ended,
        "displaces": outage.displaces,
        "reason": outage.reason,
    }


def _prepaid(hold: Hold | None) -> dict[str, Any] | None:
    if hold is None:
        return None
    return {
        "account": hold.account_id,
        "frozen": format_amount(hold.amount),
        "available": format_amount(max(hold.available, ZERO)),
        "missing": format_amount(hold.missing),
    }


def approval_out(answer: Assessment) -> dict[str, Any]:
    """Who must agree: roles of the institution, and of the customer's own organisation."""
    approval = answer.approval
    return {
        "needed": bool(approval.roles) or answer.spending is not None,
        "roles": list(approval.roles),
        "silence": approval.silence or None,
        "at": approval.at.isoformat() if approval.at else None,
        "customer": list(answer.spending.approvers) if answer.spending else [],
    }


def check_out(wish: Wish, answer: Assessment, found: list[dict[str, Any]]) -> dict[str, Any]:
    zone = wish.instrument.zone
    return {
        "bookable": answer.bookable,
        "refusals": [refusal_out(refusal) for refusal in answer.refusals],
        "approval": approval_out(answer),
        "prepaid": _prepaid(answer.hold),
        "notices": list(answer.notices),
        "quote": quote_out(answer.quote),
        "alternatives": found,
        "unknown_years": unknown_years(wish.start.astimezone(zone).date(), wish.end.astimezone(zone).date()),
    }


def policy_out(policy: Policy | None) -> dict[str, Any]:
    if policy is None:
        return {"version": 0, "valid_from": None, "policy": {"rules": []}}
    return {
        "version": policy.version,
        "valid_from": policy.valid_from.isoformat(),
        "policy": policy.document,
    }


def tried_out(tried: Tried) -> dict[str, Any]:
    """``before`` is the answer of the rules in force, where others were tried."""
    zone = tried.wish.instrument.zone
    return {
        **check_out(tried.wish, tried.answer, []),
        "audience": tried.answer.audience,
        "before": check_out(tried.wish, tried.before, []) if tried.before else None,
        "touched": {
            "count": len(tried.touched),
            "looked_at": tried.looked_at,
            "bookings": [
                {
                    "id": each.booking.pk,
                    "start": each.booking.start.astimezone(zone).isoformat(),
                    "end": each.booking.end.astimezone(zone).isoformat(),
                    "organisation": named(each.booking.organisation),
                    "reasons": [refusal_out(as_refusal(reason)) for reason in each.reasons],
                }
                for each in tried.named
            ],
        },
    }
