"""Which bookings, usage records and instruments a person may see or decide about. Everything else is 404."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from backend.accounts.models import Role
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden
from booking.models import Booking, BookingQuerySet, Usage
from instruments.models import Instrument
from instruments.queries.rights import managed_instruments


def _customer(access: Access, by: str) -> Q:
    """What belongs to the person's own organisations: an administrator's whole, a member's own part."""
    if access.user_id is None:
        return Q(pk__in=())
    return Q(organisation__in=access.where(Role.ADMIN)) | Q(organisation__in=access.where(), **{by: access.user_id})


def managed_bookings(access: Access) -> BookingQuerySet:
    """Bookings of the instruments that the person manages."""
    ids = managed_instruments(access).values("pk")
    return Booking.objects.filter(instrument__in=ids)


def own_bookings(access: Access) -> BookingQuerySet:
    """Bookings of the person, and of the whole organisation for its administrator."""
    return Booking.objects.filter(_customer(access, "user"))


def visible_bookings(access: Access) -> BookingQuerySet:
    ids = managed_instruments(access).values("pk")
    return Booking.objects.filter(_customer(access, "user") | Q(instrument__in=ids))


def managed_usage(access: Access) -> QuerySet[Usage]:
    ids = managed_instruments(access).values("pk")
    return Usage.objects.filter(instrument__in=ids)


def visible_usage(access: Access) -> QuerySet[Usage]:
    """Of the instruments that the person manages, of their own use, and for finance of the institution's."""
    ids = managed_instruments(access).values("pk")
    finance = Q(instrument__institution__in=access.where(Role.FINANCE))
    return Usage.objects.filter(_customer(access, "user") | Q(instrument__in=ids) | finance)


def manages(access: Access, instrument: Instrument) -> bool:
    """Whether the person manages the instrument; at most one query."""
    return managed_instruments(access).filter(pk=instrument.pk).exists()


def get_booking(access: Access, pk: int) -> Booking:
    """A booking that the person may see."""
    return one(_full(visible_bookings(access)), pk)


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


def is_customer(access: Access, booking: Booking) -> bool:
    """Its user, or an administrator of the customer; the institution's own administrator acts for the lab."""
    if booking.user_id == access.user_id:
        return access.has(booking.organisation_id)
    outside = booking.organisation_id != booking.instrument.institution_id
    return outside and access.has(booking.organisation_id, Role.ADMIN)


def acts_for_lab(access: Access, booking: Booking) -> bool:
    """Whether the person speaks for the lab here: they manage the instrument and it is not their own booking."""
    return not is_customer(access, booking) and manages(access, booking.instrument)


def get_usage(access: Access, pk: int) -> Usage:
    """A usage record that the person may see."""
    return one(visible_usage(access).select_related("instrument__institution", "booking", "organisation", "user"), pk)


def get_managed_usage(access: Access, pk: int) -> Usage:
    usage = get_usage(access, pk)
    if not manages(access, usage.instrument):
        raise Forbidden
    return usage


def _full(bookings: BookingQuerySet) -> BookingQuerySet:
    return bookings.select_related(
        "instrument__institution", "organisation", "user", "made_by", "project", "group", "price_list", "occupancy"
    )
