"""The pages of price lists."""

from __future__ import annotations

import io
import json

import pytest
from django.utils import timezone

from tests.factories import (
    SIMPLE_PRICES,
    make_instrument,
    make_manager,
    make_price_list,
)
from tests.instruments.clients import client_of, text


def test_prices_page_saves_a_version_from_the_form(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))
    path = f"/manage/instruments/{instrument.pk}/prices/"
    today = timezone.localdate()

    values = {
        "name": "收费标准",
        "valid_from": str(today),
        "clock": "booked",
        "self-enterprise": "300",
        "operator-enterprise": "400",
    }
    saved = client.post(path, values)
    page = client.get(path)

    assert saved["Location"] == path
    assert instrument.price_lists.get().document["name"] == "收费标准"
    assert 'value="300' in text(page)
    assert "机时费" in text(page) or "Machine time" in text(page)
    assert "version=1" in text(page)
    assert instrument.starting_prices.get().amount == 300


def test_prices_page_marks_what_is_wrong(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})
    path = f"/manage/instruments/{instrument.pk}/prices/"

    empty = client.post(path, {"name": "x", "valid_from": "2026-12-01", "clock": "booked"})
    wrong = client.post(path, {"name": "x", "valid_from": "2026-12-01", "clock": "booked", "self-internal": "-1"})

    assert (empty.status_code, wrong.status_code) == (422, 422)
    assert "Give at least one price for" in text(empty)
    assert not instrument.price_lists.exists()


def test_prices_page_says_when_the_form_cannot_tell_the_whole_list(db: None) -> None:
    instrument = make_instrument()
    make_price_list(instrument)

    page = client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/prices/")

    assert "says more than this form can" in text(page)


def test_prices_go_out_and_in_as_json(db: None) -> None:
    instrument, other = make_instrument(), make_instrument()
    make_price_list(instrument)
    out = client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/prices/1.json")
    client = client_of(make_manager(other.institution))
    path = f"/manage/instruments/{other.pk}/prices/import/"
    today = str(timezone.localdate())

    from_file = client.post(path, {"valid_from": today, "file": io.BytesIO(out.content)})
    from_text = client.post(path, {"valid_from": today, "text": json.dumps(SIMPLE_PRICES)})

    assert out["Content-Disposition"].startswith("attachment")
    assert (from_file.status_code, from_text.status_code) == (302, 302)
    assert [version.document["rules"] for version in other.price_lists.all()] == [SIMPLE_PRICES["rules"]] * 2


@pytest.mark.parametrize(
    "sent", [{"text": ""}, {"text": "[1]"}, {"text": "{"}, {"text": '{"rules": []}'}, {"text": '{"name": "\\u0000"}'}]
)
def test_prices_import_refuses_what_is_no_price_list(db: None, sent: dict[str, str]) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))

    answer = client.post(
        f"/manage/instruments/{instrument.pk}/prices/import/", {"valid_from": str(timezone.localdate()), **sent}
    )

    assert answer.status_code == 422
    assert not instrument.price_lists.exists()


def test_absent_versions_are_absent(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))

    assert client.get(f"/manage/instruments/{instrument.pk}/prices/7.json").status_code == 404
    assert client.get(f"/manage/instruments/{instrument.pk}/prices/?version=7").status_code == 200
