"""Innovation vouchers (创新券): what a region promises to pay of the cost, to whom, and how much of it is taken."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.accounts.models import Organisation
from backend.core import constraints


class EnterpriseType(models.TextChoices):
    """As the programmes of the regions tell enterprises apart."""

    TEAM = "team", _("Start-up team")
    MICRO = "micro", _("Small or micro enterprise")
    TECH = "tech", _("Technology-based SME")
    HIGH_TECH = "high_tech", _("High-tech enterprise")
    OTHER = "other", _("Other enterprise")


class CapBy(models.TextChoices):
    """Whose use is added up against the cap of a year."""

    ENTERPRISE = "enterprise", _("Each enterprise, by its credit code")
    CONTROLLER = "controller", _("All enterprises of one controller together")


class WhenHigher(models.TextChoices):
    """What happens when the final amount is above the quoted one."""

    AVAILABLE = "available", _("The share of the final amount, as far as the voucher reaches")
    RESERVED = "reserved", _("Never more than was reserved")


class VoucherScheme(models.Model):
    """One programme of a region, with its dates. ``valid_to`` is its last day; dates are those of the service.

    ``shares`` are tried in their order: ``{"types": […], "modes": […], "percent": "40", "host_percent": "0"}``; an
    empty list means any. ``percent`` of the cost is covered for the enterprise, ``host_percent`` is paid to the
    institution on top. ``cap`` holds for a calendar year. ``categories`` are beginnings of category codes; none means
    all of them.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    code = models.SlugField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=150, blank=True)
    region = models.CharField(_("region"), max_length=30, blank=True)
    local_only = models.BooleanField(_("only institutions of the region"), default=False)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    shares = models.JSONField(default=list)
    cap = models.DecimalField(_("cap per calendar year"), max_digits=14, decimal_places=2, null=True, blank=True)
    cap_by = models.CharField(_("the cap counts"), max_length=10, choices=CapBy.choices, default=CapBy.ENTERPRISE)
    categories = models.JSONField(default=list)
    exclude_related = models.BooleanField(_("not between related parties"), default=True)
    exclude_statutory = models.BooleanField(_("not for statutory inspection"), default=True)
    when_higher = models.CharField(
        _("final amount above the quoted one"), max_length=10, choices=WhenHigher.choices, default=WhenHigher.AVAILABLE
    )
    documents = models.JSONField(default=list)
    evidence = models.JSONField(default=list)
    open = models.BooleanField(_("enterprises can apply"), default=True)
    note = models.TextField(_("note"), blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-valid_from", "code"]

    def __str__(self) -> str:
        return self.name

    def label(self, language: str) -> str:
        return self.name_en if language == "en" and self.name_en else self.name


class GrantState(models.TextChoices):
    APPLIED = "applied", pgettext_lazy("voucher", "Applied for")
    GRANTED = "granted", pgettext_lazy("voucher", "Granted")
    REFUSED = "refused", pgettext_lazy("voucher", "Refused")
    WITHDRAWN = "withdrawn", pgettext_lazy("voucher", "Withdrawn")
    REVOKED = "revoked", pgettext_lazy("voucher", "Revoked")


class VoucherGrant(models.Model):
    """What an enterprise applied for (申领) and what became of it; ``used`` is reserved or redeemed of ``amount``.

    ``controller`` is the credit code of whoever controls the enterprise, ``related`` those of related institutions.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    scheme = models.ForeignKey(VoucherScheme, models.PROTECT, related_name="grants")
    enterprise = models.ForeignKey(Organisation, models.PROTECT, related_name="voucher_grants")
    state = models.CharField(_("status"), max_length=10, choices=GrantState.choices, default=GrantState.APPLIED)
    enterprise_type = models.CharField(_("kind of enterprise"), max_length=10, choices=EnterpriseType.choices)
    controller = models.CharField(_("credit code of the controller"), max_length=18, blank=True)
    related = models.JSONField(default=list)
    requested = models.DecimalField(_("amount applied for"), max_digits=14, decimal_places=2)
    purpose = models.TextField(_("what it is for"))
    amount = models.DecimalField(_("amount granted"), max_digits=14, decimal_places=2, null=True, blank=True)
    used = models.DecimalField(_("used"), max_digits=14, decimal_places=2, default=0)
    expires_on = models.DateField(_("last day"), null=True, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    applied_at = models.DateTimeField(_("applied for at"))
    applied_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-applied_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(used=0) | Q(used__gt=0, used__lte=F("amount")), name="voucher_within_its_amount"
            ),
            models.UniqueConstraint(
                fields=["scheme", "enterprise"], condition=Q(state="applied"), name="voucher_applied_for_once"
            ),
        ]
        indexes = [
            models.Index(fields=["enterprise", "state"], name="voucher_by_enterprise"),
            models.Index(fields=["state", "applied_at"], name="voucher_by_state"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return f"{self.scheme.code}-{self.pk:06d}"


class VoucherAccount(models.Model):
    """What one holder has taken of a scheme in a calendar year, at all institutions together; its row is the lock.

    ``holder`` is a credit code: the enterprise's, or that of its controller. ``cap`` is the scheme's when it last grew.
    """

    scheme = models.ForeignKey(VoucherScheme, models.PROTECT, related_name="accounts")
    holder = models.CharField(_("credit code"), max_length=18)
    year = models.PositiveSmallIntegerField(_("year"))
    cap = models.DecimalField(_("cap"), max_digits=14, decimal_places=2, null=True)
    used = models.DecimalField(_("used"), max_digits=14, decimal_places=2, default=0)

    class Meta:
        ordering = ["-year", "scheme", "holder"]
        constraints = [
            models.UniqueConstraint(fields=["scheme", "holder", "year"], name="voucher_account_once"),
            models.CheckConstraint(condition=Q(used__gte=0), name="voucher_account_not_below_zero"),
            models.CheckConstraint(condition=Q(cap=None) | Q(used__lte=F("cap")), name="voucher_account_within_cap"),
        ]

    def __str__(self) -> str:
        return f"{self.scheme_id} {self.holder} {self.year}: {self.used}"


class GrantFile(models.Model):
    """A document of an application; only ever served as a download."""

    grant = models.ForeignKey(VoucherGrant, models.PROTECT, related_name="files")
    name = models.CharField(_("name"), max_length=150)
    content = models.FileField(upload_to="vouchers/%Y/%m/")
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


_STORED = ("name", "content", "media_type", "size", "sha256", "at", "by_id")

constraints.register(constraints.Immutable("invoices_grantfile", ("grant_id", *_STORED)))
