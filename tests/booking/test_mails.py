"""Every message that a booking sends: both languages, plain text, nothing escaped."""

from __future__ import annotations

import pytest
from django.utils import translation

from backend.accounts.models import User
from backend.outbox.actions import render
from backend.outbox.models import Message

KINDS = [
    "booking_requested",
    "booking_received",
    "booking_confirmed",
    "booking_rejected",
    "booking_expired",
    "booking_withdrawn",
    "booking_cancelled",
    "booking_rescheduled",
    "usage_submitted",
    "usage_verified",
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


def test_the_reason_is_given() -> None:
    assert "Too large" in mail("booking_rejected", "en", reason="Too large")[1]
    assert "Reason" not in mail("booking_rejected", "en")[1]


def test_cancelling_says_what_is_due() -> None:
    assert "A cancellation fee of 80.00 CNY is due." in mail("booking_cancelled", "en", fee="80.00", by_lab=False)[1]
    assert "Nothing is charged." in mail("booking_cancelled", "en", fee="0.00", by_lab=False)[1]
    assert "The lab has cancelled" in mail("booking_cancelled", "en", fee="0.00", by_lab=True)[1]
