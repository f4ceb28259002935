"""New versions of the rules by which credit is counted. The number itself is never written by anybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, OrganisationKind, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal
from booking.models import CreditRules

LAST_DAY = date(2200, 1, 1)


@atomic_action
def save_credit_rules(
    *, holder: Organisation, by: User, values: Mapping[str, Any], valid_from: date | None = None
) -> CreditRules:
    """A new version, in force from a date (today by default); scores are worked out by it from that day on.

    ``holder`` is an institution, or the network. ``values`` are the columns of `CreditRules`.
    """
    today = timezone.localdate()
    wrong = list(_problems(values, valid_from, today))
    if wrong:
        raise Invalid(*wrong)
    Organisation.objects.select_for_update(no_key=True).get(pk=holder.pk)
    institution = None if holder.kind == OrganisationKind.NETWORK else holder
    last = CreditRules.objects.filter(institution=institution).aggregate(last=Max("version"))["last"] or 0
    made = CreditRules.objects.create(
        institution=institution, version=last + 1, valid_from=valid_from or today, created_by=by, **values
    )
    record(
        organisation_id=holder.pk,
        actor_id=by.pk,
        action="credit_rules.save",
        object_type="organisation",
        object_id=holder.pk,
        after={"version": made.version, "valid_from": made.valid_from, **values},
    )
    return made


def _problems(values: Mapping[str, Any], valid_from: date | None, today: date) -> Any:
    if not values["floor"] <= values["start"] <= values["ceiling"]:
        yield Refusal("order", _("The start lies between the least and the most."), field="start")
    if values["recovery"] and not values["recovery_days"]:
        yield Refusal("required", _("Say after how many days points come back."), field="recovery_days")
    if valid_from and valid_from < today:
        yield Refusal("in_the_past", _("A new version begins today or later."), field="valid_from")
    if valid_from and valid_from > LAST_DAY:
        yield Refusal("too_far", _("This date is too far away."), field="valid_from")
