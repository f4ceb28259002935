"""The audit row of whatever is done to an instrument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.accounts.models import User
from backend.audit.actions import record
from instruments.models import Instrument


def record_instrument(
    instrument: Instrument,
    by: User | None,
    action: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """In the chain of its institution; ``by`` is None for the command line."""
    record(
        organisation_id=instrument.institution_id,
        actor_id=by.pk if by else None,
        action=action,
        object_type="instrument",
        object_id=instrument.pk,
        before=before,
        after=after,
    )
