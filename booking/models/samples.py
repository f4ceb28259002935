"""Samples that a customer hands in for the laboratory to measure: the order, what is in the bags, the results."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.accounts.models import Organisation, Project, User
from backend.core import constraints
from instruments.models import Instrument, PriceList


class OrderStatus(models.TextChoices):
    SUBMITTED = "submitted", pgettext_lazy("samples", "Submitted")
    ACCEPTED = "accepted", pgettext_lazy("samples", "Accepted")
    RECEIVED = "received", pgettext_lazy("samples", "Samples received")
    TESTING = "testing", pgettext_lazy("samples", "Being tested")
    DONE = "done", pgettext_lazy("samples", "Done")
    REJECTED = "rejected", pgettext_lazy("samples", "Not accepted")
    CANCELLED = "cancelled", pgettext_lazy("samples", "Cancelled")


# Those that the laboratory still has to do something for.
OPEN_ORDERS = (OrderStatus.SUBMITTED, OrderStatus.ACCEPTED, OrderStatus.RECEIVED, OrderStatus.TESTING)


class SampleOrder(models.Model):
    """One order of tests. ``version`` counts every change (compare-and-swap).

    ``wished_on`` and ``expected_on`` are days of the instrument's zone: what the customer wishes, and what the
    laboratory promised. ``policy``, ``facts``, ``price_list``, ``quote`` and ``audience`` are what held when it was
    submitted; ``approval_roles`` are roles of the policy that must agree before it is accepted, ``agreed`` those that
    have, each with who and when. ``closed_at`` is when it was rejected or cancelled.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField(default=1)
    status = models.CharField(_("status"), max_length=10, choices=OrderStatus.choices, default=OrderStatus.SUBMITTED)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="sample_orders")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="sample_orders")
    user = models.ForeignKey(User, models.PROTECT, related_name="sample_orders")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="sample_orders")
    purpose = models.CharField(_("purpose"), max_length=200)
    requirements = models.TextField(_("requirements"), blank=True)
    return_samples = models.BooleanField(_("send the samples back"), default=False)
    wished_on = models.DateField(_("wished date"), null=True, blank=True)
    expected_on = models.DateField(_("expected date"), null=True, blank=True)
    audience = models.CharField(max_length=30)
    price_list = models.ForeignKey(PriceList, models.PROTECT, null=True, related_name="sample_orders")
    quote = models.JSONField(default=dict)
    policy = models.JSONField(default=list)
    facts = models.JSONField(default=dict, blank=True)
    approval_roles = models.JSONField(default=list, blank=True)
    agreed = models.JSONField(default=list, blank=True)
    # What silence of the roles means from this instant on: consent, refuse or nothing.
    silence = models.CharField(max_length=10, blank=True)
    answer_by = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField()
    reason = models.TextField(_("reason"), blank=True)
    # What the laboratory says with the results.
    report = models.TextField(_("report"), blank=True)

    class Meta:
        ordering = ["-submitted_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status__in=["received", "testing", "done"]) | Q(received_at__isnull=False),
                name="order_received_before_tested",
            ),
            models.CheckConstraint(condition=~Q(status="done") | Q(done_at__isnull=False), name="order_done_at"),
        ]
        indexes = [
            models.Index(fields=["instrument", "status"], name="order_by_instrument"),
            models.Index(fields=["organisation", "submitted_at"], name="order_by_organisation"),
            models.Index(fields=["user", "submitted_at"], name="order_by_user"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What stands on the bags and is said on the telephone; never given twice."""
        return f"SY{self.submitted_at.astimezone(self.instrument.zone):%y%m}-{self.pk:05d}"


class SampleItem(models.Model):
    """One kind of sample of an order, ``quantity`` pieces of it.

    ``tests`` are names of what is to be measured, ``parameters`` values that the price list asks for;
    ``tested_parameters`` and ``tested_quantity`` are what it came to. ``storage`` says what is dangerous about it and
    how to keep it.
    """

    order = models.ForeignKey(SampleOrder, models.PROTECT, related_name="items")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(_("name of the sample"), max_length=100)
    quantity = models.PositiveIntegerField(_("quantity"))
    tests = models.JSONField(default=list, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    notes = models.CharField(_("notes"), max_length=500, blank=True)
    storage = models.CharField(_("hazards and storage"), max_length=200, blank=True)
    received_quantity = models.PositiveIntegerField(null=True, blank=True)
    condition = models.CharField(_("condition on receipt"), max_length=200, blank=True)
    tested_quantity = models.PositiveIntegerField(null=True, blank=True)
    tested_tests = models.JSONField(default=list, blank=True)
    tested_parameters = models.JSONField(default=dict, blank=True)
    returned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="sample_item_place_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="sample_item_has_pieces"),
        ]

    def __str__(self) -> str:
        return self.name


class ResultFile(models.Model):
    """What the laboratory delivers; ``content`` lies under MEDIA_ROOT and is only ever served as a download.

    A wrong file can be withdrawn until the order is done; it is kept, and nobody is given it any more.
    """

    order = models.ForeignKey(SampleOrder, models.PROTECT, related_name="results")
    name = models.CharField(_("name"), max_length=150)
    content = models.FileField(upload_to="results/%Y/%m/")
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


constraints.register(
    constraints.Immutable("booking_resultfile", ("order_id", "name", "content", "media_type", "size", "sha256"))
)
