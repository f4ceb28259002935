"""The cursor whose statements the server binds and prepares, and sending without waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import adapt, pq
from psycopg.types.datetime import TimestamptzLoader


class PreparedCursor(psycopg.Cursor[Any]):
    """Django's own binds before it sends. The connection says after how many times a statement is prepared."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection)
        self._adapters = _adapters_of(connection)

    def _fetch_pipeline(self) -> None:
        with _going_on(self._conn):
            super()._fetch_pipeline()

    def _send_query_prepared(self, name: bytes, pgq: Any, **more: Any) -> None:
        self._query = pgq  # where Django's query log looks; psycopg forgets it for what is prepared
        super()._send_query_prepared(name, pgq, **more)


_INSTANTS = psycopg.adapters.types["timestamptz"].oid
_known: WeakKeyDictionary[psycopg.Connection[Any], adapt.AdaptersMap] = WeakKeyDictionary()


def _adapters_of(connection: psycopg.Connection[Any]) -> adapt.AdaptersMap:
    """The connection's, but for instants psycopg's compiled loader: several times as fast as Django's in Python.

    Both give UTC, to which Django sets the session; where it has another zone, its loader stays.
    """
    found = _known.get(connection)
    if found is None:
        found = _known[connection] = adapt.AdaptersMap(connection.adapters)
        loader: Any = found.get_loader(_INSTANTS, pq.Format.TEXT)
        if getattr(loader, "timezone", None) is UTC:
            found.register_loader(_INSTANTS, TimestamptzLoader)
    return found


@contextmanager
def pipeline(connection: Any) -> Iterator[None]:
    """The driver's pipeline on Django's connection; in it, Django's own cursors wait for each answer.

    They must, because Django goes by the number of changed rows as soon as a statement was sent.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    driver = connection.connection
    usual = driver.cursor_factory
    driver.cursor_factory = _waiting(usual)
    try:
        with driver.pipeline():
            yield
    finally:
        driver.cursor_factory = usual


@lru_cache(maxsize=4)
def _waiting(usual: type[Any]) -> type[Any]:
    class Waiting(usual):  # type: ignore[misc]
        def execute(self, *args: Any, **more: Any) -> Any:
            with _going_on(self._conn):
                done = super().execute(*args, **more)
                self._fetch_pipeline()
            return done

        def executemany(self, *args: Any, **more: Any) -> Any:
            with _going_on(self._conn):
                done = super().executemany(*args, **more)
                self._fetch_pipeline()
            return done

    return Waiting


@contextmanager
def _going_on(driver: psycopg.Connection[Any]) -> Iterator[None]:
    """After a statement that failed the server skips all others until it is told to go on, also a rollback."""
    try:
        yield
    except psycopg.Error:
        if driver._pipeline is not None:
            driver._pipeline.sync()
        raise


def awaited(cursor: Any) -> None:
    """Wait for the answer to what Django's ``cursor`` sent."""
    with cursor.db.wrap_database_errors:
        cursor.cursor._fetch_pipeline()
