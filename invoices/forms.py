"""Shape of what the finance pages send."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from invoices.models import ShownStatus

PERIOD = r"20\d\d-(0[1-9]|1[0-2])"
MOST = 2**31 - 1


def period_field(*, required: bool = True) -> forms.RegexField:
    return forms.RegexField(f"^{PERIOD}$", required=required, label=_("Period"))


class DraftForm(forms.Form):
    institution = forms.IntegerField(min_value=1, max_value=MOST)
    customer = forms.IntegerField(min_value=1, max_value=MOST)
    period = period_field()


class FapiaoForm(forms.Form):
    number = forms.CharField(
        label=_("Fapiao number"),
        max_length=60,
        help_text=_("The 20 digits from the tax authority's platform."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


class InvoiceFilterForm(forms.Form):
    """Filters of the list; what is not understood is ignored, as in any address somebody shortened."""

    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("All statuses")), ("issued", _("All issued")), *ShownStatus.choices],
    )
    period = period_field(required=False)
    customer = forms.IntegerField(label=_("Customer"), required=False, min_value=1, max_value=MOST)
    institution = forms.IntegerField(label=_("Institution"), required=False, min_value=1, max_value=MOST)
    sort = forms.ChoiceField(
        required=False,
        choices=[
            (f"{sign}{name}", name) for name in ("number", "period", "customer", "due", "total") for sign in ("", "-")
        ],
    )
