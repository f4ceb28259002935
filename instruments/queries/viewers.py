"""For whom prices are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from django.db.models import FilteredRelation, Q
from django.utils import timezone

from backend.accounts.models import Agreement, Organisation, OrganisationKind
from backend.accounts.queries import VISITOR, Access
from instruments.models import InstrumentQuerySet

INTERNAL, ACADEMIC, ENTERPRISE = "internal", "academic", "enterprise"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person, and the organisation for which they look; a visitor sees the prices of enterprises."""

    access: Access = VISITOR
    customer: int | None = None
    usual: str = ENTERPRISE
    # Institutions whose agreement with the customer names an audience.
    agreed: Mapping[int, str] = field(default_factory=dict)

    def audience(self, institution_id: int) -> str:
        """The same answer as `backend.accounts.queries.audience_of`, without a query."""
        return INTERNAL if institution_id == self.customer else self.agreed.get(institution_id, self.usual)


def viewer_of(access: Access, customer: Organisation | None, day: date | None = None) -> Viewer:
    """One query for a customer's agreements, none for visitors."""
    if customer is None or customer.kind == OrganisationKind.NETWORK:
        return Viewer(access)
    agreements = Agreement.objects.in_force(day or timezone.localdate()).filter(customer=customer).exclude(audience="")
    agreed = dict(agreements.order_by("valid_from").values_list("institution_id", "audience"))
    usual = ACADEMIC if customer.kind == OrganisationKind.INSTITUTION else ENTERPRISE
    return Viewer(access, customer.pk, usual, agreed)


def with_price(rows: InstrumentQuerySet, viewer: Viewer) -> InstrumentQuerySet:
    """Join the viewer's starting price as ``price``."""
    special = {**viewer.agreed, **({viewer.customer: INTERNAL} if viewer.customer else {})}
    condition = Q(starting_prices__audience=viewer.usual)
    if special:
        condition &= ~Q(institution__in=list(special))
        for institution, audience in special.items():
            condition |= Q(institution=institution, starting_prices__audience=audience)
    return rows.annotate(price=FilteredRelation("starting_prices", condition=condition))
