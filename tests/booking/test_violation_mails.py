"""Messages about violations in both languages: plain text, nothing escaped, the name of the entry translated."""

from __future__ import annotations

import pytest
from django.utils import translation

from backend.accounts.models import User
from backend.outbox.models import Channel, Message
from backend.outbox.queries.words import render
from backend.outbox.rules import ALWAYS, topic_of

KINDS = (
    "violation_recorded", "standing_changed", "standing_changed_lab", "appeal_made", "appeal_decided",
    "violation_struck_out",
)  # fmt: skip
CONTEXT = {
    "violation": "no_show", "person": "李工 <示例>", "organisation": "示例新材料", "instrument": "扫描电镜",
    "instrument_en": "SEM & EDS", "when": "2026-12-01 09:00–12:00", "zone": "Asia/Shanghai", "reason": "", "booking": 7,
    "what": [{"code": "suspend", "until": "2027-01-01 09:00"}, {"code": "cancel_future", "until": ""}],
    "upheld": True, "freed": True, "said": "Ill & <tired>",
}  # fmt: skip


def mail(kind: str, language: str, channel: str = Channel.MAIL, **more: object) -> tuple[str, str]:
    recipient = User(name="O'Neill", email="o@example.org", language=language)
    message = Message(
        kind=kind, context={**CONTEXT, **more}, recipient=recipient, path="/account/record/", channel=channel
    )
    with translation.override(language):
        return render(message)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_says_what_when_and_where(kind: str, language: str) -> None:
    subject, body = mail(kind, language)

    assert "\n" not in subject
    assert "2026-12-01 09:00–12:00\n" in body
    assert ("SEM & EDS" if language == "en" else "扫描电镜") in body
    assert "李工 <示例>" in body
    assert "O'Neill" in body
    assert "/account/record/" in body
    assert not any(wrong in subject + body for wrong in ("&amp;", "&lt;", "{%", "no_show"))


def test_a_step_says_what_follows_and_until_when() -> None:
    body = mail("standing_changed", "en")[1]

    assert "- No booking until 2027-01-01 09:00." in body
    assert "- Coming bookings are cancelled, free of charge." in body


@pytest.mark.parametrize(
    ("upheld", "said"), [(True, "The entry counts no more."), (False, "The entry stays on record.")]
)
def test_an_answer_says_how_it_was_decided(upheld: bool, said: str) -> None:
    assert said in mail("appeal_decided", "en", upheld=upheld, reason="So.")[1]


def test_lifting_is_told_without_an_entry() -> None:
    subject, body = mail("standing_lifted", "en", violation="lifted")

    assert subject == "You can book again: the suspension is lifted"
    assert "李工 <示例>" in body


@pytest.mark.parametrize("kind", [*KINDS, "standing_lifted"])
def test_people_choose_whether_they_get_them(kind: str) -> None:
    assert topic_of(kind) != ALWAYS
