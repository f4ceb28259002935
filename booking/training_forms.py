"""Shapes of what people type about trainings and qualifications."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.accounts.models import Organisation
from backend.core.fields import Text
from backend.core.periods import clock_words, local_boundary
from booking.forms import TimesForm
from booking.models import Course, HoursAllowed, TrainingSession
from instruments.models import Instrument, InstrumentGroup


def _number(label: Any, least: int, most: int, **more: Any) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"min": least, "max": most, "inputmode": "numeric"})
    return forms.IntegerField(
        label=label, validators=[MinValueValidator(least), MaxValueValidator(most)], widget=widget, **more
    )


def _choice(label: Any, **more: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(label=label, coerce=int, empty_value=None, required=False, **more)


class CourseForm(forms.Form):
    """``instruments`` and ``group`` clean to rows."""

    name = Text(label=gettext_lazy("Name"), max_length=80)
    name_en = Text(label=gettext_lazy("English name"), max_length=120, required=False)
    description = Text(
        label=gettext_lazy("What it teaches"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    instruments = forms.MultipleChoiceField(
        label=gettext_lazy("Instruments that it covers"), required=False, widget=forms.CheckboxSelectMultiple
    )
    group = _choice(
        gettext_lazy("or a whole group"),
        help_text=gettext_lazy("Instruments that join the group later are covered too."),
    )
    level = Text(
        label=gettext_lazy("Level that it gives"),
        max_length=20,
        help_text=gettext_lazy("Your own word, such as A. Rules of the instrument ask for it."),
    )
    rank = _number(
        gettext_lazy("Rank of the level"), 1, 100, initial=1,
        help_text=gettext_lazy("Who has several levels is treated by the one with the highest rank."),
    )  # fmt: skip
    exam = forms.BooleanField(label=gettext_lazy("With an exam"), required=False)
    pass_mark = _number(
        gettext_lazy("Points needed to pass"), 0, 100, required=False,
        help_text=gettext_lazy("0 to 100; empty where the examiner decides without points."),
    )  # fmt: skip
    validity_months = _number(
        gettext_lazy("Valid for months"), 1, 240, required=False, help_text=gettext_lazy("Empty: without end.")
    )
    disuse_months = _number(
        gettext_lazy("Lapses after months without use"), 1, 240, required=False, help_text=gettext_lazy("Empty: never.")
    )
    hours = forms.ChoiceField(
        label=gettext_lazy("Hours allowed"),
        choices=HoursAllowed.choices,
        help_text=gettext_lazy("A rule of the instrument can ask for it."),
    )
    open = forms.BooleanField(
        label=gettext_lazy("Free places are given at once"),
        required=False,
        help_text=gettext_lazy("Otherwise the lab decides about every request."),
    )
    active = forms.BooleanField(label=gettext_lazy("Offered at the moment"), required=False, initial=True)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self, *args: Any, instruments: Iterable[Instrument], groups: Iterable[InstrumentGroup], language: str, **kw: Any
    ) -> None:
        super().__init__(*args, **kw)
        self.rows = {str(one.pk): one for one in instruments}
        self.groups = {one.pk: one for one in groups}
        labels = [(pk, f"{one.label(language)} · {one.local_no}") for pk, one in self.rows.items()]
        cast(forms.MultipleChoiceField, self.fields["instruments"]).choices = labels
        names = [(one.pk, one.name) for one in self.groups.values()]
        cast(forms.ChoiceField, self.fields["group"]).choices = [("", _("None")), *names]

    def clean_instruments(self) -> list[Instrument]:
        return [self.rows[pk] for pk in self.cleaned_data["instruments"]]

    def clean_group(self) -> InstrumentGroup | None:
        return self.groups.get(self.cleaned_data["group"] or 0)


class SessionForm(TimesForm):
    """Wall times of the institution."""

    place = Text(label=gettext_lazy("Place"), max_length=100, required=False)
    trainer = Text(label=gettext_lazy("Trainer"), max_length=80, required=False)
    places = _number(gettext_lazy("Number of places"), 1, 500, initial=6)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


def session_label(session: TrainingSession, taken: int) -> str:
    when = clock_words(session.start, session.end, session.zone)
    return _("%(when)s, free places: %(left)s") % {"when": when, "left": max(session.places - taken, 0)}


class PlaceForm(forms.Form):
    """Which session; ``session`` cleans to the row, None for any."""

    session = _choice(gettext_lazy("Session"))
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, sessions: Iterable[Any], **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.sessions = {one.pk: one for one in sessions}
        labels = [(one.pk, session_label(one, one.taken)) for one in self.sessions.values()]
        cast(forms.ChoiceField, self.fields["session"]).choices = [("", _("Any date")), *labels]

    def clean_session(self) -> Any:
        return self.sessions.get(self.cleaned_data["session"] or 0)


class AskForm(PlaceForm):
    organisation = _choice(gettext_lazy("For"))
    note = Text(
        label=gettext_lazy("Note"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("What you know already, when you have time. The lab reads it."),
    )

    def __init__(self, *args: Any, organisations: Iterable[Organisation], language: str, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.organisations = {one.pk: one for one in organisations}
        names = [(one.pk, one.label(language)) for one in self.organisations.values()]
        cast(forms.ChoiceField, self.fields["organisation"]).choices = names

    def clean_organisation(self) -> Organisation | None:
        usual = next(iter(self.organisations.values()), None)
        return self.organisations.get(self.cleaned_data["organisation"] or 0, usual)


class SayForm(forms.Form):
    """A step that needs a reason."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    reason = Text(label=gettext_lazy("Reason"), max_length=200)


class GrantForm(forms.Form):
    """``what`` is ``course:3`` or ``instrument:5`` and cleans to the row; ``valid_until`` to the end of that day."""

    email = forms.EmailField(
        label=gettext_lazy("Person (e-mail address)"), help_text=gettext_lazy("The exact address of their account.")
    )
    what = forms.ChoiceField(label=gettext_lazy("For"))
    level = Text(
        label=gettext_lazy("Level"),
        max_length=20,
        required=False,
        help_text=gettext_lazy("Empty: that of the training. Needed for a single instrument."),
    )
    valid_until = forms.DateField(
        label=gettext_lazy("Valid until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Empty: as the training says."),
    )
    reason = Text(
        label=gettext_lazy("Reason"),
        max_length=200,
        help_text=gettext_lazy("Why without a training. The person reads it."),
    )

    def __init__(
        self, *args: Any, courses: Iterable[Course], instruments: Iterable[Instrument], language: str, **kw: Any
    ) -> None:
        super().__init__(*args, **kw)
        known: dict[str, Course | Instrument] = {f"course:{one.pk}": one for one in courses}
        trainings = [(key, f"{one.label(language)} · {getattr(one, 'level', '')}") for key, one in known.items()]
        single = {f"instrument:{one.pk}": one for one in instruments}
        labels = [(key, f"{one.label(language)} · {one.local_no}") for key, one in single.items()]
        self.known = {**known, **single}
        cast(forms.ChoiceField, self.fields["what"]).choices = [
            ("", _("Please choose")),
            (_("Trainings"), trainings),
            (_("A single instrument"), labels),
        ]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        row = self.known.get(data.get("what") or "")
        data["course"] = row if isinstance(row, Course) else None
        data["instrument"] = row if isinstance(row, Instrument) else None
        if row is not None and data.get("valid_until"):
            zone = row.institution.timezone
            data["valid_until"] = end_of_day(data["valid_until"], zone)
        if data["instrument"] is not None and not data.get("level"):
            self.add_error("level", _("Please name the level, such as A."))
        return data


def end_of_day(day: date, timezone: str) -> datetime:
    """The first instant of the following day, by the clock of the institution."""
    return local_boundary(day + timedelta(days=1), time(0), ZoneInfo(timezone))
