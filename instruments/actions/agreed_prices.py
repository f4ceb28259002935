"""Prices of an agreement: what one customer pays on all instruments of the institution, in place of their own lists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Agreement, User
from backend.audit.actions import record
from backend.core.db import atomic_action, read_anew
from backend.core.errors import Stale, invalid, refuse
from instruments.actions.prices import LAST_DAY, checked, stated_day
from instruments.models import PriceList


@atomic_action
def save_agreed_prices(
    *,
    agreement: Agreement,
    by: User,
    document: Mapping[str, Any],
    valid_from: date | None = None,
    base: int | None = None,
) -> PriceList:
    """A new dated version for bookings made from then on; like `save_price_list`, by the institution's time zone.

    Only the first version may begin in the past, and none before the agreement does. `Refused` for an agreement that
    has ended.
    """
    rows = Agreement.objects.select_for_update(of=("self",)).select_related("institution", "customer")
    agreement = read_anew(rows, agreement)
    institution = agreement.institution
    document = _in_currency(document, institution.currency)
    today = timezone.localdate(timezone=ZoneInfo(institution.timezone))
    if agreement.valid_to is not None and agreement.valid_to < today:
        raise refuse("agreement_ended", _("This agreement has ended; its prices do not change any more."))
    known = PriceList.objects.filter(agreement=agreement).order_by("-version").first()
    if base is not None and base != (known.version if known else 0):
        raise Stale
    day = valid_from or stated_day(document) or max(today, agreement.valid_from)
    if known is not None and day < today:
        raise refuse("in_the_past", _("A new version can begin today at the earliest."), field="valid_from")
    if day < agreement.valid_from:
        raise invalid("valid_from", _("The agreement begins later than that."), "before_agreement")
    if day > LAST_DAY:
        raise invalid("valid_from", _("This date is too far away."))
    version = PriceList.objects.create(
        agreement=agreement,
        version=known.version + 1 if known else 1,
        valid_from=day,
        document={**document, "valid_from": day.isoformat()},
        created_by=by,
    )
    record(
        organisation_id=agreement.institution_id,
        actor_id=by.pk,
        action="agreement.price_list",
        object_type="agreement",
        object_id=agreement.pk,
        before={"version": known.version if known else None},
        after={"version": version.version, "valid_from": day, "document": version.document},
    )
    return version


def _in_currency(document: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """The document as it will be stored; `Invalid` where it names another currency than the institution's."""
    if isinstance(document, Mapping):
        document = {"currency": currency, **document}
    found = checked(document)
    if found["currency"] != currency:
        text = _("The institution's prices are in %(currency)s.") % {"currency": currency}
        raise invalid("currency", text, params={"currency": currency})
    return found
