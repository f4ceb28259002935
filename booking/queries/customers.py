"""Who may have used an instrument of an institution: its own people and those of its customers."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q
from django.utils.translation import gettext as _

from backend.accounts.models import Agreement, Membership, Organisation
from backend.core.errors import invalid
from booking.models import Booking

MOST = 500


def _known(institution_id: int) -> Q:
    booked = Booking.objects.filter(instrument__institution=institution_id).values("organisation")
    agreed = Agreement.objects.filter(institution=institution_id).values("customer")
    return Q(pk=institution_id) | Q(pk__in=booked) | Q(pk__in=agreed)


def customers_of(institutions: Sequence[int]) -> list[Organisation]:
    """For a choice: the institutions themselves and their customers, by name."""
    wanted = Q(pk__in=())
    for pk in institutions:
        wanted |= _known(pk)
    return list(Organisation.objects.filter(wanted).order_by("name")[:MOST])


def member_who_used(
    institution_id: int, *, user: int | None = None, email: str = "", organisation: int | None = None
) -> Membership:
    """A present member, named by id or by address; `Invalid` unless exactly one organisation comes into question.

    People of organisations that are no customers are unknown here, whoever they are.
    """
    organisations = Organisation.objects.filter(_known(institution_id)).values("pk")
    rows = Membership.objects.current().filter(organisation__in=organisations)
    rows = rows.filter(user=user) if user else rows.filter(user__email__iexact=email.strip())
    if organisation:
        rows = rows.filter(organisation=organisation)
    found = {row.organisation_id: row for row in rows.select_related("user", "organisation")}
    if not found and email:
        raise invalid("email", _("Nobody of your lab or of its customers has this address."), "unknown_person")
    if len(found) != 1:
        raise invalid("organisation", _("Please name the person and their organisation, a customer of your lab."))
    return next(iter(found.values()))
