"""Rules of every kind for the instrument that bookings are measured on; what is measured keeps them all."""

from __future__ import annotations

from datetime import time
from typing import Any

from backend.accounts.models import Membership, Role
from booking.actions.policies import save_policy
from booking.rules.starters import add_starter
from instruments.models import Instrument

PARTIES = (
    ["person"], ["group"], ["project"], ["organisation"], ["instrument"], [], ["audience"], ["person", "instrument"],
    ["group", "instrument"], ["project", "instrument"], ["organisation", "instrument"], ["person", "mode"],
    ["organisation", "mode"], ["person", "organisation"], ["person", "project"],
)  # fmt: skip
OVER = ("day", "week", "month", "7d", "open", "overlap", "near 2h")
STARTERS: dict[str, dict[str, Any]] = {
    "length": {"shortest": 30, "longest": 480, "step": 30},
    "horizon": {"lead_hours": 24, "horizon_days": 60},
    "cancel": {"cancel_hours": 24},
    "quota": {"hours": 400, "per": "organisation"},
    "prime": {"opens": time(9), "closes": time(17), "hours": 400},
    "night": {"opens": time(22), "closes": time(6), "levels": "independent"},
    "approval": {"role": "manager", "whom": "external"},
    "no_show": {"grace": 30, "absences": 3, "lates": 5},
}


def every_kind() -> dict[str, Any]:
    """The usual rules, fifteen quotas of as many parties, and who goes first on the waitlist."""
    document: dict[str, Any] = {"rules": []}
    for code, answers in STARTERS.items():
        document = add_starter(document, code, answers)
    quotas = [
        {"id": f"quota-{place}", "kind": "quota", "per": per, "over": OVER[place % len(OVER)], "max": 100_000}
        for place, per in enumerate(PARTIES)
    ]
    first = {"id": "first", "kind": "priority", "order": [{"audience": "internal"}]}
    return {**document, "rules": [*document["rules"], *quotas, first]}


def put_rules(instrument: Instrument) -> None:
    """Put them in force on the instrument."""
    managers = Membership.objects.filter(organisation=instrument.institution_id, role=Role.MANAGER)
    by = managers.select_related("user").order_by("pk")[0].user
    save_policy(instrument=instrument, document=every_kind(), by=by)
