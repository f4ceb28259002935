"""Shapes of series and of experiments with several instruments, as people type them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.accounts.models import Organisation, Project
from backend.core.fields import Text
from backend.core.periods import NonexistentLocalTime, local_instant
from booking.forms import MOST_TEXT, BookingForm, TimesForm, WallTimeField
from booking.models import OnConflict
from booking.rules.recurrence import DAYS, MOST, MOST_INTERVAL, Recurrence

FREQUENCIES = [
    ("WEEKLY", gettext_lazy("Weekly")),
    ("DAILY", gettext_lazy("Daily")),
    ("MONTHLY", gettext_lazy("Monthly")),
]
MONTHLY = [("date", gettext_lazy("on the same date")), ("weekday", gettext_lazy("on the same weekday"))]
ENDS = [("count", gettext_lazy("after a number of dates")), ("until", gettext_lazy("on a day"))]


def _number(label: Any, most: int) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        validators=[MinValueValidator(1), MaxValueValidator(most)],
        widget=forms.NumberInput(attrs={"min": 1, "max": most, "inputmode": "numeric"}),
    )


class SeriesForm(BookingForm):
    """The panel's fields and how often; `rrule` is built here."""

    frequency = forms.ChoiceField(label=gettext_lazy("Repeat"), choices=FREQUENCIES, initial="WEEKLY")
    interval = _number(gettext_lazy("Every how many days, weeks or months"), MOST_INTERVAL)
    days = forms.MultipleChoiceField(
        label=gettext_lazy("On these days"),
        choices=[(code, WEEKDAYS_ABBR[number]) for number, code in enumerate(DAYS)],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    monthly = forms.ChoiceField(label=gettext_lazy("In each month"), choices=MONTHLY, required=False)
    ending = forms.ChoiceField(label=gettext_lazy("Ends"), choices=ENDS, initial="count")
    count = _number(gettext_lazy("Number of dates"), MOST)
    until = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    on_conflict = forms.ChoiceField(
        label=gettext_lazy("If a date is not possible"), choices=OnConflict.choices, widget=forms.RadioSelect
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        ending = data.get("ending")
        if ending in ("count", "until") and not data.get(ending) and ending not in self.errors:
            text = _("Say how many dates.") if ending == "count" else _("Say the last day.")
            self.add_error(ending, forms.ValidationError(text, "required"))
        data["rrule"] = str(self._rule(data)) if not self.errors else ""
        return data

    def _rule(self, data: dict[str, Any]) -> Recurrence:
        start = data["start"].astimezone(self.zone)
        frequency = data["frequency"]
        place = (start.day - 1) // 7 + 1
        weekday = f"{place if place < 5 else -1}{DAYS[start.weekday()]}"
        by_weekday = frequency == "MONTHLY" and data.get("monthly") == "weekday"
        chosen = tuple(data["days"]) if frequency == "WEEKLY" else (weekday,) if by_weekday else ()
        return Recurrence(
            frequency,
            interval=data.get("interval") or 1,
            count=data["count"] if data["ending"] == "count" else 0,
            until=f"{data['until']:%Y%m%d}" if data["ending"] == "until" else "",
            days=chosen,
        )


class SeriesPreviewForm(SeriesForm):
    """The same before it is complete: the purpose may still be missing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["purpose"].required = False
        self.fields["on_conflict"].required = False


class SeriesMoveForm(TimesForm):
    """The new time of the first date that moves; ``since`` is its booking."""

    since = forms.IntegerField(widget=forms.HiddenInput, required=False)
    on_conflict = forms.ChoiceField(
        label=gettext_lazy("If a date is not possible"),
        choices=[
            (OnConflict.FAIL.value, gettext_lazy("Move all dates or none")),
            (OnConflict.SKIP.value, gettext_lazy("Move what is possible, leave the rest where it is")),
        ],
        widget=forms.RadioSelect,
    )
    reason = Text(label=gettext_lazy("Reason"), required=False, max_length=MOST_TEXT)


class TogetherCancelForm(forms.Form):
    """``expected`` is the fee that the reader was shown."""

    since = forms.IntegerField(widget=forms.HiddenInput, required=False)
    expected = forms.DecimalField(widget=forms.HiddenInput, required=False, max_digits=12, decimal_places=2)
    reason = Text(
        label=gettext_lazy("Reason"), required=False, max_length=MOST_TEXT, widget=forms.Textarea(attrs={"rows": 2})
    )


class TakeUpForm(TimesForm):
    """Another time for a skipped date; without one its own is meant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["start"].required = self.fields["end"].required = False


class TogetherForm(forms.Form):
    """When an experiment begins and how its instruments follow each other; times are those of the first."""

    start = WallTimeField(label=gettext_lazy("From"))
    arrangement = forms.ChoiceField(
        label=gettext_lazy("Order"),
        choices=[("chain", gettext_lazy("One after another")), ("together", gettext_lazy("All at the same time"))],
        widget=forms.RadioSelect,
    )
    gap = forms.IntegerField(
        label=gettext_lazy("Minutes between"),
        required=False,
        validators=[MinValueValidator(0), MaxValueValidator(24 * 60)],
        widget=forms.NumberInput(attrs={"min": 0, "max": 24 * 60, "step": 5, "inputmode": "numeric"}),
    )
    organisation = forms.TypedChoiceField(label=gettext_lazy("For"), coerce=int, empty_value=None, required=False)
    project = forms.TypedChoiceField(label=gettext_lazy("Project"), coerce=int, empty_value=None, required=False)
    purpose = Text(
        label=gettext_lazy("Purpose"),
        max_length=200,
        help_text=gettext_lazy("What will be measured, in a few words. The labs read it."),
    )
    notes = Text(
        label=gettext_lazy("Notes"), required=False, max_length=MOST_TEXT, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(
        self,
        *args: Any,
        organisations: Iterable[Organisation],
        projects: Iterable[Project],
        language: str,
        zone: ZoneInfo | None = None,
        complete: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        self.fields["purpose"].required = self.fields["start"].required = complete
        self.organisations = {one.pk: one for one in organisations}
        self.projects = {one.pk: one for one in projects}
        names = [(one.pk, one.label(language)) for one in self.organisations.values()]
        cast(forms.ChoiceField, self.fields["organisation"]).choices = names
        labels = [(one.pk, str(one)) for one in self.projects.values()]
        cast(forms.ChoiceField, self.fields["project"]).choices = [("", _("None")), *labels]

    def clean_start(self) -> datetime | None:
        wall = self.cleaned_data["start"]
        if wall is None or self.zone is None:
            return None
        try:
            return local_instant(wall.date(), wall.time(), self.zone, fold=0)
        except NonexistentLocalTime as error:
            text = _("The clock skips %(time)s on this day: it is set forward. Please choose another time.")
            raise forms.ValidationError(text % {"time": f"{wall:%H:%M}"}, "gap") from error

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        usual = next(iter(self.organisations.values()), None)
        data["organisation"] = self.organisations.get(data.get("organisation") or 0, usual)
        project = self.projects.get(data.get("project") or 0)
        if project and data["organisation"] and project.organisation_id != data["organisation"].pk:
            text = _("This project belongs to another organisation.")
            self.add_error("project", forms.ValidationError(text, "foreign"))
        data["project"] = project
        return data
