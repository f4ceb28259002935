"""Who may do what: read once per request, asked many times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from backend.accounts.models import Agreement, Membership, Organisation, OrganisationKind, Role, User
from backend.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Access:
    """A person's roles in the organisations they belong to now. An anonymous visitor has none."""

    user_id: int | None
    roles: Mapping[int, frozenset[str]] = field(default_factory=dict)
    organisations: Mapping[int, Organisation] = field(default_factory=dict)
    # Institutions where the person manages every instrument, not only those that name them.
    manages_all: frozenset[int] = frozenset()

    def has(self, organisation_id: int, *roles: str) -> bool:
        """Whether the person has one of the roles there; without roles: any."""
        mine = self.roles.get(organisation_id, frozenset())
        return bool(mine & set(roles)) if roles else bool(mine)

    def where(self, *roles: str) -> list[int]:
        """Ids of the organisations in which the person has one of the roles."""
        return [pk for pk, mine in self.roles.items() if not roles or mine & set(roles)]

    @property
    def is_operator(self) -> bool:
        return bool(self.where(Role.OPERATOR))

    def bookers(self) -> list[Organisation]:
        """Organisations in whose name the person can book, enterprises first."""
        mine = [o for o in self.organisations.values() if o.kind != OrganisationKind.NETWORK]
        return sorted(mine, key=lambda o: (o.kind != OrganisationKind.ENTERPRISE, o.name))


VISITOR = Access(user_id=None)


def access_of(user: User | None) -> Access:
    """One query."""
    if user is None or not user.is_authenticated:
        return VISITOR
    roles: dict[int, set[str]] = {}
    organisations: dict[int, Organisation] = {}
    manages_all: set[int] = set()
    for membership in Membership.objects.current().filter(user=user).select_related("organisation"):
        pk = membership.organisation_id
        roles.setdefault(pk, set()).add(membership.role)
        organisations[pk] = membership.organisation
        if membership.role == Role.MANAGER and membership.all_instruments:
            manages_all.add(pk)
    return Access(user.pk, {pk: frozenset(r) for pk, r in roles.items()}, organisations, frozenset(manages_all))


def people_with(organisation_id: int, roles: Iterable[str]) -> list[int]:
    """Ids of the people who have one of the roles in the organisation now."""
    rows = Membership.objects.current().filter(organisation_id=organisation_id, role__in=list(roles))
    return sorted(set(rows.values_list("user_id", flat=True)))


def get_own_organisation(access: Access, organisation_id: int, *roles: str) -> Organisation:
    """The organisation if the person has one of the roles there; `NotFound` otherwise."""
    if not access.has(organisation_id, *roles):
        raise NotFound
    return access.organisations[organisation_id]


def audience_of(customer: Organisation, institution_id: int, day: date) -> str:
    """Which of the institution's audiences a customer belongs to on a date.

    An agreement in force that names an audience decides; else the own institution is ``internal``, other
    institutions are ``academic``, everybody else is ``enterprise``.
    """
    if customer.pk == institution_id:
        return "internal"
    agreed = (
        Agreement.objects.in_force(day)
        .filter(institution_id=institution_id, customer=customer)
        .exclude(audience="")
        .order_by("-valid_from")
        .values_list("audience", flat=True)
        .first()
    )
    return agreed or ("academic" if customer.kind == OrganisationKind.INSTITUTION else "enterprise")
