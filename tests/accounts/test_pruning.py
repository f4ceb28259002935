"""Stored replies are kept for two days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from backend.accounts.actions import once, prune_idempotency_keys
from backend.accounts.models import IdempotencyKey
from backend.web import actions
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys() -> Any:
    user = make_user()
    for hours in (49, 48, 47, 0):
        once(user=user, route="POST /things", key=f"k{hours}", body={}, act=lambda: (201, {"id": 1}))
        at = timezone.now() - timedelta(hours=hours, seconds=1 if hours == 48 else 0)
        IdempotencyKey.objects.filter(key=f"k{hours}").update(created_at=at)
    cache.clear()
    return user


def left() -> list[str]:
    return sorted(IdempotencyKey.objects.values_list("key", flat=True))


def test_replies_older_than_two_days_go(keys: Any) -> None:
    assert prune_idempotency_keys() == 2
    assert left() == ["k0", "k47"]


def test_a_pruned_key_may_be_used_anew(keys: Any) -> None:
    prune_idempotency_keys()

    status, reply = once(user=keys, route="POST /things", key="k49", body={"other": 1}, act=lambda: (201, {"id": 2}))

    assert (status, reply) == (201, {"id": 2})


def test_the_minute_looks_once_an_hour(keys: Any) -> None:
    assert actions.forget_old_replies in actions.EVERY_MINUTE
    assert (actions.forget_old_replies(), actions.forget_old_replies()) == (2, 0)
