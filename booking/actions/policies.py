"""New versions of the rules. A version never changes; what was requested under an older one keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import invalid
from booking.models import Layer, Policy
from booking.rules.layers import parse_policy
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument

# How JSON writes the control characters that databases and pages cannot hold.
CONTROL = "\\u00"


@atomic_action
def save_policy(
    *, instrument: Instrument, document: Mapping[str, Any], by: User, valid_from: date | None = None
) -> Policy:
    """A new version of the instrument's own rules, in force from a date (today by default).

    `Invalid` names every problem of the document.
    """
    parse_policy(document)
    if CONTROL in json.dumps(document, ensure_ascii=False):
        raise invalid("policy", _("The text contains characters that cannot be stored or shown."), "control_characters")
    lock_instruments([instrument.pk])
    mine = Policy.objects.filter(layer=Layer.INSTRUMENT, instrument=instrument)
    today = timezone.now().astimezone(instrument.zone).date()
    if valid_from and valid_from < today and mine.exists():
        raise invalid("valid_from", _("A new version begins today or later."), "in_the_past")
    policy = Policy.objects.create(
        layer=Layer.INSTRUMENT,
        instrument=instrument,
        version=(mine.aggregate(last=Max("version"))["last"] or 0) + 1,
        valid_from=valid_from or today,
        document=dict(document),
        created_by=by,
    )
    record(
        organisation_id=instrument.institution_id,
        actor_id=by.pk,
        action="policy.save",
        object_type="instrument",
        object_id=instrument.pk,
        after={"version": policy.version, "valid_from": policy.valid_from},
    )
    return policy
