"""Shape of the words that finance writes on a draft."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.core.fields import Text


class WordingForm(forms.Form):
    period = Text(
        label=_("Period as printed"),
        max_length=60,
        required=False,
        help_text=_("Instead of the month, for example “1–15 March 2026”."),
    )
    order_number = Text(label=_("Customer's order number"), max_length=60, required=False)
    contact = Text(
        label=_("Contact for questions"), max_length=120, required=False, help_text=_("A name and a telephone number.")
    )
    remark = Text(label=_("Remark"), max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 3}))
