"""The messages about several bookings: both languages, plain text, every date in them."""

from __future__ import annotations

import pytest
from django.utils import translation

from backend.accounts.models import User
from backend.outbox.models import Message, Topic
from backend.outbox.queries.words import render
from backend.outbox.rules import topic_of

KINDS = ["bookings_made", "bookings_requested", "bookings_cancelled", "bookings_moved", "bookings_decided"]
ROW = {"when": "2026-12-01 09:00–12:00", "instrument": "扫描电镜", "instrument_en": "SEM & EDS", "waits": True}
CONTEXT = {
    "rows": [ROW, {**ROW, "when": "2026-12-08 09:00–12:00", "waits": False}],
    "number": 2,
    "purpose": "Fatigue <test>",
    "organisation": "示例 <新材料>",
    "person": "李工",
    "made_by": "",
    "total": "600.00",
    "currency": "CNY",
    "waiting": 1,
}


def mail(kind: str, language: str, **more: object) -> tuple[str, str]:
    recipient = User(name="O'Neill", email="o@example.org", language=language)
    message = Message(kind=kind, context={**CONTEXT, **more}, recipient=recipient, path="/bookings/series/7/")
    with translation.override(language):
        return render(message)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_names_every_date(kind: str, language: str) -> None:
    subject, body = mail(kind, language)

    assert "Fatigue <test>" in subject
    assert "\n" not in subject
    assert "2026-12-01 09:00–12:00" in body
    assert "2026-12-08 09:00–12:00" in body
    assert ("SEM & EDS" if language == "en" else "扫描电镜") in body
    assert "示例 <新材料>" in body
    assert "/bookings/series/7/" in body
    assert "&amp;" not in subject + body
    assert "{%" not in body
    assert topic_of(kind) != Topic.ACCOUNT


def test_what_was_skipped_what_is_due_and_the_reason_are_said() -> None:
    assert "2026-12-15 09:00" in mail("bookings_made", "en", skipped=["2026-12-15 09:00–12:00"])[1]
    assert "A cancellation fee of ¥60.00 is due." in mail("bookings_cancelled", "en", fee="60.00", by_lab=False)[1]
    assert "Nothing is charged." in mail("bookings_cancelled", "en", fee="0.00", by_lab=True)[1]
    assert "No capacity" in mail("bookings_decided", "en", approved=False, reason="No capacity")[1]
    assert "approved" in mail("bookings_decided", "en", approved=True)[1]
