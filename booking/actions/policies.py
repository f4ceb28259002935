"""New versions of the rules. A version never changes; what was requested under an older one keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Stale, invalid
from booking.models import Layer, Policy
from booking.queries.holders import Holder, of_instrument
from booking.rules.layers import parse_policy
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument

LAST_DAY = date(2200, 1, 1)
# Every request reads them anew, and every booking keeps them.
LONGEST = 300_000
# How JSON writes the control characters that databases and pages cannot hold.
CONTROL = "\\u00"
# What the audit record calls the object of each layer.
ABOUT = {
    Layer.NETWORK: "organisation",
    Layer.INSTITUTION: "organisation",
    Layer.GROUP: "instrument_group",
    Layer.INSTRUMENT: "instrument",
}


def save_policy(
    *, instrument: Instrument, document: Mapping[str, Any], by: User, valid_from: date | None = None
) -> Policy:
    """`save_rules` for the instrument's own rules."""
    return save_rules(holder=of_instrument(instrument), document=document, by=by, valid_from=valid_from)


@atomic_action
def save_rules(
    *, holder: Holder, document: Mapping[str, Any], by: User, valid_from: date | None = None, base: int | None = None
) -> Policy:
    """A new version of a layer's own rules, in force from a date (today by default, in the holder's time zone).

    `Invalid` names every problem of the document; `Stale` where ``base``, the last version that the writer knew,
    is not the last one any more.
    """
    parse_policy(document)
    text = json.dumps(document, ensure_ascii=False)
    if len(text) > LONGEST:
        words = _("These rules are too long: at most %(limit)s characters.") % {"limit": LONGEST}
        raise invalid("policy", words, "too_long", params={"limit": LONGEST})
    if CONTROL in text:
        raise invalid("policy", _("The text contains characters that cannot be stored or shown."), "control_characters")
    _lock(holder)
    mine = holder.policies()
    last = mine.aggregate(last=Max("version"))["last"] or 0
    if base is not None and base != last:
        raise Stale
    if valid_from and valid_from < holder.today and mine.exists():
        raise invalid("valid_from", _("A new version begins today or later."), "in_the_past")
    if valid_from and valid_from > LAST_DAY:
        raise invalid("valid_from", _("This date is too far away."), "too_far")
    policy = Policy.objects.create(
        **holder.keys,
        version=last + 1,
        valid_from=valid_from or holder.today,
        document=dict(document),
        created_by=by,
    )
    record(
        organisation_id=holder.owner.pk,
        actor_id=by.pk,
        action="policy.save",
        object_type=ABOUT[holder.layer],
        object_id=holder.pk,
        after={"layer": holder.layer.name.lower(), "version": policy.version, "valid_from": policy.valid_from},
    )
    return policy


def _lock(holder: Holder) -> None:
    """Versions are counted under one row: the instrument's, or of wider layers the owner's."""
    if holder.instrument is not None:
        lock_instruments([holder.instrument.pk])
    else:
        Organisation.objects.select_for_update(no_key=True).get(pk=holder.owner.pk)
