"""The usual rules of a price list, each from a few questions: the cards under “Add”."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from backend.core.errors import Invalid
from backend.core.fields import Text
from instruments.actions.prices import AUDIENCES
from instruments.forms.preset import number
from instruments.models import Mode
from instruments.price_forms.editor import fresh_code, place_of_new
from instruments.pricing.checks import check_price_list
from instruments.pricing.reading import parse_price_list
from instruments.queries.detail import audience_labels

CLOCKS = [
    ("booked", gettext_lazy("the booked time")),
    ("used", gettext_lazy("the used time")),
    ("longer", gettext_lazy("whichever is longer")),
    ("union", gettext_lazy("booked and used time together")),
]
STEPS = [("", gettext_lazy("not rounded")), ("15", "15 min"), ("30", "30 min"), ("60", "60 min")]
COUNTED = [
    ("samples", gettext_lazy("samples")),
    ("points", gettext_lazy("points")),
    ("people", gettext_lazy("people")),
    ("runs", gettext_lazy("runs")),
    ("days", gettext_lazy("days")),
]
PARTIES = [
    ("person", gettext_lazy("person")),
    ("group", gettext_lazy("research group")),
    ("organisation", gettext_lazy("organisation")),
]
PERIODS = [
    ("use", gettext_lazy("single use")),
    ("day", gettext_lazy("day")),
    ("month", gettext_lazy("month")),
    ("quarter", gettext_lazy("quarter")),
    ("year", gettext_lazy("year")),
]


def _amount(label: Any, *, low: int | None = 0, required: bool = False, initial: Any = None, **more: Any) -> Any:
    return forms.DecimalField(
        label=label, required=required, min_value=low, max_value=10**8, max_digits=12, decimal_places=4,
        initial=initial, widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}), **more,
    )  # fmt: skip


def _clock(label: Any) -> forms.TimeField:
    return forms.TimeField(label=label, required=False, widget=forms.TimeInput(attrs={"type": "time"}))


class PriceStart(forms.Form):
    """``title`` and ``text`` are the card's; ``rules`` makes what is added."""

    title: Any = ""
    text: Any = ""
    code = ""
    for_audiences = False

    name = Text(label=gettext_lazy("Name on the bill"), max_length=80)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].initial = self.title
        for audience, label in audience_labels().items() if self.for_audiences else ():
            self.fields[f"price-{audience}"] = _amount(_("Price, %(audience)s") % {"audience": label})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.for_audiences and not self.errors and not self.rows(data):
            raise forms.ValidationError(_("Give at least one price; zero is free of charge."))
        return data

    def rows(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A row for each audience with a price; who has none is not offered it."""
        found = {audience: data.get(f"price-{audience}") for audience in AUDIENCES}
        return [{"when": {"audience": each}, "rate": number(rate)} for each, rate in found.items() if rate is not None]

    def added(self, document: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The document with the new rule in its place."""
        return with_rule(document, self.rule(document, data))

    def rule(self, document: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def price(self, document: Mapping[str, Any], data: dict[str, Any], when: dict[str, Any]) -> dict[str, Any]:
        code = fresh_code(document, data["name"], self.code)
        return {"code": code, "name": data["name"], "kind": "price", "required": True, "when": when}


class TimePrice(PriceStart):
    title, text, code = gettext_lazy("Time price"), gettext_lazy("An hourly price for each audience."), "time"
    for_audiences = True
    clock = forms.ChoiceField(label=gettext_lazy("Hours count"), choices=CLOCKS)
    minimum = _amount(gettext_lazy("Minimum, hours"))
    step = forms.ChoiceField(label=gettext_lazy("Rounded up to"), choices=STEPS, required=False)
    mode = forms.ChoiceField(
        label=gettext_lazy("Mode"),
        required=False,
        choices=[("", gettext_lazy("all")), *((one.value, one.label) for one in (Mode.SELF, Mode.OPERATOR))],
    )

    def rule(self, document: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        hours: dict[str, Any] = {"of": data["clock"]}
        if data.get("minimum"):
            hours["min"] = number(data["minimum"])
        if data.get("step"):
            hours["step"] = number(Decimal(data["step"]) / 60)
        modes: Any = data["mode"] or [Mode.SELF.value, Mode.OPERATOR.value]
        when = {"event": "use", "mode": modes}
        return {**self.price(document, data, when), "qty": [hours], "rows": self.rows(data)}


class CountPrice(PriceStart):
    title, text, code = gettext_lazy("Count price"), gettext_lazy("So much for each sample or point."), "count"
    for_audiences = True
    what = forms.ChoiceField(label=gettext_lazy("Counted"), choices=COUNTED)
    free = _amount(gettext_lazy("free of charge, the first"))

    def rule(self, document: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        counted: Any = {"of": data["what"], "free": number(data["free"])} if data.get("free") else data["what"]
        when = {"event": "use", "mode": Mode.SAMPLE.value} if data["what"] == "samples" else {"event": "use"}
        return {**self.price(document, data, when), "qty": [counted], "rows": self.rows(data)}


class FixedFee(PriceStart):
    title, text, code = gettext_lazy("Fixed fee"), gettext_lazy("Once per use: set-up, consumables."), "fee"
    for_audiences = True

    def rule(self, document: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        found = {**self.price(document, data, {"event": "use"}), "rows": self.rows(data)}
        del found["required"]  # who has no such fee pays none
        return found


class Surcharge(PriceStart):
    title, text, code = (
        gettext_lazy("Surcharge or discount"),
        gettext_lazy("A percentage of what stands above: nights, rush, a group of customers."),
        "surcharge",
    )
    percent = _amount(gettext_lazy("Percent"), low=-100, required=True, help_text=gettext_lazy("negative: a discount"))
    audience = forms.ChoiceField(label=pgettext_lazy("rule", "For"), required=False)
    opens = _clock(gettext_lazy("Only when it starts between"))
    closes = _clock(pgettext_lazy("time", "and"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["audience"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [("", _("everyone")), *audience_labels().items()]

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if (data.get("opens") is None) != (data.get("closes") is None):
            self.add_error("closes", _("Give both times, or none."))
        return data

    def added(self, document: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        when: dict[str, Any] = {"event": "use"}
        if data["audience"]:
            when["audience"] = data["audience"]
        if data.get("opens") is not None:
            opens, closes = f"{data['opens']:%H:%M}", f"{data['closes']:%H:%M}"
            name = f"{opens}–{closes}"
            document = {**document, "bands": {**document.get("bands", {}), name: [{"from": opens, "to": closes}]}}
            when["start_in"] = name
        code = fresh_code(document, data["name"], self.code)
        rule = {"code": code, "name": data["name"], "kind": "percent", "when": when, "on": ["*"]}
        return with_rule(document, {**rule, "rate": number(data["percent"])})


class Bound(PriceStart):
    title, text, code = (
        gettext_lazy("Cap or minimum"),
        gettext_lazy("What everything above costs at most or at least, per use or in a period."),
        "cap",
    )
    limit = forms.ChoiceField(
        label=gettext_lazy("Together"), choices=[("max", gettext_lazy("at most")), ("min", gettext_lazy("at least"))]
    )
    amount = _amount(gettext_lazy("Amount"), required=True)
    per = forms.ChoiceField(label=gettext_lazy("For each"), choices=PARTIES)
    period = forms.ChoiceField(label=gettext_lazy("In a"), choices=PERIODS)

    def rule(self, document: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        code = fresh_code(document, data["name"], "cap" if data["limit"] == "max" else "minimum")
        rule = {"code": code, "name": data["name"], "kind": "limit", "limit": data["limit"], "on": ["*"]}
        scope = {"scope": {"per": [data["per"]], "period": data["period"]}} if data["period"] != "use" else {}
        return {**rule, "when": {"event": "use"}, "rate": number(data["amount"]), **scope}


class Cancelling(PriceStart):
    title, text, code = (
        gettext_lazy("Cancellation ladder"),
        gettext_lazy("The shorter the notice, the larger the share; a slot that others used costs nothing."),
        "cancelled",
    )
    hours_1 = _amount(gettext_lazy("Cancelled less than … hours before"), required=True, initial=24)
    percent_1 = _amount(gettext_lazy("percent of the price"), required=True, initial=100)
    hours_2 = _amount(gettext_lazy("less than … hours before"))
    percent_2 = _amount(gettext_lazy("percent of the price"))
    hours_3 = _amount(gettext_lazy("less than … hours before"))
    percent_3 = _amount(gettext_lazy("percent of the price"))
    no_show = _amount(gettext_lazy("Not coming at all: percent of the price"))

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        for step in "23":
            if (data.get(f"hours_{step}") is None) != (data.get(f"percent_{step}") is None):
                self.add_error(f"percent_{step}", _("Give both the hours and the percentage."))
        return data

    def rule(self, document: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        steps = [(data[f"hours_{n}"], data[f"percent_{n}"]) for n in "123" if data.get(f"hours_{n}") is not None]
        rows: list[dict[str, Any]] = [{"when": {"reused": True}, "rate": 0}]
        if data.get("no_show") is not None:
            rows.append({"when": {"event": "no_show"}, "rate": number(data["no_show"])})
        rows += [{"when": {"event": "cancel", "notice": {"<": number(h)}}, "rate": number(p)} for h, p in sorted(steps)]
        rule = {"code": fresh_code(document, data["name"], self.code), "name": data["name"], "kind": "percent"}
        return {**rule, "when": {"event": ["cancel", "no_show"]}, "on": ["*"], "as_if": {"event": "use"}, "rows": rows}


class Volume(PriceStart):
    title, text, code = (
        gettext_lazy("Volume tier"),
        gettext_lazy("The more in a period, the cheaper each."),
        "volume",
    )
    what = forms.ChoiceField(label=gettext_lazy("Counted"), choices=[*CLOCKS, *COUNTED])
    rate_1 = _amount(gettext_lazy("Price of each"), required=True)
    from_2 = _amount(gettext_lazy("over … of them"), required=True)
    rate_2 = _amount(gettext_lazy("each costs"), required=True)
    from_3 = _amount(gettext_lazy("over … of them"))
    rate_3 = _amount(gettext_lazy("each costs"))
    per = forms.ChoiceField(label=gettext_lazy("For each"), choices=PARTIES)
    period = forms.ChoiceField(label=gettext_lazy("In a"), choices=PERIODS, initial="month")
    mode = forms.ChoiceField(
        label=gettext_lazy("Tiers count"),
        choices=[
            ("marginal", gettext_lazy("each unit at its own tier")),
            ("all", gettext_lazy("all units at the tier reached")),
        ],
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if (data.get("from_3") is None) != (data.get("rate_3") is None):
            self.add_error("rate_3", _("Give both the number and the price."))
        if data.get("from_2") and data.get("from_3") is not None and data["from_3"] <= data["from_2"]:
            self.add_error("from_3", _("The third tier begins beyond the second."))
        return data

    def rule(self, document: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        tiers: list[dict[str, Any]] = [{"from": 0, "rate": number(data["rate_1"])}]
        reached = [(data.get(f"from_{step}"), data.get(f"rate_{step}")) for step in "23"]
        tiers += [
            {"over": number(start), "rate": number(rate)}
            for start, rate in reached
            if start is not None and rate is not None
        ]
        found = {**self.price(document, data, {"event": "use"}), "qty": [data["what"]], "tiers": tiers}
        del found["required"]
        if data["mode"] == "all":
            found["mode"] = "all"
        if data["period"] != "use":
            found["scope"] = {"per": [data["per"]], "period": data["period"]}
        return found


class TrainingFee(PriceStart):
    title, text, code = gettext_lazy("Training"), gettext_lazy("Per person, by the hour or once."), "training"
    for_audiences = True
    hourly = forms.BooleanField(label=gettext_lazy("per hour"), required=False)

    def rule(self, document: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        qty = ["booked", "people"] if data["hourly"] else ["people"]
        return {**self.price(document, data, {"event": "training"}), "qty": qty, "rows": self.rows(data)}


class Tax(PriceStart):
    title, text, code = pgettext_lazy("price", "Tax"), gettext_lazy("Last of all, on everything above."), "tax"
    percent = _amount(gettext_lazy("Percent"), required=True, initial=6)

    def added(self, document: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        code = fresh_code({"rules": [{"code": r.get("code")} for r in document.get("rules", [])]}, data["name"], "tax")
        tags = {"tags": ["tax"]} if code != "tax" else {}
        rule = {"code": code, "name": data["name"], **tags, "kind": "percent", "on": ["*"]}
        return {**document, "rules": [*document.get("rules", []), {**rule, "rate": number(data["percent"])}]}


FORMS: dict[str, type[PriceStart]] = {
    form.code: form
    for form in (TimePrice, CountPrice, FixedFee, Surcharge, Bound, Cancelling, Volume, TrainingFee, Tax)
}


def with_rule(document: Mapping[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    rules = list(document.get("rules", []))
    rules.insert(place_of_new(document), rule)
    return {**document, "rules": rules}


def starting_forms() -> list[PriceStart]:
    """Fresh ones for the page; a prefix keeps their ids apart."""
    return [form(prefix=code) for code, form in FORMS.items()]


def started(document: dict[str, Any], form: PriceStart) -> dict[str, Any] | None:
    """The document with the answers' rule; None with the form's errors said."""
    if not form.is_valid():
        return None
    draft = form.added(document, form.cleaned_data)
    try:
        new = parse_price_list(draft)
        known = {str(each.detail) for each in _remarks(document)}
        reasons = [each for each in check_price_list(new) if str(each.detail) not in known]
    except Invalid as error:
        reasons = list(error.refusals)
    for refusal in reasons:
        form.add_error(None, str(refusal.detail))
    return None if reasons else draft


def _remarks(document: Mapping[str, Any]) -> list[Any]:
    return check_price_list(parse_price_list(document)) if document.get("rules") else []
