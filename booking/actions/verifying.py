"""Verifying many records at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backend.accounts.models import User
from backend.core.errors import Invalid, Refused
from booking.actions.using import verify_usage
from booking.models import Usage


@dataclass(slots=True)
class Verified:
    """``refused`` keeps the reason of each record that could not be verified; the others are."""

    done: list[Usage] = field(default_factory=list)
    refused: list[tuple[Usage, Refused | Invalid]] = field(default_factory=list)


def verify_many(*, usages: Iterable[Usage], by: User) -> Verified:
    """Each record in a transaction of its own: one that has no price does not hold up the rest."""
    out = Verified()
    for usage in usages:
        try:
            out.done.append(verify_usage(usage=usage, by=by))
        except (Refused, Invalid) as error:
            out.refused.append((usage, error))
    return out
