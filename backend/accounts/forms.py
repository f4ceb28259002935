"""Shapes of what people type on the pages of accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _

from backend.accounts.models import Group, Organisation, OrganisationKind, Role, User
from backend.accounts.queries import groups_of
from backend.accounts.rules import ROLES, abroad_refusals, countries, normalise_uscc, normalise_vat_id, uscc_refusals
from backend.core.fields import Text

MOST_NOTE = 1000


def _line(label: Any, most: int, *, required: bool = True, **attrs: str) -> Text:
    return Text(label=label, max_length=most, required=required, widget=forms.TextInput(attrs=attrs))


class PasswordPair(forms.Form):
    """A new password, typed twice and checked against the rules for passwords."""

    password1 = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        help_text=gettext_lazy("At least 10 characters, and not one that others use often."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label=gettext_lazy("Password again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any] | None:
        data = super().clean() or self.cleaned_data
        first, second = data.get("password1"), data.get("password2")
        if first and second and first != second:
            self.add_error("password2", _("The two passwords differ."))
        elif first:
            self._check(first, User(email=data.get("email") or "", name=data.get("name") or ""))
        return data

    def keep_typed(self) -> None:
        """Where only other fields are wrong, HTMX leaves the two inputs as they are: a password is never sent back."""
        if not {"password1", "password2"} & self.errors.keys():
            for name in ("password1", "password2"):
                self.fields[name].widget.attrs["hx-preserve"] = "true"

    def _check(self, password: str, user: User) -> None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            self.add_error("password1", error)


class PersonForm(forms.Form):
    name = _line(gettext_lazy("Your name"), 80, autocomplete="name")
    phone = _line(gettext_lazy("Your phone"), 30, required=False, autocomplete="tel", inputmode="tel")


class NewPersonForm(PersonForm, PasswordPair):
    """A person who accepts an invitation; the address is that of the invitation."""

    field_order = ["name", "phone", "password1", "password2"]


class RegistrantForm(NewPersonForm):
    """A person who registers an enterprise."""

    email = forms.EmailField(
        label=gettext_lazy("Your e-mail"),
        max_length=254,
        help_text=gettext_lazy("You sign in with it."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    field_order = ["name", "email", "phone", "password1", "password2"]


class ContactFields(forms.Form):
    """What an organisation says about itself besides its name and code."""

    region = _line(gettext_lazy("City or region"), 30, required=False)
    address = _line(gettext_lazy("Address"), 200, required=False)
    phone = _line(gettext_lazy("Phone"), 30, required=False, inputmode="tel")
    email = forms.EmailField(label=gettext_lazy("E-mail for invoices"), max_length=254, required=False)
    bank = _line(gettext_lazy("Bank"), 100, required=False)
    bank_account = _line(gettext_lazy("Bank account"), 40, required=False, inputmode="numeric")


class UsccField(Text):
    """A unified social credit code; blanks, hyphens, small letters and full width are put right."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"})
        super().__init__(label=gettext_lazy("Unified social credit code"), max_length=40, widget=widget, **kwargs)

    def clean(self, value: Any) -> str:
        code = normalise_uscc(super().clean(value))
        for refusal in uscc_refusals(code) if code else []:
            raise ValidationError(str(refusal.detail), code=refusal.code)
        return code


class EnterpriseForm(ContactFields):
    """What an enterprise registers with; the bank may come later."""

    name = _line(gettext_lazy("Name of the enterprise"), 100, autocomplete="organization")
    uscc = UsccField(help_text=gettext_lazy("18 signs, as on the business licence."))
    field_order = ["name", "uscc", "region", "address", "phone", "email", "bank", "bank_account"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("region", "address", "phone"):
            self.fields[name].required = True


class OrganisationForm(ContactFields):
    """An organisation's own data; the code only where it has none yet."""

    name = _line(gettext_lazy("Name"), 100)
    name_en = _line(gettext_lazy("English name"), 150, required=False)
    uscc = UsccField(required=False)
    country = forms.ChoiceField(label=gettext_lazy("Country or region"), required=False)
    vat_id = _line(gettext_lazy("Tax number abroad"), 30, required=False, autocapitalize="characters")
    currency = _line(gettext_lazy("Currency"), 3, required=False, autocapitalize="characters")
    field_order = [
        *("name", "name_en", "uscc", "country", "vat_id", "currency"),
        *("region", "address", "phone", "email", "bank", "bank_account"),
    ]

    def __init__(self, data: Any = None, *, organisation: Organisation) -> None:
        initial = {name: getattr(organisation, name) for name in self.base_fields}
        super().__init__(data, initial=initial)
        self.fields["country"].choices = country_choices()  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["vat_id"].help_text = _("Only for organisations outside China; for Europe the VAT number.")
        if organisation.uscc:
            del self.fields["uscc"]
        if organisation.kind != OrganisationKind.ENTERPRISE:
            del self.fields["currency"]

    def clean_currency(self) -> str:
        """Left empty, it stays."""
        return str(self.cleaned_data["currency"] or self.initial["currency"]).upper()

    def clean_country(self) -> str:
        return self.cleaned_data["country"] or str(self.initial["country"])

    def clean_vat_id(self) -> str:
        return normalise_vat_id(self.cleaned_data["vat_id"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        known = {"currency": self.initial["currency"], "vat_id": "", "country": "", **data}
        for refusal in abroad_refusals(known["country"], known["vat_id"], known["currency"]):
            if refusal.field in self.fields and refusal.field not in self.errors:
                self.add_error(refusal.field, str(refusal.detail))
        return data


def country_choices() -> list[tuple[str, str]]:
    """By name in the reader's language, China first."""
    from babel import Locale  # reads its tables when it is first asked

    names = Locale.parse((get_language() or "en").replace("-", "_")).territories
    rows = sorted(((code, str(names.get(code, code))) for code in countries()), key=lambda row: row[1])
    return sorted(rows, key=lambda row: row[0] != "CN")


class DecisionForm(forms.Form):
    """What the network's operator writes about a registration."""

    note = Text(label=gettext_lazy("Note"), required=False, max_length=MOST_NOTE)
    reason = Text(label=gettext_lazy("Reason"), required=False, max_length=MOST_NOTE, widget=forms.Textarea)


class RolesForm(forms.Form):
    roles = forms.MultipleChoiceField(label=gettext_lazy("Roles"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: Any = None, *, kind: str, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["roles"].choices = [(role.value, role.label) for role in ROLES[kind]]  # type: ignore[attr-defined]


class InviteForm(RolesForm):
    email = forms.EmailField(label=gettext_lazy("E-mail"), max_length=254)
    field_order = ["email", "roles"]

    def __init__(self, data: Any = None, *, kind: str) -> None:
        super().__init__(data, kind=kind, initial={"roles": [Role.MEMBER]})


class ScopeForm(forms.Form):
    """Which instruments a lab manager runs."""

    scope = forms.ChoiceField(
        label=gettext_lazy("Instruments"),
        choices=[("all", gettext_lazy("All instruments of the institution")), ("some", gettext_lazy("Only these:"))],
        widget=forms.RadioSelect,
    )
    instruments = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Chosen instruments"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data: Any = None, *, instruments: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["instruments"].choices = instruments  # type: ignore[attr-defined]


class GroupForm(forms.Form):
    name = _line(gettext_lazy("Name of the group"), 80)


class GroupChangeForm(GroupForm):
    active = forms.BooleanField(label=pgettext_lazy("group or project", "Open"), required=False)
    members = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Members"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any = None, *, members: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["members"].choices = members  # type: ignore[attr-defined]


class ProjectForm(forms.Form):
    code = _line(gettext_lazy("Number"), 40)
    name = _line(gettext_lazy("Name of the project"), 100)
    group: forms.ModelChoiceField[Group] = forms.ModelChoiceField(
        queryset=None, label=gettext_lazy("Group"), required=False, empty_label=gettext_lazy("No group")
    )

    def __init__(self, data: Any = None, *, organisation: Organisation, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["group"].queryset = groups_of(organisation)  # type: ignore[attr-defined]


class ProjectChangeForm(ProjectForm):
    active = forms.BooleanField(label=pgettext_lazy("group or project", "Open"), required=False)


class ProfileForm(PersonForm):
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=settings.LANGUAGES,
        help_text=gettext_lazy("Of these pages and of the mail that you get."),
    )


class TokenForm(forms.Form):
    name = _line(gettext_lazy("Name"), 80, autocomplete="off")
    days = forms.IntegerField(label=gettext_lazy("Days until it ends"), min_value=1, max_value=3650, initial=90)
    read_only = forms.BooleanField(label=gettext_lazy("May only read"), required=False, initial=True)


class LogFilterForm(forms.Form):
    """Filters of the audit record; what is not understood is ignored, as in any address somebody shortened."""

    kind = forms.CharField(required=False, max_length=40)
    who = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    since = forms.DateField(required=False, input_formats=["%Y-%m-%d"])
    until = forms.DateField(required=False, input_formats=["%Y-%m-%d"])

    def known(self) -> dict[str, Any]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) for name in self.fields}
