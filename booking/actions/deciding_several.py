"""One decision about many requests: each stands on its own, and each that fails says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backend.accounts.models import User
from backend.accounts.queries import Access
from backend.core.errors import YixiangError, invalid
from booking.actions.changing import need_reason
from booking.actions.deciding import approve_booking, reject_booking
from booking.models import Booking, Status
from booking.queries import scope

APPROVE, REJECT = "approve", "reject"


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one request: ``booking`` as far as the person may see it, ``error`` where nothing was done."""

    pk: int
    booking: Booking | None
    error: YixiangError | None


def decide_several(
    *,
    access: Access,
    by: User,
    decision: str,
    pks: Iterable[int],
    reason: str = "",
    versions: Mapping[int, int] | None = None,
) -> list[Decided]:
    """Approve or reject each request in a transaction of its own, in the order given, each once.

    ``versions`` are those that the person saw. `Invalid` before anything is done where a needed reason is missing.
    """
    if decision == REJECT:
        need_reason(reason)
    elif decision != APPROVE:
        raise invalid("decision", decision)
    seen = versions or {}
    return [_decide(access, by, decision, pk, reason, seen.get(pk)) for pk in dict.fromkeys(pks)]


def _decide(access: Access, by: User, decision: str, pk: int, reason: str, version: int | None) -> Decided:
    found: Booking | None = None
    try:
        found = scope.get_visible_booking(access, pk)
        found = scope.get_booking_to_decide(access, pk)
        act = approve_booking if decision == APPROVE else reject_booking
        # Of what somebody else has decided, its status says more than that it changed.
        version = version if found.status == Status.REQUESTED else None
        return Decided(pk, act(booking=found, by=by, reason=reason, version=version), None)
    except YixiangError as error:  # the others must not wait for it
        return Decided(pk, found, error)
