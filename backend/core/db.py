"""Transactions: every action is one, and contention ends in an answer."""

from __future__ import annotations

import functools
import json
import random
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL

from backend.core.errors import Busy, NotFound, Stale

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Model)

ATTEMPTS = 4
_running: ContextVar[bool] = ContextVar("action_running", default=False)
# PostgreSQL: deadlock_detected, serialization_failure.
_RETRY = {"40P01", "40001"}
# PostgreSQL: lock_not_available (lock_timeout ran out), too_many_connections.
_BUSY = {"55P03", "53300"}


def atomic_action(function: Callable[P, R]) -> Callable[P, R]:
    """Run the function in a transaction of its own, or as part of the action that calls it.

    A deadlock or serialization failure is tried again up to three times. What still fails for
    contention becomes `Busy` (503 with ``Retry-After``); nothing is half-done.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if _running.get():
            return function(*args, **kwargs)
        token = _running.set(True)
        try:
            return _outermost(functools.partial(function, *args, **kwargs))
        finally:
            _running.reset(token)

    return run


def _outermost(call: Callable[[], R]) -> R:
    # Within a transaction that is not ours (a test's) a failure undoes our part only, and a retry is pointless.
    attempts = 1 if connection.in_atomic_block else ATTEMPTS
    for attempt in range(1, attempts + 1):
        try:
            with transaction.atomic():
                return call()
        except OperationalError as error:
            kind = contention(error)
            if kind is None:
                raise
            if kind == "busy" or attempt == attempts:
                raise Busy from error
            time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311  (spreads retries, no secret)
    raise Busy


def after_commit(work: Callable[[], object]) -> None:
    """Do it right after the open transaction, in transactions of its own; once, and a failure is only logged."""

    def run() -> None:
        # Hooks run before the action that committed has returned.
        token = _running.set(False)
        try:
            work()
        finally:
            _running.reset(token)

    if not any(getattr(entry[1], "work", None) is work for entry in connection.run_on_commit):
        run.work = work  # type: ignore[attr-defined]  # by which a second call is noticed
        transaction.on_commit(run, robust=True)


def contention(error: OperationalError) -> str | None:
    """``retry``, ``busy``, or None where the error has nothing to do with other writers."""
    state = getattr(error.__cause__, "sqlstate", None)
    if state in _RETRY:
        return "retry"
    if state in _BUSY or "database is locked" in str(error):
        return "busy"
    return None


# The largest key that both engines store; a larger one in an address is just an absent object.
MAX_ID = 2**63 - 1


def one(rows: QuerySet[M], pk: int) -> M:
    """The row with this key among those the caller may see; `NotFound` otherwise."""
    found = rows.filter(pk=pk).first() if 0 < pk <= MAX_ID else None
    if found is None:
        raise NotFound
    return found


def read_anew(rows: QuerySet[M], row: M, *, version: int | None = None) -> M:
    """The row as it is now, under the lock that ``rows`` take; `Stale` when the caller saw another version."""
    fresh = one(rows, row.pk)
    if version is not None and fresh.version != version:  # type: ignore[attr-defined]  # each of ours counts them
        raise Stale
    return fresh


# Above so many keys, a list of parameters costs more than the rows that it finds.
MANY = 200


def among(pks: Sequence[int]) -> Sequence[int] | RawSQL:
    """For ``filter(column__in=…)``: many keys go to the database as one parameter."""
    if len(pks) <= MANY:
        return pks
    if connection.vendor == "sqlite":
        return RawSQL("SELECT value FROM json_each(%s)", (json.dumps(list(pks)),))
    return RawSQL("SELECT unnest(%s::bigint[])", (list(pks),))
