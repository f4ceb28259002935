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
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connections
from django.utils import translation


@dataclass
class Outcome:
    """What each call returned or raised; `results` and `errors` in the order of the calls."""

    results: list[Any] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def error_counts(self) -> dict[str, int]:
        return dict(Counter(type(error).__name__ for error in self.errors))


# Milliseconds that a writer waits for a lock: how busy the machine is must not decide what a test sees. That the
# server itself gives up sooner and says so, tests/core/test_db.py shows.
PATIENCE = 30_000


def _connect() -> None:
    connection = connections["default"]
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(PATIENCE)])


def at_once(calls: Sequence[Callable[[], Any]], *, timeout: float = 60) -> Outcome:
    """Run all calls at the same moment and wait for all.

    Each thread connects first and then waits at a barrier, so that the calls really begin together.
    Raises `TimeoutError` when one hangs, because a test must not.
    """
    barrier = threading.Barrier(len(calls))
    slots: list[tuple[bool, Any]] = [(False, RuntimeError("never ran"))] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            with translation.override("en"):
                _connect()
                barrier.wait(timeout)
                slots[index] = (True, call())
        except BaseException as error:  # the test judges what went wrong
            slots[index] = (False, error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
    if any(thread.is_alive() for thread in threads):
        raise TimeoutError(f"{sum(thread.is_alive() for thread in threads)} of {len(threads)} calls hang")
    return Outcome([value for good, value in slots if good], [value for good, value in slots if not good])
