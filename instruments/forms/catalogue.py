"""The catalogue's filters as people send them: words, facets, a day instead of two instants."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backend.core.db import MAX_ID
from backend.core.errors import Invalid, Refusal
from backend.core.periods import local_day
from backend.core.text import has_control_characters
from instruments.models import Condition, Mode, Sharing
from instruments.queries.catalogue import Filters
from instruments.queries.regions import region_names

LONGEST_AHEAD = timedelta(days=366)
MOST_CHOICES = 50


def _length_words(minutes: int) -> str:
    hours = minutes // 60
    return ngettext("%(hours)s hour", "%(hours)s hours", hours) % {"hours": hours}


class CatalogueForm(forms.Form):
    """What is typed or chosen; the facets are links and come beside it."""

    q = forms.CharField(label=_("Search"), required=False, max_length=200)
    day = forms.DateField(label=_("Free on"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    within = forms.TypedChoiceField(
        label=_("Free within"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", _("any time")), (1, _("a day")), (3, _("three days")), (7, _("a week")), (14, _("two weeks"))],
    )
    length = forms.ChoiceField(label=_("For at least"), required=False)
    near = forms.ChoiceField(label=_("Near"), required=False)
    price_max = forms.DecimalField(
        label=_("Price up to"), required=False, min_value=0, max_value=10**9, max_digits=12, decimal_places=2
    )
    sort = forms.ChoiceField(
        label=_("Sort"),
        required=False,
        choices=[
            ("relevance", _("Best match")),
            ("earliest", _("Earliest free")),
            ("price", _("Lowest price")),
            ("near", _("Nearest region")),
            ("name", _("Name")),
        ],
    )

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        lengths: Any = self.fields["length"]
        lengths.choices = [(minutes, _length_words(minutes)) for minutes in (60, 120, 180, 240, 480)]
        near: Any = self.fields["near"]
        near.choices = [("", _("my region")), *((name, name) for name in region_names())]
        self.fields["price_max"].widget.attrs.update(step="any", inputmode="decimal")

    def clean_day(self) -> date | None:
        day: date | None = self.cleaned_data["day"]
        today = timezone.localdate()
        if day is not None and not today <= day <= today + LONGEST_AHEAD:
            raise forms.ValidationError(_("Choose a day from today on, at most a year ahead."))
        return day


def read_filters(query: QueryDict) -> tuple[Filters, CatalogueForm]:
    """What cannot be read filters nothing, and the form says so; `Invalid` for facets that nobody was offered."""
    form = CatalogueForm(query)
    form.is_valid()
    values = form.cleaned_data
    filters = Filters(
        q=values.get("q", ""),
        category=_texts(query, "category"),
        technique=_texts(query, "technique"),
        institution=tuple(
            int(one) for one in _texts(query, "institution") if one.isdecimal() and 0 < int(one) <= MAX_ID
        ),
        region=_texts(query, "region"),
        mode=tuple(one for one in _texts(query, "mode") if one in Mode.values),
        status=tuple(one for one in _texts(query, "status") if one in Condition.values),
        sharing=tuple(one for one in _texts(query, "sharing") if one in Sharing.values),
        price_max=values.get("price_max"),
        within=values.get("within"),
        length=timedelta(minutes=int(values.get("length") or 60)),
        near=values.get("near", ""),
        sort=values.get("sort") or "relevance",
    )
    if values.get("day"):
        period = local_day(values["day"], timezone.get_default_timezone())
        filters = replace(filters, free_from=period.start, free_to=period.end)
    return filters, form


def _texts(query: QueryDict, name: str) -> tuple[str, ...]:
    values = [one for one in query.getlist(name) if one]
    if len(values) > MOST_CHOICES or any(len(one) > 60 or has_control_characters(one) for one in values):
        raise Invalid(Refusal("invalid", _("This filter cannot be read."), field=name))
    return tuple(dict.fromkeys(values))
