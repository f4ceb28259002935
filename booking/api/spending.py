"""``/api/v1``: what waits for the agreement of the caller's organisation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from backend.accounts.auth import access, person, signed_in
from backend.core.api import PLAIN, In, Page, page_of
from backend.core.http import refusal_out
from backend.core.money import format_amount
from booking.actions.spending import approve_spending, decide_spending, reject_spending
from booking.api.shapes import local, named
from booking.models import SpendingRequest, SpendingState
from booking.queries.spending import get_request, requests_to_see
from booking.schemas import Named, RefusalOut

router = Router(auth=signed_in, tags=["bookings"])

Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
Reason = Annotated[str, Field(max_length=500), PLAIN]


class SpendingFilter(Page):
    status: SpendingState | None = None


class SpendingOut(Schema):
    id: int
    status: str
    booking: int
    instrument: Named
    institution: Named
    user: Named
    project: Named | None
    purpose: str
    start: str
    end: str
    total: str
    currency: str
    limit: str | None = Field(description="The amount above which the rule asks; null where it always asks")
    approvers: list[str]
    asked_at: datetime
    hold_expires_at: str | None
    decided_at: datetime | None
    decided_by: str | None
    reason: str


class SpendingPage(Schema):
    items: list[SpendingOut]
    count: int


class SpendingDecisionIn(In):
    reason: Reason = ""
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class DecideSeveralIn(In):
    requests: Annotated[list[Id], Field(min_length=1, max_length=100)]
    approve: bool
    reason: Reason = ""


class DecidedOut(Schema):
    request: int
    status: str
    refusals: list[RefusalOut]


def spending_out(row: SpendingRequest) -> dict[str, Any]:
    booking = row.booking
    return {
        "id": row.pk,
        "status": row.state,
        "booking": booking.pk,
        "instrument": named(booking.instrument),
        "institution": named(booking.instrument.institution),
        "user": named(booking.user),
        "project": named(row.project) if row.project else None,
        "purpose": booking.purpose,
        "start": local(booking.start, booking),
        "end": local(booking.end, booking),
        "total": format_amount(row.total),
        "currency": row.currency,
        "limit": format_amount(row.limit) if row.limit is not None else None,
        "approvers": row.approvers,
        "asked_at": row.asked_at,
        "hold_expires_at": local(booking.hold_expires_at, booking) if booking.hold_expires_at else None,
        "decided_at": row.decided_at,
        "decided_by": row.decided_by.name if row.decided_by else None,
        "reason": row.reason,
    }


@router.get("/spending-requests", response=SpendingPage, summary="Bookings that your organisation must agree to")
def list_requests(request: HttpRequest, filters: Query[SpendingFilter]) -> dict[str, Any]:
    rows = requests_to_see(access(request))
    return page_of(rows.filter(state=filters.status) if filters.status else rows, filters, spending_out)


@router.post("/spending-requests/decide", response=list[DecidedOut], summary="Agree to several, or reject them")
def decide_many(request: HttpRequest, payload: DecideSeveralIn) -> list[dict[str, Any]]:
    rows = [get_request(access(request), pk) for pk in payload.requests]
    results = decide_spending(requests=rows, by=person(request), approve=payload.approve, reason=payload.reason)
    return [
        {
            "request": result.request.pk,
            "status": get_request(access(request), result.request.pk).state,
            "refusals": [refusal_out(refusal) for refusal in result.refusals],
        }
        for result in results
    ]


@router.get("/spending-requests/{pk}", response=SpendingOut, summary="One of them")
def get_one(request: HttpRequest, pk: int) -> dict[str, Any]:
    return spending_out(get_request(access(request), pk))


@router.post("/spending-requests/{pk}/approve", response=SpendingOut, summary="Agree to the price")
def approve(request: HttpRequest, pk: int, payload: SpendingDecisionIn) -> dict[str, Any]:
    approve_spending(request=get_request(access(request), pk), by=person(request), **payload.dict())
    return spending_out(get_request(access(request), pk))


@router.post("/spending-requests/{pk}/reject", response=SpendingOut, summary="Say no, with a reason")
def reject(request: HttpRequest, pk: int, payload: SpendingDecisionIn) -> dict[str, Any]:
    reject_spending(request=get_request(access(request), pk), by=person(request), **payload.dict())
    return spending_out(get_request(access(request), pk))
