"""Quotes on paper: numbers, parties, lines with their reasons, tax, validity and hold; and who may read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.template.loader import render_to_string

from backend.core.errors import Refused
from booking.actions.changing import cancel_booking
from booking.actions.requesting import quote_out
from booking.queries.assess import assess
from booking.queries.quote_papers import paper_of_booking, paper_of_wish
from booking.queries.wishes import wish_of
from invoices.models import TaxRate
from tests.booking.lab import NOW, TODAY, Lab, browser, codes, wall
from tests.factories import DAY, at

PDF = b"%PDF-"


@pytest.fixture
def clock(db: None) -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def lab(clock: Any) -> Lab:
    return Lab()


def test_a_confirmed_booking_has_a_binding_quote_until_its_end(lab: Lab) -> None:
    booking = lab.book(9, 12)
    paper = paper_of_booking(booking)

    assert (paper["number"], paper["issue_date"]) == (f"YG2611-{booking.pk:05d}", "2026-11-24")
    assert (paper["valid_until"], paper["held"], paper["binding"]) == ("2026-12-01 12:00", "2026-12-01 12:00", True)
    assert (paper["start"], paper["end"], paper["zone"]) == ("2026-12-01 09:00", "12:00", "Asia/Shanghai")
    assert (paper["institution"]["name"], paper["customer"]["name"]) == ("示例大学", "示例新材料")
    assert (paper["total"], paper["capitals"]) == ("300.00", "人民币叁佰元整")
    (line,) = paper["lines"]
    assert (line["quantity"], line["unit"], line["unit_price"], line["amount"]) == ("3", "小时", "100", "300.00")
    assert line["why"].endswith("= 300.00")


def test_a_request_is_held_until_it_is_decided(clock: Any) -> None:
    booking = Lab(approval=True).book(9, 12)
    paper = paper_of_booking(booking)

    assert booking.hold_expires_at is not None
    until = f"{booking.hold_expires_at.astimezone(booking.instrument.zone):%Y-%m-%d %H:%M}"
    assert paper["held"] == paper["valid_until"] == until


def test_a_cancelled_booking_says_that_its_quote_is_history(lab: Lab) -> None:
    booking = cancel_booking(booking=lab.book(9, 12), by=lab.engineer)
    paper = paper_of_booking(booking)

    assert (paper["binding"], paper["valid_until"], paper["held"]) == (False, "", "")
    assert "本单仅供存档" in render_to_string("booking/quote_paper.html", {"paper": paper, "family": "x"})


@pytest.mark.parametrize(
    ("included", "net", "tax", "total"), [(True, "283.02", "16.98", "300.00"), (False, "300.00", "18.00", "318.00")]
)
def test_tax_is_split_as_on_the_invoice(lab: Lab, included: bool, net: str, tax: str, total: str) -> None:
    TaxRate.objects.create(
        institution=lab.institution, name="增值税", percent=Decimal(6), included=included, valid_from=date(2026, 1, 1)
    )
    paper = paper_of_booking(lab.book(9, 12))

    assert (paper["net"], paper["tax_amount"], paper["total"]) == (net, tax, total)
    assert paper["tax"] == {"name": "增值税", "percent": "6"}


def test_a_time_that_nobody_booked_is_not_held(lab: Lab) -> None:
    wish = wish_of(lab.book(9, 12)).at(at(13), at(15))
    answer = assess(wish, now=NOW)
    paper = paper_of_wish(wish, answer, quote_out(answer.quote), now=NOW)

    assert (paper["total"], paper["valid_until"], paper["held"], paper["binding"]) == (
        "200.00", TODAY.isoformat(), "", False,
    )  # fmt: skip


def test_a_time_that_cannot_be_booked_has_no_quote(lab: Lab) -> None:
    wish = wish_of(lab.book(9, 12))
    answer = assess(wish, now=NOW)

    with pytest.raises(Refused) as caught:
        paper_of_wish(wish, answer, quote_out(answer.quote), now=NOW)
    assert codes(caught) == ["taken"]


def test_the_paper_keeps_what_was_quoted(lab: Lab) -> None:
    booking = lab.book(9, 12)
    before = paper_of_booking(booking)
    lab.enterprise.refresh_from_db()
    booking.instrument.price_lists.create(version=2, valid_from=date(2026, 2, 1), document={"rules": []})

    assert paper_of_booking(booking)["lines"] == before["lines"]


def test_the_page_and_the_api_give_a_pdf_to_both_sides_only(lab: Lab) -> None:
    booking = lab.book(9, 12)
    for path in (f"/bookings/{booking.pk}/quote.pdf", f"/api/v1/bookings/{booking.pk}/quote.pdf"):
        for user in (lab.engineer, lab.manager):
            response = browser(user).get(path)
            assert response.status_code == 200, path
            assert response.content.startswith(PDF)
            assert response["Content-Disposition"].startswith(f'inline; filename="YG2611-{booking.pk:05d}.pdf"')
        assert browser(lab.stranger).get(path).status_code == 404
        assert browser(lab.stranger).get(path.replace(str(booking.pk), "999999")).status_code == 404
    assert f"/bookings/{booking.pk}/quote.pdf" in browser(lab.engineer).get(f"/bookings/{booking.pk}/").content.decode()


def test_the_chosen_time_has_a_quote_before_it_is_booked(lab: Lab) -> None:
    path = f"/instruments/{lab.instrument.pk}/quote.pdf"
    chosen = {"start": wall(at(9)), "end": wall(at(12)), "mode": "self"}

    answer = browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/check/", chosen).content.decode()
    assert f"{path}?" in answer
    assert browser(lab.engineer).get(path, chosen).content.startswith(PDF)
    assert browser(lab.engineer).get(path, {"mode": "self"}).status_code == 422
    assert browser(lab.engineer).get(path, {**chosen, "end": wall(at(8))}).status_code == 422
    assert browser().get(path, chosen).status_code == 302


def test_the_api_quotes_a_wish(lab: Lab) -> None:
    body = {
        "instrument": lab.instrument.pk, "start": at(9).isoformat(), "end": at(12).isoformat(), "mode": "self",
        "organisation": lab.enterprise.pk,
    }  # fmt: skip

    def ask(**changes: Any) -> Any:
        text = json.dumps({**body, **changes})
        return browser(lab.engineer).post("/api/v1/bookings/quote.pdf", text, content_type="application/json")

    assert ask().content.startswith(PDF)
    assert ask(start=at(9, day=DAY - timedelta(days=30)).isoformat()).status_code == 409
    assert ask(instrument=999_999).status_code == 404


def test_a_hostile_name_stays_text(lab: Lab) -> None:
    booking = lab.book(9, 12)
    booking.organisation.name = "<script>alert(1)</script>" + "长" * 300
    html = render_to_string("booking/quote_paper.html", {"paper": paper_of_booking(booking), "family": "x"})

    assert "<script>" not in html
    assert "&lt;script&gt;" in html
