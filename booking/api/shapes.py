"""Rows as the API shows them."""

from __future__ import annotations

from typing import Any

from backend.core.http import refusal_out
from booking.actions.requesting import quote_out
from booking.models import Booking, Policy, Usage
from booking.queries.assess import Assessment


def named(row: Any) -> dict[str, Any]:
    return {"id": row.pk, "name": str(row)}


def booking_out(booking: Booking) -> dict[str, Any]:
    return {
        "id": booking.pk,
        "uid": str(booking.uid),
        "version": booking.version,
        "status": booking.status,
        "instrument": named(booking.instrument),
        "institution": named(booking.instrument.institution),
        "unit": booking.unit,
        "start": booking.start.isoformat(),
        "end": booking.end.isoformat(),
        "timezone": booking.instrument.timezone,
        "mode": booking.mode,
        "organisation": named(booking.organisation),
        "user": named(booking.user),
        "project": named(booking.project) if booking.project else None,
        "purpose": booking.purpose,
        "notes": booking.notes,
        "samples": booking.samples,
        "quote": booking.quote,
        "approval_roles": booking.approval_roles,
        "hold_expires_at": booking.hold_expires_at.isoformat() if booking.hold_expires_at else None,
        "reason": booking.reason,
    }


def usage_out(usage: Usage) -> dict[str, Any]:
    return {
        "id": usage.pk,
        "uid": str(usage.uid),
        "source_ref": usage.source_ref,
        "status": usage.state,
        "instrument": named(usage.instrument),
        "booking": usage.booking_id,
        "organisation": named(usage.organisation),
        "user": named(usage.user),
        "start": usage.start.isoformat(),
        "end": usage.end.isoformat() if usage.end else None,
        "samples": usage.samples,
        "parameters": usage.parameters,
        "comment": usage.comment,
        "verified_at": usage.verified_at.isoformat() if usage.verified_at else None,
    }


def check_out(answer: Assessment, found: list[dict[str, Any]]) -> dict[str, Any]:
    approval = answer.approval
    return {
        "bookable": answer.bookable,
        "refusals": [refusal_out(refusal) for refusal in answer.refusals],
        "approval": {
            "needed": bool(approval.roles),
            "roles": list(approval.roles),
            "silence": approval.silence or None,
            "at": approval.at.isoformat() if approval.at else None,
        },
        "notices": list(answer.notices),
        "quote": quote_out(answer.quote),
        "alternatives": found,
    }


def policy_out(policy: Policy | None) -> dict[str, Any]:
    if policy is None:
        return {"version": 0, "valid_from": None, "policy": {"rules": []}}
    return {
        "version": policy.version,
        "valid_from": policy.valid_from.isoformat(),
        "policy": policy.document,
    }
