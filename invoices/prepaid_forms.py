"""Shape of what the pages of prepaid accounts, spending and budgets send."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Group, Organisation, Project, User
from backend.core.fields import Text
from instruments.models import Instrument
from invoices.models import Approver, Budget, BudgetPeriod, PrepaidKind, PrepaidTerms, SpendingKind


def _amount(label: Any, *, required: bool = False, help_text: Any = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        max_digits=14,
        decimal_places=2,
        required=required,
        help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class TermsForm(forms.Form):
    kind = forms.ChoiceField(label=_("Before booking"), choices=PrepaidKind.choices)
    percent = forms.DecimalField(
        label=_("Percent"),
        max_digits=5,
        decimal_places=2,
        required=False,
        help_text=_("For a share of the quoted amount."),
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    amount = _amount(_("Amount"), help_text=_("For a fixed deposit."))
    inside = forms.BooleanField(
        label=_("Also for the institution's own people"),
        required=False,
        help_text=_("Otherwise only customers from outside pay ahead."),
    )

    @classmethod
    def of(cls, terms: PrepaidTerms | None) -> TermsForm:
        if terms is None:
            return cls(initial={"kind": PrepaidKind.NONE})
        fields = ("kind", "percent", "amount", "inside")
        return cls(initial={name: getattr(terms, name) for name in fields})


class InstrumentTermsForm(TermsForm):
    instrument = forms.ModelChoiceField(label=_("Instrument"), queryset=Instrument.objects.none())
    field_order = ("instrument", "kind", "percent", "amount", "inside")

    def __init__(self, *args: Any, institution: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Instrument.objects.filter(institution=institution).order_by("name")
        self.fields["instrument"].queryset = rows  # type: ignore[attr-defined]  # a ModelChoiceField


class OpenForm(forms.Form):
    customer = Text(label=_("Customer"), max_length=150, help_text=_("Credit code or exact name."))
    project = Text(
        label=_("Project number"), max_length=40, required=False, help_text=_("Only for an account of one project.")
    )
    group = Text(label=_("Group"), max_length=80, required=False, help_text=_("Only for an account of one group."))


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


class TopUpForm(forms.Form):
    amount = _amount(_("Amount"), required=True)
    date = _day(_("Date received"))
    reference = Text(label=_("Bank reference"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    note = Text(label=_("Note"), max_length=500, required=False)

    @classmethod
    def today(cls) -> TopUpForm:
        return cls(initial={"date": timezone.localdate()})


class RefundForm(TopUpForm):
    date = _day(_("Paid out on"))


class LowForm(forms.Form):
    low_at = _amount(_("Tell the customer below"), help_text=_("Leave empty to tell nobody."))


class RuleForm(forms.Form):
    """For whom, when, and whose agreement is wanted."""

    person = forms.ModelChoiceField(label=_("Person"), queryset=User.objects.none(), required=False)
    project = forms.ModelChoiceField(label=_("Project"), queryset=Project.objects.none(), required=False)
    group = forms.ModelChoiceField(label=_("Group"), queryset=Group.objects.none(), required=False)
    kind = forms.ChoiceField(label=_("Ask"), choices=SpendingKind.choices)
    amount = _amount(_("Amount of one booking"), help_text=_("For “above an amount”."))
    approvers = forms.MultipleChoiceField(
        label=_("Who may agree"),
        choices=Approver.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Administrators always may."),
    )

    def __init__(self, *args: Any, organisation: Organisation, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"kind": SpendingKind.OVER, "approvers": [Approver.ADMIN]})
        super().__init__(*args, **kwargs)
        people = User.objects.filter(
            memberships__organisation=organisation, memberships__ended_at=None, is_active=True
        ).distinct()
        fields: dict[str, Any] = self.fields
        fields["person"].queryset = people.order_by("name")
        fields["project"].queryset = Project.objects.filter(organisation=organisation, active=True).order_by("code")
        fields["group"].queryset = Group.objects.filter(organisation=organisation, active=True).order_by("name")
        for name in ("person", "project", "group"):
            fields[name].empty_label = str(_("Any"))


class BudgetForm(forms.Form):
    amount = _amount(_("Budget"), help_text=_("Empty: no budget."))
    period = forms.ChoiceField(label=_("Counts"), choices=BudgetPeriod.choices)
    warn_percent = forms.IntegerField(label=_("Warn at percent"), min_value=1, max_value=100)
    stop = forms.BooleanField(
        label=_("Refuse bookings beyond it"), required=False, help_text=_("Otherwise people are only warned.")
    )
    leader = forms.ModelChoiceField(label=_("Project leader"), queryset=User.objects.none(), required=False)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        budget: Budget | None = getattr(project, "budget", None)
        fields = ("amount", "period", "warn_percent", "stop")
        initial: dict[str, Any] = {"period": BudgetPeriod.YEAR, "warn_percent": 80}
        initial |= {name: getattr(budget, name) for name in fields} if budget else {}
        kwargs.setdefault("initial", {**initial, "leader": project.leader_id})
        super().__init__(*args, **kwargs)
        people = User.objects.filter(
            memberships__organisation=project.organisation_id, memberships__ended_at=None, is_active=True
        ).distinct()
        self.fields["leader"].queryset = people.order_by("name")  # type: ignore[attr-defined]  # a ModelChoiceField
