"""Which bookings, usage records and instruments a person may see or decide about. Everything else is 404."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import permutations

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from django.db.models.lookups import Contains, In

from backend.accounts.models import Membership, Role, User
from backend.accounts.queries import Access
from backend.core.db import among, one
from backend.core.errors import Forbidden
from booking.models import Approval, Booking, BookingQuerySet, SampleOrder, Series, Usage
from instruments.models import Instrument
from instruments.queries.rights import managed_instruments, manages, manages_any

# Roles that agree in their own name. Every other name that a policy gives is taken by those who manage the instrument.
OWN_DESKS = (Role.FINANCE, Role.ADMIN)


def _customer(access: Access, by: str) -> Q:
    """What belongs to the person's own organisations: an administrator's whole, a member's own part."""
    if access.user_id is None:
        return Q(pk__in=())
    whole = access.where(Role.ADMIN)
    # Apart, so that an administrator's list is one range of an index.
    own = [pk for pk in access.where() if pk not in whole]
    return Q(organisation__in=whole) | Q(organisation__in=own, **{by: access.user_id})


def customer_of(access: Access) -> Q:
    """What belongs to the person as a customer: by ``organisation`` and ``user``."""
    return _customer(access, "user")


def managed_bookings(access: Access) -> BookingQuerySet:
    """Bookings of the instruments that the person manages."""
    ids = managed_instruments(access).values("pk")
    return Booking.objects.filter(instrument__in=ids)


def own_bookings(access: Access) -> BookingQuerySet:
    """Bookings of the person, and of the whole organisation for its administrator."""
    return Booking.objects.filter(_customer(access, "user"))


def visible_bookings(access: Access) -> BookingQuerySet:
    """The customer's own, those of managed instruments, and those that ask for another role of the person."""
    ids = _fetched(managed_instruments(access))
    return Booking.objects.filter(_customer(access, "user") | Q(instrument__in=ids) | _asked(access))


def _fetched(rows: QuerySet[Instrument]) -> Sequence[int] | RawSQL:
    """Their ids: beside an OR, PostgreSQL uses an index for a list but not for a subquery."""
    return among(list(rows.order_by().values_list("pk", flat=True)))


def _asked(access: Access) -> Q:
    rows = Q(pk__in=())
    for role in OWN_DESKS:
        here = access.where(role)
        if here:
            rows |= Q(instrument__in=_fetched(Instrument.objects.filter(institution__in=here))) & asks_for(role)
    return rows


def asks_for(role: str) -> Q:
    """Requests whose policy wants the agreement of the role, whether it was given or not."""
    # Both engines write a list of words as the same text; only one of them can look into it.
    return Q(Contains(Cast("approval_roles", TextField()), f'"{role}"'))


def to_decide(access: Access) -> BookingQuerySet:
    """Bookings that still need the agreement of a role that the person has."""
    given = Approval.objects.filter(booking=OuterRef("pk"))
    rows = Q(pk__in=())
    if manages_any(access):
        # Managers agree in all of their names at once.
        ids = managed_instruments(access).values("pk")
        rows |= Q(instrument__in=ids) & asks_managers() & Q(~Exists(given.exclude(role__in=OWN_DESKS)))
    for role in OWN_DESKS:
        here = access.where(role)
        if here:
            rows |= Q(instrument__institution__in=here) & asks_for(role) & Q(~Exists(given.filter(role=role)))
    # Nobody at the lab is asked while the customer itself has not agreed to the price.
    return Booking.objects.filter(rows, awaits_customer=False)


def asks_managers() -> Q:
    """Requests whose policy names another role than those with desks of their own."""
    only = [list(names) for size in range(len(OWN_DESKS) + 1) for names in permutations(OWN_DESKS, size)]
    asked = Cast("approval_roles", TextField())
    return ~Q(In(asked, [json.dumps([str(name) for name in names]) for names in only]))


def decides_any(access: Access) -> bool:
    """Whether the person has a desk: they manage instruments, or a request has asked for another of their roles."""
    if manages_any(access):
        return True
    return bool(access.where(*OWN_DESKS)) and Booking.objects.filter(_asked(access)).exists()


def managed_usage(access: Access) -> QuerySet[Usage]:
    ids = managed_instruments(access).values("pk")
    return Usage.objects.filter(instrument__in=ids)


def visible_usage(access: Access) -> QuerySet[Usage]:
    """Of the instruments that the person manages, of their own use, and for finance of the institution's."""
    finance = Instrument.objects.filter(institution__in=access.where(Role.FINANCE))
    ids = _fetched(managed_instruments(access) | finance)
    return Usage.objects.filter(_customer(access, "user") | Q(instrument__in=ids))


def get_visible_booking(access: Access, pk: int) -> Booking:
    """A booking that the person may read."""
    return one(_full(visible_bookings(access)), pk)


def get_booking(access: Access, pk: int) -> Booking:
    """A booking that the person takes part in, as its customer or as the lab; 403 for who may only agree to it."""
    booking = get_visible_booking(access, pk)
    if not (is_customer(access, booking) or manages(access, booking.instrument)):
        raise Forbidden
    return booking


def get_own_booking(access: Access, pk: int) -> Booking:
    """A booking that the person may change as its customer; 403 for the lab that only sees it."""
    booking = get_booking(access, pk)
    if not is_customer(access, booking):
        raise Forbidden
    return booking


def get_managed_booking(access: Access, pk: int) -> Booking:
    """A booking that the person may decide about; 403 for the customer, who sees it."""
    booking = get_booking(access, pk)
    if not manages(access, booking.instrument):
        raise Forbidden
    return booking


def get_booking_to_decide(access: Access, pk: int) -> Booking:
    """A booking that the person may agree to or reject in one of the roles it asks for; 403 for who only reads it."""
    booking = get_visible_booking(access, pk)
    if not deciding_roles(access, booking):
        raise Forbidden
    return booking


def deciding_roles(access: Access, booking: Booking) -> list[str]:
    """The roles that the booking asks for and in whose name the person may speak; at most one query."""
    return roles_held(access, booking.approval_roles, booking.instrument)


def roles_held(access: Access, asked: Iterable[str], instrument: Instrument) -> list[str]:
    """Those of the asked roles that the person has at the instrument; at most one query."""
    asked = list(asked)
    mine: set[str] = {role for role in OWN_DESKS if role in asked and access.has(instrument.institution_id, role)}
    if not set(asked) <= set(OWN_DESKS) and manages(access, instrument):
        mine |= set(asked) - set(OWN_DESKS)
    return [role for role in asked if role in mine]


def is_customer(access: Access, booking: Booking | Series | SampleOrder) -> bool:
    """Its user, or an administrator of the customer; the institution's own administrator acts for the lab."""
    if booking.user_id == access.user_id:
        return access.has(booking.organisation_id)
    outside = booking.organisation_id != booking.instrument.institution_id
    return outside and access.has(booking.organisation_id, Role.ADMIN)


def acts_for_lab(access: Access, booking: Booking | Series | SampleOrder) -> bool:
    """Whether the person speaks for the lab here: they manage the instrument and it is not their own booking."""
    return not is_customer(access, booking) and manages(access, booking.instrument)


def speaks_for_customer(by: User, row: Booking | SampleOrder | Usage) -> bool:
    """Their own, or of an enterprise that they belong to: a laboratory's people often have a company besides."""
    if by.pk == row.user_id:
        return True
    outside = row.organisation_id != row.instrument.institution_id
    return outside and Membership.objects.current().filter(user=by, organisation=row.organisation_id).exists()


def get_usage(access: Access, pk: int) -> Usage:
    """A usage record that the person may see."""
    related = ("instrument__institution", "booking", "organisation", "user", "recorded_by", "verified_by")
    return one(visible_usage(access).select_related(*related, "corrected_by"), pk)


def get_managed_usage(access: Access, pk: int) -> Usage:
    usage = get_usage(access, pk)
    if not manages(access, usage.instrument):
        raise Forbidden
    return usage


def _full(bookings: BookingQuerySet) -> BookingQuerySet:
    return bookings.select_related(
        "instrument__institution", "organisation", "user", "made_by", "project", "group", "price_list", "occupancy"
    )
