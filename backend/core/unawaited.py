"""Sending statements without waiting for the answer to each: most of a short transaction is waiting.

    with sending():
        OPENING.ahead(instruments=[3])
        TAKEN.ahead(instruments=[3], now=now)
        OPENING.rows(instruments=[3])  # waits for its answer; that of the next is there already

PostgreSQL works through what was sent in its order, each statement on a snapshot of its own, so what is sent after a
lock reads what the lock protects. A statement that fails is reported where the next answer is waited for, at the
latest at the end of the block; what was sent after it is not done. Django's own statements wait as ever.
SQLite has nothing to wait for: there, and outside of `sending`, everything happens at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models


@dataclass(slots=True)
class _Flight:
    """What is under way: answers by statement and values, and the numbers of rows that are still to be written."""

    sent: dict[tuple[str, str], Any] = field(default_factory=dict)
    numbers: list[tuple[Sequence[type[models.Model]], Any]] = field(default_factory=list)
    known: dict[type[models.Model], list[int]] = field(default_factory=dict)


_flight: ContextVar[_Flight | None] = ContextVar("unawaited", default=None)


@contextmanager
def sending() -> Iterator[None]:
    """Within a transaction. A block inside another belongs to it."""
    connection: Any = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql" or _flight.get() is not None:
        yield
        return
    from backend.core.postgresql import pipeline  # its driver is of no use with SQLite

    with connection.wrap_database_errors, pipeline(connection):
        token = _flight.set(_Flight())
        try:
            yield
        finally:
            _flight.reset(token)


def open_now() -> bool:
    """Whether statements may be sent ahead."""
    return _flight.get() is not None


def send(sql: str, bound: Sequence[Any], ask: Callable[[], Any]) -> None:
    flight = _flight.get()
    if flight is not None:
        flight.sent[sql, repr(bound)] = ask()


def sent(sql: str, bound: Sequence[Any]) -> Any:
    """The cursor of what was sent with these values, or None; each answer is given once."""
    flight = _flight.get()
    return flight.sent.pop((sql, repr(bound)), None) if flight is not None and flight.sent else None


def expect_numbers(tables: Sequence[type[models.Model]], cursor: Any) -> None:
    flight = _flight.get()
    if flight is not None:
        flight.numbers.append((tables, cursor))


def numbers(table: type[models.Model], count: int) -> list[int]:
    """``count`` numbers for new rows, or none where so many were not asked for."""
    flight = _flight.get()
    if flight is None:
        return []
    while flight.numbers:
        tables, cursor = flight.numbers.pop()
        with cursor:
            for each, number in zip(tables, cursor.fetchone(), strict=True):
                flight.known.setdefault(each, []).append(number)
    found = flight.known.get(table, [])
    return [found.pop() for _ in range(count)] if 0 < count <= len(found) else []


def rowcount(cursor: Any) -> int:
    """How many rows a statement changed; waits for its answer."""
    if _flight.get() is not None:
        from backend.core.postgresql import awaited  # its driver is of no use with SQLite

        awaited(cursor)
    return int(cursor.rowcount)
