"""All fields of an instrument, in the sections of the page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.db import models
from django.db.models import QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Membership, Organisation, Role, User
from backend.core.fields import Text
from instruments.actions.checking import EDITABLE, without_mode
from instruments.models import Category, Instrument, InstrumentGroup, Mode, Sharing, Technique

# What is asked for at first; everything else has its section on the settings page.
NECESSARY = (
    "name", "name_en", "local_no", "category", "manufacturer", "model", "sharing", "mode_self", "mode_operator",
    "mode_sample", "units",
)  # fmt: skip
SECTIONS: dict[str, tuple[Any, list[str]]] = {
    "basic": (
        _("Basics"),
        ["name", "name_en", "local_no", "category", "kind", "manufacturer", "model", "nation", "source", "worth",
         "begin_date", "belongs_type", "belongs_name", "subjects", "techniques"],
    ),
    "technical": (_("Functions and specifications"), ["function", "technical"]),
    "service": (
        _("Use and services"),
        ["sharing", "condition", "mode_self", "mode_operator", "mode_sample", "units", "service_content",
         "requirement", "regulations", "fee", "service_url", "run_hours", "service_hours"],
    ),
    "booking": (
        _("Booking"),
        ["group", "setup_minutes", "cleaning_minutes", "hold_hours", "offer_minutes", "check_in", "no_show_grace",
         "timezone"],
    ),
    "place": (
        _("Place and contact"),
        ["department", "region", "province", "city", "county", "street", "address", "postcode", "contact_name",
         "contact_phone", "contact_email", "managers"],
    ),
    "customs": (
        _("Funds and customs"), ["funds", "customs_supervised", "declaration_no", "declaration_date"],
    ),
}  # fmt: skip
# These paragraphs get several lines and the whole width.
LONG = ("technical", "function", "service_content", "requirement", "regulations", "fee")
WIDE = {*LONG, "techniques", "subjects", "address", "managers", "service_url", "funds"}
_SEPARATORS = re.compile(r"[;；、\n]+")


class SubjectsField(forms.CharField):
    """Several words in one line: 化学；材料科学."""

    def prepare_value(self, value: Any) -> Any:
        return "；".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return [part for part in (piece.strip() for piece in _SEPARATORS.split(text)) if part]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != initial)


class InstrumentForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """Some fields of an instrument: those of a section, or what is necessary."""

    subjects = SubjectsField(
        label=_("fields of science"),
        required=False,
        max_length=800,
        help_text=_("Several are separated by semicolons: chemistry; materials science."),
    )

    service_url = forms.URLField(
        label=_("own booking address"),
        required=False,
        max_length=300,
        assume_scheme="https",
        help_text=_("Only if the institution has a booking page of its own."),
    )

    class Meta:
        model = Instrument
        fields = list(dict.fromkeys(name for _title, names in SECTIONS.values() for name in names))
        widgets = {
            "begin_date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "declaration_date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "techniques": forms.CheckboxSelectMultiple,
            "managers": forms.CheckboxSelectMultiple,
            **{name: forms.Textarea(attrs={"rows": 4}) for name in LONG},
        }
        field_classes = {
            field.name: Text
            for field in Instrument._meta.fields
            if type(field) in (models.CharField, models.TextField) and not field.choices
        }
        labels = {"name": _("Name of the instrument"), "group": _("Instrument group")}
        help_texts = {
            "units": _("Equal channels that can be booked side by side."),
            "setup_minutes": _("Kept free before each booking."),
            "cleaning_minutes": _("Kept free after each booking."),
            "hold_hours": _("A request that nobody answers gives its time back."),
            "offer_minutes": _("So long is time that becomes free kept for whoever is first on the waitlist."),
            "check_in": _("Without check-in in time, the booking becomes a no-show."),
            "timezone": _("The IANA name, such as Asia/Shanghai."),
            "sharing": _("Only what is open to all stands in the public catalogue."),
            "condition": _("Under repair: nobody can book. To be scrapped: hidden from the catalogue."),
            "managers": _("They get its requests by mail. Nobody named: every manager of all instruments does."),
            "group": _("The rules of the group hold for the instrument too."),
            "local_no": _("Unique in the institution; imports find the instrument by it."),
            "belongs_type": _("Empty where the instrument stands for itself."),
            "regulations": _("Who may use it, and under which conditions."),
            "fee": _("For readers, beside the price list that is calculated with."),
            "region": _("The place under which the catalogue finds the instrument."),
            "run_hours": _("Of the last full year, to a tenth."),
            "service_hours": _("Part of the hours run that served users."),
            "funds": _("Shown to the institution's managers only."),
            "customs_supervised": _("Imported free of duty and still bound to its purpose. For managers only."),
        }

    def __init__(self, *args: Any, institution: Organisation, only: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wanted = set(only)
        for name in [name for name in self.fields if name not in wanted]:
            del self.fields[name]
        self.order_fields(list(only))
        if "techniques" in self.fields:
            techniques: Any = self.fields["techniques"]
            techniques.queryset = Technique.objects.all()
            techniques.label_from_instance = _technique_words
        if "managers" in self.fields:
            managers: Any = self.fields["managers"]
            managers.queryset = _people(institution)
            if not managers.queryset.exists():
                del self.fields["managers"]
        if "group" in self.fields:
            group: Any = self.fields["group"]
            group.queryset = InstrumentGroup.objects.filter(institution=institution).order_by("name")
        if "category" in self.fields:
            category: Any = self.fields["category"]
            category.choices = _categories()
        for name in {"setup_minutes", "cleaning_minutes", "no_show_grace"} & set(self.fields):
            self.fields[name].widget.attrs.update(min=0, max=1440)
        if "units" in self.fields:
            self.fields["units"].widget.attrs.update(min=1, max=100)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        unused = not any(values.get(f"mode_{mode}") for mode in Mode)
        if "mode_self" in self.fields and unused and values.get("sharing") != Sharing.NONE:
            self.add_error("mode_self", str(without_mode().detail))
        return values

    def shown(self) -> list[tuple[forms.BoundField, bool]]:
        """The fields, with whether they need the whole width."""
        return [(self[name], name in WIDE) for name in self.fields]

    def values(self) -> dict[str, Any]:
        """What the actions take."""
        out = {name: value for name, value in self.cleaned_data.items() if name in EDITABLE}
        if "category" in self.cleaned_data:
            out["category_id"] = self.cleaned_data["category"].pk
        if "group" in self.cleaned_data:
            group = self.cleaned_data["group"]
            out["group_id"] = group.pk if group else None
        return out


def _people(institution: Organisation) -> QuerySet[User]:
    rows = Membership.objects.current().filter(organisation=institution, role=Role.MANAGER)
    return User.objects.filter(pk__in=rows.values("user")).order_by("name")


def _technique_words(technique: Technique) -> str:
    name = technique.name_en if (get_language() or "").startswith("en") else technique.name
    return name if technique.key.casefold() == name.casefold() else f"{name} ({technique.key})"


def _categories() -> list[tuple[Any, Any]]:
    """The upper categories as headings; those without lower ones stand for themselves."""
    language = "en" if (get_language() or "").startswith("en") else ""
    rows = list(Category.objects.all())
    out: list[tuple[Any, Any]] = [("", "—")]
    for parent in (row for row in rows if row.parent_id is None):
        label = parent.label(language) or parent.name
        below = [(row.pk, row.label(language) or row.name) for row in rows if row.parent_id == parent.pk]
        out.append((label, [(parent.pk, label), *below]) if below else (parent.pk, label))
    return out
