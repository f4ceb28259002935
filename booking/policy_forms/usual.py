"""The usual rules of a layer as a form, and its whole document as a file."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, cast

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from booking.actions.policies import LAST_DAY
from booking.rules.presets import Answers, misfits


class RulesForm(forms.Form):
    """The usual rules; the names are those of `booking.rules.presets.Answers`."""

    who = forms.ChoiceField(
        label=gettext_lazy("Who may book"),
        choices=[
            ("everybody", gettext_lazy("everybody to whom the instrument is shown")),
            ("institutions", gettext_lazy("our own members and other institutions")),
            ("internal", gettext_lazy("our own members only")),
        ],
    )
    self_operation = forms.ChoiceField(
        label=gettext_lazy("Self-operation"),
        choices=[("everybody", gettext_lazy("for everybody")), ("internal", gettext_lazy("for our own members only"))],
    )
    shortest = forms.IntegerField(
        label=gettext_lazy("Shortest booking, minutes"), required=False, min_value=1, max_value=40_000
    )
    longest = forms.IntegerField(
        label=gettext_lazy("Longest booking, minutes"), required=False, min_value=1, max_value=40_000
    )
    step = forms.IntegerField(
        label=gettext_lazy("Step, minutes"),
        help_text=gettext_lazy("Bookings begin on this grid and last a multiple of it."),
        required=False,
        min_value=1,
        max_value=1440,
    )
    horizon_days = forms.IntegerField(
        label=gettext_lazy("Bookable at most so many days ahead"), required=False, min_value=1, max_value=1000
    )
    lead_hours = forms.IntegerField(
        label=gettext_lazy("Bookable at least so many hours ahead"), required=False, min_value=1, max_value=2000
    )
    cancel_hours = forms.IntegerField(
        label=gettext_lazy("Can be cancelled until so many hours before"), required=False, min_value=1, max_value=2000
    )
    approval = forms.ChoiceField(
        label=gettext_lazy("Approval"),
        choices=[
            ("nobody", gettext_lazy("none: bookings are confirmed at once")),
            ("external", gettext_lazy("for bookings of other organisations")),
            ("everybody", gettext_lazy("for every booking")),
        ],
    )
    approvers = forms.MultipleChoiceField(
        label=gettext_lazy("Who approves"),
        help_text=gettext_lazy("Where several are chosen, each must agree; one refusal is enough."),
        choices=[
            ("manager", gettext_lazy("a lab manager")),
            ("finance", gettext_lazy("the finance office")),
            ("admin", gettext_lazy("an administrator of the institution")),
        ],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    lifted = forms.MultipleChoiceField(
        label=gettext_lazy("Rules from above that do not hold here"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    valid_from = forms.DateField(
        label=gettext_lazy("In force from"),
        help_text=gettext_lazy("Empty: from today."),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def __init__(
        self, *args: Any, liftable: list[tuple[str, str]], earliest: date | None = None, **kwargs: Any
    ) -> None:
        """``earliest``: the first day on which a new version may begin; None for the first version."""
        super().__init__(*args, **kwargs)
        day = self.fields["valid_from"]
        day.validators.append(MaxValueValidator(LAST_DAY, _("This date is too far away.")))
        if earliest:
            day.validators.append(MinValueValidator(earliest, _("A new version begins today or later.")))
            day.widget.attrs["min"] = earliest.isoformat()
        cast(forms.MultipleChoiceField, self.fields["lifted"]).choices = liftable
        if not liftable:
            del self.fields["lifted"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            for name, sentence in misfits(self.answers(data)):
                self.add_error(name, sentence)
        return data

    def answers(self, data: dict[str, Any]) -> Answers:
        said = {name: value for name, value in data.items() if name != "valid_from"}
        return Answers(**{**said, "approvers": tuple(data["approvers"]), "lifted": tuple(data.get("lifted", ()))})


class SaveForm(forms.Form):
    """From when a draft holds. ``earliest``: the first day; None for a first version."""

    def __init__(self, earliest: date | None, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="id_save_%s")
        self.fields["valid_from"] = day = forms.DateField(
            label=gettext_lazy("In force from"),
            help_text=gettext_lazy("Empty: from today."),
            required=False,
            widget=forms.DateInput(attrs={"type": "date"}),
        )
        day.validators.append(MaxValueValidator(LAST_DAY, _("This date is too far away.")))
        if earliest:
            day.validators.append(MinValueValidator(earliest, _("A new version begins today or later.")))
            day.widget.attrs["min"] = earliest.isoformat()


class PolicyFileForm(forms.Form):
    """Rules as a JSON file; cleans to what the file holds."""

    MOST_BYTES = 500_000

    file = forms.FileField(label=gettext_lazy("Rules (JSON)"))

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        if upload.size > self.MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 500 kB."), "too_large")
        try:
            return json.loads(upload.read().decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is no JSON file in UTF-8."), "not_json")
