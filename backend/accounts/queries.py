"""Who may do what: read once per request, asked many times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from allauth.account.models import EmailAddress
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import (
    Agreement,
    ApiToken,
    Group,
    Invitation,
    Membership,
    Organisation,
    OrganisationKind,
    OrganisationStatus,
    Project,
    Registration,
    RegistrationStatus,
    Role,
    User,
    digest_secret,
)
from backend.accounts.rules import ADMINISTRATORS
from backend.audit.models import Entry
from backend.core.db import MAX_ID, one
from backend.core.errors import Forbidden, NotFound, invalid
from backend.core.prepared import ID, Given, Prepared, among_texts

# Where a session remembers the organisation that was chosen in the top bar.
SESSION_ORGANISATION = "organisation"


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

    def institutions(self, *roles: str) -> list[int]:
        """Ids of the institutions among them."""
        return [pk for pk in self.where(*roles) if self.organisations[pk].kind == OrganisationKind.INSTITUTION]

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
    for membership in _MEMBERSHIPS.objects(user=user.pk):
        pk = membership.organisation_id
        roles.setdefault(pk, set()).add(membership.role)
        organisations[pk] = membership.organisation
        if membership.role == Role.MANAGER and membership.all_instruments:
            manages_all.add(pk)
    return Access(user.pk, {pk: frozenset(r) for pk, r in roles.items()}, organisations, frozenset(manages_all))


_MEMBERSHIPS = Prepared(
    lambda: Membership.objects.current().filter(user=Given("user", ID)).select_related("organisation")
)


def people_with(organisation_id: int, roles: Iterable[str]) -> list[int]:
    """Ids of the people who have one of the roles in the organisation now."""
    return sorted({user for (user,) in _WITH.rows(organisation=organisation_id, roles=roles)})


def managers_of_everything(organisation_id: int) -> list[int]:
    """Ids of the managers who run all instruments of the institution, not only those that name them."""
    rows = Membership.objects.current().filter(organisation=organisation_id, role=Role.MANAGER, all_instruments=True)
    return sorted(set(rows.values_list("user_id", flat=True)))


_WITH = Prepared(
    lambda: (
        Membership.objects.current()
        .filter(among_texts("role", "roles"), organisation=Given("organisation", ID))
        .values_list("user_id")
    )
)


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


# --- organisations and those who run them ----------------------------------------------------------------------------


def administers(access: Access, organisation_id: int) -> bool:
    return access.has(organisation_id, *ADMINISTRATORS)


def get_administered(access: Access, organisation_id: int) -> Organisation:
    """The organisation if the person runs it: `NotFound` for strangers, `Forbidden` for its other members."""
    organisation = get_own_organisation(access, organisation_id)
    if not administers(access, organisation_id):
        raise Forbidden
    return organisation


def membership_chain(user: User) -> int | None:
    """The organisation whose audit record takes what a person does for themselves: their first that is open."""
    rows = Membership.objects.filter(user=user, ended_at=None).exclude(organisation__status=OrganisationStatus.CLOSED)
    return rows.order_by("organisation_id").values_list("organisation_id", flat=True).first()


def agreements_of(organisation: Organisation) -> QuerySet[Agreement]:
    """Given and received, the newest first."""
    mine = Q(institution=organisation) | Q(customer=organisation)
    rows = Agreement.objects.filter(mine).select_related("institution", "customer")
    return rows.order_by(F("valid_to").desc(nulls_first=True), "-valid_from", "pk")


def visible_agreements(access: Access) -> QuerySet[Agreement]:
    """Those that organisations which the person administers have given or received, those that end first first."""
    mine = access.where(Role.ADMIN)
    rows = Agreement.objects.filter(Q(institution__in=mine) | Q(customer__in=mine))
    return rows.select_related("institution", "customer").order_by(F("valid_to").asc(nulls_last=True), "number", "pk")


def agreements_to_run(access: Access) -> QuerySet[Agreement]:
    """Those that the person may change: given by institutions that they administer."""
    return visible_agreements(access).filter(institution__in=access.institutions(Role.ADMIN))


def get_agreement(access: Access, pk: int) -> Agreement:
    """`Forbidden` for other members of either side, `NotFound` for strangers."""
    found = visible_agreements(access).filter(pk=pk).first() if 0 < pk <= MAX_ID else None
    if found is None:
        mine = access.where()
        one(Agreement.objects.filter(Q(institution__in=mine) | Q(customer__in=mine)), pk)
        raise Forbidden
    return found


def get_agreement_to_run(access: Access, pk: int) -> Agreement:
    found = get_agreement(access, pk)
    if found.institution_id not in access.institutions(Role.ADMIN):
        raise Forbidden
    return found


def find_customer(text: str) -> Organisation:
    """By credit code, the code of the network, or the exact name; `Invalid` where none or several fit."""
    wanted = text.strip()
    rows = Organisation.objects.filter(
        Q(uscc=wanted.upper()) | Q(code=wanted) | Q(name=wanted) | Q(name_en__iexact=wanted),
        status=OrganisationStatus.ACTIVE,
    ).exclude(kind=OrganisationKind.NETWORK)
    found = list(rows.order_by("pk")[:2]) if wanted else []
    if not found:
        raise invalid("customer", _("No organisation has this name or credit code."), "unknown")
    if len(found) > 1:
        raise invalid("customer", _("Several organisations have this name. Please give the credit code."), "several")
    return found[0]


# --- members ---------------------------------------------------------------------------------------------------------


def members_of(organisation: Organisation, text: str = "") -> QuerySet[User]:
    """People who belong to it now, by name, each with ``here``: their memberships in it."""
    now = Membership.objects.filter(organisation=organisation, ended_at=None)
    rows = User.objects.filter(pk__in=now.values("user"), is_active=True)
    if text:
        rows = rows.filter(Q(name__icontains=text) | Q(email__icontains=text))
    return rows.prefetch_related(Prefetch("memberships", queryset=now.order_by("pk"), to_attr="here")).order_by(
        "name", "pk"
    )


def get_member(organisation: Organisation, user_id: int) -> User:
    return one(members_of(organisation), user_id)


def open_invitations(organisation: Organisation) -> QuerySet[Invitation]:
    return Invitation.objects.open().filter(organisation=organisation).select_related("invited_by").order_by("-pk")


def get_invitation(organisation: Organisation, pk: int) -> Invitation:
    return one(Invitation.objects.filter(organisation=organisation).select_related("organisation"), pk)


def invitation_by_secret(secret: str) -> Invitation:
    """The invitation behind a link, whatever became of it; `NotFound` for a link that never was."""
    rows = Invitation.objects.select_related("organisation", "invited_by")
    found = rows.filter(digest=digest_secret(secret)).first()
    if found is None:
        raise NotFound
    return found


def has_account(email: str) -> bool:
    return User.objects.filter(email=email.lower()).exists()


# --- the organisation's audit record ---------------------------------------------------------------------------------


def log_of(
    organisation: Organisation,
    *,
    kind: str = "",
    actor: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Entry]:
    """Its chain, the latest act first. ``until`` is not included."""
    rows = Entry.objects.filter(organisation=organisation).select_related("actor")
    if kind:
        rows = rows.filter(object_type=kind)
    if actor is not None:
        rows = rows.filter(actor=actor)
    if since is not None:
        rows = rows.filter(at__gte=since)
    if until is not None:
        rows = rows.filter(at__lt=until)
    return rows.order_by("-sequence")


def actors_of(organisation: Organisation) -> QuerySet[User]:
    """Everybody who ever did something that the record keeps."""
    acted = Entry.objects.filter(organisation=organisation).order_by().values("actor")
    return User.objects.filter(pk__in=acted).order_by("name", "pk")


# --- groups and projects ---------------------------------------------------------------------------------------------


def groups_of(organisation: Organisation) -> QuerySet[Group]:
    """Open ones first."""
    rows = Group.objects.filter(organisation=organisation)
    return rows.prefetch_related(Prefetch("members", User.objects.order_by("name"))).order_by("-active", "name")


def get_group(organisation: Organisation, pk: int) -> Group:
    return one(groups_of(organisation), pk)


def projects_of(organisation: Organisation) -> QuerySet[Project]:
    """Open ones first."""
    return Project.objects.filter(organisation=organisation).select_related("group").order_by("-active", "code")


def get_project(organisation: Organisation, pk: int) -> Project:
    return one(projects_of(organisation), pk)


# --- registrations ---------------------------------------------------------------------------------------------------


def own_registrations(user: User) -> QuerySet[Registration]:
    """Those that the person made and that gave them no organisation to act for yet, the newest first."""
    rows = Registration.objects.filter(user=user).exclude(status=RegistrationStatus.CONFIRMED)
    return rows.select_related("organisation").order_by("-pk")


def get_own_registration(user: User, pk: int) -> Registration:
    return one(Registration.objects.filter(user=user).select_related("organisation"), pk)


def registrations(access: Access, status: str = "") -> QuerySet[Registration]:
    """For the network's operators: the oldest that waits first, the latest decision first."""
    if not access.is_operator:
        raise NotFound
    rows = Registration.objects.select_related("organisation", "user", "decided_by")
    confirmed = EmailAddress.objects.filter(user=OuterRef("user"), email=OuterRef("user__email"), verified=True)
    rows = rows.annotate(address_confirmed=Exists(confirmed))
    rows = rows.filter(status=status) if status else rows
    return (
        rows.order_by("submitted_at") if status == RegistrationStatus.PENDING else rows.order_by("-decided_at", "-pk")
    )


def operated_network(access: Access) -> Organisation:
    """The network in whose name an operator acts, and whose audit chain takes that; `NotFound` for everybody else."""
    if not access.is_operator:
        raise NotFound
    return access.organisations[access.where(Role.OPERATOR)[0]]


def operators() -> list[int]:
    """Ids of the people who run the network."""
    rows = Membership.objects.current().filter(role=Role.OPERATOR)
    return sorted(set(rows.values_list("user_id", flat=True)))


# --- tokens ----------------------------------------------------------------------------------------------------------


def living_tokens(user: User) -> QuerySet[ApiToken]:
    """Neither revoked nor expired, the newest first."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return ApiToken.objects.filter(unexpired, user=user, revoked_at=None).order_by("-pk")


def get_token(user: User, pk: int) -> ApiToken:
    return one(living_tokens(user), pk)
