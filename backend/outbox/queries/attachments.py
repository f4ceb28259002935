"""What goes with a mail: rooms that post a kind of message register who makes its attachments.

The outbox knows of no documents, and a mail is delivered long after it was posted: so they are made then, from what
the message says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Attachment(NamedTuple):
    name: str
    content: bytes
    type: str


Maker = Callable[[Mapping[str, Any]], list[Attachment]]

_makers: dict[str, Maker] = {}


def register(kind: str, maker: Maker) -> None:
    """``maker`` is given the context of the message. If it raises, the mail waits and is tried again."""
    _makers[kind] = maker


def attachments_of(kind: str, context: Mapping[str, Any]) -> list[Attachment]:
    maker = _makers.get(kind)
    return maker(context) if maker else []
