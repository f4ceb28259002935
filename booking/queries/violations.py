"""Which violations a person may see or decide about. Everything else is 404."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, Role, User
from backend.accounts.queries import Access, get_own_organisation, operated_network
from backend.core.db import MAX_ID, one
from backend.core.errors import Forbidden, invalid
from booking.models import Appeal, AppealState, Booking, Violation
from booking.queries.behalf import Party, parties_by_email
from booking.queries.credit import counting_of
from booking.queries.scope import managed_bookings
from booking.rules.standing import LIFTED
from instruments.models import Instrument
from instruments.queries.rights import importable, managed_instruments, manages, manages_any, manages_everything

STATES = ("", "counting", "appealed", "struck")
_RELATED = (
    "person", "organisation", "instrument__institution", "institution", "booking", "recorded_by", "struck_out_by",
    "appeal__made_by", "appeal__decided_by",
)  # fmt: skip


def own_violations(access: Access) -> QuerySet[Violation]:
    """Of the person, wherever; and of the whole organisation for its administrator."""
    mine = Q(person=access.user_id or 0)
    return _full(Violation.objects.filter(mine | Q(organisation__in=access.where(Role.ADMIN))))


def persons_violations(user: User) -> QuerySet[Violation]:
    return _full(Violation.objects.filter(person=user))


def desk_violations(access: Access) -> QuerySet[Violation]:
    """Of the instruments that the person manages; all there are for the network's operators, to read."""
    return _full(Violation.objects.all() if access.is_operator else Violation.objects.filter(_managed(access)))


def visible_violations(access: Access) -> QuerySet[Violation]:
    if access.is_operator:
        return _full(Violation.objects.all())
    own = Q(person=access.user_id or 0) | Q(organisation__in=access.where(Role.ADMIN))
    return _full(Violation.objects.filter(own | _managed(access)))


def _managed(access: Access) -> Q:
    if not manages_any(access):
        return Q(pk__in=())
    whole = Q(instrument=None, institution__in=importable(access))
    return whole | Q(instrument__in=managed_instruments(access).order_by().values("pk"))


def _full(rows: QuerySet[Violation]) -> QuerySet[Violation]:
    return rows.select_related(*_RELATED).order_by("-at", "-pk")


def get_violation(access: Access, pk: int) -> Violation:
    return one(visible_violations(access), pk)


def get_own_violation(access: Access, pk: int) -> Violation:
    """403 for the lab and the network, which see it."""
    found = get_violation(access, pk)
    if not is_own(access, found):
        raise Forbidden
    return found


def get_violation_to_run(access: Access, pk: int) -> Violation:
    """403 for the customer, who sees it, and for the network's operators."""
    found = get_violation(access, pk)
    if not runs(access, found):
        raise Forbidden
    return found


def is_own(access: Access, violation: Violation) -> bool:
    """Theirs, or their organisation's as its administrator; the institution's own administrator is the lab."""
    if violation.person_id == access.user_id:
        return True
    customer = violation.organisation_id
    return customer is not None and customer != violation.institution_id and access.has(customer, Role.ADMIN)


def runs(access: Access, violation: Violation) -> bool:
    if violation.instrument is not None:
        return manages(access, violation.instrument)
    return violation.institution_id is not None and manages_everything(access, violation.institution_id)


def get_appeal_to_run(access: Access, pk: int) -> Appeal:
    """403 for the customer and the network, who see it."""
    seen = visible_violations(access).order_by().values("pk")
    found = one(Appeal.objects.filter(violation__in=seen).select_related("violation__instrument__institution"), pk)
    if not runs(access, found.violation):
        raise Forbidden
    return found


def whose() -> str:
    return _("Say whose suspension is lifted.")


def with_desk(access: Access) -> Access:
    """The same; `Forbidden` for who neither manages instruments nor operates the network."""
    if not (manages_any(access) or access.is_operator):
        raise Forbidden
    return access


def filtered(
    rows: QuerySet[Violation],
    *,
    person: str = "",
    organisation: int | None = None,
    instrument: int | None = None,
    name: str = "",
    state: str = "",
) -> QuerySet[Violation]:
    """``person`` is a part of a name or address; ``state`` is one of `STATES`."""
    if person:
        rows = rows.filter(Q(person__name__icontains=person) | Q(person__email__icontains=person))
    if organisation:
        rows = rows.filter(organisation=organisation)
    if instrument:
        rows = rows.filter(instrument=instrument)
    if name:
        rows = rows.filter(name=name)
    if state == "counting":
        rows = rows.filter(struck_out_at=None).exclude(name=LIFTED)
    elif state == "struck":
        rows = rows.filter(struck_out_at__isnull=False)
    elif state == "appealed":
        rows = rows.filter(Exists(Appeal.objects.filter(violation=OuterRef("pk"), state=AppealState.OPEN)))
    return rows


def open_appeals(access: Access) -> int:
    """How many wait for the person's lab; one query."""
    mine = Violation.objects.filter(_managed(access)).order_by().values("pk")
    return Appeal.objects.filter(state=AppealState.OPEN, violation__in=mine).count()


def names_in(rows: QuerySet[Violation]) -> list[str]:
    return list(rows.order_by("name").values_list("name", flat=True).distinct())


def organisations_in(rows: QuerySet[Violation]) -> QuerySet[Organisation]:
    return Organisation.objects.filter(pk__in=rows.order_by().values("organisation")).order_by("name")


def appeal_until(violation: Violation) -> datetime:
    """The last instant at which it can be contested; by the house's rules of credit."""
    days = counting_of(violation.institution_id).appeal_days
    return max(violation.at, violation.recorded_at) + timedelta(days=days)


def can_appeal(violation: Violation, *, days: int, now: datetime | None = None) -> bool:
    until = max(violation.at, violation.recorded_at) + timedelta(days=days)
    return (
        violation.struck_out_at is None
        and violation.name != LIFTED
        and not hasattr(violation, "appeal")
        and (now or timezone.now()) <= until
    )


def house_to_lift(access: Access, institution_id: int | None) -> Organisation | None:
    """Whose suspensions the person may lift: an institution's where they manage all, the network's as an operator.

    `Forbidden` for who manages chosen instruments only, `NotFound` for strangers.
    """
    if institution_id is None:
        operated_network(access)
        return None
    institution = get_own_organisation(access, institution_id)
    if institution_id not in importable(access):
        raise Forbidden
    return institution


def person_to_note(access: Access, instrument: Instrument, email: str) -> Party:
    """Somebody of the institution or of a customer that has dealt with it; `Invalid` for strangers and nobody."""
    found = parties_by_email(access, instrument, email)
    if not found:
        raise invalid("email", _("Nobody of your customers has this address."), "unknown")
    return found[0]


def booking_to_note(access: Access, pk: int) -> Booking:
    """A booking of an instrument that the person manages; `Invalid` for a number that is none of theirs."""
    related = ("instrument__institution", "organisation", "user", "group", "project")
    found = managed_bookings(access).select_related(*related).filter(pk=min(pk, MAX_ID)).first()
    if found is None:
        raise invalid("booking", _("You manage no booking with this number."), "unknown")
    return found
