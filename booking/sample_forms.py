"""Shapes of what people type about samples. Each row of a table has a prefix of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.core.fields import Text
from booking.forms import ForWhomForm, TimesForm
from booking.models import SampleItem
from booking.queries.sample_prices import Question
from booking.rules.samples import MOST_PIECES, MOST_TESTS, TEST

# Rows of a new order; a row's name in the form is a few small letters and digits.
ROW = r"[a-z0-9]{1,12}"


def _pieces(label: Any, *, least: int = 1, **more: Any) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"min": least, "max": MOST_PIECES, "inputmode": "numeric"})
    return forms.IntegerField(
        label=label, validators=[MinValueValidator(least), MaxValueValidator(MOST_PIECES)], widget=widget, **more
    )


class _Day(forms.DateField):
    def __init__(self, **more: Any) -> None:
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), required=False, **more)


class AskedFields(forms.Form):
    """Tests and the values that the price list asks for; ``asked()`` is what the action takes."""

    def ask(self, questions: Iterable[Question]) -> None:
        self.names: dict[str, str] = {}
        self.offered: tuple[str, ...] = ()
        for question in questions:
            if question.name == TEST:
                self.offered = question.choices
                continue
            field: forms.Field
            label = fact_label(question.name)
            if question.choices:
                choices = [("", "—"), *((choice, choice) for choice in question.choices)]
                field = forms.ChoiceField(label=label, choices=choices, required=False)
            else:
                widget = forms.NumberInput(attrs={"min": 0, "step": "any", "inputmode": "decimal"})
                field = forms.FloatField(label=label, required=False, min_value=0, max_value=10**9, widget=widget)
            self.names[f"fact_{question.name}"] = question.name
            self.fields[f"fact_{question.name}"] = field
        if self.offered:
            self.fields["tests"] = forms.MultipleChoiceField(
                label=_("Tests"),
                choices=[(one, one) for one in self.offered],
                widget=forms.CheckboxSelectMultiple,
                required=False,
            )
        else:
            self.fields["tests"] = Text(
                label=_("Tests"), required=False, max_length=500, help_text=_("Several are separated by commas.")
            )

    def clean_tests(self) -> list[str]:
        value = self.cleaned_data["tests"]
        if not isinstance(value, str):
            return list(value)
        tests = [part.strip() for part in value.replace("，", ",").replace("、", ",").split(",") if part.strip()]
        if len(tests) > MOST_TESTS or any(len(one) > 100 for one in tests):
            words = _("At most %(most)s tests of at most 100 characters each.") % {"most": MOST_TESTS}
            raise forms.ValidationError(words, "too_many_tests")
        return tests

    def parameters(self) -> dict[str, Any]:
        found = {name: self.cleaned_data.get(field) for field, name in self.names.items()}
        return {name: _plain(value) for name, value in found.items() if value not in (None, "")}

    @property
    def fact_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.names]


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def fact_label(name: str) -> str:
    """A price list's own names are shown as they are; the usual ones in words."""
    usual = {"points": _("Test points"), "hours": _("Hours"), "days": _("Days"), "elements": _("Elements")}
    return usual.get(name, name.replace("_", " "))


class ItemForm(AskedFields):
    """One kind of sample of a new order."""

    name = Text(label=gettext_lazy("Sample"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    quantity = _pieces(gettext_lazy("Quantity"), initial=1)
    storage = Text(
        label=gettext_lazy("Hazards and storage"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("For example: flammable, keep at 4 °C, sensitive to air."),
    )
    notes = Text(label=gettext_lazy("Notes"), required=False, max_length=500)

    def __init__(self, *args: Any, questions: Iterable[Question] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ask(questions)

    @property
    def row(self) -> str:
        return str(self.prefix).removeprefix("item-")

    def item(self) -> dict[str, Any]:
        data = self.cleaned_data
        plain = {name: data[name] for name in ("name", "quantity", "storage", "notes", "tests")}
        return {**plain, "parameters": self.parameters()}


class OrderForm(ForWhomForm):
    """What is said of the whole order."""

    purpose = Text(
        label=gettext_lazy("Purpose"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("What will be measured, in a few words. The lab reads it."),
    )
    requirements = Text(
        label=gettext_lazy("Requirements"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Preparation, conditions, standards, the form of the report."),
    )
    wished_on = _Day(label=gettext_lazy("Wished date"), help_text=gettext_lazy("Leave it empty when any day will do."))
    return_samples = forms.BooleanField(label=gettext_lazy("Send the samples back afterwards"), required=False)


class StepForm(forms.Form):
    """A step that needs nothing more. ``version`` is what the reader saw."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class AcceptForm(StepForm):
    expected_on = _Day(label=gettext_lazy("Results expected on"))


class TimeForm(TimesForm):
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class ReportForm(StepForm):
    report = Text(
        label=gettext_lazy("Message with the results"),
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class ReceivedForm(forms.Form):
    """What arrived of one item."""

    quantity = _pieces(gettext_lazy("Arrived"), least=0)
    condition = Text(label=gettext_lazy("Condition"), required=False, max_length=200)

    def __init__(self, data: Any = None, *, item: SampleItem) -> None:
        super().__init__(data, prefix=f"item-{item.pk}", initial={"quantity": item.quantity})
        self.sample = item

    def told(self) -> Mapping[str, Any]:
        return self.cleaned_data


class TestedForm(AskedFields):
    """What was tested of one item."""

    quantity = _pieces(gettext_lazy("Tested"), least=0)

    def __init__(self, data: Any = None, *, item: SampleItem, questions: Iterable[Question]) -> None:
        usual = item.quantity if item.received_quantity is None else item.received_quantity
        initial = {"quantity": usual, **{f"fact_{name}": value for name, value in item.parameters.items()}}
        super().__init__(data, prefix=f"item-{item.pk}", initial=initial)
        self.sample = item
        self.ask(questions)
        self.initial["tests"] = item.tests if self.offered else ", ".join(item.tests)

    def told(self) -> Mapping[str, Any]:
        data = self.cleaned_data
        return {"quantity": data["quantity"], "tests": data["tests"], "parameters": self.parameters()}
