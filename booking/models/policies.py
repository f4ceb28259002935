"""Dated versions of the booking rules of each layer."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation
from backend.core import constraints
from instruments.models import Instrument, InstrumentGroup


class Layer(models.IntegerChoices):
    NETWORK = 1, _("Network")
    INSTITUTION = 2, _("Institution")
    GROUP = 3, _("Instrument group")
    INSTRUMENT = 4, _("Instrument")


class Policy(models.Model):
    """A dated version of the rules of one layer; ``document`` is the JSON of docs/policy.md. Never edited."""

    layer = models.PositiveSmallIntegerField(_("layer"), choices=Layer.choices)
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="policies")
    group = models.ForeignKey(InstrumentGroup, models.PROTECT, null=True, blank=True, related_name="policies")
    instrument = models.ForeignKey(Instrument, models.PROTECT, null=True, blank=True, related_name="policies")
    version = models.PositiveIntegerField()
    valid_from = models.DateField(_("valid from"))
    document = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["layer", "organisation", "group", "instrument", "version"],
                name="policy_version_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(layer=1, organisation=None, group=None, instrument=None)
                | Q(layer=2, organisation__isnull=False, group=None, instrument=None)
                | Q(layer=3, organisation=None, group__isnull=False, instrument=None)
                | Q(layer=4, organisation=None, group=None, instrument__isnull=False),
                name="policy_of_one_layer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_layer_display()} v{self.version}"


constraints.register(
    constraints.Immutable(
        "booking_policy", ("layer", "organisation_id", "group_id", "instrument_id", "version", "valid_from", "document")
    )
)
