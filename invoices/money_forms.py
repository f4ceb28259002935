"""Shape of what the pages of disputes, transfers, credit, statements and terms send."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backend.core.fields import Text
from backend.core.money import format_amount
from invoices.forms import MOST, ReasonForm
from invoices.models import DisputeState, MoneyTerms, RowState, Surplus

LEVELS = 3


def amount_field(**more: Any) -> forms.DecimalField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.DecimalField(**{"label": _("Amount"), "max_digits": 14, "decimal_places": 2, "widget": widget, **more})


def day_field(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


class DisputeForm(forms.Form):
    line = forms.TypedChoiceField(label=_("What is it about?"), required=False, coerce=int, empty_value=None)
    reason = Text(label=_("Reason"), max_length=2000, widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, lines: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["line"].choices = [("", _("The whole charge")), *lines]  # type: ignore[attr-defined]


class ReplyForm(forms.Form):
    text = Text(label=_("Message"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}))


class DecideForm(forms.Form):
    decision = forms.ChoiceField(
        label=_("Decision"),
        widget=forms.RadioSelect,
        choices=[
            ("uphold", _("The charge stands")),
            ("adjust", _("Adjust it to the amount below")),
            ("waive", _("Waive it: nothing is owed")),
        ],
    )
    amount = amount_field(required=False, label=_("Amount owed instead"))
    reason = Text(label=_("Reason"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


class DisputeFilterForm(forms.Form):
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("All statuses")), *DisputeState.choices]
    )
    enterprise = forms.IntegerField(required=False, min_value=1, max_value=MOST)


class RowFilterForm(forms.Form):
    status = forms.ChoiceField(label=_("Status"), required=False, choices=[("", _("All statuses")), *RowState.choices])


class TransferForm(forms.Form):
    amount = amount_field()
    date = day_field(_("Date received"))
    reference = Text(label=_("Bank reference"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    note = Text(label=_("Note"), max_length=500, required=False)
    keep_rest = forms.BooleanField(label=_("Keep what is left over as the customer's credit"), required=False)


class MatchForm(forms.Form):
    keep_rest = forms.BooleanField(label=_("Keep what is left over as the customer's credit"), required=False)


def parts_of(data: Any) -> dict[int, Decimal]:
    """``part-<invoice>`` = amount, as far as they are filled in; what is no amount is told as such."""
    parts = {}
    for name, text in data.items():
        pk = name.removeprefix("part-")
        if name.startswith("part-") and pk.isdecimal() and str(text).strip() and len(pk) < 19:
            parts[int(pk)] = amount_field().clean(str(text).strip().replace(",", ""))
    return parts


class RefundForm(forms.Form):
    amount = amount_field()
    date = day_field(_("Date paid back"))
    reference = Text(label=_("Bank reference"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    note = Text(label=_("Note"), max_length=500, required=False)

    @classmethod
    def for_surplus(cls, surplus: Surplus) -> RefundForm:
        return cls(initial={"amount": format_amount(surplus.amount), "date": timezone.localdate()})


class UseCreditForm(forms.Form):
    amount = amount_field()


class StatementForm(forms.Form):
    file = forms.FileField(label=_("Bank statement, CSV or XLSX"))
    date = Text(label=_("Column of the date"), max_length=100, required=False)
    amount = Text(label=_("Column of the amount that came in"), max_length=100, required=False)
    payer = Text(label=_("Column of the payer"), max_length=100, required=False)
    account = Text(label=_("Column of the payer's account"), max_length=100, required=False)
    reference = Text(label=_("Column of the bank's reference"), max_length=100, required=False)
    text = Text(label=_("Column of the purpose"), max_length=100, required=False)


class SetAsideForm(forms.Form):
    reason = Text(label=_("Why it pays no invoice"), max_length=200)


class HoldForm(forms.Form):
    reason = Text(label=_("Why no reminders are sent; empty: they are"), max_length=200, required=False)


class ReverseTransferForm(ReasonForm):
    """Why it is taken back."""


class TermsForm(forms.Form):
    """Reminders in up to `LEVELS` rows; an empty number of days leaves the row out."""

    dispute_days = forms.IntegerField(
        label=_("Days in which a charge can be disputed"),
        min_value=0,
        max_value=365,
        help_text=_("Counted from the day on which it became final; 0 means on that day only."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for level in range(1, LEVELS + 1):
            self.fields[f"days_{level}"] = forms.IntegerField(
                label=_("Reminder %(level)s: days after the due date") % {"level": level},
                required=False,
                min_value=-30,
                max_value=730,
            )
            self.fields[f"text_{level}"] = Text(
                label=_("Its text"), max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2})
            )

    @classmethod
    def of(cls, terms: MoneyTerms) -> TermsForm:
        initial = {"dispute_days": terms.dispute_days}
        for level, one in enumerate(terms.reminders, 1):
            initial |= {f"days_{level}": one["days"], f"text_{level}": one["text"]}
        return cls(initial=initial)

    def reminders(self) -> list[dict[str, Any]]:
        data = self.cleaned_data
        levels = range(1, LEVELS + 1)
        return [{"days": data[f"days_{n}"], "text": data[f"text_{n}"]} for n in levels if data[f"days_{n}"] is not None]
