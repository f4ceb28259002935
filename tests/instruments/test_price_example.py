"""The price form in words and tried out, while it is being filled in."""

from __future__ import annotations

from typing import Any

import pytest

from instruments.forms.preset import preset_values
from instruments.forms.prices import PricePresetForm
from tests.booking.lab import Lab, browser, html

pytestmark = pytest.mark.django_db

FORM = {
    "name": "List", "valid_from": "2026-12-01", "clock": "booked", "minimum": "3", "overhead": "10",
    "self-enterprise": "100", "operator-enterprise": "300", "setup-enterprise": "50",
}  # fmt: skip


def ask(lab: Lab, **changes: Any) -> Any:
    path = f"/manage/instruments/{lab.instrument.pk}/prices/example/"
    return browser(lab.manager).post(path, {**FORM, **changes})


def test_the_form_is_said_in_sentences_and_worked_out() -> None:
    page = html(ask(Lab()))

    assert "What this price list says" in page
    # (50 + 3 h × 100) × 1.1: two hours are fewer than the minimum.
    assert "¥385.00" in page
    assert "¥1,045.00" in page


def test_a_form_that_is_not_complete_gives_a_hint() -> None:
    page = html(ask(Lab(), **{"self-enterprise": ""}))

    assert "Fill in the prices" in page


def test_only_managers_try_prices_out() -> None:
    lab = Lab()
    path = f"/manage/instruments/{lab.instrument.pk}/prices/example/"

    assert browser(lab.engineer).post(path, FORM).status_code == 403
    assert browser(lab.stranger).post("/manage/instruments/99999999/prices/example/", FORM).status_code == 404


def test_the_percentage_on_top_is_written_last_and_read_back() -> None:
    form = PricePresetForm(FORM, modes=["self", "operator"])

    assert form.is_valid(), form.errors
    document = form.document("CNY")
    known = preset_values(document)
    assert document["rules"][-1]["code"] == "overhead"
    assert document["rules"][-1]["rate"] == 10
    assert known is not None
    assert known["overhead"] == 10
