"""The lab's desk: many requests at once, and the reasons given often."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from backend.accounts.auth import access, person, signed_in
from backend.core.http import problem
from booking.actions.deciding_several import Decided, decide_several
from booking.actions.templates import save_reasons
from booking.api.shapes import booking_out
from booking.desk_schemas import Decisions, DecisionsOut, ReasonTemplates, ReasonTemplatesOut
from booking.queries.reasons import get_institution_with_reasons, reasons_of

router = Router(auth=signed_in)


@router.post(
    "/bookings/decide", response=DecisionsOut, tags=["bookings"], summary="Agree to or refuse several requests"
)
def decide(request: HttpRequest, body: Decisions) -> dict[str, Any]:
    """200 also where some could not be decided: each result has a ``status`` of its own."""
    done = decide_several(
        access=access(request),
        by=person(request),
        decision=body.decision,
        pks=body.ids,
        reason=body.reason,
        versions=body.versions,
    )
    return {"results": [_result(each) for each in done]}


def _result(each: Decided) -> dict[str, Any]:
    if each.error is None and each.booking is not None:
        return {
            "id": each.pk,
            "status": 200,
            "booking": booking_out(each.booking),
            "code": "",
            "detail": "",
            "errors": [],
        }
    assert each.error is not None
    told = problem(each.error)
    return {
        "id": each.pk,
        "status": told["status"],
        "booking": None,
        "code": told["code"],
        "detail": told["detail"],
        "errors": told["errors"],
    }


@router.get(
    "/institutions/{int:pk}/reason-templates",
    response=ReasonTemplatesOut,
    tags=["instruments"],
    summary="Reasons that its managers give often",
)
def reason_templates(request: HttpRequest, pk: int) -> dict[str, Any]:
    institution = get_institution_with_reasons(access(request), pk)
    return {"items": [{"text": row.text, "text_en": row.text_en} for row in reasons_of(institution.pk)]}


@router.put(
    "/institutions/{int:pk}/reason-templates",
    response=ReasonTemplatesOut,
    tags=["instruments"],
    summary="Replace the whole list of reasons",
)
def put_reason_templates(request: HttpRequest, pk: int, body: ReasonTemplates) -> dict[str, Any]:
    institution = get_institution_with_reasons(access(request), pk)
    made = save_reasons(
        institution=institution, texts=[(item.text, item.text_en) for item in body.items], by=person(request)
    )
    return {"items": [{"text": row.text, "text_en": row.text_en} for row in made]}
