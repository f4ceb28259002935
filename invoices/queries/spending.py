"""An organisation's rules for its own spending."""

from __future__ import annotations

from backend.accounts.models import Organisation, Role
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden
from invoices.models import SpendingRule


def rules_of(organisation: Organisation) -> list[SpendingRule]:
    """The one for everybody first, then by group, project and person: later ones go before earlier ones."""
    rows = SpendingRule.objects.filter(organisation=organisation).select_related("person", "project", "group")
    return sorted(
        rows, key=lambda row: (row.person is not None, row.project is not None, row.group is not None, row.pk)
    )


def get_rule(access: Access, pk: int) -> SpendingRule:
    """For administrators; `Forbidden` for others of the organisation, `NotFound` for strangers."""
    found = one(SpendingRule.objects.filter(organisation__in=access.where()), pk)
    if not access.has(found.organisation_id, Role.ADMIN):
        raise Forbidden
    return found
