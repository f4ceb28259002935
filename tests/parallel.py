"""Several writers at once, each on a thread with a database connection of its own.

A test that uses it takes the fixture `committed` (the others must see the data) and the mark `parallel`:

    @pytest.mark.parallel
    def test_only_one_gets_the_slot(committed):
        outcome = at_once([partial(request_booking, …) for user in users])

        assert len(outcome.results) == 1
        assert outcome.error_counts() == {"Refused": 49}
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django.db import connection, connections
from django.utils import translation


@dataclass
class Outcome:
    """What each call returned or raised; `results` and `errors` in the order of the calls.

    ``finished`` are the seconds after the common start at which the calls ended, in that order; ``deadlocks`` those
    that PostgreSQL had to break meanwhile.
    """

    results: list[Any] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)
    deadlocks: int = 0

    @property
    def stall(self) -> float:
        """Seconds of the longest time in which nobody came to an end.

        Who waits in a queue sees those before them finish one after the other, however long it takes altogether; in
        a deadlock nobody moves until the server looks for it, a second later (its ``deadlock_timeout``). A machine
        that does other things stands still as well, so this is told, not judged.
        """
        return max(after - before for before, after in pairwise([0.0, *self.finished]))

    @property
    def queued(self) -> bool:
        """Whether the writers only waited for their turn: no deadlock was broken, and all were done in `PATIENCE`."""
        return not self.deadlocks and self.finished[-1] < PATIENCE / 1000

    def error_counts(self) -> dict[str, int]:
        return dict(Counter(type(error).__name__ for error in self.errors))


# Milliseconds that a writer waits for a lock: how busy the machine is must not decide what a test sees. That the
# server itself gives up sooner and says so, tests/core/test_db.py shows.
PATIENCE = 30_000


def deadlocks() -> int:
    """How many PostgreSQL has broken in this database so far; SQLite knows none."""
    if connection.vendor == "sqlite":
        return 0
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with connection.cursor() as cursor:
        # A connection tells what it counted when it ends at the latest.
        for _ in range(100):
            cursor.execute(others)
            if cursor.fetchone()[0] == 0:
                break
            time.sleep(0.02)
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def _connect() -> None:
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(PATIENCE)])


def at_once(calls: Sequence[Callable[[], Any]], *, timeout: float = 60) -> Outcome:
    """Run all calls at the same moment and wait for all.

    Each thread connects first and then waits at a barrier, so that the calls really begin together.
    Raises `TimeoutError` when one hangs, because a test must not.
    """
    began: list[float] = []
    barrier = threading.Barrier(len(calls), action=lambda: began.append(time.perf_counter()))
    slots: list[tuple[bool, Any]] = [(False, RuntimeError("never ran"))] * len(calls)
    ended: list[float] = []
    before = deadlocks()

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            with translation.override("en"):
                _connect()
                barrier.wait(timeout)
                slots[index] = (True, call())
        except BaseException as error:  # the test judges what went wrong
            slots[index] = (False, error)
        finally:
            ended.append(time.perf_counter())
            connections.close_all()

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
    if any(thread.is_alive() for thread in threads):
        raise TimeoutError(f"{sum(thread.is_alive() for thread in threads)} of {len(threads)} calls hang")
    return Outcome(
        [value for good, value in slots if good],
        [value for good, value in slots if not good],
        sorted(at - began[0] for at in ended),
        deadlocks() - before,
    )
