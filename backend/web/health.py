"""Probes: ``/healthz`` says that the process answers, ``/readyz`` that everything it needs does, too."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from backend.core.constraints import missing_guards
from backend.web.actions import CANARY

log = logging.getLogger(__name__)

CANARY_AGE = timedelta(seconds=120)
FREE_BYTES = 200 * 1024 * 1024


def healthz(request: HttpRequest) -> JsonResponse:
    return _uncached(JsonResponse({"status": "ok"}))


def readyz(request: HttpRequest) -> JsonResponse:
    """503 names what is wrong. In English only: machines and operators read it."""
    results = {name: _ask(check) for name, check in CHECKS.items()}
    ok = all(problem is None for problem in results.values())
    body = {"status": "ok" if ok else "unavailable", "checks": {name: text or "ok" for name, text in results.items()}}
    return _uncached(JsonResponse(body, status=200 if ok else 503))


def _ask(check: Callable[[], str | None]) -> str | None:
    try:
        return check()
    except Exception as error:  # a probe reports, it never fails itself
        log.warning("readiness: %s", error)
        return f"{type(error).__name__}"


def _database() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM accounts_user LIMIT 1")
    return None


def _guards() -> str | None:
    missing = missing_guards()
    return f"missing: {', '.join(sorted(missing))}; run manage.py migrate" if missing else None


def _queue() -> str | None:
    seen: datetime | None = cache.get(CANARY)
    if seen is None:
        return "no worker has run yet; start one with `make worker`"
    age = timezone.now() - seen
    return f"no task completed for {int(age.total_seconds())} s" if age > CANARY_AGE else None


def _disk() -> str | None:
    free = shutil.disk_usage(settings.VAR_DIR).free
    return f"only {free // 1024 // 1024} MiB free" if free < FREE_BYTES else None


CHECKS: dict[str, Callable[[], str | None]] = {
    "database": _database,
    "guards": _guards,
    "queue": _queue,
    "disk": _disk,
}


def _uncached(response: JsonResponse) -> JsonResponse:
    response["Cache-Control"] = "no-store"
    return response
