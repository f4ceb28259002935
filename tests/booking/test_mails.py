"""Every message that a booking sends: both languages, plain text, nothing escaped."""

from __future__ import annotations

import pytest
from django.utils import translation

from backend.accounts.models import User
from backend.outbox.models import Channel, Message
from backend.outbox.queries.words import render, shown

KINDS = [
    "booking_requested",
    "booking_received",
    "booking_confirmed",
    "booking_rejected",
    "booking_expired",
    "booking_withdrawn",
    "booking_cancelled",
    "booking_rescheduled",
    "booking_displaced",
    "booking_reminder",
    "booking_to_confirm",
    "booking_unconfirmed",
    "booking_no_show",
    "booking_completed",
    "booking_time_free",
    "usage_submitted",
    "usage_verified",
    "usage_corrected",
]
CONTEXT = {
    "instrument": "扫描电镜",
    "instrument_en": "SEM & EDS",
    "organisation": "示例 <新材料>",
    "person": "李工",
    "when": "2026-12-01 09:00–12:00",
    "zone": "Asia/Shanghai",
    "total": "300.00",
    "currency": "CNY",
    "reason": "",
    "hold": "2026-11-25 09:00",
}


def mail(kind: str, language: str, **more: object) -> tuple[str, str]:
    recipient = User(name="O'Neill", email="o@example.org", language=language)
    message = Message(kind=kind, context={**CONTEXT, **more}, recipient=recipient, path="/bookings/7/")
    with translation.override(language):
        return render(message)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_says_what_when_and_where(kind: str, language: str) -> None:
    subject, body = mail(kind, language)

    name = "SEM & EDS" if language == "en" else "扫描电镜"
    assert name in subject
    assert "2026-12-01 09:00–12:00" in subject
    assert "\n" not in subject
    assert "O'Neill" in body
    assert f"{name}\n" in body
    assert "示例 <新材料>" in body
    assert "/bookings/7/" in body
    assert "&amp;" not in subject + body
    assert "{%" not in body


def test_the_place_of_the_clock_is_named_where_it_is_not_ours() -> None:
    assert "Time: 2026-12-01 09:00–12:00\n" in mail("booking_confirmed", "en")[1]
    assert "09:00–12:00 (Europe/Berlin)\n" in mail("booking_confirmed", "en", zone="Europe/Berlin")[1]


def test_under_the_bell_nothing_is_said_twice() -> None:
    message = Message(
        kind="booking_confirmed", channel=Channel.IN_APP, context={**CONTEXT, "total": "1040.00"}, recipient=User()
    )

    assert shown(message) == (
        "Booking confirmed: SEM & EDS · 2026-12-01 09:00–12:00",
        "Your booking is confirmed.\nFor: 示例 <新材料>, 李工\nPrice: ¥1,040.00",
    )


def test_under_the_bell_the_customer_is_named_once() -> None:
    for kind in ("booking_requested", "booking_note_lab", "booking_withdrawn"):
        message = Message(kind=kind, channel=Channel.IN_APP, context={**CONTEXT, "author": "李工"}, recipient=User())
        assert shown(message)[1].count("示例 <新材料>") == 1


def test_the_reason_is_given() -> None:
    assert "Too large" in mail("booking_rejected", "en", reason="Too large")[1]
    assert "Reason" not in mail("booking_rejected", "en")[1]


def test_cancelling_says_what_is_due() -> None:
    assert "A cancellation fee of ¥80.00 is due." in mail("booking_cancelled", "en", fee="80.00", by_lab=False)[1]
    assert "Nothing is charged." in mail("booking_cancelled", "en", fee="0.00", by_lab=False)[1]
    assert "The lab has cancelled" in mail("booking_cancelled", "en", fee="0.00", by_lab=True)[1]


def test_a_no_show_says_what_is_due() -> None:
    assert "A no-show fee of ¥150.00 is due." in mail("booking_no_show", "en", fee="150.00")[1]
    assert "Nothing is charged." in mail("booking_no_show", "en", fee="0.00")[1]


def test_a_reminder_says_until_when_to_check_in() -> None:
    assert "Check in on site until 09:30" in mail("booking_reminder", "en", check_in="09:30")[1]
    assert "Check in" not in mail("booking_reminder", "en", check_in="")[1]


def test_a_logged_use_says_whether_it_takes_a_no_show_back() -> None:
    used = {"used_from": "2026-12-01 09:00", "used_to": "2026-12-01 11:00"}
    assert "no longer counted as a no-show" in mail("booking_completed", "en", came=True, **used)[1]
    assert "Used from 2026-12-01 09:00 to 2026-12-01 11:00." in mail("booking_completed", "en", came=False, **used)[1]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("kind", ["outage_created", "outage_changed", "outage_ended"])
def test_the_lab_hears_of_an_outage(kind: str, language: str) -> None:
    subject, body = mail(kind, language, reason="Vacuum <leak>")

    assert "2026-12-01 09:00–12:00" in subject
    assert "李工" in body
    assert "Vacuum <leak>" in body
    assert "300.00" not in body
