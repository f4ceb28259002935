"""The published prices of an instrument: the list as it is put up, and the calculator."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

from django.utils import timezone

from instruments.models import Instrument, Sharing
from tests.factories import make_instrument, make_price_list
from tests.instruments.clients import client_of, text

PRICES: dict[str, Any] = {
    "name": "Prices of 2026",
    "currency": "CNY",
    "bands": {"night": [{"from": "20:00", "to": "08:00"}]},
    "rules": [
        {"code": "time", "name": "Time", "kind": "price", "when": {"event": "use"}, "qty": [{"of": "booked", "min": 1}],
         "rows": [{"when": {"audience": "enterprise"}, "rate": 160}, {"rate": 80}]},
        {"code": "plates", "name": "Plates", "kind": "price", "when": {"event": "use"}, "qty": ["plates"], "rate": 7},
        {"code": "night", "name": "Night", "kind": "percent", "when": {"start_in": "night"}, "on": ["time"],
         "rate": -25},
    ],
}  # fmt: skip
USE = {"audience": "enterprise", "mode": "self", "start": "2026-12-01T09:00", "end": "2026-12-01T11:00"}


def _priced() -> Instrument:
    instrument = make_instrument()
    make_price_list(instrument, PRICES)
    return instrument


def test_the_price_page_is_a_table_with_validity_and_what_is_planned(db: None) -> None:
    instrument = _priced()
    later = timezone.localdate() + timedelta(days=9)
    make_price_list(instrument, {**PRICES, "rules": [{**PRICES["rules"][0], "rows": [{"rate": 99}]}]}, valid_from=later)

    page = unescape(text(client_of().get(f"/instruments/{instrument.pk}/prices/")))

    table = page[page.index("Prices of 2026") : page.index(f"From {later}")]
    assert "valid from 2026-01-01, in CNY" in " ".join(table.split())
    for words in ("Enterprises", "all others", "¥160/h", "¥80/h", "¥7/plate", "-25 % of Time", "every day 20:00–08:00"):
        assert words in table
    assert "¥99/h" in page[page.index(f"From {later}") :]


def test_the_calculator_answers_visitors(db: None) -> None:
    instrument = _priced()
    visitor = client_of()
    page = f"/instruments/{instrument.pk}/prices/"

    form = visitor.get(f"{page}calculator/")
    night = visitor.post(
        f"{page}calculate/", {**USE, "start": "2026-12-01T21:00", "end": "2026-12-01T23:00", "fact-plates": "3"}
    )
    short = visitor.post(f"{page}calculate/", {**USE, "audience": "internal", "end": "2026-12-01T09:20"})
    wrong = visitor.post(f"{page}calculate/", {**USE, "end": "yesterday", "fact-plates": "-1"})

    assert '<option value="enterprise" selected>' in text(form)
    assert "2 h × 160.00 = 320.00" in text(night)
    assert "261.00" in text(night)
    assert "80.00" in text(short)
    assert "Please give a date and a time." in text(wrong)
    assert "greater than or equal to 0" in text(wrong)
    assert 'name="event"' not in text(form)


def test_prices_are_shown_to_those_who_see_the_instrument(db: None) -> None:
    hidden, free = make_instrument(sharing=Sharing.INTERNAL), make_instrument()
    make_price_list(hidden, PRICES)

    for instrument in (hidden, free):
        for path in ("", "calculator/"):
            assert client_of().get(f"/instruments/{instrument.pk}/prices/{path}").status_code == 404


def test_a_row_for_all_others_is_not_for_who_has_a_row(db: None) -> None:
    instrument = _priced()

    page = text(client_of().get(f"/instruments/{instrument.pk}/"))

    mine, others = page.split("Prices for other customers")
    assert "¥160" in mine
    assert "¥80" not in mine[mine.index('id="prices-title"') :].split("</table>")[0]
    assert "¥80" in others
