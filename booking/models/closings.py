"""Ends of periods that price lists charge for: minimum fees, monthly fees."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Agreement, Organisation, User
from backend.core import constraints
from instruments.models import Instrument, PriceList


class PeriodClosing(models.Model):
    """The end of a month for one party of a price list; charged once, corrected when more becomes known.

    ``party``: the attributes by which the price list tells parties apart, as pricing sees them. ``day``: the last day
    of the month. ``user`` is the person of the party's last record, ``audience`` theirs.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    instrument = models.ForeignKey(Instrument, models.PROTECT, null=True, blank=True, related_name="closings")
    agreement = models.ForeignKey(Agreement, models.PROTECT, null=True, blank=True, related_name="closings")
    price_list = models.ForeignKey(PriceList, models.PROTECT, related_name="+")
    day = models.DateField(_("last day"))
    party = models.JSONField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    audience = models.CharField(max_length=30)
    closed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(instrument=None, agreement__isnull=False) | Q(instrument__isnull=False, agreement=None),
                name="closing_of_one_list",
            ),
        ]
        indexes = [
            models.Index(fields=["instrument", "day"], name="closing_by_instrument"),
            models.Index(fields=["agreement", "day"], name="closing_by_agreement"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.party}"


constraints.register(
    constraints.Immutable(
        "booking_periodclosing",
        ("uid", "institution_id", "instrument_id", "agreement_id", "price_list_id", "day", "party", "organisation_id")
        + ("user_id", "audience"),
    )
)
