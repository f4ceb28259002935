"""Shapes of what people type about violations, appeals and credit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from backend.core.fields import Text
from booking.forms import WallTimeField
from booking.queries.violations import whose
from booking.rules.credit import ANY
from booking.rules.violation_names import USUAL, violation_label
from instruments.models import Instrument

_AREA = {"rows": 3}
_LINE = re.compile(r"([a-z][a-z0-9_]{0,39})\s*[:：=]\s*(\d{1,4})")
MOST_NAMES = 40


class AppealForm(forms.Form):
    reason = Text(
        label=gettext_lazy("Why is the entry wrong?"), max_length=2000, widget=forms.Textarea(attrs={"rows": 5})
    )


class DecideForm(forms.Form):
    """``decision`` is uphold or dismiss: the button that was pressed."""

    decision = forms.ChoiceField(choices=[("uphold", ""), ("dismiss", "")])
    answer = Text(label=gettext_lazy("Answer"), max_length=2000, widget=forms.Textarea(attrs=_AREA))


class ReasonForm(forms.Form):
    reason = Text(label=gettext_lazy("Reason"), max_length=500)


class LiftForm(ReasonForm):
    """``institution`` is empty for the network's rules; one of person and organisation names whom it frees."""

    rule = Text(required=False, max_length=120)
    institution = forms.IntegerField(required=False, min_value=1)
    person = forms.IntegerField(required=False, min_value=1)
    organisation = forms.IntegerField(required=False, min_value=1)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = self.cleaned_data
        if (data.get("person") is None) == (data.get("organisation") is None):
            raise ValidationError(whose(), code="one_of_two")
        return data


class RecordForm(forms.Form):
    """By hand: of a booking, or of a person on an instrument."""

    name = Text(
        label=gettext_lazy("Kind of violation"),
        max_length=40,
        widget=forms.TextInput(attrs={"list": "violation-names"}),
        help_text=gettext_lazy(
            "Choose a usual one, or write a code of your own in small letters, which your rules can count."
        ),
    )
    booking = forms.IntegerField(
        label=gettext_lazy("Number of the booking"), required=False, min_value=1,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )  # fmt: skip
    email = Text(label=gettext_lazy("or e-mail address of the person"), max_length=254, required=False)
    instrument = forms.TypedChoiceField(
        label=gettext_lazy("and the instrument"), coerce=int, empty_value=None, required=False
    )
    at = WallTimeField(label=gettext_lazy("Time"), required=False, help_text=gettext_lazy("Empty: now."))
    reason = Text(
        label=gettext_lazy("Reason"), max_length=500, widget=forms.Textarea(attrs=_AREA),
        help_text=gettext_lazy("The person reads it."),
    )  # fmt: skip

    def __init__(self, *args: Any, instruments: Iterable[Instrument], language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instruments = {each.pk: each for each in instruments}
        choices = [(str(pk), each.label(language)) for pk, each in self.instruments.items()]
        self.fields["instrument"].choices = [("", "—"), *choices]  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        """The usual ones are offered and read by their names in the reader's language."""
        text: str = self.cleaned_data["name"]
        return {violation_label(code): code for code in USUAL}.get(text, text)


def _number(label: Any, least: int, most: int, **more: Any) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"min": least, "max": most, "inputmode": "numeric"})
    validators = [MinValueValidator(least), MaxValueValidator(most)]
    return forms.IntegerField(label=label, validators=validators, widget=widget, **more)


class CreditForm(forms.Form):
    """How credit is counted; a field for each usual violation, and lines for those of one's own."""

    start = _number(gettext_lazy("Everybody begins with"), -1000, 1000)
    floor = _number(gettext_lazy("Never below"), -1000, 1000)
    ceiling = _number(gettext_lazy("Never above"), -1000, 1000)
    completed = _number(gettext_lazy("Points for each completed booking"), 0, 100)
    recovery = _number(gettext_lazy("Points that come back"), 0, 100)
    recovery_days = _number(gettext_lazy("after so many days without an entry"), 0, 1000)
    months = _number(
        gettext_lazy("Entries are forgotten after so many months"), 1, 240, required=False,
        help_text=pgettext_lazy("entries", "Empty: never."),
    )  # fmt: skip
    appeal_days = _number(gettext_lazy("Entries can be contested for so many days"), 0, 365)
    others = Text(
        label=gettext_lazy("Points for entries of your own"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "left_dirty: 10"}),
        help_text=gettext_lazy("One line each: the code, a colon, the points taken away."),
    )
    valid_from = forms.DateField(
        label=gettext_lazy("Valid from"), required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: today."),
    )  # fmt: skip

    def __init__(self, *args: Any, points: Mapping[str, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (*USUAL, ANY):
            self.fields[f"lost_{name}"] = _number(
                violation_label(name), 0, 1000, initial=points.get(name, 0), required=False
            )
        own = {name: value for name, value in points.items() if name not in (*USUAL, ANY)}
        self.fields["others"].initial = "\n".join(f"{name}: {value}" for name, value in own.items())
        self.order_fields(["start", "floor", "ceiling", *(f"lost_{name}" for name in (*USUAL, ANY)), "others"])

    def clean_others(self) -> dict[str, int]:
        lines = [line.strip() for line in self.cleaned_data["others"].splitlines() if line.strip()]
        found = [_LINE.fullmatch(line) for line in lines]
        if None in found or len(found) > MOST_NAMES:
            raise ValidationError(_("Write each line like left_dirty: 10."), code="line")
        return {match[1]: int(match[2]) for match in found if match}

    def values(self) -> dict[str, Any]:
        """As `booking.actions.credit.save_credit_rules` takes them."""
        data = self.cleaned_data
        points = {name: data[f"lost_{name}"] or 0 for name in (*USUAL, ANY)} | data["others"]
        names = ("start", "floor", "ceiling", "completed", "recovery", "recovery_days", "months", "appeal_days")
        return {**{name: data[name] for name in names}, "points": points}

    @property
    def day(self) -> date | None:
        day: date | None = self.cleaned_data["valid_from"]
        return day
