"""People who wait for time, and what they are offered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.accounts.models import User
from backend.outbox.models import Message
from booking.actions.waiting import join_waitlist
from booking.models import Wait, WaitStatus
from tests.booking.lab import Lab
from tests.factories import at, make_enterprise, make_member

INSIDE_FIRST = {
    "rules": [{"id": "inside", "kind": "priority", "order": [{"audience": "internal"}], "name": "Own people first"}]
}


def wait_for(
    lab: Lab, user: User, start: int | datetime = 9, end: int | datetime = 12, minutes: int = 180, **more: Any
) -> Wait:
    window = [at(each) if isinstance(each, int) else each for each in (start, end)]
    return join_waitlist(
        **{
            "by": user,
            "user": user,
            "organisation": user.memberships.get().organisation,
            "instrument": lab.instrument,
            "start": window[0],
            "end": window[1],
            "minutes": minutes,
            "mode": "self",
            "purpose": "Fracture surfaces",
            **more,
        }
    )


def person() -> User:
    return make_member(make_enterprise())


def offers() -> list[tuple[int, datetime, datetime]]:
    rows = Wait.objects.filter(status=WaitStatus.OFFERED).order_by("offer_start")
    return [(row.user_id, row.offer_start, row.offer_end) for row in rows if row.offer_start and row.offer_end]


def told(kind: str) -> list[int]:
    return list(Message.objects.filter(kind=kind, channel="mail").values_list("recipient", flat=True))
