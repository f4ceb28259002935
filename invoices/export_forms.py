"""Shape of the pages about what leaves for other programs."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from backend.core.errors import Invalid, Refusal, invalid
from backend.core.fields import Text, named
from invoices.books.mapping import CUSTOMERS, ROLES
from invoices.fapiao.layout import NORMAL, SPECIAL
from invoices.forms import MOST, period_field
from invoices.models import ChargeState, ShownStatus

LARGEST_JSON = 512 * 1024
SPARE_ROWS = 3


def _line(label: Any, length: int, **attrs: str) -> Text:
    return Text(label=label, max_length=length, required=False, widget=forms.TextInput(attrs=attrs))


class BatchForm(forms.Form):
    """Which invoices; ``again`` those that stand in an earlier batch too."""

    invoices = forms.TypedMultipleChoiceField(coerce=int, required=False)
    again = forms.BooleanField(required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        field = self.fields["invoices"]
        field.valid_value = lambda value: value.isascii() and value.isdigit() and int(value) <= MOST  # type: ignore[attr-defined]  # any id: the action looks


class FillingForm(forms.Form):
    """How the template is filled; the classifications are rows of their own."""

    type = forms.ChoiceField(
        label=gettext_lazy("Usual kind of fapiao"),
        choices=[(NORMAL, NORMAL), (SPECIAL, SPECIAL)],
    )
    special = Text(
        label=gettext_lazy("Customers who want a special fapiao (专票)"),
        help_text=gettext_lazy("Credit codes, one a line."),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    remark = _line(gettext_lazy("Remark"), 200)
    payee = _line(gettext_lazy("Payee (收款人)"), 16)
    reviewer = _line(gettext_lazy("Reviewer (复核人)"), 16)
    show_buyer = forms.BooleanField(label=gettext_lazy("Show the buyer's address and bank"), required=False)
    show_seller = forms.BooleanField(label=gettext_lazy("Show the seller's address and bank"), required=False)
    most_lines = forms.IntegerField(
        label=gettext_lazy("Most lines on one fapiao"), min_value=1, max_value=2000, required=False
    )
    most_amount = forms.DecimalField(
        label=gettext_lazy("Largest amount of one fapiao"),
        max_digits=13,
        decimal_places=2,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    most_fapiao = forms.IntegerField(
        label=gettext_lazy("Most fapiao in one file"), min_value=1, max_value=5000, required=False
    )


class TaxClassForm(forms.Form):
    code = _line(gettext_lazy("Charge code"), 40)
    subject = _line(gettext_lazy("Instrument"), 200)
    tax_code = _line(gettext_lazy("Tax classification"), 19, inputmode="numeric")
    item = _line(gettext_lazy("Name of the item"), 100)
    policy = _line(gettext_lazy("Tax preference"), 40)


class MappingForm(forms.Form):
    """The accounts of the roles; those of revenue are rows of their own."""

    word = _line(gettext_lazy("Voucher type"), 4)
    summary = _line(gettext_lazy("Summary"), 200)
    credit_notes = forms.ChoiceField(
        label=gettext_lazy("Credit notes"),
        choices=[
            ("red", gettext_lazy("below zero on the same side (红字)")),
            ("swap", gettext_lazy("on the other side")),
        ],
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=[(role, role) for role in ROLES], widget=forms.HiddenInput)
    account = _line(pgettext_lazy("bookkeeping", "Account"), 30)
    name = _line(gettext_lazy("Name"), 100)


class RevenueForm(forms.Form):
    code = _line(gettext_lazy("Charge code"), 200)
    subject = _line(gettext_lazy("Instrument"), 200)
    mode = forms.ChoiceField(
        label=gettext_lazy("Mode"),
        required=False,
        choices=[
            ("", gettext_lazy("any")),
            ("self", gettext_lazy("self-operated")),
            ("operator", gettext_lazy("with operator")),
            ("sample", gettext_lazy("samples")),
        ],
    )
    customer = forms.ChoiceField(
        label=gettext_lazy("Customer"),
        required=False,
        choices=[
            ("", gettext_lazy("any")),
            ("enterprise", gettext_lazy("enterprise")),
            ("institution", gettext_lazy("institution")),
            ("internal", gettext_lazy("own institution")),
        ],
    )
    tax = _line(gettext_lazy("Tax %"), 20, inputmode="decimal")
    account = _line(pgettext_lazy("bookkeeping", "Account"), 30)
    name = _line(gettext_lazy("Name"), 100)
    cost_centre = _line(gettext_lazy("Cost centre"), 60)
    # What a rule asks besides; only JSON can say it, and it stays as it is.
    more = forms.JSONField(required=False, widget=forms.HiddenInput)


assert {value for value, _label in RevenueForm.base_fields["customer"].choices} - {""} == set(CUSTOMERS)  # type: ignore[attr-defined]  # a ChoiceField

ClassRows = forms.formset_factory(TaxClassForm, extra=SPARE_ROWS, max_num=200, absolute_max=220)
RoleRows = forms.formset_factory(RoleForm, extra=0, max_num=len(ROLES), absolute_max=len(ROLES))
RevenueRows = forms.formset_factory(RevenueForm, extra=SPARE_ROWS, max_num=500, absolute_max=520)
_ASKED = ("code", "subject", "mode", "customer", "tax")


# --- from what was saved to the form, and back ---------------------------------------------------------------------


def filling_initial(content: dict[str, Any]) -> dict[str, Any]:
    plain = {"type": NORMAL, "remark": "结算单 {number}，期间 {period}", **content}
    return {**plain, "special": "\n".join(content.get("special", []))}


def filling_content(form: FillingForm, rows: Any) -> dict[str, Any]:
    """`Invalid` where a field cannot be read."""
    _check(form, rows)
    data = form.cleaned_data
    content = {key: value for key, value in data.items() if value not in (None, "") and key not in ("special",)}
    if data["most_amount"] is not None:
        content["most_amount"] = f"{data['most_amount']:.2f}"
    content["special"] = data["special"].split()
    content["classes"] = [
        {key: value for key, value in row.items() if value} for row in _rows(rows) if any(row.values())
    ]
    return content


def mapping_rows(content: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Initial values of the roles and of the rules."""
    roles = [{"role": role, **{key: (content.get(role) or {}).get(key, "") for key in ("account", "name")}}
             for role in ROLES]  # fmt: skip
    rules = []
    for rule in content.get("revenue", []):
        when = dict(rule.get("when", {}))
        asked = {key: when.pop(key, "") for key in _ASKED}
        named = {key: rule.get(key, "") for key in ("account", "name", "cost_centre")}
        rules.append({**asked, **named, "more": when or None})
    return roles, rules


def mapping_content(form: MappingForm, roles: Any, rules: Any) -> dict[str, Any]:
    """`Invalid` where a field cannot be read. A row of revenue without an account is left out."""
    _check(form, roles, rules)
    content = {key: value for key, value in form.cleaned_data.items() if value}
    for row in _rows(roles):
        if row.get("account"):
            content[row["role"]] = {"account": row["account"], **({"name": row["name"]} if row["name"] else {})}
    content["revenue"] = [
        {
            "when": {**{key: row[key] for key in _ASKED if row[key]}, **(row["more"] or {})},
            **{key: row[key] for key in ("account", "name", "cost_centre") if row[key]},
        }
        for row in _rows(rules)
        if row.get("account")
    ]
    return content


def _check(form: forms.Form, *rows: Any) -> None:
    refusals = [
        Refusal("invalid", named(one, name, message), field=name)
        for one in (form, *(each for group in rows for each in group))
        for name, errors in one.errors.items()
        for message in errors
    ]
    if refusals or not all(group.is_valid() for group in rows):
        raise Invalid(*refusals)


def _rows(rows: Any) -> list[dict[str, Any]]:
    return [form.cleaned_data for form in rows if form.cleaned_data]


def json_content(text: str) -> dict[str, Any]:
    """What was pasted or uploaded; `Invalid` if it is no JSON object."""
    if len(text) > LARGEST_JSON:
        raise invalid("json", _("The JSON is too large."))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid("json", _("This is no JSON: %(reason)s") % {"reason": error}) from error
    if not isinstance(content, dict):
        raise invalid("json", _("This must be a JSON object."))
    return content


class ResultsForm(forms.Form):
    """The file from the platform, or the rows as text; from the preview only the text."""

    file = forms.FileField(label=gettext_lazy("Result file as XLSX or CSV"), required=False)
    text = Text(
        label=gettext_lazy("Or paste the rows"),
        help_text=gettext_lazy("Serial number and fapiao number, one pair a line."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    confirmed = forms.BooleanField(required=False)


class CentreForm(forms.Form):
    """Filters of all exports; what is not understood is ignored."""

    period = period_field(required=False)
    institution = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    status = forms.ChoiceField(
        required=False,
        choices=[
            ("", gettext_lazy("All statuses")),
            ("issued", gettext_lazy("All issued")),
            ("owing", gettext_lazy("To be paid")),
            *((value, label) for value, label in ShownStatus.choices if value != ShownStatus.ISSUED),
        ],
    )
    state = forms.ChoiceField(required=False, choices=[("", gettext_lazy("All statuses")), *ChargeState.choices])
