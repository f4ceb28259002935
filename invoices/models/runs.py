"""Monthly runs: who is drafted or issued together, and how far it has come."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.accounts.models import Organisation
from invoices.models.documents import Invoice


class RunStep(models.TextChoices):
    DRAFT = "draft", _("Make drafts")
    ISSUE = "issue", _("Issue drafts")


class RunState(models.TextChoices):
    ACTIVE = "active", _("Under way")
    DONE = "done", pgettext_lazy("run", "Done")
    CANCELLED = "cancelled", _("Stopped")


class InvoiceRun(models.Model):
    """One step for many customers of a month; the worker does it, item by item.

    Each item is one transaction together with its invoice: a run that was interrupted goes on where it was. An
    institution has one run at a time.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="invoice_runs")
    period = models.CharField(_("period"), max_length=7)
    step = models.CharField(_("step"), max_length=10, choices=RunStep.choices)
    state = models.CharField(_("status"), max_length=10, choices=RunState.choices, default=RunState.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["institution"], condition=Q(state="active"), name="invoice_run_one_active")
        ]

    def __str__(self) -> str:
        return f"{self.institution_id} {self.period} {self.step}"


class ItemState(models.TextChoices):
    WAITING = "waiting", pgettext_lazy("run", "Waiting")
    DONE = "done", pgettext_lazy("run", "Done")
    REFUSED = "refused", _("Not possible")
    SKIPPED = "skipped", _("Left out")


class InvoiceRunItem(models.Model):
    """One customer in one currency to draft, or one draft to issue. ``attempts`` are counted before each begins.

    ``problem`` says why it was refused, or why its document could not be made.
    """

    run = models.ForeignKey(InvoiceRun, models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    customer = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    invoice = models.ForeignKey(Invoice, models.SET_NULL, null=True, blank=True, related_name="run_items")
    state = models.CharField(max_length=10, choices=ItemState.choices, default=ItemState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    code = models.CharField(max_length=40, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="invoice_run_item_once")]
        indexes = [models.Index(fields=["run", "state", "position"], name="invoice_run_items")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.state}"
