"""Shapes of what people type about agreements."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from backend.core.fields import Text


def _day(label: Any, **more: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **more)


class AgreementForm(forms.Form):
    """``customer`` is a name or code; a known agreement keeps its customer."""

    customer = Text(
        label=gettext_lazy("Customer"),
        max_length=150,
        help_text=gettext_lazy("The unified social credit code, or the exact name of the organisation."),
    )
    number = Text(label=gettext_lazy("Number of the contract"), max_length=60)
    audience = Text(
        label=gettext_lazy("Audience"),
        max_length=30,
        required=False,
        help_text=gettext_lazy(
            "A code of your price lists and rules, such as academic, if the customer is to be treated as that."
        ),
    )
    valid_from = _day(gettext_lazy("Valid from"))
    valid_to = _day(gettext_lazy("Valid to"), required=False, help_text=gettext_lazy("Empty: without end."))

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, known: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known:
            del self.fields["customer"]


class EndForm(forms.Form):
    day = _day(gettext_lazy("Last day"), required=False)
    reason = Text(label=gettext_lazy("Reason"), max_length=200)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
