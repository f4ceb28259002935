"""Shape of what the finance pages send."""

from __future__ import annotations

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backend.core.fields import Text
from backend.core.money import format_amount
from invoices.models import Invoice, InvoiceKind, ShownStatus

PERIOD = r"20\d\d-(0[1-9]|1[0-2])"
MOST = 2**31 - 1


def period_field(*, required: bool = True) -> forms.RegexField:
    return forms.RegexField(f"^{PERIOD}$", required=required, label=_("Period"))


class DraftForm(forms.Form):
    institution = forms.IntegerField(min_value=1, max_value=MOST)
    customer = forms.IntegerField(min_value=1, max_value=MOST)
    period = period_field()
    currency = forms.RegexField("^[A-Z]{3}$", required=False)


class FapiaoForm(forms.Form):
    number = Text(
        label=_("Fapiao number"),
        max_length=60,
        help_text=_("The 20 digits from the tax authority's platform."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


class PaymentForm(forms.Form):
    amount = forms.DecimalField(
        label=_("Amount"),
        max_digits=14,
        decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    date = forms.DateField(label=_("Date received"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    reference = Text(label=_("Bank reference"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    note = Text(label=_("Note"), max_length=500, required=False)
    keep_rest = forms.BooleanField(label=_("Keep what is over as the customer's credit"), required=False)

    @classmethod
    def for_invoice(cls, invoice: Invoice) -> PaymentForm:
        """Today's payment of all that is left."""
        return cls(initial={"amount": format_amount(invoice.balance), "date": timezone.localdate()})


class ReasonForm(forms.Form):
    reason = Text(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class ReversalForm(ReasonForm):
    """Why a payment is taken back."""

    to_credit = forms.BooleanField(
        label=_("The money is there: keep it as the customer's credit"),
        required=False,
        help_text=_("For a payment that was noted on the wrong invoice. Otherwise it bounced or was paid back."),
    )


class CreditForm(ReasonForm):
    rebill = forms.BooleanField(
        label=_("Bill the charges anew"),
        required=False,
        help_text=_("They can be drafted again at once, with the customer's present data. Otherwise nothing is owed."),
    )


class InvoiceFilterForm(forms.Form):
    """Filters of the list; what is not understood is ignored, as in any address somebody shortened."""

    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[
            ("", _("All statuses")),
            ("issued", _("All issued")),
            ("owing", _("To be paid")),
            ("not_due", _("Not due yet")),
            *((value, label) for value, label in ShownStatus.choices if value != ShownStatus.ISSUED),
        ],
    )
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", _("All kinds")), *InvoiceKind.choices])
    period = period_field(required=False)
    customer = forms.IntegerField(label=_("Customer"), required=False, min_value=1, max_value=MOST)
    institution = forms.IntegerField(label=_("Institution"), required=False, min_value=1, max_value=MOST)
    sort = forms.ChoiceField(
        required=False,
        choices=[
            (f"{sign}{name}", name) for name in ("number", "period", "customer", "due", "total") for sign in ("", "-")
        ],
    )
