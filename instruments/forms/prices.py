"""Price lists: one preset form that writes the document, and the document itself for experts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.core.fields import Text
from instruments.actions.prices import AUDIENCES, LAST_DAY, LONGEST_DOCUMENT
from instruments.forms.preset import CLOCKS, STEPS, TIMED, other_rules, preset_document, preset_values
from instruments.models import Mode
from instruments.queries.detail import audience_labels

CLOCK_WORDS = {
    "booked": gettext_lazy("the booked time"),
    "used": gettext_lazy("the used time"),
    "longer": gettext_lazy("whichever is longer"),
    "union": gettext_lazy("booked and used time together"),
}
# Fields of the grid: set-up per use, hours by mode, samples, further samples.
COLUMNS = ("setup", "self", "operator", "sample", "more")
OF_HOURS = ("clock", "minimum", "step", "late_percent", "late_hours")


class PricePresetForm(forms.Form):
    """Set-up per use, hours by audience and mode, minimum and step, late cancellation, samples by number.

    An empty price is not offered to that audience; a zero is free of charge.
    """

    name = Text(label=gettext_lazy("Name of the price list"), max_length=80)
    valid_from = forms.DateField(
        label=gettext_lazy("Valid from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    clock = forms.ChoiceField(label=gettext_lazy("Hours count"), choices=[(one, CLOCK_WORDS[one]) for one in CLOCKS])
    minimum = forms.DecimalField(
        label=gettext_lazy("Minimum, hours"), required=False, min_value=0, max_value=100, decimal_places=2
    )
    step = forms.ChoiceField(
        label=gettext_lazy("Rounded up to"),
        required=False,
        choices=[("", gettext_lazy("not rounded")), *((str(n), f"{n} min") for n in STEPS)],
    )
    late_percent = forms.DecimalField(
        label=gettext_lazy("Late cancellation, percent of machine time"),
        required=False, min_value=0, max_value=100, decimal_places=2,
    )  # fmt: skip
    late_hours = forms.DecimalField(
        label=gettext_lazy("Late means less than … hours before"),
        required=False, min_value=0, max_value=8784, decimal_places=2,
    )  # fmt: skip
    more_from = forms.IntegerField(
        label=gettext_lazy("Further samples begin with number"), required=False, min_value=1, max_value=10**6
    )

    overhead = forms.DecimalField(
        label=gettext_lazy("Management fee or tax on top, percent"),
        required=False, min_value=0, max_value=100, decimal_places=2,
    )  # fmt: skip

    def __init__(self, *args: Any, modes: list[str], base: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """``base``: the list in force, if the form can say what it says; what the form does not ask for is kept."""
        super().__init__(*args, **kwargs)
        self.base = base or {}
        self.kept = other_rules(self.base) if base else []
        self.columns = [column for column in COLUMNS if _is_offered(column, modes)]
        for name in [
            *(OF_HOURS if "setup" not in self.columns else ()),
            *(["more_from"] * ("more" not in self.columns)),
        ]:
            del self.fields[name]
        for audience in AUDIENCES:
            for column in self.columns:
                self.fields[f"{column}-{audience}"] = forms.DecimalField(
                    label=f"{self.column_words()[column]}, {audience_labels()[audience]}",
                    required=False,
                    min_value=0,
                    max_value=10**8,
                    max_digits=10,
                    decimal_places=2,
                    widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
                )

    def headings(self) -> list[str]:
        return [self.column_words()[column] for column in self.columns]

    def grid(self) -> list[tuple[str, list[forms.BoundField]]]:
        labels = audience_labels()
        return [(labels[one], [self[f"{column}-{one}"] for column in self.columns]) for one in AUDIENCES]

    @staticmethod
    def column_words() -> dict[str, str]:
        return {
            "setup": _("Set-up per use"),
            "self": _("Per hour, self-operated"),
            "operator": _("Per hour, with operator"),
            "sample": _("Per sample"),
            "more": _("Per further sample"),
        }

    def clean(self) -> dict[str, Any]:
        """A way of use without any price would be free of charge for everybody, so it may not be left out."""
        values = super().clean() or {}
        for column in self.columns:
            if column in (*TIMED, "sample") and all(values.get(f"{column}-{one}") is None for one in AUDIENCES):
                text = _("Give at least one price for “%(column)s”; zero is free of charge.")
                self.add_error(None, text % {"column": self.column_words()[column]})
        if "setup" in self.columns and (values.get("late_percent") is None) != (values.get("late_hours") is None):
            missing = "late_hours" if values.get("late_hours") is None else "late_percent"
            self.add_error(missing, _("For late cancellation give both the hours and the percentage."))
        for audience in AUDIENCES if "more" in self.columns else ():
            if values.get(f"more-{audience}") is None:
                continue
            if values.get(f"sample-{audience}") is None:
                self.add_error(f"sample-{audience}", _("Give the price of the first samples too."))
            if values.get("more_from") is None and "more_from" not in self.errors:
                self.add_error("more_from", _("Say from which sample on the other price holds."))
        return values

    def document(self, currency: str) -> dict[str, Any]:
        """The names of the lines stand on invoices: they are in the site's language, not the writer's."""
        known = (preset_values(self.base) if self.base else None) or {}
        values = {**known, **self.cleaned_data}
        if values.get("late_hours") != known.get("late_hours"):
            values["late_name"] = ""  # it says the hours
        with translation.override(settings.LANGUAGE_CODE):
            return {**preset_document(values, self.base), "currency": currency}


class SaveVersionForm(forms.Form):
    """From when a draft holds. ``earliest``: the first day; None for a first version."""

    def __init__(self, earliest: date | None, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="id_save_%s")
        self.fields["valid_from"] = day = forms.DateField(
            label=gettext_lazy("Valid from"),
            help_text=gettext_lazy("Empty: from today."),
            required=False,
            widget=forms.DateInput(attrs={"type": "date"}),
        )
        day.validators.append(MaxValueValidator(LAST_DAY, _("This date is too far away.")))
        if earliest:
            day.validators.append(MinValueValidator(earliest, _("A new version can begin today at the earliest.")))
            day.widget.attrs["min"] = earliest.isoformat()


class PriceDocumentForm(forms.Form):
    """The JSON itself, typed or from a file."""

    valid_from = forms.DateField(
        label=gettext_lazy("Valid from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    file = forms.FileField(label=gettext_lazy("File"), required=False)
    text = forms.CharField(
        label=gettext_lazy("JSON"),
        required=False,
        max_length=LONGEST_DOCUMENT,
        widget=forms.Textarea(attrs={"rows": 12, "class": "font-monospace", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        file = values.get("file")
        if file is not None and file.size > LONGEST_DOCUMENT:
            raise forms.ValidationError(_("The file is too large."))
        try:
            document = json.loads(file.read().decode("utf-8-sig") if file is not None else values.get("text", ""))
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_("This is not JSON.")) from error
        if not isinstance(document, dict):
            raise forms.ValidationError(_("A price list is a JSON object."))
        document.pop("version", None)
        values["document"] = document
        return values


def _is_offered(column: str, modes: list[str]) -> bool:
    if column == "setup":
        return bool(set(TIMED) & set(modes))
    return (Mode.SAMPLE if column == "more" else column) in modes
