"""Versions of price lists, starting prices, and the preset form."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone
from time_machine import travel

from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.web.seed.prices import price_document
from instruments.actions.prices import begin_versions, checked, save_price_list, starting_prices
from instruments.forms.preset import preset_values
from instruments.forms.prices import PriceDocumentForm, PricePresetForm
from instruments.models import Instrument, PriceList
from tests.factories import SIMPLE_PRICES, at, make_instrument, make_manager, make_price_list

TODAY = date(2026, 12, 1)


def save(instrument: Instrument, document: Any = None, **more: Any) -> PriceList:
    by = make_manager(instrument.institution)
    return save_price_list(instrument=instrument, by=by, document=document or SIMPLE_PRICES, **more)


def hourly(rate: float) -> dict[str, Any]:
    rule = {"code": "time", "name": "Time", "kind": "price", "required": True, "qty": ["booked"], "rate": rate}
    return {"name": "Hourly", "rules": [rule]}


def start_of(instrument: Instrument) -> dict[str, str]:
    return {row.audience: f"{row.amount}/{row.unit}" for row in instrument.starting_prices.all()}


@travel(at(10), tick=False)
def test_save_makes_a_dated_version_with_starting_prices_and_an_audit_row(db: None) -> None:
    instrument = make_instrument()

    first = save(instrument)
    second = save(instrument, hourly(80), valid_from=date(2027, 1, 1))

    assert [(v.version, v.valid_from) for v in (first, second)] == [(1, TODAY), (2, date(2027, 1, 1))]
    assert first.document["currency"] == "CNY"
    assert second.document["valid_from"] == "2027-01-01"
    # The second has not begun yet.
    assert start_of(instrument) == dict.fromkeys(("internal", "academic", "enterprise"), "100.00/hour")
    assert [entry.after["version"] for entry in Entry.objects.order_by("sequence")] == [1, 2]


@travel(at(10), tick=False)
def test_versions_begin_on_their_day_even_if_days_were_missed(db: None) -> None:
    instrument = make_instrument()
    save(instrument)
    save(instrument, hourly(80), valid_from=TODAY + timedelta(days=2))

    assert begin_versions(day=TODAY + timedelta(days=1)) == 1
    assert start_of(instrument)["enterprise"] == "100.00/hour"
    assert begin_versions(day=TODAY + timedelta(days=5)) == 1
    assert start_of(instrument)["enterprise"] == "80.00/hour"


def test_versions_never_change(db: None) -> None:
    version = save(make_instrument())

    for forbidden in (version.delete, lambda: PriceList.objects.update(document={})):
        with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
            forbidden()


@travel(at(10), tick=False)
def test_only_the_first_version_may_begin_in_the_past(db: None) -> None:
    instrument = make_instrument()
    save(instrument, valid_from=date(2025, 1, 1))

    with pytest.raises(Refused) as error:
        save(instrument, valid_from=TODAY - timedelta(days=1))

    assert error.value.refusals[0].code == "in_the_past"
    assert save(instrument, valid_from=TODAY).version == 2


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"rules": []},
        {"rules": "x"},
        {"rules": [{"code": "a", "name": "A", "kind": "price"}]},
        {"rules": [{"code": "a", "name": "A", "kind": "percent", "on": ["b"], "rate": 5}]},
        {**SIMPLE_PRICES, "unknown": 1},
        {**SIMPLE_PRICES, "currency": "USD"},
        {**SIMPLE_PRICES, "name": "a\x00b"},
        {**SIMPLE_PRICES, "name": "\ud800"},
        {**SIMPLE_PRICES, "name": "x" * 200_001},
        {**SIMPLE_PRICES, "valid_from": "soon"},
        {**SIMPLE_PRICES, "valid_from": "9999-01-01"},
        hourly(float("nan")),
        [],
        None,
    ],
)
def test_what_would_charge_nonsense_is_refused_with_reasons(db: None, document: Any) -> None:
    instrument = make_instrument()

    with pytest.raises(Invalid) as error:
        save_price_list(instrument=instrument, by=None, document=document)

    assert error.value.refusals
    assert not instrument.price_lists.exists()


def test_too_deep_documents_are_refused(db: None) -> None:
    deep: Any = {}
    for _n in range(100_000):
        deep = {"rules": deep}

    with pytest.raises(Invalid):
        checked(deep)


def rows(**rates: float) -> list[dict[str, Any]]:
    return [{"when": {"audience": audience}, "rate": rate} for audience, rate in rates.items()]


PER_HOUR = {"code": "time", "name": "T", "kind": "price", "required": True, "when": {"mode": ["self", "operator"]}}
PER_SAMPLE = {
    "code": "samples", "name": "S", "kind": "price", "required": True, "when": {"mode": "sample"}, "qty": ["samples"]
}  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "modes", "expected"),
    [
        # One more hour, once the minimum is reached and the set-up is paid.
        (
            [
                {"code": "setup", "name": "U", "kind": "price", "rate": 50},
                {**PER_HOUR, "qty": [{"of": "booked", "min": 2}], "rows": rows(enterprise=180)},
            ],
            ["self"],
            {"enterprise": ("180.00", "hour")},
        ),
        # The cheapest hour of the week.
        (
            [{**PER_HOUR, "qty": ["booked"], "rows": rows(enterprise=100)}],
            ["self", "operator"],
            {"enterprise": ("100.00", "hour")},
        ),
        # Samples only where there are no hours.
        (
            [{**PER_HOUR, "qty": ["booked"], "rows": rows(internal=10)}, {**PER_SAMPLE, "rows": rows(internal=200)}],
            ["self", "sample"],
            {"internal": ("10.00", "hour")},
        ),
        ([{**PER_SAMPLE, "rows": rows(academic=200)}], ["sample"], {"academic": ("200.00", "sample")}),
        ([{**PER_HOUR, "rows": rows(partner=300)}], ["self"], {"partner": ("300.00", "use")}),
        ([{**PER_HOUR, "qty": ["booked"], "rows": rows(internal=0)}], ["self"], {"internal": ("0.00", "use")}),
        # Nothing that the list prices is not free, it is not offered.
        ([{**PER_SAMPLE, "rows": rows(academic=200)}], ["self"], {}),
        ([{**PER_HOUR, "qty": ["booked"], "rows": rows(internal=10)}], [], {}),
    ],
)
def test_starting_prices(rules: Any, modes: list[str], expected: dict[str, tuple[str, str]]) -> None:
    found = starting_prices({"name": "L", "rules": rules}, modes, "Asia/Shanghai", TODAY)

    assert found == {audience: (Decimal(amount), unit) for audience, (amount, unit) in expected.items()}


def test_starting_price_takes_the_cheap_night() -> None:
    night = {"bands": {"night": [{"from": "22:00", "to": "06:00"}]}}
    rate = {**PER_HOUR, "qty": [{"of": "booked", "band": "!night"}], "rate": 100}
    cheap = {**PER_HOUR, "code": "night", "qty": [{"of": "booked", "band": "night"}], "rate": 40}

    found = starting_prices({"name": "L", **night, "rules": [rate, cheap]}, ["self"], "Asia/Shanghai", TODAY)

    assert found["enterprise"] == (Decimal("40.00"), "hour")


def preset(modes: list[str], **values: Any) -> PricePresetForm:
    data = {"name": "收费标准", "valid_from": "2026-12-01", "clock": "booked", **values}
    return PricePresetForm(data, modes=modes)


def test_preset_writes_a_document_that_it_reads_back(db: None) -> None:
    form = preset(
        ["self", "operator", "sample"],
        **{"self-internal": "100", "self-enterprise": "300", "operator-enterprise": "450.50", "setup-enterprise": "50"},
        **{"sample-enterprise": "80", "minimum": "2", "step": "30"},
    )

    assert form.is_valid(), form.errors
    document = checked(form.document("CNY"))
    known = preset_values(document)

    assert known is not None
    again = PricePresetForm(
        {"valid_from": "2026-12-01", **{k: v for k, v in known.items() if v is not None}},
        modes=["self", "operator", "sample"],
    )
    assert again.is_valid(), again.errors
    assert again.document("CNY") == form.document("CNY")
    assert starting_prices(document, ["self", "operator", "sample"], "Asia/Shanghai", TODAY) == {
        "internal": (Decimal("100.00"), "hour"),
        "enterprise": (Decimal("300.00"), "hour"),
    }


def test_preset_of_a_sample_instrument_has_no_hours() -> None:
    form = preset(["sample"], **{"sample-enterprise": "80"})

    assert form.is_valid(), form.errors
    assert [rule["code"] for rule in checked(form.document("CNY"))["rules"]] == ["sample"]
    assert "clock" not in form.fields


@pytest.mark.parametrize(
    ("modes", "values"),
    [
        (["self"], {}),
        (["self", "sample"], {"self-enterprise": "10"}),
        (["self", "operator"], {"self-enterprise": "10"}),
        (["self"], {"self-enterprise": "-1"}),
        (["self"], {"self-enterprise": "x"}),
        (["self"], {"self-enterprise": "1", "name": ""}),
        (["self"], {"self-enterprise": "1", "name": "a\x00"}),
        (["self"], {"self-enterprise": "1", "valid_from": "tomorrow"}),
        (["self"], {"self-enterprise": "1e20"}),
        (["self"], {"self-enterprise": "1", "step": "7"}),
    ],
)
def test_preset_refuses_what_is_wrong(modes: list[str], values: dict[str, str]) -> None:
    assert not preset(modes, **values).is_valid()


PRESET = {**PER_HOUR, "qty": [{"of": "booked"}], "rows": rows(internal=1)}


@pytest.mark.parametrize(
    "document",
    [
        SIMPLE_PRICES,
        {"rules": []},
        {"rules": [{**PRESET, "rows": [{"when": {"season": "x"}, "rate": 1}]}]},
        {"rules": [{"code": "other", "rows": []}]},
        {"rules": [{**PRESET, "rows": [{"when": {"audience": "internal"}, "rate": 1, "adjust": {"min": 2}}]}]},
        {"rules": [{**PRESET, "qty": [{"of": "used", "band": "night"}]}], "bands": {"night": [{}]}},
        {"rules": [{**PRESET, "qty": [{"of": "used", "max": 8}]}]},
        {"rules": [{**PRESET, "rate": 5}]},
    ],
)
def test_preset_does_not_claim_what_it_cannot_say(document: dict[str, Any]) -> None:
    assert preset_values(document) is None


DEMO = Instrument(category_id="0101", mode_self=True, mode_operator=True, mode_sample=True)


@pytest.mark.parametrize("modes", [["self"], ["operator"], ["sample"], ["self", "operator", "sample"]])
def test_preset_reads_the_price_list_of_the_demo_and_writes_it_back(modes: list[str]) -> None:
    demo = Instrument(category_id="0101", **{f"mode_{mode}": True for mode in modes})
    document = price_document(demo, 2026)
    known = preset_values(document)
    assert known is not None

    form = PricePresetForm(sent(known), modes=modes, base=document)

    assert form.is_valid(), form.errors
    assert form.document("CNY") == document


def test_preset_changes_what_is_asked_and_keeps_the_rest() -> None:
    extra = {"code": "argon", "name": "氩气", "kind": "price", "when": {"event": "use"}, "rate": 15}
    document = price_document(DEMO, 2026)
    document["rules"].insert(1, extra)
    document["bands"] = {"night": [{"from": "22:00", "to": "06:00"}]}
    known = preset_values(document) or {}

    # The instrument takes no samples any more, and cancelling late is free.
    values = {**known, "self-enterprise": "333", "late_percent": None, "late_hours": None}
    form = PricePresetForm(sent(values), modes=["self", "operator"], base=document)

    assert form.is_valid(), form.errors
    made = checked(form.document("CNY"))
    assert form.kept == ["氩气"]
    assert [rule["code"] for rule in made["rules"]] == ["setup", "argon", "time", "sample"]
    assert made["bands"] == document["bands"]
    assert made["tables"]["sample"] == document["tables"]["sample"]
    assert {"when": {"mode": "self", "audience": "enterprise"}, "rate": 333} in made["tables"]["hour"]


def test_preset_names_late_cancellation_by_its_hours() -> None:
    document = price_document(DEMO, 2026)
    values = {**(preset_values(document) or {}), "late_hours": "48"}

    form = PricePresetForm(sent(values), modes=["self", "operator"], base=document)

    assert form.is_valid(), form.errors
    late = next(rule for rule in form.document("CNY")["rules"] if rule["code"] == "late_cancel")
    assert (late["when"]["notice"], "48" in late["name"]) == ({"<": 48}, True)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"late_percent": "50"}, "late_hours"),
        ({"late_hours": "24"}, "late_percent"),
        ({"more-enterprise": "5"}, "more_from"),
        ({"more-internal": "5", "more_from": "10"}, "sample-internal"),
    ],
)
def test_preset_wants_both_halves(values: dict[str, str], field: str) -> None:
    form = preset(["self", "sample"], **{"self-enterprise": "10", "sample-enterprise": "8"}, **values)

    assert not form.is_valid()
    assert list(form.errors) == [field]


def sent(values: dict[str, Any]) -> dict[str, Any]:
    return {"valid_from": "2026-12-01", **{name: value for name, value in values.items() if value is not None}}


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000])
def test_document_form_refuses_what_is_no_object(text: str) -> None:
    assert not PriceDocumentForm({"valid_from": "2026-12-01", "text": text}).is_valid()


def test_price_list_in_force_is_used_for_starting_prices_of_old_rows(db: None) -> None:
    instrument = make_instrument()
    make_price_list(instrument, valid_from=timezone.localdate())

    begin_versions(day=timezone.localdate())

    assert start_of(instrument)["internal"] == "100.00/hour"
