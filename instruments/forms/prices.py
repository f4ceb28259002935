"""Price lists: one preset form that writes the document, and the document itself for experts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from instruments.actions.prices import AUDIENCES, LONGEST_DOCUMENT
from instruments.models import Mode
from instruments.queries.detail import audience_labels

CLOCKS = [
    ("booked", gettext_lazy("the booked time")),
    ("used", gettext_lazy("the used time")),
    ("longer", gettext_lazy("whichever is longer")),
]
# Fields of the grid: set-up per use, hours by mode, samples.
COLUMNS = ("setup", "self", "operator", "sample")
TIMED = ["self", "operator"]


class PricePresetForm(forms.Form):
    """Set-up per use, price per hour by audience and mode, minimum and step, price per sample.

    An empty price is not offered to that audience; a zero is free of charge.
    """

    name = forms.CharField(label=gettext_lazy("Name of the price list"), max_length=80)
    valid_from = forms.DateField(
        label=gettext_lazy("Valid from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    clock = forms.ChoiceField(label=gettext_lazy("Hours count"), choices=CLOCKS)
    minimum = forms.DecimalField(
        label=gettext_lazy("Minimum, hours"), required=False, min_value=0, max_value=100, decimal_places=2
    )
    step = forms.ChoiceField(
        label=gettext_lazy("Rounded up to"),
        required=False,
        choices=[("", gettext_lazy("not rounded")), *((str(n), f"{n} min") for n in (15, 30, 60))],
    )

    def __init__(self, *args: Any, modes: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = [column for column in COLUMNS if _is_offered(column, modes)]
        if "setup" not in self.columns:
            for name in ("clock", "minimum", "step"):
                del self.fields[name]
        for audience in AUDIENCES:
            for column in self.columns:
                self.fields[f"{column}-{audience}"] = forms.DecimalField(
                    label=f"{self.column_words()[column]}, {audience_labels()[audience]}",
                    required=False,
                    min_value=0,
                    max_value=10**8,
                    max_digits=10,
                    decimal_places=2,
                    widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
                )

    def headings(self) -> list[str]:
        return [self.column_words()[column] for column in self.columns]

    def grid(self) -> list[tuple[str, list[forms.BoundField]]]:
        labels = audience_labels()
        return [(labels[one], [self[f"{column}-{one}"] for column in self.columns]) for one in AUDIENCES]

    @staticmethod
    def column_words() -> dict[str, str]:
        return {
            "setup": _("Set-up per use"),
            "self": _("Per hour, self-operated"),
            "operator": _("Per hour, with operator"),
            "sample": _("Per sample"),
        }

    def clean(self) -> dict[str, Any]:
        """A way of use without any price would be free of charge for everybody, so it may not be left out."""
        values = super().clean() or {}
        for column in self.columns:
            if column != "setup" and all(values.get(f"{column}-{audience}") is None for audience in AUDIENCES):
                text = _("Give at least one price for “%(column)s”; zero is free of charge.")
                self.add_error(None, text % {"column": self.column_words()[column]})
        return values

    def document(self, currency: str) -> dict[str, Any]:
        """The names of the lines stand on invoices: they are in the site's language, not the writer's."""
        with translation.override(settings.LANGUAGE_CODE):
            return {"name": self.cleaned_data["name"], "currency": currency, "rules": list(self._rules())}

    def _rules(self) -> Iterator[dict[str, Any]]:
        timed = [mode for mode in TIMED if mode in self.columns]
        setup = self._rows("setup")
        if setup:
            when = {"event": "use", "mode": timed}
            yield {"code": "setup", "name": _("Set-up"), "kind": "price", "when": when, "rows": setup}
        names = {"self": _("Machine time, self-operated"), "operator": _("Machine time, with operator")}
        for mode in timed:
            yield _price(f"time_{mode}", names[mode], mode, self._hours(), self._rows(mode))
        if Mode.SAMPLE in self.columns:
            yield _price("samples", _("Samples"), "sample", "samples", self._rows("sample"))

    def _hours(self) -> dict[str, Any]:
        hours: dict[str, Any] = {"of": self.cleaned_data["clock"]}
        if self.cleaned_data["minimum"]:
            hours["min"] = _number(self.cleaned_data["minimum"])
        if self.cleaned_data["step"]:
            hours["step"] = int(self.cleaned_data["step"]) / 60
        return hours

    def _rows(self, column: str) -> list[dict[str, Any]]:
        rates = {audience: self.cleaned_data.get(f"{column}-{audience}") for audience in AUDIENCES}
        return [
            {"when": {"audience": audience}, "rate": _number(rate)}
            for audience, rate in rates.items()
            if rate is not None
        ]


# The preset's columns by the codes of the rules that it writes.
_COLUMN_OF = {"setup": "setup", "time_self": "self", "time_operator": "operator", "samples": "sample"}


def preset_values(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The form's values for a document that it wrote; None for one that says more than the form can."""
    rules = [rule for rule in document.get("rules", []) if isinstance(rule, dict)]
    if not rules or set(document) - {"name", "currency", "valid_from", "rules"}:
        return None
    out: dict[str, Any] = {"name": document.get("name", "")}
    for rule in rules:
        column = _COLUMN_OF.get(str(rule.get("code")))
        if column is None or set(rule) - {"code", "name", "kind", "required", "when", "qty", "rows"}:
            return None
        for row in rule.get("rows", [{}]):
            if set(row) != {"when", "rate"} or list(row["when"]) != ["audience"]:
                return None
            out[f"{column}-{row['when']['audience']}"] = Decimal(str(row["rate"]))
        if column in TIMED:
            hours = rule.get("qty", [None])[0]
            if not isinstance(hours, dict) or set(hours) - {"of", "min", "step"}:
                return None
            step = str(round(hours.get("step", 0) * 60) or "")
            out |= {"clock": hours["of"], "minimum": hours.get("min"), "step": step}
    return out


class PriceDocumentForm(forms.Form):
    """The JSON itself, typed or from a file."""

    valid_from = forms.DateField(
        label=gettext_lazy("Valid from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    file = forms.FileField(label=gettext_lazy("File"), required=False)
    text = forms.CharField(
        label=gettext_lazy("JSON"),
        required=False,
        max_length=LONGEST_DOCUMENT,
        widget=forms.Textarea(attrs={"rows": 12, "class": "font-monospace", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        file = values.get("file")
        if file is not None and file.size > LONGEST_DOCUMENT:
            raise forms.ValidationError(_("The file is too large."))
        try:
            document = json.loads(file.read().decode("utf-8-sig") if file is not None else values.get("text", ""))
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_("This is not JSON.")) from error
        if not isinstance(document, dict):
            raise forms.ValidationError(_("A price list is a JSON object."))
        document.pop("version", None)
        values["document"] = document
        return values


def _is_offered(column: str, modes: list[str]) -> bool:
    return bool(set(TIMED) & set(modes)) if column == "setup" else column in modes


def _price(code: str, name: str, mode: str, quantity: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """``required``: who finds no row is refused instead of paying nothing."""
    when = {"event": "use", "mode": mode}
    fixed = {"code": code, "name": name, "kind": "price", "required": True, "when": when}
    return {**fixed, "qty": [quantity], "rows": rows}


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
