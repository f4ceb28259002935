"""The code on a document by which anybody checks that it is genuine: the document's uid and the head of its digest."""

from __future__ import annotations

import hmac
from uuid import UUID

import segno
from django.conf import settings

from invoices import rules
from invoices.models import Invoice

# Hexadecimal digits: 32 of the uid, which nobody guesses, and 16 of the digest of what was issued.
_UID, _HEAD = 32, 16


def code_of(invoice: Invoice) -> str:
    return f"{invoice.uid.hex}{invoice.snapshot_sha256[:_HEAD]}"


def uid_in(code: str) -> UUID | None:
    """None for what can be no code."""
    if len(code) != _UID + _HEAD or not set(code) <= set("0123456789abcdef"):
        return None
    return UUID(hex=code[:_UID])


def is_genuine(code: str, invoice: Invoice) -> bool:
    """Whether the code is this document's and its stored content is what was issued."""
    return hmac.compare_digest(code, code_of(invoice)) and rules.digest(invoice.snapshot) == invoice.snapshot_sha256


def code_as_data(invoice: Invoice) -> str:
    """The QR code as a data: URL."""
    url = f"{settings.SITE_URL}/verify/{code_of(invoice)}/"
    return segno.make(url, error="m").svg_data_uri(scale=4, border=1, light="#fff")
