"""What every log line carries, and what none may contain."""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")

# These addresses are credentials: only the first characters of their secret may reach a log.
_ADDRESS = re.compile(r"(/(?:calendar|invitation|password/reset/key|confirm-email)/[\w:-]{4})[\w:-]+")
_BEARER = re.compile(r"(Bearer\s+\S{4})\S+")


def masked(text: str) -> str:
    return _BEARER.sub(r"\1…", _ADDRESS.sub(r"\1…", text))


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class MaskSecrets(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = masked(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True
