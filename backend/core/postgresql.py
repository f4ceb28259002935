"""The cursor whose statements the server binds and prepares."""

from __future__ import annotations

from datetime import UTC
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
