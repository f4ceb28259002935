"""Dated tax rates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation


class TaxRateQuerySet(models.QuerySet["TaxRate"]):
    def in_force(self, institution_id: int, day: date) -> TaxRate | None:
        rates = self.filter(valid_from__lte=day).filter(Q(institution=institution_id) | Q(institution=None))
        # The institution's own rate goes before the network's.
        return rates.order_by(models.F("institution").asc(nulls_last=True), "-valid_from").first()

    def in_force_for(self, days: Mapping[int, date]) -> dict[int, TaxRate | None]:
        """Like `in_force` for many institutions, each on its own day, in one query."""
        if not days:
            return {}
        rates = self.filter(valid_from__lte=max(days.values()))
        rates = rates.filter(Q(institution__in=list(days)) | Q(institution=None)).order_by("-valid_from")
        by_owner: dict[int | None, list[TaxRate]] = {}
        for rate in rates:
            by_owner.setdefault(rate.institution_id, []).append(rate)
        return {
            pk: next((rate for owner in (pk, None) for rate in by_owner.get(owner, ()) if rate.valid_from <= day), None)
            for pk, day in days.items()
        }


class TaxRate(models.Model):
    """A dated rate in percent; ``included`` says whether prices contain it. Without institution: everybody's."""

    institution = models.ForeignKey(Organisation, models.CASCADE, null=True, blank=True, related_name="tax_rates")
    name = models.CharField(_("name"), max_length=60)
    code = models.CharField(_("tax classification"), max_length=19, blank=True)
    percent = models.DecimalField(
        _("percent"),
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
    )
    included = models.BooleanField(_("prices include tax"), default=True)
    valid_from = models.DateField(_("valid from"))

    objects = TaxRateQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} {self.percent} %"
