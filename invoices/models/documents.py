"""The documents made from the ledger: invoices and credit notes."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Round
from django.db.models.lookups import Exact, GreaterThan
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.accounts.models import Organisation
from backend.core import constraints
from invoices.models.charges import Charge, ChargeLine


class InvoiceKind(models.TextChoices):
    INVOICE = "invoice", _("Invoice")
    CREDIT_NOTE = "credit_note", _("Credit note")


# Credit notes have a series of their own (红冲).
SERIES = {InvoiceKind.INVOICE: "JS", InvoiceKind.CREDIT_NOTE: "HC"}


class InvoiceStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    ISSUED = "issued", _("Issued")
    CREDITED = "credited", _("Credited")


class ShownStatus(models.TextChoices):
    """What people see: derived from the stored status, the payments and the date."""

    DRAFT = "draft", _("Draft")
    OPEN = "open", pgettext_lazy("invoice", "Open")
    PART_PAID = "part_paid", _("Partly paid")
    PAID = "paid", _("Paid")
    OVERDUE = "overdue", _("Overdue")
    CREDITED = "credited", _("Credited")
    ISSUED = "issued", _("Issued")  # of a credit note: nothing is to be paid on it


class Counter(models.Model):
    """The last number given out, per institution, series and year; updated in the issuing transaction."""

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    series = models.CharField(max_length=10)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["institution", "series", "year"], name="counter_once")]

    def __str__(self) -> str:
        return f"{self.institution_id} {self.series} {self.year}: {self.last}"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def shown_as(self, status: str, today: date) -> InvoiceQuerySet:
        """Those with a derived status; ``issued`` means all that have a number, ``owing`` all with a balance.

        ``not_due`` are those of ``owing`` that are not overdue.
        """
        if status == ShownStatus.ISSUED:
            return self.exclude(status=InvoiceStatus.DRAFT)
        if status == "owing":
            return self.owing()
        if status == "not_due":
            return self.owing().filter(Q(due_date=None) | Q(due_date__gte=today))
        if status == ShownStatus.PAID:
            return self._standing().with_owed().filter(Exact(models.F("owed"), Decimal(0)))
        if status == ShownStatus.OVERDUE:
            return self.owing().filter(due_date__lt=today)
        if status in (ShownStatus.OPEN, ShownStatus.PART_PAID):
            on_time = self.shown_as("not_due", today)
            return on_time.filter(paid=0) if status == ShownStatus.OPEN else on_time.filter(paid__gt=0)
        return self.filter(status=status)

    def owing(self) -> InvoiceQuerySet:
        """Issued invoices on which something is still to be paid."""
        return self._standing().with_owed().filter(GreaterThan(models.F("owed"), Decimal(0)))

    def _standing(self) -> InvoiceQuerySet:
        return self.filter(status=InvoiceStatus.ISSUED, kind=InvoiceKind.INVOICE)

    def with_owed(self) -> InvoiceQuerySet:
        """Adds ``owed``, the balance of an issued invoice. Rounded: SQLite adds up in binary fractions."""
        parts = models.F("total") - models.F("credited") - models.F("settled") - models.F("paid")
        return self.annotate(owed=Round(parts, precision=2, output_field=models.DecimalField()))

    def with_charged(self) -> InvoiceQuerySet:
        """Adds ``charged``, the sum of its charges: a draft stores no amounts, because its charges may still change."""
        mine = Charge.objects.filter(invoice=models.OuterRef("pk")).order_by().values("invoice")
        return self.annotate(charged=models.Subquery(mine.annotate(sum=models.Sum("total")).values("sum")))


class Invoice(models.Model):
    """A statement of charges (结算单, not a tax invoice), or the credit note (红冲) of one. Issued, it never changes.

    A draft has no number and may be deleted. Issuing freezes parties, lines, rates and totals into
    ``snapshot``; ``snapshot_sha256`` is printed on the document. A credit note names what it ``credits``
    and has negative amounts. What is still to be paid is
    ``total − credited − settled − paid``: ``credited`` is what credit notes took back, ``paid`` the sum of the
    payments, both kept beside these in one transaction; ``settled``, frozen, is what others pay than the customer
    (vouchers, prepaid amounts).
    """

    kind = models.CharField(_("kind"), max_length=12, choices=InvoiceKind.choices, default=InvoiceKind.INVOICE)
    credits = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="credit_notes")
    reason = models.TextField(_("reason"), blank=True)
    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="invoices_made")
    customer = models.ForeignKey(Organisation, models.PROTECT, related_name="invoices")
    period = models.CharField(_("period"), max_length=7)
    status = models.CharField(_("status"), max_length=10, choices=InvoiceStatus.choices, default=InvoiceStatus.DRAFT)
    series = models.CharField(max_length=10, default="JS")
    year = models.PositiveSmallIntegerField(null=True)
    sequence = models.PositiveIntegerField(null=True)
    number = models.CharField(_("number"), max_length=60, null=True, unique=True)
    currency = models.CharField(max_length=3, default="CNY")
    tax_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(0))
    net = models.DecimalField(_("net"), max_digits=14, decimal_places=2, default=Decimal(0))
    tax = models.DecimalField(_("tax"), max_digits=14, decimal_places=2, default=Decimal(0))
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, default=Decimal(0))
    settled = models.DecimalField(_("settled otherwise"), max_digits=14, decimal_places=2, default=Decimal(0))
    credited = models.DecimalField(_("credited"), max_digits=14, decimal_places=2, default=Decimal(0))
    paid = models.DecimalField(_("paid"), max_digits=14, decimal_places=2, default=Decimal(0))
    # What finance writes on a draft: its own words for the period, a remark, a contact, the customer's order number.
    wording = models.JSONField(default=dict, blank=True)
    snapshot = models.JSONField(default=dict)
    snapshot_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    issued_at = models.DateTimeField(_("issued"), null=True, blank=True)
    issued_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    due_date = models.DateField(_("due"), null=True, blank=True)
    fapiao_number = models.CharField(_("fapiao number"), max_length=20, blank=True)
    note = models.TextField(_("note"), blank=True)
    # Why the institution sends no reminders of it; empty: it does.
    reminders_held = models.CharField(_("no reminders"), max_length=200, blank=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["institution", "series", "year", "sequence"], name="invoice_gapless"),
            models.CheckConstraint(
                condition=Q(status="draft", number=None) | ~Q(status="draft") & Q(number__isnull=False),
                name="invoice_number_when_issued",
            ),
            models.UniqueConstraint(
                fields=["institution", "customer", "period", "currency"],
                condition=Q(status="draft"),
                name="invoice_one_draft",
            ),
            models.CheckConstraint(
                condition=Q(kind="invoice", credits=None) | Q(kind="credit_note", credits__isnull=False),
                name="invoice_credit_note_credits",
            ),
            models.CheckConstraint(
                condition=Q(paid=0, credited=0)
                | Q(status="credited", paid=0, credited__gte=0, credited__lte=models.F("total"))
                | Q(
                    status="issued",
                    kind="invoice",
                    paid__gte=0,
                    credited__gte=0,
                    total__gte=Round(models.F("paid") + models.F("credited") + models.F("settled"), precision=2),
                ),
                name="invoice_balance_not_below_zero",
            ),
            models.CheckConstraint(
                # Below zero where a correction takes back what a voucher had covered: that is for the customer to pay.
                condition=Q(status="draft") | Q(kind="credit_note") | Q(settled__lte=models.F("total")),
                name="invoice_settled_within_total",
            ),
        ]
        indexes = [
            models.Index(fields=["institution", "status", "period"], name="invoice_by_institution"),
            models.Index(fields=["customer", "status", "period"], name="invoice_by_customer"),
            # SQLite counts nulls as one value and would not use the index of the foreign key.
            models.Index(fields=["credits"], condition=Q(credits__isnull=False), name="invoice_that_credits"),
        ]

    def __str__(self) -> str:
        return self.number or "—"

    @property
    def balance(self) -> Decimal:
        """What is still to be paid; nothing on a draft, a credit note or what was credited."""
        owes = self.status == InvoiceStatus.ISSUED and self.kind == InvoiceKind.INVOICE
        return self.payable - self.paid if owes else Decimal("0.00")

    @property
    def payable(self) -> Decimal:
        """What the customer pays of it altogether."""
        return self.total - self.credited - self.settled


class InvoiceLine(models.Model):
    """A line as printed; made when the invoice is issued. On a credit note it names the line that it ``credits``."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    charge_line = models.OneToOneField(ChargeLine, models.PROTECT, related_name="invoice_line")
    service_date = models.DateField()
    subject = models.CharField(max_length=200)
    name = models.CharField(max_length=120)
    quantity = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    unit = models.CharField(max_length=20, blank=True)
    unit_price = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    credits = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="credited_by")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position")]

    def __str__(self) -> str:
        return f"{self.name} {self.amount}"


class InvoicePdf(models.Model):
    """The document's bytes, written once."""

    invoice = models.OneToOneField(Invoice, models.PROTECT, primary_key=True, related_name="pdf")
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    rendered_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.sha256


_INVOICE_FROZEN = (
    *("uid", "institution_id", "customer_id", "period", "series", "year", "sequence", "number", "currency"),
    *("tax_percent", "net", "tax", "total", "settled", "snapshot", "snapshot_sha256", "created_at", "created_by_id"),
    *("issued_at", "issued_by_id", "due_date", "kind", "credits_id", "reason", "wording"),
)
_LINE_COLUMNS = (
    *("invoice_id", "position", "charge_line_id", "service_date", "subject", "name"),
    *("quantity", "unit", "unit_price", "amount", "credits_id"),
)

constraints.register(
    constraints.Immutable("invoices_invoice", _INVOICE_FROZEN, when="OLD.status <> 'draft'"),
    constraints.Immutable("invoices_invoiceline", _LINE_COLUMNS),
    constraints.Immutable("invoices_invoicepdf", ("invoice_id", "content", "sha256", "rendered_at")),
)
