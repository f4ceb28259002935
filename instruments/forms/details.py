"""All fields of an instrument, in the groups of the page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Membership, Organisation, Role, User
from instruments.actions.catalogue import EDITABLE, without_mode
from instruments.models import Category, Instrument, Mode, Sharing, Technique

GROUPS: list[tuple[Any, list[str]]] = [
    (_("What it is"), ["name", "name_en", "local_no", "category", "manufacturer", "model", "techniques"]),
    (_("How it is used"), ["sharing", "condition", "mode_self", "mode_operator", "mode_sample", "units"]),
    (_("What readers want to know"), ["function", "technical", "service_content", "requirement"]),
    (
        _("Where and who"),
        ["department", "region", "address", "contact_name", "contact_phone", "contact_email", "managers"],
    ),
    (
        _("Booking"),
        ["setup_minutes", "cleaning_minutes", "hold_hours", "check_in", "no_show_grace", "timezone"],
    ),
    (_("For the record"), ["source", "nation", "worth", "begin_date"]),
]
WIDE = {"techniques", "function", "technical", "service_content", "requirement", "address", "managers"}


class InstrumentForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = Instrument
        fields = [name for _title, names in GROUPS for name in names]
        widgets = {
            "begin_date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "techniques": forms.CheckboxSelectMultiple,
            "managers": forms.CheckboxSelectMultiple,
            **{
                name: forms.Textarea(attrs={"rows": 3})
                for name in ("technical", "function", "service_content", "requirement")
            },
        }
        labels = {"name": _("Name of the instrument")}
        help_texts = {
            "units": _("Equal channels that can be booked side by side."),
            "setup_minutes": _("Kept free before each booking."),
            "cleaning_minutes": _("Kept free after each booking."),
            "hold_hours": _("A request that nobody answers gives its time back."),
            "check_in": _("Without check-in in time, the booking becomes a no-show."),
            "timezone": _("The IANA name, such as Asia/Shanghai."),
            "sharing": _("Only what is open to all stands in the public catalogue."),
            "managers": _("Only needed for managers who do not manage all instruments."),
            "local_no": _("Unique in the institution; imports find the instrument by it."),
        }

    def __init__(self, *args: Any, institution: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        techniques: Any = self.fields["techniques"]
        techniques.queryset = Technique.objects.all()
        techniques.label_from_instance = _technique_words
        managers: Any = self.fields["managers"]
        managers.queryset = _people(institution)
        if not managers.queryset.exists():
            del self.fields["managers"]
        category: Any = self.fields["category"]
        category.choices = _categories()
        for name in ("setup_minutes", "cleaning_minutes", "no_show_grace"):
            self.fields[name].widget.attrs.update(min=0, max=1440)
        self.fields["units"].widget.attrs.update(min=1, max=100)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("sharing") != Sharing.NONE and not any(values.get(f"mode_{mode}") for mode in Mode):
            self.add_error("mode_self", str(without_mode().detail))
        return values

    def groups(self) -> list[tuple[Any, list[tuple[forms.BoundField, bool]]]]:
        """Headings, and the fields under them with whether they need the whole width."""
        return [
            (title, [(self[name], name in WIDE) for name in names if name in self.fields]) for title, names in GROUPS
        ]

    def values(self) -> dict[str, Any]:
        """What the actions take."""
        out = {name: value for name, value in self.cleaned_data.items() if name in EDITABLE}
        out["category_id"] = self.cleaned_data["category"].pk
        return out


def _people(institution: Organisation) -> QuerySet[User]:
    rows = Membership.objects.current().filter(organisation=institution, role__in=[Role.MANAGER, Role.ADMIN])
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
