"""What the site itself writes: the schedule of the queue, and its sign of life."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from backend.outbox.actions import deliver_due
from booking.actions.deciding import expire_holds
from instruments.actions.prices import begin_versions

log = logging.getLogger(__name__)

CANARY = "queue:canary"
TICK = "backend.web.tasks.tick"
# What is due is found in our own tables, so that a missed minute is caught up by the next one.


def begin_price_versions() -> int:
    """Once an hour: versions of price lists that begin today, in whatever time zone, reach the catalogue."""
    if not cache.add("price-versions-begun", True, timeout=3600):
        return 0
    return begin_versions(day=timezone.localdate())


EVERY_MINUTE: tuple[Callable[[], int], ...] = (expire_holds, deliver_due, begin_price_versions)


def run_due_work() -> dict[str, int]:
    """Do what is due, and note that the queue works. One job that fails does not stop the others."""
    done = {}
    for job in EVERY_MINUTE:
        try:
            done[job.__name__] = job()
        except Exception:
            log.exception("%s failed", job.__name__)
    cache.set(CANARY, timezone.now(), timeout=None)
    return done


def ensure_schedule(**_: Any) -> None:
    """One static schedule a minute. django-q2 stops scheduling at all when one schedule cannot be parsed."""
    from django_q.models import Schedule  # its app is loaded after this module is first imported

    Schedule.objects.get_or_create(
        name="tick", defaults={"func": TICK, "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1}
    )
