"""Actions are one transaction each, and contention ends in an answer."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from backend.accounts.models import Organisation
from backend.core import db as core_db
from backend.core.db import ATTEMPTS, atomic_action, contention
from backend.core.errors import Busy, Refused, refuse
from tests.factories import make_institution
from tests.parallel import at_once


class Cause(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


def failure(sqlstate: str) -> OperationalError:
    error = OperationalError(sqlstate)
    error.__cause__ = Cause(sqlstate)
    return error


class Flaky:
    """Fails with each of the errors in turn, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_db.time, "sleep", lambda _: None)


def wrapped(act: Flaky) -> Any:
    def call() -> str:
        return act()

    return atomic_action(call)


def test_deadlocks_are_tried_again(transactional_db: None) -> None:
    act = Flaky(failure("40P01"), failure("40001"), failure("40P01"))

    assert wrapped(act)() == "done"
    assert act.calls == ATTEMPTS


def test_a_deadlock_that_stays_is_busy(transactional_db: None) -> None:
    act = Flaky(*[failure("40P01")] * 9)

    with pytest.raises(Busy):
        wrapped(act)()
    assert act.calls == ATTEMPTS


@pytest.mark.parametrize("error", [failure("55P03"), failure("53300"), OperationalError("database is locked")])
def test_a_lock_that_does_not_come_is_busy_at_once(error: Exception, transactional_db: None) -> None:
    act = Flaky(error)

    with pytest.raises(Busy):
        wrapped(act)()
    assert act.calls == 1


def test_other_errors_pass(transactional_db: None) -> None:
    with pytest.raises(OperationalError, match="no such table"):
        wrapped(Flaky(OperationalError("no such table")))()
    assert contention(OperationalError("no such table")) is None


def test_inside_a_transaction_the_outermost_action_tries_again(transactional_db: None) -> None:
    inner = Flaky(failure("40P01"))
    outer = atomic_action(lambda: wrapped(inner)())

    assert outer() == "done"
    assert inner.calls == 2


def test_a_refused_action_leaves_nothing(transactional_db: None) -> None:
    @atomic_action
    def act() -> None:
        make_institution()
        raise refuse("no", "No.")

    with pytest.raises(Refused):
        act()
    assert not Organisation.objects.exists()


def rename(first: int, second: int) -> None:
    """Two rows, in the order given: two callers with opposite orders deadlock on PostgreSQL."""
    for pk in (first, second):
        list(Organisation.objects.select_for_update().filter(pk=pk))
        Organisation.objects.filter(pk=pk).update(name=f"{first}-{second}")


@pytest.mark.parallel
def test_real_contention_never_becomes_an_error(committed: None) -> None:
    one, two = make_institution().pk, make_institution().pk
    act = atomic_action(rename)

    outcome = at_once([partial(act, *pair) for pair in [(one, two), (two, one)] * 2])

    assert set(outcome.error_counts()) <= {"Busy"}
    assert outcome.results
    assert Organisation.objects.values("name").distinct().count() == 1


@pytest.mark.parallel
@pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks are PostgreSQL's")
@pytest.mark.parametrize("opposite", [False, True])
def test_a_queue_is_told_from_a_deadlock(opposite: bool, committed: None) -> None:
    """Four who each hold two rows for a while: one after the other, or in each other's way."""
    one, two = make_institution().pk, make_institution().pk

    @atomic_action
    def hold(first: int, second: int) -> None:
        Organisation.objects.select_for_update().get(pk=first)
        threading.Event().wait(0.4)  # the pause between attempts is left out here, and so is `sleep`
        Organisation.objects.select_for_update().get(pk=second)

    pairs = [(one, two), (two, one) if opposite else (one, two)] * 2
    outcome = at_once([partial(hold, *pair) for pair in pairs])

    assert not outcome.errors
    assert outcome.finished[-1] > 1
    assert outcome.queued is not opposite
    assert (outcome.deadlocks > 0) is opposite


@pytest.mark.parallel
@pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks are PostgreSQL's")
def test_a_lock_held_for_long_is_busy(committed: None) -> None:
    institution = make_institution()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("3s",)

    @atomic_action
    def lock() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 100")
        Organisation.objects.select_for_update().get(pk=institution.pk)

    with transaction.atomic():
        Organisation.objects.select_for_update().get(pk=institution.pk)
        outcome = at_once([lock])

    assert outcome.error_counts() == {"Busy": 1}
