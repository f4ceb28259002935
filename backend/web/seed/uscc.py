"""Unified social credit codes with their two check digits (GB 32100-2015, GB 11714)."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def credit_code(*, kind: str, area: str, register: str) -> str:
    """``kind`` is authority and type (12 public institution, 91 company), ``register`` has eight characters."""
    body = f"{kind}{area}{register}{_organisation_check(register)}"
    total = sum(_ALPHABET.index(sign) * pow(3, place, 31) for place, sign in enumerate(body))
    return body + _ALPHABET[(31 - total % 31) % 31]


def _organisation_check(register: str) -> str:
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(weight * _ORGANISATION.index(sign) for weight, sign in zip(weights, register, strict=True))
    return "0X987654321"[total % 11]
