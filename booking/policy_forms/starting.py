"""The two or three questions of each of the ten usual rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from backend.core.errors import Invalid
from backend.core.fields import Text
from booking.rules.layers import parse_policy
from booking.rules.starters import add_starter


def _minutes(label: Any, initial: int | None, *, most: int = 40_000, required: bool = False) -> forms.IntegerField:
    return forms.IntegerField(label=label, initial=initial, min_value=1, max_value=most, required=required)


def _clock(label: Any, initial: str) -> forms.TimeField:
    return forms.TimeField(label=label, initial=initial, widget=forms.TimeInput(attrs={"type": "time"}))


class StartingForm(forms.Form):
    """``title`` and ``text`` are the card's; one of the fields at least must be filled in."""

    title: Any = ""
    text: Any = ""
    code = ""
    icon = "adjustments"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not any(data.values()):
            raise forms.ValidationError(_("Fill in at least one field."))
        return data


class Length(StartingForm):
    title, text, code = (
        gettext_lazy("Step and length"),
        gettext_lazy("Bookings on a grid, neither too short nor too long."),
        "length",
    )
    shortest = _minutes(gettext_lazy("Shortest, minutes"), 30)
    longest = _minutes(gettext_lazy("Longest, minutes"), 240)
    step = _minutes(gettext_lazy("Step, minutes"), 30, most=1440)

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        shortest, longest = data.get("shortest"), data.get("longest")
        if shortest and longest and shortest > longest:
            self.add_error("longest", _("The longest booking cannot be shorter than the shortest one."))
        return data


class Horizon(StartingForm):
    title, text, code = (
        gettext_lazy("Lead and horizon"),
        gettext_lazy("Neither at the last minute nor half a year ahead."),
        "horizon",
    )
    lead_hours = _minutes(gettext_lazy("At least so many hours ahead"), 24, most=2000)
    horizon_days = _minutes(gettext_lazy("At most so many days ahead"), 30, most=1000)


class Cancel(StartingForm):
    title, text, code = (
        gettext_lazy("Cancelling in time"),
        gettext_lazy("After that only the lab can cancel."),
        "cancel",
    )
    cancel_hours = _minutes(gettext_lazy("Until so many hours before the start"), 24, most=2000, required=True)


class Quota(StartingForm):
    title, text, code = gettext_lazy("Weekly quota"), gettext_lazy("Nobody takes the whole week."), "quota"
    hours = _minutes(gettext_lazy("Hours a week, at most"), 10, most=168, required=True)
    per = forms.ChoiceField(
        label=gettext_lazy("For each"),
        choices=[
            ("person", gettext_lazy("person")),
            ("group", gettext_lazy("group")),
            ("project", gettext_lazy("project")),
            ("organisation", gettext_lazy("organisation")),
        ],
    )


class Prime(StartingForm):
    title, text, code = (
        gettext_lazy("Prime time"),
        gettext_lazy("The hours that everybody wants are shared out."),
        "prime",
    )
    opens = _clock(gettext_lazy("Working days from"), "09:00")
    closes = _clock(gettext_lazy("to"), "17:00")
    hours = _minutes(gettext_lazy("Hours a week for each person, at most"), 8, most=168, required=True)


class Night(StartingForm):
    title, text, code = (
        gettext_lazy("Level for the night"),
        gettext_lazy("At night only people who can be left alone."),
        "night",
    )
    opens = _clock(gettext_lazy("From"), "20:00")
    closes = _clock(gettext_lazy("to"), "08:00")
    levels = Text(
        label=gettext_lazy("Levels that may"),
        initial="independent",
        max_length=200,
        help_text=gettext_lazy("several with commas"),
    )


class Training(StartingForm):
    title, text, code = (
        gettext_lazy("Training needed"),
        gettext_lazy("No booking before the training is passed."),
        "training",
    )
    whom = forms.ChoiceField(
        label=pgettext_lazy("rule", "For"),
        choices=[("self", gettext_lazy("self-operation")), ("all", gettext_lazy("every booking"))],
    )


class Approval(StartingForm):
    title, text, code = gettext_lazy("Approval"), gettext_lazy("Somebody agrees before the booking stands."), "approval"
    whom = forms.ChoiceField(
        label=pgettext_lazy("rule", "For"),
        choices=[
            ("external", gettext_lazy("bookings of other organisations")),
            ("everybody", gettext_lazy("every booking")),
        ],
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Who approves"),
        choices=[
            ("manager", gettext_lazy("a lab manager")),
            ("finance", gettext_lazy("the finance office")),
            ("admin", gettext_lazy("an administrator of the institution")),
        ],
    )


class NoShow(StartingForm):
    title, text, code = (
        gettext_lazy("No-show and lateness"),
        gettext_lazy("In twelve months: absences lead to the deny list, late arrivals to a month’s suspension."),
        "no_show",
    )
    grace = _minutes(gettext_lazy("Minutes after the start until it counts as a no-show"), 30, most=1440, required=True)
    absences = _minutes(gettext_lazy("Absences until the deny list"), 3, most=100, required=True)
    lates = _minutes(gettext_lazy("Late arrivals until a suspension"), 3, most=100, required=True)


class Bands(StartingForm):
    title, text, code = (
        gettext_lazy("Fixed bands"),
        gettext_lazy("Only whole half-days or shifts can be booked."),
        "bands",
    )
    bands = Text(
        label=gettext_lazy("Bands"),
        initial="09:00-12:00, 13:00-17:00, 18:00-22:00",
        max_length=200,
        help_text=gettext_lazy("each from and to, with commas"),
    )
    join = _minutes(gettext_lazy("In a row, at most"), 2, most=50)


FORMS: dict[str, type[StartingForm]] = {
    form.code: form for form in (Length, Horizon, Cancel, Quota, Prime, Night, Training, Approval, NoShow, Bands)
}


def starting_forms() -> list[StartingForm]:
    """Fresh ones for the page; a prefix keeps their ids apart."""
    return [form(prefix=code) for code, form in FORMS.items()]


def started(document: dict[str, Any], form: StartingForm) -> dict[str, Any] | None:
    """The document with the rules of the answers; None with the form's errors said."""
    if not form.is_valid():
        return None
    draft = add_starter(document, form.code, form.cleaned_data)
    try:
        parse_policy(draft)
    except Invalid as error:
        for refusal in error.refusals:
            form.add_error(None, str(refusal.detail))
        return None
    return draft
