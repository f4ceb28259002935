"""What is noted beside a charge and stands on no invoice: credit and memo accounts of a price list."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from backend.core import constraints
from invoices.models.charges import Charge


class AsideAccount(models.TextChoices):
    CREDIT = "credit", _("Credit account")
    MEMO = "memo", _("Memo account")


class AsideLine(models.Model):
    """A line of a price list on another account than the invoice's. What an account comes to is the sum of its lines:

    a correction is a line of the difference. ``charge`` is the first of its family.
    """

    charge = models.ForeignKey(Charge, models.PROTECT, related_name="aside")
    account = models.CharField(_("account"), max_length=10, choices=AsideAccount.choices)
    code = models.CharField(max_length=40)
    name = models.CharField(_("item"), max_length=120)
    quantity = models.DecimalField(_("quantity"), max_digits=14, decimal_places=4, null=True)
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    why = models.TextField(_("calculation"), blank=True)
    posted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} {self.amount}"


constraints.register(
    constraints.Immutable(
        "invoices_asideline", ("charge_id", "account", "code", "name", "quantity", "unit", "amount", "why", "posted_at")
    )
)
