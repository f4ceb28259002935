"""Whose price list it is: what its editor needs to know of an instrument, or of an agreement with its own prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo

from django.utils import timezone

from backend.accounts.models import Agreement, Organisation
from backend.accounts.queries import Access, get_agreement_to_run
from instruments.models import Instrument, Mode, PriceList, PriceListQuerySet
from instruments.queries.rights import get_managed_instrument

Kind = Literal["instrument", "agreement"]


@dataclass(frozen=True, slots=True)
class PriceHolder:
    """One of the two. Days are those of ``zone``; a list of an agreement may price every mode."""

    instrument: Instrument | None = None
    agreement: Agreement | None = None

    @property
    def kind(self) -> Kind:
        return "instrument" if self.instrument else "agreement"

    @property
    def pk(self) -> int:
        return self._one.pk

    @property
    def _one(self) -> Instrument | Agreement:
        found = self.instrument or self.agreement
        assert found is not None
        return found

    @property
    def institution(self) -> Organisation:
        return self._one.institution

    @property
    def zone(self) -> ZoneInfo:
        return self.instrument.zone if self.instrument else ZoneInfo(self.institution.timezone)

    @property
    def today(self) -> date:
        return timezone.localdate(timezone=self.zone)

    @property
    def modes(self) -> Sequence[str]:
        return self.instrument.modes if self.instrument else Mode.values

    @property
    def local_no(self) -> str:
        """By which price lists speak of the instrument."""
        return self.instrument.local_no if self.instrument else ""

    def versions(self) -> PriceListQuerySet:
        rows = PriceList.objects.filter(instrument=self.instrument, agreement=self.agreement)
        return rows.select_related("created_by").order_by("-valid_from", "-version")

    def in_force(self) -> PriceList | None:
        return self.versions().in_force(self.today).first()

    def last_version(self) -> int:
        return self.versions().order_by("-version").values_list("version", flat=True).first() or 0


def get_price_holder(access: Access, kind: Kind, pk: int) -> PriceHolder:
    """For those who may change the prices; `NotFound` or `Forbidden` otherwise."""
    if kind == "agreement":
        return PriceHolder(agreement=get_agreement_to_run(access, pk))
    return PriceHolder(instrument=get_managed_instrument(access, pk))
