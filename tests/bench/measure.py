"""Measures the pages on the database of DATABASE_URL; started by `python -m tests.bench`."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import django

REPEAT = 15


def measures() -> Iterator[tuple[str, Callable[[], Any]]]:
    """What to measure; imports Django's parts, which need the settings."""
    from django.db import transaction
    from django.test import Client
    from django.utils import timezone

    from backend.accounts.models import User
    from instruments.models import Instrument

    visitor, member = Client(), Client()
    member.force_login(User.objects.filter(memberships__role="member").order_by("pk")[0])
    instrument = Instrument.objects.filter(mode_self=True).order_by("pk")[0]
    # Noon of a working day in Shanghai, which the seeded bookings leave free.
    start = (timezone.now() + timedelta(days=9)).replace(hour=4, minute=0, second=0, microsecond=0)
    start += timedelta(days={5: 2, 6: 1}.get(start.weekday(), 0))
    span = {"from": start.isoformat(), "to": (start + timedelta(days=14)).isoformat()}
    wish = {
        "instrument": instrument.pk,
        "start": start.isoformat(),
        "end": (start + timedelta(hours=1)).isoformat(),
        "mode": "self",
    }
    json = "application/json"
    yield "catalogue page", lambda: visitor.get("/instruments/")
    yield "catalogue page, search", lambda: visitor.get("/instruments/", {"q": "电镜"})
    yield "instrument page", lambda: member.get(f"/instruments/{instrument.pk}/")
    yield "my bookings", lambda: member.get("/bookings/")
    yield "API list", lambda: visitor.get("/api/v1/instruments")
    yield "API search", lambda: visitor.get("/api/v1/instruments", {"q": "saomiao"})
    yield "API availability, 14 days", lambda: visitor.get(f"/api/v1/instruments/{instrument.pk}/availability", span)
    week = {"start": start.isoformat(), "end": (start + timedelta(days=7)).isoformat()}
    yield "instrument week", lambda: member.get(f"/instruments/{instrument.pk}/events/", week)
    yield "API check of a wish", lambda: member.post("/api/v1/bookings/check", wish, content_type=json)

    def request_and_undo() -> Any:
        with transaction.atomic():
            answer = member.post("/api/v1/bookings", {**wish, "purpose": "measured"}, content_type=json)
            transaction.set_rollback(True)
        return answer

    yield "API booking request", request_and_undo


def main() -> None:
    django.setup()
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from instruments.models import Instrument

    print(f"{Instrument.objects.count()} instruments".ljust(28) + "status  queries   median ms   slowest ms")
    for name, act in measures():
        act()
        with CaptureQueriesContext(connection) as queries:
            status = act().status_code
        count = len(queries)  # the next request empties the log
        times = []
        for _ in range(REPEAT):
            began = time.perf_counter()
            act()
            times.append((time.perf_counter() - began) * 1000)
        print(f"{name:<28}{status:>6}{count:>9}{statistics.median(times):>12.1f}{max(times):>13.1f}")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    main()
