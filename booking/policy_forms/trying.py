"""Who asks for which time, to see what the rules say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from booking.forms import TimesForm
from booking.models import LONGEST
from booking.queries.trying import AUDIENCES
from instruments.models import Instrument, Mode


class TryForm(TimesForm):
    """``person`` is one of the typical audiences; an e-mail address of a known customer outweighs it."""

    instrument = forms.TypedChoiceField(label=gettext_lazy("Instrument"), coerce=int)
    audience = forms.ChoiceField(
        label=gettext_lazy("Who asks"),
        choices=list(
            zip(
                AUDIENCES,
                (
                    gettext_lazy("somebody of our own institution"),
                    gettext_lazy("somebody of another institution"),
                    gettext_lazy("an enterprise"),
                ),
                strict=True,
            )
        ),
    )
    email = forms.EmailField(label=gettext_lazy("or a customer’s e-mail address"), required=False)
    mode = forms.ChoiceField(
        label=gettext_lazy("Mode"), choices=[each for each in Mode.choices if each[0] != Mode.SAMPLE]
    )
    samples = forms.IntegerField(
        label=gettext_lazy("Number of samples"), required=False, min_value=0, max_value=100_000
    )
    field_order = ("instrument", "audience", "email", "mode", "start", "end", "samples")

    def __init__(self, *args: Any, instruments: Sequence[Instrument], **kwargs: Any) -> None:
        super().__init__(*args, auto_id="id_try_%s", **kwargs)
        choice = self.fields["instrument"]
        assert isinstance(choice, forms.TypedChoiceField)
        choice.choices = [(each.pk, str(each)) for each in instruments]
        if len(instruments) == 1:
            choice.widget = forms.HiddenInput()
            choice.initial = instruments[0].pk

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        start, end = data.get("start"), data.get("end")
        if start and end and end - start > LONGEST:
            self.add_error("end", ValidationError(_("A booking can last at most 92 days."), "too_long"))
        return data
