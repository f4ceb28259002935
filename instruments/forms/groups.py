"""A group of instruments: its name and what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from backend.core.fields import Text
from instruments.models import Instrument


class GroupForm(forms.Form):
    """``instruments`` cleans to the chosen rows; ``seen`` holds the ids that belonged to it when the page was drawn."""

    name = Text(label=pgettext_lazy("instruments", "Name of the group"), max_length=80)
    instruments = forms.MultipleChoiceField(
        label=gettext_lazy("Instruments"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("An instrument belongs to one group at most."),
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, instruments: Iterable[Instrument], group: int | None, language: str, **kw: Any):
        super().__init__(*args, **kw)
        self.rows = {str(each.pk): each for each in instruments}
        labels = [(pk, _label(each, group, language)) for pk, each in self.rows.items()]
        cast(forms.MultipleChoiceField, self.fields["instruments"]).choices = labels

    def clean_instruments(self) -> list[Instrument]:
        return [self.rows[pk] for pk in self.cleaned_data["instruments"]]

    def clean_seen(self) -> list[int]:
        return [int(pk) for pk in self.cleaned_data["seen"].split(",") if pk.isdecimal() and len(pk) < 18]


def _label(instrument: Instrument, group: int | None, language: str) -> str:
    label = f"{instrument.label(language)} · {instrument.local_no}"
    if instrument.group is None or instrument.group_id == group:
        return label
    return _("%(instrument)s (now in “%(group)s”)") % {"instrument": label, "group": instrument.group.name}
