"""Shapes of what people type. Wall times are those of the instrument's zone and become instants here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator, validate_comma_separated_integer_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.accounts.models import Organisation, Project
from backend.core.db import MAX_ID
from backend.core.fields import Text
from backend.core.periods import AmbiguousLocalTime, NonexistentLocalTime, local_instant
from booking.models import FeedDetail, FeedScope
from booking.queries.behalf import Party
from booking.queries.wishes import check_shape
from instruments.models import Instrument, Mode

WALL = "%Y-%m-%dT%H:%M"
MOST_TEXT = 2000
# Beyond these, arithmetic with dates fails; nobody books there.
YEARS = range(1970, 2200)


def wall_time(text: str, zone: ZoneInfo) -> datetime | None:
    """What a clock of the zone shows: typed there, or an instant of an address brought there."""
    # A plus sign in an address that was not encoded arrives as a space.
    text = text.strip()
    if len(text) > 6 and text[-6] == " " and "T" in text:
        text = f"{text[:-6]}+{text[-5:]}"
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            found = found.astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return found.replace(second=0, microsecond=0) if found.year in YEARS else None


class WallTimeInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format=WALL)


class WallTimeField(forms.Field):
    """A naive date and time."""

    widget = WallTimeInput

    def to_python(self, value: Any) -> datetime | None:
        if not value:
            return None
        found = value if isinstance(value, datetime) else wall_time(str(value), ZoneInfo("UTC"))
        if found is None:
            raise forms.ValidationError(_("Please give a date and a time."), "invalid")
        return found


def _samples() -> forms.IntegerField:
    return forms.IntegerField(
        label=gettext_lazy("Number of samples"),
        required=False,
        validators=[MinValueValidator(0), MaxValueValidator(100_000)],
        widget=forms.NumberInput(attrs={"min": 0, "inputmode": "numeric"}),
    )


def _text(label: Any) -> Text:
    """Several lines that may be left out."""
    return Text(label=label, required=False, max_length=MOST_TEXT, widget=forms.Textarea(attrs={"rows": 2}))


class TimesForm(forms.Form):
    """``start`` and ``end`` become instants; ``which`` lists what must be asked where the clock shows a time twice."""

    start = WallTimeField(label=gettext_lazy("From"))
    end = WallTimeField(label=gettext_lazy("To"))
    start_fold = forms.TypedChoiceField(choices=[("0", "0"), ("1", "1")], coerce=int, empty_value=None, required=False)
    end_fold = forms.TypedChoiceField(choices=[("0", "0"), ("1", "1")], coerce=int, empty_value=None, required=False)

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        self.which: dict[str, list[tuple[int, str, bool]]] = {}

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        for name in ("start", "end"):
            if data.get(name) is not None:
                data[name] = self._instant(name, data[name], data.get(f"{name}_fold"))
        start, end = data.get("start"), data.get("end")
        if start and end and end <= start:
            self.add_error("end", forms.ValidationError(_("The end must be after the start."), "end_before_start"))
        return data

    def _instant(self, name: str, wall: datetime, fold: int | None) -> datetime | None:
        try:
            instant = local_instant(wall.date(), wall.time(), self.zone, fold=fold)
            if fold is not None and _is_twice(wall, self.zone):
                self._ask(name, wall, fold)
            return instant
        except NonexistentLocalTime:
            text = _("The clock skips %(time)s on this day: it is set forward. Please choose another time.")
            self.add_error(name, forms.ValidationError(text % {"time": f"{wall:%H:%M}"}, "gap"))
        except AmbiguousLocalTime:
            self._ask(name, wall, None)
            text = _("The clock shows %(time)s twice on this day: it is set back. Please say which one you mean.")
            self.add_error(name, forms.ValidationError(text % {"time": f"{wall:%H:%M}"}, "ambiguous"))
        return None

    def _ask(self, name: str, wall: datetime, fold: int | None) -> None:
        words = (_("the first, %(offset)s"), _("the second, %(offset)s"))
        self.which[name] = [
            (each, words[each] % {"offset": _offset(wall.replace(tzinfo=self.zone, fold=each))}, each == fold)
            for each in (0, 1)
        ]


def _is_twice(wall: datetime, zone: ZoneInfo) -> bool:
    first, second = (wall.replace(tzinfo=zone, fold=each) for each in (0, 1))
    return first.utcoffset() != second.utcoffset()


def _offset(at: datetime) -> str:
    text = at.strftime("%z")
    return f"UTC{text[:3]}:{text[3:5]}"


class ForWhomForm(forms.Form):
    """For which organisation, project and person; they clean to rows, ``user`` to None for the reader themselves."""

    organisation = forms.TypedChoiceField(label=gettext_lazy("For"), coerce=int, empty_value=None, required=False)
    project = forms.TypedChoiceField(
        label=gettext_lazy("Project"),
        coerce=int,
        empty_value=None,
        required=False,
        help_text=gettext_lazy("The cost is shown under this project."),
    )
    party = forms.ChoiceField(label=gettext_lazy("For whom"), required=False)
    party_email = forms.EmailField(
        label=gettext_lazy("or by e-mail address"),
        required=False,
        help_text=gettext_lazy("The exact address of the person’s account."),
    )

    def __init__(
        self,
        *args: Any,
        organisations: Iterable[Organisation],
        projects: Iterable[Project],
        language: str = "",
        parties: Iterable[Party] = (),
        by_email: Callable[[str], list[Party]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.parties = {one.key: one for one in parties}
        self.by_email = by_email
        # Templates call what can be called.
        self.for_others = by_email is not None
        cast(forms.ChoiceField, self.fields["party"]).choices = [("", ""), *((key, key) for key in self.parties)]
        self.organisations = {one.pk: one for one in organisations}
        self.projects = {one.pk: one for one in projects}
        names = [(one.pk, one.label(language)) for one in self.organisations.values()]
        cast(forms.ChoiceField, self.fields["organisation"]).choices = names
        labels = [(one.pk, str(one)) for one in self.projects.values()]
        cast(forms.ChoiceField, self.fields["project"]).choices = [("", _("None")), *labels]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        usual = next(iter(self.organisations.values()), None)
        party = self._party(data)
        data["user"] = party.user if party else None
        data["organisation"] = self.organisations.get(data.get("organisation") or 0, usual)
        if party:
            data["organisation"] = party.organisation
        project = self.projects.get(data.get("project") or 0)
        if project and data["organisation"] and project.organisation_id != data["organisation"].pk:
            self.add_error(
                "project", forms.ValidationError(_("This project belongs to another organisation."), "foreign")
            )
        data["project"] = project
        return data

    def _party(self, data: dict[str, Any]) -> Party | None:
        """For whom it is, when that is somebody else."""
        if not data.get("party_email") or self.by_email is None:
            return self.parties.get(data.get("party") or "")
        found = self.by_email(data["party_email"])
        if len(found) == 1:
            return found[0]
        several = _("This person belongs to several organisations and has to book themselves.")
        text = (
            several
            if found
            else _(
                "Nobody with this address can be booked for. The person needs an account, and their organisation an "
                "agreement or a booking of its own here."
            )
        )
        self.add_error("party_email", forms.ValidationError(text, "several" if found else "foreign"))
        return None


class WishForm(ForWhomForm, TimesForm):
    """What the live check needs."""

    mode = forms.ChoiceField(choices=Mode.choices, label=gettext_lazy("Mode"))
    samples = _samples()
    voucher = forms.IntegerField(required=False, min_value=1, max_value=MAX_ID)
    voucher_declared = forms.BooleanField(required=False)

    def __init__(self, *args: Any, instrument: Instrument, **kwargs: Any) -> None:
        super().__init__(*args, zone=instrument.zone, **kwargs)


class BookingForm(WishForm):
    """The whole panel."""

    purpose = Text(
        label=gettext_lazy("Purpose"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("What will be measured, in a few words. The lab reads it."),
    )
    notes = _text(gettext_lazy("Notes"))
    # What the person was shown and wants displaced.
    displaces = Text(required=False, max_length=400, validators=[validate_comma_separated_integer_list])

    def clean_displaces(self) -> list[int]:
        return [min(int(pk), MAX_ID) for pk in self.cleaned_data["displaces"].split(",") if pk]


class ReasonForm(forms.Form):
    """A step that may carry a reason. ``version`` is what the reader saw."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = _text(gettext_lazy("Reason"))


class MoveForm(TimesForm):
    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = Text(label=gettext_lazy("Reason"), required=False, max_length=MOST_TEXT)


class InstantsForm(forms.Form):
    """What a calendar says of a booking that was dragged: instants with an offset."""

    start = forms.DateTimeField()
    end = forms.DateTimeField()

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        for name in ("start", "end"):
            if data.get(name) and data[name].year not in YEARS:
                self.add_error(name, forms.ValidationError(_("This date is too far away."), "out_of_range"))
        if data.get("start") and data.get("end"):
            check_shape(data["start"], data["end"])
        return data


class ReasonTemplateForm(forms.Form):
    text = Text(label=gettext_lazy("Reason"), required=False, max_length=300)
    text_en = Text(label=gettext_lazy("Reason in English"), required=False, max_length=300)


class SeveralForm(forms.Form):
    """One decision about several requests; ``versions`` are ``id:version`` as the page showed them."""

    decision = forms.ChoiceField(choices=[("approve", "approve"), ("reject", "reject")])
    reason = Text(
        label=gettext_lazy("Reason"), required=False, max_length=MOST_TEXT, widget=forms.Textarea(attrs={"rows": 3})
    )


class TransferForm(forms.Form):
    """To whom: one of the names shown, or an exact e-mail address."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    user = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    user_email = forms.EmailField(required=False)
    reason = Text(required=False, max_length=MOST_TEXT)


class FinishForm(TimesForm):
    """The use as it was; when it began is only asked where nobody checked in."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    samples = _samples()
    comment = _text(gettext_lazy("Comment"))

    def __init__(self, *args: Any, begun: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["start"].required = not begun


class RecordForm(TimesForm):
    """Another measurement of a use; ``reason`` is needed where a verified record is corrected."""

    samples = _samples()
    comment = _text(gettext_lazy("Comment"))
    reason = _text(gettext_lazy("Reason"))

    def __init__(self, *args: Any, needs_reason: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = needs_reason


class UnbookedForm(TimesForm):
    """A use without a booking; ``reference`` makes sending the form twice harmless."""

    reference = forms.UUIDField(widget=forms.HiddenInput)
    email = forms.EmailField(label=gettext_lazy("Who used it (e-mail address)"))
    organisation = forms.TypedChoiceField(
        label=gettext_lazy("For"),
        coerce=int,
        empty_value=None,
        required=False,
        help_text=gettext_lazy("Only needed when the person belongs to several organisations."),
    )
    samples = _samples()
    comment = _text(gettext_lazy("Comment"))

    def __init__(self, *args: Any, organisations: Iterable[Organisation], language: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(one.pk, one.label(language)) for one in organisations]
        cast(forms.ChoiceField, self.fields["organisation"]).choices = [("", _("Please choose")), *names]


class OutageForm(TimesForm):
    """``sequence`` is what the reader saw of an outage that is changed. The end may be left out where it is open."""

    open_ended = forms.BooleanField(
        label=gettext_lazy("The end is not known yet"),
        required=False,
        help_text=gettext_lazy("It then moves on by a day each day until you say that the instrument works again."),
    )
    displaces = forms.BooleanField(
        label=gettext_lazy("Displace further bookings without asking"),
        required=False,
        help_text=gettext_lazy("Only with an open end: bookings of the next day are displaced the day before."),
    )

    reason = Text(
        label=gettext_lazy("Reason"), max_length=200, help_text=gettext_lazy("Customers whose booking it hits read it.")
    )
    sequence = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["end"].required = False

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if not data.get("end") and not data.get("open_ended") and "end" not in self.errors:
            text = _("Please give the end, or say that it is not known yet.")
            self.add_error("end", forms.ValidationError(text, "end_needed"))
        return data


class FeedForm(forms.Form):
    scope = forms.ChoiceField(label=gettext_lazy("Content"), choices=FeedScope.choices, widget=forms.RadioSelect)
    organisation = forms.TypedChoiceField(
        label=gettext_lazy("Organisation"), coerce=int, empty_value=None, required=False
    )
    instrument = forms.TypedChoiceField(label=gettext_lazy("Instrument"), coerce=int, empty_value=None, required=False)
    detail = forms.ChoiceField(label=gettext_lazy("Detail"), choices=FeedDetail.choices, widget=forms.RadioSelect)
    name = Text(
        label=gettext_lazy("Name"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("To tell your subscriptions apart, e.g. the device that reads it."),
    )

    def __init__(
        self,
        *args: Any,
        organisations: Iterable[Organisation],
        instruments: Iterable[Instrument],
        language: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.organisations = list(organisations)
        chosen = [(one.pk, one.label(language)) for one in self.organisations]
        cast(forms.ChoiceField, self.fields["organisation"]).choices = chosen
        listed = [(one.pk, one.label(language)) for one in instruments]
        cast(forms.ChoiceField, self.fields["instrument"]).choices = [("", _("Please choose")), *listed]
