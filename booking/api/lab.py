"""What the lab does with an instrument's time and rules."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from backend.accounts.auth import access, person, signed_in
from booking.actions import outages, policies
from booking.api.shapes import policy_out
from booking.queries import policy as rules_of
from booking.schemas import (
    NewPolicy,
    Outage,
    OutageOut,
    PolicyOut,
)
from instruments.queries.rights import get_managed_instrument

router = Router(auth=signed_in, tags=["instruments"])


@router.post("/instruments/{int:pk}/outages", response={201: OutageOut}, summary="Take out of service")
def outage(request: HttpRequest, pk: int, body: Outage) -> Status[dict[str, Any]]:
    instrument = get_managed_instrument(access(request), pk)
    made = outages.create_outage(
        instrument=instrument,
        start=body.start,
        end=body.end,
        reason=body.reason,
        by=person(request),
        displace=body.displace,
    )
    return Status(
        201,
        {
            "id": made.pk,
            "instrument": instrument.pk,
            "start": made.start.isoformat(),
            "end": made.end.isoformat(),
            "reason": made.reason,
        },
    )


@router.get("/instruments/{int:pk}/policy", response=PolicyOut, summary="The instrument's own rules in force")
def policy(request: HttpRequest, pk: int) -> dict[str, Any]:
    return policy_out(rules_of.policy_in_force(get_managed_instrument(access(request), pk)))


@router.put("/instruments/{int:pk}/policy", response=PolicyOut, summary="A new dated version of the rules")
def put_policy(request: HttpRequest, pk: int, body: NewPolicy) -> dict[str, Any]:
    instrument = get_managed_instrument(access(request), pk)
    saved = policies.save_policy(
        instrument=instrument, document=body.policy, by=person(request), valid_from=body.valid_from
    )
    return policy_out(saved)
