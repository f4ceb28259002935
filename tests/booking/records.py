"""Records of use for the tests of correcting them."""

from __future__ import annotations

from datetime import date
from typing import Any

from backend.accounts.models import User
from booking.actions.correcting import correct_usage
from booking.actions.using import finish_booking, verify_usage
from booking.models import Usage
from tests.booking.lab import Lab
from tests.factories import at, make_price_list

BY_USE = {
    "name": "By use",
    "currency": "CNY",
    "rules": [{"code": "time", "name": "Time", "kind": "price", "required": True, "qty": ["used"], "rate": 100}],
}


def make_lab() -> Lab:
    lab = Lab()
    make_price_list(lab.instrument, BY_USE, valid_from=date(2026, 11, 1))
    return lab


def submitted(lab: Lab, clock: Any, *, user: User | None = None) -> Usage:
    """Booked and used 09:00–12:00 on DAY; the clock then stands at 21:00."""
    booking = lab.book(user=user)
    clock.move_to(at(21))
    return finish_booking(booking=booking, by=booking.user)


def verified(lab: Lab, clock: Any) -> Usage:
    return verify_usage(usage=submitted(lab, clock), by=lab.manager)


def correct(usage: Usage, by: User, **changes: Any) -> Usage:
    told = {name: getattr(usage, name) for name in ("start", "end", "samples", "parameters", "comment")}
    return correct_usage(usage=usage, by=by, **{**told, "reason": "The device log says so", **changes})
