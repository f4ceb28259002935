"""Whose rules they are, of the network, an institution, a group or an instrument, and who may edit them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import timezone

from backend.accounts.models import Organisation, OrganisationKind, Role
from backend.accounts.queries import Access, get_own_organisation
from backend.core.errors import Forbidden, NotFound
from booking.models import Layer, Policy
from instruments.models import Instrument, InstrumentGroup, InstrumentQuerySet
from instruments.queries.groups import get_group_to_run
from instruments.queries.rights import get_managed_instrument


@dataclass(frozen=True, slots=True)
class Holder:
    """A layer and its object. ``owner`` is the institution, or the network, whose audit chain takes what is done."""

    layer: Layer
    owner: Organisation
    group: InstrumentGroup | None = None
    instrument: Instrument | None = None

    @property
    def zone(self) -> ZoneInfo:
        return self.instrument.zone if self.instrument else ZoneInfo(self.owner.timezone)

    @property
    def today(self) -> date:
        return timezone.now().astimezone(self.zone).date()

    @property
    def pk(self) -> int:
        return (self.instrument or self.group or self.owner).pk

    @property
    def keys(self) -> dict[str, int | None]:
        """The columns of a policy that say whose it is."""
        return {
            "layer": self.layer,
            "organisation_id": self.owner.pk if self.layer == Layer.INSTITUTION else None,
            "group_id": self.group.pk if self.group else None,
            "instrument_id": self.instrument.pk if self.instrument else None,
        }

    def policies(self) -> QuerySet[Policy]:
        return Policy.objects.filter(**self.keys)

    def instruments(self) -> InstrumentQuerySet:
        """Those that the rules reach."""
        if self.instrument:
            return Instrument.objects.filter(pk=self.instrument.pk)
        if self.group:
            return Instrument.objects.filter(group=self.group)
        return (
            Instrument.objects.filter(institution=self.owner)
            if self.layer == Layer.INSTITUTION
            else (Instrument.objects.all())
        )


def of_instrument(instrument: Instrument) -> Holder:
    return Holder(Layer.INSTRUMENT, instrument.institution, instrument=instrument)


def of_group(group: InstrumentGroup) -> Holder:
    return Holder(Layer.GROUP, group.institution, group=group)


def of_institution(institution: Organisation) -> Holder:
    return Holder(Layer.INSTITUTION, institution)


def of_network() -> Holder:
    """The rules of the network are one, however many centres it has: the first keeps the record."""
    centre = Organisation.objects.filter(kind=OrganisationKind.NETWORK).order_by("pk").first()
    if centre is None:
        raise NotFound
    return Holder(Layer.NETWORK, centre)


def get_holder(access: Access, layer: Layer, pk: int) -> Holder:
    """Whose rules the person may edit: 403 for who only sees the object, 404 for everybody else."""
    if layer == Layer.INSTRUMENT:
        return of_instrument(get_managed_instrument(access, pk))
    if layer == Layer.GROUP:
        return of_group(get_group_to_run(access, pk))
    if layer == Layer.INSTITUTION:
        return of_institution(_administered(access, pk))
    if not access.is_operator:
        raise NotFound
    return of_network()


def _administered(access: Access, pk: int) -> Organisation:
    institution = get_own_organisation(access, pk)
    if institution.kind != OrganisationKind.INSTITUTION:
        raise NotFound
    if not access.has(pk, Role.ADMIN):
        raise Forbidden
    return institution
