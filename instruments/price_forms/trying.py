"""A use to try a price list on: for the manager beside the rules, for readers as a calculator."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from instruments.models import Mode
from instruments.price_forms.codes import values_of
from instruments.pricing import phrases
from instruments.pricing.model import PriceList
from instruments.pricing.vocabulary import EVENTS
from instruments.queries.detail import price_labels
from instruments.queries.trials import extra_facts, parties_of

LONGEST = timedelta(days=366)
FIRST, LAST = 1990, 2200


class WallTime(forms.CharField):
    """Date and time on the instrument's wall; a `datetime` without an offset."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(str(text)).replace(tzinfo=None)
        except ValueError:
            found = None
        if found is None or not FIRST <= found.year <= LAST:
            raise ValidationError(_("Please give a date and a time."), "invalid")
        return found


def _number(label: Any, most: int = 10**6) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=0,
        max_value=most,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )


class TrialForm(forms.Form):
    """``whole`` also asks for what only happens later: cancelling, longer use, what was used before."""

    event = forms.ChoiceField(label=pgettext_lazy("price", "What happens"))
    audience = forms.ChoiceField(label=gettext_lazy("For whom"))
    mode = forms.ChoiceField(label=gettext_lazy("Mode"))
    start = WallTime(label=pgettext_lazy("time", "From"))
    end = WallTime(label=pgettext_lazy("time", "Until"))
    used_end = WallTime(label=gettext_lazy("Really used until"), required=False)
    notice = _number(gettext_lazy("Cancelled so many hours before"), 10_000)
    samples = _number(gettext_lazy("Number of samples"))
    before = _number(gettext_lazy("Hours already used in this period"), 5_000)

    def __init__(
        self,
        *args: Any,
        price_list: PriceList,
        document: Mapping[str, Any],
        modes: Collection[str],
        whole: bool,
        **kwargs: Any,
    ) -> None:
        kwargs["auto_id"] = "id_trial_%s"
        super().__init__(*args, **kwargs)
        self.price_list = price_list
        labels = phrases.spoken(price_list, price_labels())
        self._choose("event", [(code, str(word)) for code, word in values_of(document, "event") or EVENTS.items()])
        self._choose("audience", values_of(document, "audience"))
        offered = values_of(document, "mode")
        self._choose("mode", [each for each in offered if each[0] in modes or each[0] not in Mode.values] or offered)
        self.facts = extra_facts(price_list)
        for fact in self.facts:
            label = phrases.attribute(fact.name, labels)
            if fact.sort == "truth":
                self.fields[f"fact-{fact.name}"] = forms.BooleanField(label=label, required=False)
            elif fact.sort == "number":
                self.fields[f"fact-{fact.name}"] = _number(label)
            else:
                choices = [("", "–"), *((each, phrases.value(fact.name, each, labels)) for each in fact.values)]
                self.fields[f"fact-{fact.name}"] = forms.ChoiceField(label=label, required=False, choices=choices)
        if not whole:
            for name in ("event", "used_end", "notice", "before"):
                del self.fields[name]

    def _choose(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start = data.get("start")
        for name in ("end", "used_end"):
            end = data.get(name)
            if start and end and not start < end <= start + LONGEST:
                self.add_error(name, _("The end must come after the start, and within a year."))
        return data

    def records(self, instrument: str) -> list[dict[str, Any]]:
        """The use, after what was used before it in the same period; instants are wall times of the instrument."""
        data = self.cleaned_data
        start, end = data["start"], data["end"]
        shared: dict[str, Any] = {
            **parties_of(self.price_list, instrument), "audience": data["audience"], "mode": data["mode"]
        }  # fmt: skip
        event = data.get("event") or "use"
        record = {
            **shared,
            **self._said(data),
            "id": "trial",
            "event": event,
            "booked": [[start.isoformat(), end.isoformat()]],
        }
        if data.get("samples") is not None:
            record["samples"] = data["samples"]
        if event == "cancel":
            record["at"] = (start - timedelta(hours=float(data.get("notice") or 0))).isoformat()
        if event == "use" and data.get("used_end"):
            record["used"] = [[start.isoformat(), data["used_end"].isoformat()]]
        return [*_earlier(shared, start, data.get("before")), record]

    def _said(self, data: Mapping[str, Any]) -> dict[str, Any]:
        given = {fact.name: data.get(f"fact-{fact.name}") for fact in self.facts}
        return {name: value for name, value in given.items() if value not in (None, "")}


def _earlier(shared: dict[str, Any], start: datetime, hours: Any) -> list[dict[str, Any]]:
    """One use right before this one, of the same party."""
    if not hours:
        return []
    begins = start - timedelta(hours=float(hours))
    times = [[begins.isoformat(), start.isoformat()]]
    return [{**shared, "id": "before", "event": "use", "history": True, "booked": times}]


def usual_trial(today: date, modes: Collection[str], audience: str) -> dict[str, Any]:
    """Two hours tomorrow morning; three samples where samples are handed in."""
    morning = f"{today + timedelta(days=1)}T"
    mode = next((mode for mode in modes if mode != Mode.SAMPLE.value), Mode.SAMPLE.value)
    return {
        "event": "use",
        "audience": audience,
        "mode": mode,
        "start": f"{morning}09:00",
        "end": f"{morning}11:00",
        "notice": 12,
        "samples": 3,
    }
