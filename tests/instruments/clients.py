"""A browser for the tests of pages."""

from __future__ import annotations

from typing import Any

from django.test import Client

from backend.accounts.models import User


def client_of(user: User | None = None, **headers: str) -> Client:
    client = Client(headers={"accept-language": "en", **headers})
    if user is not None:
        client.force_login(user)
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())
