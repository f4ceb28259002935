"""Writers of accounts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import ApiToken, IdempotencyKey, User, digest_secret, new_secret
from backend.core.db import atomic_action
from backend.core.errors import invalid


@atomic_action
def create_token(*, user: User, name: str, days: int | None = None, read_only: bool = False) -> tuple[ApiToken, str]:
    """A token and its secret, which is not stored and cannot be shown again."""
    secret = new_secret()
    expires = timezone.now() + timedelta(days=days) if days else None
    token = ApiToken.objects.create(
        user=user, name=name, digest=digest_secret(secret), expires_at=expires, read_only=read_only
    )
    return token, secret


@atomic_action
def once(
    *, user: User, route: str, key: str, body: Any, act: Callable[[], tuple[int, dict[str, Any]]]
) -> tuple[int, dict[str, Any]]:
    """Run ``act`` once per (person, route, key) and answer repetitions with the stored reply.

    ``act`` writes and returns status and JSON; key, body digest and reply are stored in its transaction.
    The same key with another body is `Invalid` (422). Without a key ``act`` simply runs.
    """
    if not key:
        return act()
    if len(key) > 200:
        raise invalid("Idempotency-Key", _("The key may have at most 200 characters."))
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    claimed = _claim(user=user, route=route, key=key, digest=digest)
    if isinstance(claimed, IdempotencyKey):
        if claimed.body_digest != digest:
            raise invalid(
                "Idempotency-Key", _("This key was used for another request. Use a new key for each new request.")
            )
        return claimed.status, claimed.response
    status, response = act()
    response = json.loads(json.dumps(response, default=str))
    IdempotencyKey.objects.filter(user=user, route=route, key=key).update(status=status, response=response)
    return status, response


def _claim(*, user: User, route: str, key: str, digest: str) -> IdempotencyKey | None:
    """Insert the key, waiting for a transaction that holds it; the stored row if it was there."""
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(user=user, route=route, key=key, body_digest=digest, status=0, response={})
    except IntegrityError:
        return IdempotencyKey.objects.get(user=user, route=route, key=key)
    return None
