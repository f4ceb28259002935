"""Who may take a booking over: people who belong to its organisation now."""

from __future__ import annotations

from django.utils.translation import gettext as _

from backend.accounts.models import Membership, MembershipQuerySet, Role, User
from backend.accounts.queries import Access
from backend.core.errors import invalid
from booking.models import Booking


def colleagues_of(access: Access, booking: Booking) -> list[User]:
    """Everybody else of its organisation by name, for its administrator; others name a colleague by e-mail address."""
    if not access.has(booking.organisation_id, Role.ADMIN):
        return []
    rows = _members(booking).exclude(user=booking.user_id).order_by("user__name", "user_id")
    return list({row.user_id: row.user for row in rows}.values())


def colleague_to_take_over(booking: Booking, *, pk: int | None = None, email: str = "") -> User:
    """By id or by exact address; `Invalid` in the same words for a stranger and for nobody."""
    found = _members(booking)
    if email.strip():
        found = found.filter(user__email=email.strip().lower())
    elif pk is not None:
        found = found.filter(user=pk)
    else:
        raise invalid("user", _("Please say who takes it over."), "required")
    row = found.first()
    if row is None:
        field = "user_email" if email.strip() else "user"
        raise invalid(field, _("This person is no colleague of your organisation."), "foreign")
    return row.user


def _members(booking: Booking) -> MembershipQuerySet:
    return Membership.objects.current().filter(organisation=booking.organisation_id).select_related("user")
