"""What vouchers cover of charges, what the network pays for it, and the papers that prove it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.accounts.models import Organisation
from backend.core import constraints
from invoices.models.charges import Charge
from invoices.models.documents import Invoice
from invoices.models.vouchers import VoucherAccount, VoucherGrant, VoucherScheme


class UseState(models.TextChoices):
    RESERVED = "reserved", pgettext_lazy("voucher", "Reserved")
    REDEEMED = "redeemed", pgettext_lazy("voucher", "Redeemed")
    RELEASED = "released", pgettext_lazy("voucher", "Released")


class VoucherUse(models.Model):
    """What a voucher covers of one charge. It follows the charge until that stands on an issued invoice.

    ``root`` is the first charge of the family: what corrects, credits or bills anew has a use of its own, perhaps below
    zero. ``percent`` is the scheme's share when the voucher was chosen; ``quoted`` what was reserved with the quote;
    ``bonus`` what the institution gets on top. ``paid_out`` is what the network has paid of amount and bonus.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    charge = models.OneToOneField(Charge, models.PROTECT, related_name="voucher_use")
    root = models.ForeignKey(Charge, models.PROTECT, related_name="voucher_uses")
    grant = models.ForeignKey(VoucherGrant, models.PROTECT, related_name="uses")
    account = models.ForeignKey(VoucherAccount, models.PROTECT, related_name="uses")
    state = models.CharField(_("status"), max_length=10, choices=UseState.choices, default=UseState.RESERVED)
    percent = models.DecimalField(max_digits=5, decimal_places=2)
    host_percent = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    quoted = models.DecimalField(_("reserved"), max_digits=14, decimal_places=2)
    amount = models.DecimalField(_("covered"), max_digits=14, decimal_places=2)
    bonus = models.DecimalField(_("for the institution"), max_digits=14, decimal_places=2, default=0)
    # Why it covers less than the share, as codes of `voucher_rules`.
    limits = models.JSONField(default=list)
    declared_at = models.DateTimeField()
    declared_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    redeemed_at = models.DateTimeField(null=True, blank=True)
    paid_out = models.DecimalField(_("paid out"), max_digits=14, decimal_places=2, default=0)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["grant", "state"], name="voucher_use_by_grant"),
            models.Index(fields=["state", "redeemed_at"], name="voucher_use_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.grant_id} {self.amount}"


class PayoutState(models.TextChoices):
    PREPARED = "prepared", pgettext_lazy("voucher", "Prepared")
    PAID = "paid", pgettext_lazy("voucher", "Paid out")


class VoucherPayout(models.Model):
    """One transfer (兑付) of the network to an institution for what was redeemed there under a scheme."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="voucher_payouts")
    scheme = models.ForeignKey(VoucherScheme, models.PROTECT, related_name="payouts")
    state = models.CharField(_("status"), max_length=10, choices=PayoutState.choices, default=PayoutState.PREPARED)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    paid_on = models.DateField(_("paid on"), null=True, blank=True)
    reference = models.CharField(_("reference"), max_length=100, blank=True)
    paid_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="prepared", paid_on=None) | Q(state="paid", paid_on__isnull=False),
                name="voucher_payout_paid_on_a_day",
            ),
            models.UniqueConstraint(
                fields=["institution", "scheme"], condition=Q(state="prepared"), name="voucher_payout_one_prepared"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return f"DF-{self.pk:06d}"


class VoucherPayoutLine(models.Model):
    """What a transfer pays for one use; below zero where it had been paid and was credited since."""

    payout = models.ForeignKey(VoucherPayout, models.CASCADE, related_name="lines")
    use = models.ForeignKey(VoucherUse, models.PROTECT, related_name="payout_lines")
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["payout", "use"], name="voucher_payout_each_use_once")]

    def __str__(self) -> str:
        return f"{self.use_id} {self.amount}"


class Evidence(models.TextChoices):
    """What an authority may ask for; the first two are made from the invoice, the others are files of finance."""

    STATEMENT = "statement", _("Invoice (statement)")
    LINES = "lines", _("List of lines")
    CONTRACT = "contract", _("Contract")
    PAYMENT = "payment", _("Proof of payment")
    FAPIAO = "fapiao", _("Fapiao")


UPLOADED = (Evidence.CONTRACT, Evidence.PAYMENT, Evidence.FAPIAO)


class InvoiceFile(models.Model):
    """A paper that belongs to an issued invoice; never edited. ``removed_at`` hides it."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="files")
    kind = models.CharField(_("kind"), max_length=10, choices=[(one.value, one.label) for one in UPLOADED])
    name = models.CharField(_("name"), max_length=150)
    content = models.FileField(upload_to="invoices/%Y/%m/")
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["kind", "pk"]

    def __str__(self) -> str:
        return self.name


_REDEEMED = (
    *("uid", "charge_id", "root_id", "grant_id", "account_id", "state", "percent", "host_percent", "quoted", "amount"),
    *("bonus", "limits", "declared_at", "declared_by_id", "redeemed_at"),
)
_PAID = ("uid", "institution_id", "scheme_id", "state", "total", "created_by_id", "paid_on", "reference", "paid_by_id")
_FILE = ("invoice_id", "kind", "name", "content", "media_type", "size", "sha256", "at", "by_id")

constraints.register(
    constraints.Immutable("invoices_voucheruse", _REDEEMED, when="OLD.state = 'redeemed'"),
    constraints.Immutable("invoices_voucherpayout", _PAID, when="OLD.state = 'paid'"),
    constraints.Immutable("invoices_invoicefile", _FILE, write_once=("removed_at",)),
)
