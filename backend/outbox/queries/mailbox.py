"""The mails that Django's file backend wrote: one file for each connection, each mail followed by a line of dashes."""

from __future__ import annotations

import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings

from backend.core.errors import NotFound

FILE_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
# Whoever tries the demo looks for what happened just now.
MOST_FILES = 500
_NAME = re.compile(r"\d{8}-\d{6}-\d+")
_KEY = re.compile(rf"({_NAME.pattern})\.(\d{{1,4}})")
_BETWEEN = b"\n" + b"-" * 79 + b"\n"


@dataclass(frozen=True, slots=True)
class Mail:
    """``key`` is the file's name and the mail's place in it. ``at`` is when it was made, None if it does not say."""

    key: str
    to: str
    subject: str
    at: datetime | None
    headers: list[tuple[str, str]]
    text: str


def writes_files() -> bool:
    """Whether mail goes to files at all; otherwise it has left for a server."""
    return settings.EMAIL_BACKEND == FILE_BACKEND


def mails(*, to: str = "") -> list[Mail]:
    """Those of the newest files, newest first, whose recipient contains ``to``."""
    found = [mail for path in _files()[:MOST_FILES] for mail in reversed(list(_mails_of(path)))]
    return [mail for mail in found if to.lower() in mail.to.lower()]


def find_mail(key: str) -> Mail:
    """`NotFound` unless the key names a mail in the folder."""
    match = _KEY.fullmatch(key)
    path = _folder() / f"{match[1]}.log" if match else None
    if path is None or not path.is_file():
        raise NotFound
    mail = next((mail for mail in _mails_of(path) if mail.key == key), None)
    if mail is None:
        raise NotFound
    return mail


def _folder() -> Path:
    return Path(getattr(settings, "EMAIL_FILE_PATH", None) or settings.VAR_DIR / "mail")


def _files() -> list[Path]:
    """Their names begin with the time."""
    if not writes_files() or not _folder().is_dir():
        return []
    return sorted((path for path in _folder().glob("*.log") if _NAME.fullmatch(path.stem)), reverse=True)


def _mails_of(path: Path) -> Iterator[Mail]:
    for place, raw in enumerate(path.read_bytes().split(_BETWEEN)):
        if raw.strip():
            yield _read(f"{path.stem}.{place}", raw)


def _read(key: str, raw: bytes) -> Mail:
    message = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(raw.lstrip(b"\n"))
    plain = message.get_body(("plain",))
    return Mail(
        key=key,
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        at=_instant(str(message["Date"] or "")),
        headers=[(name, str(value)) for name, value in message.items()],
        text=str(plain.get_content()) if plain else "",
    )


def _instant(text: str) -> datetime | None:
    """Django writes UTC as ``-0000``, which is read as no zone."""
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
