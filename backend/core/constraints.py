"""Invariants that the database itself holds: no overlap, and rows that never change once they are final.

Django's ``Meta.constraints`` cannot express them on both engines, so apps `register` guards beside their
models and the guards are made after every ``migrate`` (`create_guards`), idempotently. On SQLite an
``ALTER TABLE`` rebuilds the table and loses its triggers, and a trigger that reads another table breaks
that table's rebuild: so all of ours are dropped first (`drop_guards`). `missing_guards` is asked by the
readiness probe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper


class Guard(Protocol):
    """Named SQL objects of one table."""

    @property
    def table(self) -> str:
        """The table that they guard."""

    def sqlite(self) -> Iterator[tuple[str, str]]:
        """Trigger names and the statements that make them."""

    def postgresql(self) -> Iterator[tuple[str, str]]:
        """Names of triggers or constraints and the statements that make them."""


@dataclass(frozen=True)
class NoOverlap:
    """Rows with equal ``keys`` never overlap in ``[start, "end")``.

    The error's text contains ``no_overlap`` on both engines.
    """

    table: str
    keys: tuple[str, ...]

    def sqlite(self) -> Iterator[tuple[str, str]]:
        same = " AND ".join(f"o.{key} = NEW.{key}" for key in self.keys)
        clash = (
            f"SELECT 1 FROM {self.table} o WHERE {same} "  # noqa: S608  (the names are those of our models)
            'AND o.start < NEW."end" AND NEW.start < o."end" AND o.id IS NOT NEW.id'
        )
        for event in ("INSERT", "UPDATE"):
            name = f"guard_{self.table}_no_overlap_{event.lower()}"
            yield (
                name,
                f"CREATE TRIGGER {name} BEFORE {event} ON {self.table} WHEN EXISTS ({clash}) "
                f"BEGIN SELECT RAISE(ABORT, 'no_overlap {self.table}'); END",
            )

    def postgresql(self) -> Iterator[tuple[str, str]]:
        name = f"guard_{self.table}_no_overlap"
        same = ", ".join(f"{key} WITH =" for key in self.keys)
        yield (
            name,
            f"ALTER TABLE {self.table} ADD CONSTRAINT {name} EXCLUDE USING gist "
            f"({same}, tstzrange(start, \"end\", '[)') WITH &&)",
        )


@dataclass(frozen=True)
class Immutable:
    """Rows for which ``when`` holds (SQL over ``OLD``) are never deleted, nor ``columns`` changed.

    A column of ``write_once`` may still go from NULL to a value. The error's text contains ``immutable``.
    """

    table: str
    columns: tuple[str, ...]
    when: str = "TRUE"
    write_once: tuple[str, ...] = ()

    def sqlite(self) -> Iterator[tuple[str, str]]:
        body = f"BEGIN SELECT RAISE(ABORT, 'immutable {self.table}'); END"
        for event, condition in self._events("IS NOT"):
            name = f"guard_{self.table}_immutable_{event.lower()}"
            yield name, f"CREATE TRIGGER {name} BEFORE {event} ON {self.table} WHEN {condition} {body}"

    def postgresql(self) -> Iterator[tuple[str, str]]:
        for event, condition in self._events("IS DISTINCT FROM"):
            name = f"guard_{self.table}_immutable_{event.lower()}"
            yield (
                name,
                f"CREATE TRIGGER {name} BEFORE {event} ON {self.table} FOR EACH ROW "
                f"WHEN ({condition}) EXECUTE FUNCTION yixiang_refuse_change()",
            )

    def _events(self, differs: str) -> Iterator[tuple[str, str]]:
        changed = [f'OLD."{c}" {differs} NEW."{c}"' for c in self.columns]
        changed += [f'(OLD."{c}" IS NOT NULL AND OLD."{c}" {differs} NEW."{c}")' for c in self.write_once]
        yield "UPDATE", f"({self.when}) AND ({' OR '.join(changed)})"
        yield "DELETE", f"({self.when})"


_guards: list[Guard] = []

_REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION yixiang_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'immutable %', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$
"""


def register(*guards: Guard) -> None:
    """Called beside the models that the guards protect."""
    _guards.extend(guard for guard in guards if guard not in _guards)


def drop_guards(*, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Drop our triggers on SQLite, so that migrations may rebuild tables."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for name in _standing(connection):
            cursor.execute(f'DROP TRIGGER "{name}"')


def create_guards(*, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make every registered guard whose table exists and that does not stand yet, or stands in an older form."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    wanted = [
        (guard.table, name, sql)
        for guard in _guards
        if guard.table in tables
        for name, sql in _objects(guard, connection)
    ]
    standing = _standing(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and wanted:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
            cursor.execute(_REFUSE_CHANGE)
        for table, name, sql in wanted:
            if standing.get(name) == _form(sql):
                continue
            kind = "CONSTRAINT" if "ADD CONSTRAINT" in sql else "TRIGGER"
            if name in standing:
                cursor.execute(_DROP[connection.vendor, kind].format(name=name, table=table))
            cursor.execute(sql)
            if connection.vendor == "postgresql":
                cursor.execute(f"COMMENT ON {kind} {name} ON {table} IS '{_form(sql)}'")


def missing_guards(*, using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Names of the registered guards that do not stand as they are written here."""
    connection = connections[using]
    standing = _standing(connection)
    return [name for guard in _guards for name, sql in _objects(guard, connection) if standing.get(name) != _form(sql)]


_DROP = {
    ("sqlite", "TRIGGER"): "DROP TRIGGER {name}",
    ("postgresql", "TRIGGER"): "DROP TRIGGER {name} ON {table}",
    ("postgresql", "CONSTRAINT"): "ALTER TABLE {table} DROP CONSTRAINT {name}",
}


def _form(sql: str) -> str:
    """A digest by which an older definition is recognised; kept as a comment on PostgreSQL."""
    return hashlib.sha256(sql.encode()).hexdigest()[:16]


def _objects(guard: Guard, connection: BaseDatabaseWrapper) -> Sequence[tuple[str, str]]:
    return list(guard.sqlite() if connection.vendor == "sqlite" else guard.postgresql())


def _standing(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Name of each guard that stands, and the form in which it was made."""
    if connection.vendor == "sqlite":
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'guard_%'"
    else:
        sql = (
            "SELECT tgname, obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgname LIKE 'guard_%' "
            "UNION SELECT conname, obj_description(oid, 'pg_constraint') FROM pg_constraint "
            "WHERE conname LIKE 'guard_%'"
        )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        found = dict(cursor.fetchall())
    return {name: _form(text) for name, text in found.items()} if connection.vendor == "sqlite" else found
