"""Every kind of message that the rooms send belongs to a topic, and none is left over."""

from __future__ import annotations

from pathlib import Path

from backend.outbox.models import Topic
from backend.outbox.rules import TOPIC_OF, kinds_of, topic_of
from backend.web.views.preferences import EXPLAINED

ROOT = Path(__file__).resolve().parent.parent.parent
ENDING = ".subject.txt"


def kinds_with_words() -> set[str]:
    """Named by their templates, without which nothing can be sent."""
    found = [
        path
        for room in ("backend", "booking", "instruments", "invoices")
        for path in (ROOT / room).rglob(f"messages/*{ENDING}")
    ]
    return {path.name.removesuffix(ENDING) for path in found}


def test_every_kind_has_a_topic() -> None:
    assert sorted(kinds_with_words() - set(TOPIC_OF)) == []


def test_every_kind_of_a_topic_has_words() -> None:
    assert sorted(set(TOPIC_OF) - kinds_with_words()) == []


def test_every_topic_has_kinds_and_an_explanation() -> None:
    assert [topic for topic in Topic if not kinds_of(topic)] == []
    assert set(EXPLAINED) == set(Topic)


def test_an_unknown_kind_is_always_told() -> None:
    assert topic_of("something_new") == Topic.ACCOUNT
