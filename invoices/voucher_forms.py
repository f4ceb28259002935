"""Shape of what the pages of vouchers send."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backend.core.fields import Text
from instruments.models import Mode
from invoices.forms import MOST
from invoices.models import (
    UPLOADED,
    CapBy,
    EnterpriseType,
    Evidence,
    GrantState,
    UseState,
    VoucherGrant,
    VoucherScheme,
    WhenHigher,
)
from invoices.voucher_rules import MOST_SHARES


def _day(label: Any, *, required: bool = True, help_text: Any = "") -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=required, help_text=help_text, widget=widget)


def _amount(label: Any, *, required: bool = True, help_text: Any = "") -> forms.DecimalField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.DecimalField(
        label=label, max_digits=14, decimal_places=2, required=required, help_text=help_text, widget=widget
    )


def _percent(label: Any, *, help_text: Any = "") -> forms.DecimalField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.DecimalField(
        label=label, max_digits=5, decimal_places=2, required=False, widget=widget, help_text=help_text
    )


class Rows(Text):
    """Several entries, one on each line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 3}), required=False, max_length=2000, **kwargs)

    def clean(self, value: Any) -> list[str]:  # type: ignore[override]  # a list is what becomes of the text
        return [line.strip() for line in re.split(r"[\n,，;；]", super().clean(value)) if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class SchemeForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    code = forms.SlugField(label=_("Code"), max_length=20, help_text=_("Begins the numbers of its vouchers."))
    name = Text(label=_("Name"), max_length=100)
    name_en = Text(label=_("English name"), max_length=150, required=False)
    region = Text(
        label=_("Region"), max_length=30, required=False, help_text=_("Of the enterprises; empty: from everywhere.")
    )
    local_only = forms.BooleanField(label=_("Only services of institutions in the region"), required=False)
    currency = forms.RegexField("^[A-Z]{3}$", label=_("Currency"), initial="CNY")
    valid_from = _day(_("Valid from"), help_text=_("By the date of service."))
    valid_to = _day(_("Valid to"), required=False)
    cap = _amount(_("Cap per calendar year"), required=False, help_text=_("Empty: none."))
    cap_by = forms.ChoiceField(label=_("The cap counts"), choices=CapBy.choices)
    when_higher = forms.ChoiceField(label=_("Final amount above the quoted one"), choices=WhenHigher.choices)
    categories = Rows(
        label=_("Categories of instruments"), help_text=_("Beginnings of category codes, one a line; empty: all.")
    )
    exclude_related = forms.BooleanField(label=_("Not between related parties"), required=False)
    exclude_statutory = forms.BooleanField(label=_("Not for statutory inspection"), required=False)
    documents = Rows(label=_("Documents of an application"), help_text=_("One a line."))
    evidence = forms.MultipleChoiceField(
        label=_("Evidence for paying out"),
        choices=Evidence.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    open = forms.BooleanField(label=_("Enterprises can apply"), required=False)
    note = Text(label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))

    @classmethod
    def of(cls, scheme: VoucherScheme) -> SchemeForm:
        names = [name for name in cls.base_fields if name != "version"]
        return cls(initial={"version": scheme.version, **{name: getattr(scheme, name) for name in names}})

    @classmethod
    def blank(cls) -> SchemeForm:
        today = timezone.localdate()
        year = {"valid_from": today.replace(month=1, day=1), "valid_to": today.replace(month=12, day=31)}
        always = {"exclude_related": True, "exclude_statutory": True, "open": True, "evidence": Evidence.values}
        return cls(initial={**year, **always, "currency": "CNY"})


class ShareForm(forms.Form):
    """One row of the shares; without a percentage it is left out."""

    percent = _percent(_("Share %"))
    host_percent = _percent(_("For the institution %"), help_text=_("On top, paid by the network."))
    types = forms.MultipleChoiceField(
        label=_("Enterprises"),
        choices=EnterpriseType.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: every enterprise."),
    )
    modes = forms.MultipleChoiceField(
        label=_("Services"),
        choices=Mode.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: every service."),
    )


_ShareForms = formset_factory(ShareForm, extra=2, max_num=MOST_SHARES, absolute_max=MOST_SHARES + 2)


def share_forms(data: Any = None, shares: Sequence[Mapping[str, Any]] = ()) -> BaseFormSet[Any]:
    forms_: BaseFormSet[Any] = _ShareForms(data, prefix="shares", initial=None if data else list(shares))
    return forms_


def shares_in(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As the scheme keeps them, numbers as text."""
    return [
        {
            "types": row["types"],
            "modes": row["modes"],
            "percent": format(row["percent"].normalize(), "f"),
            "host_percent": format((row["host_percent"] or 0), "f"),
        }
        for row in rows
        if row.get("percent") is not None
    ]


class ApplicationForm(forms.Form):
    enterprise_type = forms.ChoiceField(label=_("Kind of enterprise"), choices=EnterpriseType.choices)
    requested = _amount(_("Amount applied for"))
    purpose = Text(
        label=_("What it is for"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The research or development, and which services it needs."),
    )
    controller = Text(
        label=_("Credit code of the controller"),
        max_length=18,
        required=False,
        help_text=_("Whoever controls your enterprise, where there is somebody."),
    )
    related = Rows(
        label=_("Related institutions"),
        help_text=_("Credit codes of institutions with which your enterprise is related, one a line."),
    )
    declared = forms.BooleanField(label=_("What I state here is true and complete, and I may act for the enterprise."))


class GrantForm(forms.Form):
    amount = _amount(_("Amount granted"))
    expires_on = _day(_("Last day"), required=False, help_text=_("Of the services; empty: as the scheme."))
    enterprise_type = forms.ChoiceField(label=_("Kind of enterprise"), choices=EnterpriseType.choices)
    controller = Text(label=_("Credit code of the controller"), max_length=18, required=False)
    reason = Text(label=_("Note to the enterprise"), max_length=2000, required=False)

    @classmethod
    def of(cls, grant: VoucherGrant) -> GrantForm:
        return cls(
            initial={
                "amount": grant.requested,
                "enterprise_type": grant.enterprise_type,
                "controller": grant.controller,
            }
        )


class DecisionReasonForm(forms.Form):
    reason = Text(label=_("Reason"), max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


class PaidForm(forms.Form):
    paid_on = _day(_("Date of the transfer"))
    reference = Text(label=_("Bank reference"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))


class PrepareForm(forms.Form):
    institution = forms.IntegerField(min_value=1, max_value=MOST)
    scheme = forms.IntegerField(min_value=1, max_value=MOST)


class CoverForm(forms.Form):
    """Which voucher for a charge; none gives it back."""

    voucher = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    voucher_declared = forms.BooleanField(required=False)


class FileForm(forms.Form):
    kind = forms.ChoiceField(label=_("Kind"), choices=[(one.value, one.label) for one in UPLOADED])


class GrantFilterForm(forms.Form):
    """What is not understood is ignored, as in any address somebody shortened."""

    state = forms.ChoiceField(required=False, choices=[("", _("All statuses")), *GrantState.choices])
    scheme = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    q = Text(required=False, max_length=100)


class UseFilterForm(forms.Form):
    state = forms.ChoiceField(required=False, choices=[("", _("All statuses")), *UseState.choices])
    scheme = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    institution = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    month = forms.RegexField(r"^20\d\d-(0[1-9]|1[0-2])$", required=False)
