"""For whom somebody may book besides themselves: one rule for the page and the API.

An administrator books for the people of their organisation. Who manages the instrument books for customers: for
people who have booked at the institution before, whose names the lab knows, and by exact e-mail address for people
whose organisation has dealt with the institution: nobody is billed by a lab of which they never heard. Nobody can list
the people of another organisation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import (
    Agreement,
    Membership,
    MembershipQuerySet,
    Organisation,
    OrganisationKind,
    Role,
    User,
)
from backend.accounts.queries import Access
from backend.core.errors import Invalid, invalid
from booking.models import Booking
from booking.queries.paying import asked_first
from booking.queries.scope import roles_held
from booking.queries.spending import may_approve
from booking.queries.wishes import Assessment, Wish
from instruments.models import Instrument
from instruments.queries.rights import manages

# More are found by their e-mail address.
MOST_NAMED = 300


@dataclass(frozen=True, slots=True)
class Party:
    """A person who will use the time, and the organisation that pays for it."""

    user: User
    organisation: Organisation

    @property
    def key(self) -> str:
        return f"{self.organisation.pk}-{self.user.pk}"


def colleagues(access: Access) -> list[Party]:
    """People of the organisations that the person administers; one query, none for who administers nothing."""
    mine = [one.pk for one in access.bookers() if access.has(one.pk, Role.ADMIN)]
    return _parties(_bookers().filter(organisation__in=mine).exclude(user=access.user_id)) if mine else []


def known_customers(access: Access, instrument: Instrument) -> list[Party]:
    """People who have booked at the instrument's institution, for those who manage the instrument; two queries."""
    if not manages(access, instrument):
        return []
    met = Booking.objects.filter(instrument__institution=instrument.institution_id)
    pairs = set(met.order_by().values_list("user_id", "organisation_id").distinct())
    rows = _bookers().filter(user__in={user for user, _organisation in pairs}).exclude(user=access.user_id)
    return [each for each in _parties(rows) if (each.user.pk, each.organisation.pk) in pairs][:MOST_NAMED]


def party_of(access: Access, instrument: Instrument, user_id: int, organisation_id: int | None) -> Party:
    """The person and the organisation to book for; `Invalid` for whom the caller may not book."""
    rows = _parties(_bookers().filter(user=user_id))
    allowed = [each for each in rows if access.has(each.organisation.pk, Role.ADMIN)]
    if any(each not in allowed for each in rows) and manages(access, instrument):
        met = Booking.objects.filter(instrument__institution=instrument.institution_id, user=user_id)
        known = set(met.order_by().values_list("organisation_id", flat=True).distinct())
        allowed = [each for each in rows if each in allowed or each.organisation.pk in known]
    return _only(allowed, organisation_id, "on_behalf_of")


def parties_by_email(access: Access, instrument: Instrument, email: str) -> list[Party]:
    """By exact address: colleagues for an administrator, people of customers for who manages the instrument."""
    rows = _parties(_bookers().filter(user__email=email.strip().lower()))
    dealt = _dealt_with(instrument, rows) if manages(access, instrument) else set()
    return [each for each in rows if each.organisation.pk in dealt or access.has(each.organisation.pk, Role.ADMIN)]


def _dealt_with(instrument: Instrument, rows: Iterable[Party]) -> set[int]:
    """Which of their organisations are the institution itself, have an agreement in force or have booked there."""
    ids = {each.organisation.pk for each in rows}
    institution = instrument.institution_id
    today = timezone.now().astimezone(instrument.zone).date()
    agreed = Agreement.objects.in_force(today).filter(institution=institution, customer__in=ids)
    booked = Booking.objects.filter(instrument__institution=institution, organisation__in=ids)
    found = {*agreed.values_list("customer", flat=True), *booked.order_by().values_list("organisation", flat=True)}
    return found | ({institution} & ids)


def party_by_email(access: Access, instrument: Instrument, email: str, organisation_id: int | None) -> Party:
    return _only(parties_by_email(access, instrument, email), organisation_id, "on_behalf_of_email")


def may_book_for_others(access: Access, instrument: Instrument) -> bool:
    return any(access.has(one.pk, Role.ADMIN) for one in access.bookers()) or manages(access, instrument)


def agreed_by_asking(access: Access, wish: Wish, roles: Iterable[str]) -> list[str]:
    """Roles whose agreement lies in the request itself, because the lab makes it for its customer.

    Nobody agrees to what they will use themselves, and who belongs to the customer speaks for the customer.
    """
    outside = wish.organisation.pk != wish.instrument.institution_id
    if access.user_id == wish.user.pk or (outside and access.has(wish.organisation.pk)):
        return []
    return roles_held(access, roles, wish.instrument)


def as_asked(access: Access, wish: Wish, answer: Assessment) -> Assessment:
    """The assessment without the approvals that the person's asking gives."""
    need = answer.spending
    if need is not None and may_approve(access, wish.organisation.pk, wish.project, need.approvers):
        words = asked_first(need, answer.quote)
        answer = replace(answer, spending=None, notices=tuple(each for each in answer.notices if each != words))
    if access.user_id == wish.user.pk or not answer.approval.roles:
        return answer
    given = agreed_by_asking(access, wish, answer.approval.roles)
    left = tuple(role for role in answer.approval.roles if role not in given)
    return replace(answer, approval=replace(answer.approval, roles=left))


def _only(allowed: list[Party], organisation_id: int | None, field: str) -> Party:
    found = [each for each in allowed if organisation_id in (None, each.organisation.pk)]
    if not found:
        raise _unknown(field)
    if len(found) > 1:
        raise invalid("organisation", _("This person belongs to several organisations. Please name one."), "several")
    return found[0]


def _unknown(field: str) -> Invalid:
    return invalid(field, _("You cannot book for this person."), "foreign")


def _bookers() -> MembershipQuerySet:
    rows = Membership.objects.current().exclude(organisation__kind=OrganisationKind.NETWORK)
    return rows.select_related("user", "organisation")


def _parties(rows: Iterable[Membership]) -> list[Party]:
    """Each once, however many roles the person has there; by organisation and name."""
    found = {(row.organisation_id, row.user_id): Party(row.user, row.organisation) for row in rows}
    return sorted(found.values(), key=lambda each: (each.organisation.name, each.user.name, each.user.pk))
