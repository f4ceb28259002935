"""The probes, and the schedule that the second one watches."""

from __future__ import annotations

import shutil
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule

from backend.web import actions
from backend.web.tasks import tick


@pytest.fixture(autouse=True)
def _empty_cache(db: None) -> None:
    cache.clear()


def ready() -> Any:
    return Client().get("/readyz")


def test_healthz_asks_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = Client().get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response["Cache-Control"] == "no-store"


def test_readyz_is_ok_after_a_tick() -> None:
    tick()

    response = ready()

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "guards": "ok", "queue": "ok", "disk": "ok"},
    }


def test_a_worker_that_never_ran_is_named() -> None:
    response = ready()

    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"
    assert "no worker" in response.json()["checks"]["queue"]


@pytest.mark.parametrize(("seconds", "status"), [(119, 200), (125, 503)])
def test_a_worker_that_hangs_is_noticed_within_two_minutes(seconds: int, status: int) -> None:
    tick()

    with time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False):
        assert ready().status_code == status


def test_a_missing_guard_is_named() -> None:
    tick()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER guard_audit_entry_immutable_update")
        else:
            cursor.execute("DROP TRIGGER guard_audit_entry_immutable_update ON audit_entry")

    response = ready()

    assert response.status_code == 503
    assert "guard_audit_entry_immutable_update" in response.json()["checks"]["guards"]


def test_a_missing_table_is_reported_without_details() -> None:
    tick()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user RENAME TO elsewhere")

    response = ready()

    assert response.status_code == 503
    assert response.json()["checks"]["database"] in ("OperationalError", "ProgrammingError")


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tick()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 1024 * 1024))

    response = ready()

    assert response.status_code == 503
    assert response.json()["checks"]["disk"] == "only 5 MiB free"


def test_one_job_that_fails_does_not_stop_the_tick(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken() -> int:
        raise RuntimeError

    monkeypatch.setattr(actions, "EVERY_MINUTE", (broken, actions.deliver_due))

    assert tick() == {"deliver_due": 0}
    assert cache.get(actions.CANARY) is not None


def test_there_is_one_schedule_however_often_migrate_runs() -> None:
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0)

    schedule = Schedule.objects.get()
    assert (schedule.func, schedule.minutes, schedule.repeats) == ("backend.web.tasks.tick", 1, -1)
