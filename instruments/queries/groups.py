"""Instrument groups: who sees them, and who runs them."""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, QuerySet

from backend.accounts.models import Organisation, Role
from backend.accounts.queries import Access
from backend.core.db import MAX_ID, one
from backend.core.errors import Forbidden, NotFound
from instruments.models import Instrument, InstrumentGroup, InstrumentQuerySet
from instruments.queries.rights import institutions_of_desks, managed_instruments, manages_everything


def groups_at_desks(access: Access) -> QuerySet[InstrumentGroup]:
    """Of the institutions where the person manages instruments; with ``size``."""
    here = access.institutions(Role.MANAGER, Role.ADMIN)
    rows = InstrumentGroup.objects.filter(institution__in=here).select_related("institution")
    return rows.annotate(size=Count("instruments")).order_by("institution__name", "name")


def groups_to_run(access: Access) -> QuerySet[InstrumentGroup]:
    """Those that the person may change: of institutions whose every instrument they manage, else whose own all are."""
    others = Instrument.objects.filter(group=OuterRef("pk")).exclude(pk__in=managed_instruments(access).values("pk"))
    rows = groups_at_desks(access).filter(~Exists(others))
    narrow = [one.pk for one in institutions_of_desks(access) if not manages_everything(access, one.pk)]
    return rows.exclude(institution__in=narrow, instruments=None)


def get_group_to_run(access: Access, pk: int) -> InstrumentGroup:
    """403 for a group with instruments of others at the person's own institution, 404 for everything else."""
    found = groups_to_run(access).filter(pk=pk).first() if 0 < pk <= MAX_ID else None
    if found is None:
        one(groups_at_desks(access), pk)
        raise Forbidden
    return found


def get_institution_to_group(access: Access, pk: int) -> Organisation:
    """Where the person may make groups: they manage every instrument there."""
    found = next((each for each in institutions_of_desks(access) if each.pk == pk), None)
    if found is None:
        raise NotFound
    if not manages_everything(access, pk):
        raise Forbidden
    return found


def instruments_to_group(access: Access, institution: Organisation) -> InstrumentQuerySet:
    """What the person may put into a group of the institution."""
    rows = managed_instruments(access).filter(institution=institution)
    return rows.select_related("group").order_by("name", "pk")
