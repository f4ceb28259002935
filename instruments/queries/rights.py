"""Which instruments a person sees, and which they manage."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, Role
from backend.accounts.queries import Access, get_own_organisation
from backend.core.db import MAX_ID, one
from backend.core.errors import Forbidden, NotFound, invalid
from backend.core.prepared import ID, Given, Prepared
from instruments.models import Condition, Instrument, InstrumentQuerySet, Sharing


def visible_instruments(access: Access) -> InstrumentQuerySet:
    """The public catalogue, what the person's own institution shares inside, and what they manage."""
    if not access.roles:
        return Instrument.objects.public()
    inside = Q(institution__in=list(access.roles), sharing=Sharing.INTERNAL) & ~Q(condition=Condition.SCRAP)
    public = Q(sharing=Sharing.EXTERNAL) & ~Q(condition=Condition.SCRAP)
    return Instrument.objects.filter(public | inside | _managed(access))


def get_visible_instrument(access: Access, pk: int) -> Instrument:
    """With institution and category; `NotFound` if it is absent or not shared with the person."""
    found = _PUBLIC.first(pk=pk) if 0 < pk <= MAX_ID else None
    if found is None and access.roles:
        return one(visible_instruments(access).select_related("institution", "category"), pk)
    if found is None:
        raise NotFound
    return found


_PUBLIC = Prepared(
    lambda: Instrument.objects.public().filter(pk=Given("pk", ID)).select_related("institution", "category")
)


def managed_instruments(access: Access) -> InstrumentQuerySet:
    """Those of institutions that the person administers or manages, and those that name them."""
    if not _desks(access):
        return Instrument.objects.none()
    return Instrument.objects.filter(_managed(access))


def get_managed_instrument(access: Access, pk: int) -> Instrument:
    """With institution and category; `Forbidden` for one that the person only sees, `NotFound` otherwise."""
    rows = managed_instruments(access).select_related("institution", "category")
    found = rows.filter(pk=pk).first() if 0 < pk <= MAX_ID else None
    if found is None:
        get_visible_instrument(access, pk)
        raise Forbidden
    return found


def manages_any(access: Access) -> bool:
    """Whether the person has a desk as manager or administrator of an institution."""
    return bool(_desks(access))


def institutions_of_desks(access: Access) -> list[Organisation]:
    """Where the person has a desk, by name."""
    return sorted((access.organisations[pk] for pk in _desks(access)), key=lambda one: one.name)


def manages(access: Access, instrument: Instrument) -> bool:
    """One query for somebody who manages chosen instruments of its institution, none for others."""
    here = instrument.institution_id
    if here not in _desks(access):
        return False
    if manages_everything(access, here):
        return True
    return instrument.managers.filter(pk=access.user_id).exists()


def manages_everything(access: Access, institution_id: int) -> bool:
    """Whether the person manages all instruments of the institution, not only those that name them."""
    return access.has(institution_id, Role.ADMIN) or institution_id in access.manages_all


def importable(access: Access) -> list[int]:
    """Institutions of which the person may change every instrument."""
    return [pk for pk in sorted(_desks(access)) if manages_everything(access, pk)]


def institution_to_import(access: Access, chosen: int | None) -> Organisation:
    """Where the person may change every instrument at once; `Forbidden` for managers of chosen ones."""
    institution = institution_to_manage(access, chosen)
    if institution.pk not in importable(access):
        raise Forbidden(detail=_("Importing changes all instruments of the institution; you manage chosen ones."))
    return institution


def institution_to_manage(access: Access, chosen: int | None) -> Organisation:
    """Where the person creates an instrument: the one named, or the only one; `Forbidden` without a desk."""
    desks = sorted(_desks(access))
    if not desks:
        raise Forbidden
    if chosen is not None:
        return get_own_organisation(access, chosen if chosen in desks else 0, Role.MANAGER, Role.ADMIN)
    if len(desks) > 1:
        raise invalid("institution", _("You manage instruments of several institutions: say which one is meant."))
    return access.organisations[desks[0]]


def _desks(access: Access) -> list[int]:
    return access.institutions(Role.MANAGER, Role.ADMIN)


def _managed(access: Access) -> Q:
    desks = _desks(access)
    everything = [pk for pk in desks if manages_everything(access, pk)]
    chosen = [pk for pk in desks if pk not in everything]
    rows = Q(institution__in=everything)
    if chosen:
        mine = Instrument.managers.through.objects.filter(user=access.user_id).values("instrument")
        rows |= Q(institution__in=chosen, pk__in=mine)
    return rows
