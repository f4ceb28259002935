"""Statements that every booking needs: Django makes their SQL once in a process, each call only binds values.

    TAKEN = Prepared(lambda: Occupancy.objects.filter(among("instrument_id", "instruments"), end__gt=Given("end", WHEN))
                     .values_list("pk", "unit"))
    TAKEN.rows(instruments=[1, 2], end=now)

Making the SQL of a small query takes Django several times longer than the database takes to answer it. PostgreSQL
prepares these statements, so that it plans them once for a connection. A statement holds nothing but SQL: what it
finds is read anew each time. Locking ones belong into a transaction, which only Django's own would check.
`backend.core.unawaited` sends several before it waits for an answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import BooleanField, Expression, F, Field, Func, QuerySet
from django.db.models.query import ModelIterable, get_related_populators
from django.db.models.sql import UpdateQuery

from backend.core import unawaited

M = TypeVar("M", bound=models.Model)
Row = tuple[Any, ...]
Converter = Callable[[Any, Any, Any], Any]

ID = models.BigIntegerField()
WHEN = models.DateTimeField()
DAY = models.DateField()
TEXT = models.TextField()


class Given(Expression):
    """A value by the name under which each call tells it; ``field`` says how it is stored."""

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]

    def bound(self, values: dict[str, Any], connection: Any) -> Any:
        return self.output_field.get_db_prep_value(values[self.name], connection)


class _GivenList(Given):
    """Several values as one parameter."""

    def bound(self, values: dict[str, Any], connection: Any) -> Any:
        found = list(values[self.name])
        return json.dumps(found) if connection.vendor == "sqlite" else found


class _Among(Func):
    """Whether the left side is one of a list; on both engines its length is no part of the SQL."""

    output_field = BooleanField()
    array = "bigint"

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, Any]:
        template = f"%(expressions)s::{self.array}[])"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" = ANY (")

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, Any]:
        joiner = " IN (SELECT value FROM json_each("
        return self.as_sql(compiler, connection, template="%(expressions)s))", arg_joiner=joiner)


class _AmongTexts(_Among):
    array = "text"


def among(column: str, name: str) -> Expression:
    """For `filter`: the column, an id, is among those given under the name."""
    return _Among(F(column), _GivenList(name, ID))


def among_texts(column: str, name: str) -> Expression:
    """The same for a column of text."""
    return _AmongTexts(F(column), _GivenList(name, TEXT))


@dataclass(frozen=True, slots=True)
class _Statement:
    """The SQL with its parameters in order, and how a row of the answer is read."""

    sql: str
    parameters: Sequence[Any]
    converters: Sequence[tuple[int, Sequence[Converter], Any]]
    made: Callable[[Row], Any] | None

    def rows(self, values: dict[str, Any], connection: Any) -> list[Row]:
        bound = self._bound(values, connection)
        sent = unawaited.sent(self.sql, bound)
        with self._asked(bound, connection) if sent is None else sent as cursor:
            found: list[Row] = cursor.fetchall()
        return [self._converted(row, connection) for row in found] if self.converters else found

    def changed(self, values: dict[str, Any], connection: Any) -> int:
        with self._asked(self._bound(values, connection), connection) as cursor:
            return unawaited.rowcount(cursor)

    def done(self, values: dict[str, Any], connection: Any) -> None:
        self._asked(self._bound(values, connection), connection).close()

    def send(self, values: dict[str, Any], connection: Any) -> None:
        bound = self._bound(values, connection)
        unawaited.send(self.sql, bound, lambda: self._asked(bound, connection))

    def _bound(self, values: dict[str, Any], connection: Any) -> list[Any]:
        return [each.bound(values, connection) if isinstance(each, Given) else each for each in self.parameters]

    def _asked(self, bound: Sequence[Any], connection: Any) -> Any:
        cursor = _cursor(connection)
        cursor.execute(self.sql, bound)
        return cursor

    def _converted(self, row: Row, connection: Any) -> Row:
        values = list(row)
        for place, converters, expression in self.converters:
            for convert in converters:
                values[place] = convert(values[place], expression, connection)
        return tuple(values)


class Prepared(Generic[M]):
    """A query whose values are all `Given`, apart from those that never change. Made when it is first asked."""

    def __init__(self, build: Callable[[], QuerySet[M, Any]]) -> None:
        self._build = build
        self._known: dict[str, _Statement] = {}

    def rows(self, **values: Any) -> list[Row]:
        """Of a ``values_list``."""
        connection = _connection()
        return self._statement(connection).rows(values, connection)

    def objects(self, **values: Any) -> list[M]:
        """Of a query for objects, with those that ``select_related`` names."""
        connection = _connection()
        statement = self._statement(connection)
        assert statement.made is not None
        return [statement.made(row) for row in statement.rows(values, connection)]

    def first(self, **values: Any) -> M | None:
        return next(iter(self.objects(**values)), None)

    def ahead(self, **values: Any) -> None:
        """Send it without waiting; who asks with the same values afterwards gets this answer, once.

        Outside `unawaited.sending`, and on SQLite, it does nothing.
        """
        if unawaited.open_now():
            connection = _connection()
            self._statement(connection).send(values, connection)

    def _statement(self, connection: Any) -> _Statement:
        found = self._known.get(connection.vendor)
        if found is None:
            query: Any = self._build()
            compiler = query.query.get_compiler(connection=connection)
            sql, parameters = compiler.as_sql()
            converters = compiler.get_converters([each[0] for each in compiler.select[: compiler.col_count]])
            found = self._known[connection.vendor] = _Statement(
                sql,
                parameters,
                [(place, convert, expression) for place, (convert, expression) in converters.items()],
                _maker(compiler, connection.alias) if query._iterable_class is ModelIterable else None,
            )
        return found


def _maker(compiler: Any, alias: str) -> Callable[[Row], Any]:
    """What makes an object and those that it points to of a row, as `ModelIterable` does."""
    model, places = compiler.klass_info["model"], compiler.klass_info["select_fields"]
    first, last = places[0], places[-1] + 1
    names = [column[0].target.attname for column in compiler.select[first:last]]
    related: Any = get_related_populators
    populators = related(compiler.klass_info, compiler.select, alias)

    def make(row: Row) -> Any:
        found = model.from_db(alias, names, row[first:last])
        for each in populators:
            each.populate(row, found)
        for name, place in compiler.annotation_col_map.items():
            setattr(found, name, row[place])
        return found

    return make


class PreparedUpdate(Generic[M]):
    """The same for an update of the rows of a query; ``values`` of columns may be `Given`."""

    def __init__(self, build: Callable[[], QuerySet[M, Any]], **values: Any) -> None:
        self._build, self._values = build, values
        self._known: dict[str, _Statement] = {}

    def __call__(self, **values: Any) -> int:
        """How many rows it changed."""
        connection = _connection()
        return self._statement(connection).changed(values, connection)

    def send(self, **values: Any) -> None:
        """The same without waiting for the number."""
        connection = _connection()
        self._statement(connection).done(values, connection)

    def _statement(self, connection: Any) -> _Statement:
        found = self._known.get(connection.vendor)
        if found is None:
            query: Any = self._build().query.chain(UpdateQuery)
            query.add_update_values(self._values)
            sql, parameters = query.get_compiler(connection=connection).as_sql()
            found = self._known[connection.vendor] = _Statement(sql, parameters, (), None)
        return found


def fetch(sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """The rows of a statement that is written by hand; as the database gives them."""
    with _cursor(_connection()) as cursor:
        cursor.execute(sql, parameters)
        found: list[Row] = cursor.fetchall()
        return found


def insert(row: M, *, numbered: bool = True) -> M:
    """Like ``row.save(force_insert=True)`` for a new row of a table that numbers its rows; without signals."""
    return insert_all([row], numbered=numbered)[0]


def insert_all(rows: Iterable[M], *, ignore_conflicts: bool = False, numbered: bool = True) -> list[M]:
    """The same for several in one statement.

    With ``ignore_conflicts``, and unless ``numbered``, the objects do not learn their keys and nobody waits for them.
    """
    rows, connection = list(rows), _connection()
    for first in range(0, len(rows), MOST_ROWS):
        _insert_some(rows[first : first + MOST_ROWS], connection, ignore_conflicts, numbered and not ignore_conflicts)
    return rows


def _insert_some(rows: Sequence[models.Model], connection: Any, ignoring: bool, numbered: bool) -> None:
    model = type(rows[0])
    keys = unawaited.numbers(model, len(rows)) if numbered else []
    known = bool(keys)
    if known:
        values = [value for row, key in zip(rows, keys, strict=True) for value in (key, *_stored(row, connection))]
    else:
        values = [value for row in rows for value in _stored(row, connection)]
    with _cursor(connection) as cursor:
        ending = _CONFLICTS if ignoring else _KEYS if numbered and not known else ""
        cursor.execute(_insertion(model, len(rows), ending, known), values)
        if ending == _KEYS:
            keys = [key for (key,) in cursor.fetchall()]
    for row, key in zip(rows, keys, strict=False):
        row.pk = key
        row._state.adding, row._state.db = False, connection.alias


_CONFLICTS, _KEYS = "ON CONFLICT DO NOTHING", "RETURNING"


def number_ahead(*tables: type[models.Model]) -> None:
    """Have the numbers of one new row of each table sent; `insert` uses them and need not wait for its own."""
    connection = _connection()
    if unawaited.open_now():
        cursor = _cursor(connection)
        cursor.execute(_numbering(tables), [])
        unawaited.expect_numbers(tables, cursor)


@lru_cache(maxsize=16)
def _numbering(tables: Sequence[type[models.Model]]) -> str:
    parts = [
        f"nextval(pg_get_serial_sequence('\"{table._meta.db_table}\"', '{table._meta.pk.column}'))" for table in tables
    ]
    return f"SELECT {', '.join(parts)}"


# A longer statement than this would hardly come twice, and SQLite does not take any number of values.
MOST_ROWS = 50


@lru_cache(maxsize=256)
def _insertion(model: type[models.Model], rows: int, ending: str, known: bool) -> str:
    """``known``: the keys are given too, as the first column."""
    quote = _connection().ops.quote_name
    key = quote(model._meta.pk.column)
    columns = [*([key] if known else []), *(quote(field.column) for field in _columns(model))]
    row = f"({', '.join(['%s'] * len(columns))})"
    into = f"{quote(model._meta.db_table)} ({', '.join(columns)})"  # all names are those of models
    ending = f"{ending} {key}" if ending == _KEYS else ending
    return f"INSERT INTO {into} VALUES {', '.join([row] * rows)} {ending}"  # noqa: S608


@lru_cache(maxsize=64)
def _columns(model: type[models.Model]) -> Sequence[Field[Any, Any]]:
    """All but the key, which the database gives."""
    return [field for field in model._meta.local_concrete_fields if not field.primary_key]


def _stored(row: models.Model, connection: Any) -> list[Any]:
    return [field.get_db_prep_save(field.pre_save(row, True), connection) for field in _columns(type(row))]


def _connection() -> Any:
    """This thread's. Django's ``connection`` looks it up with every attribute, which is most of the work here."""
    return connections[DEFAULT_DB_ALIAS]


def _cursor(connection: Any) -> Any:
    """A cursor of Django's; on PostgreSQL one that binds at the server, so that the server may prepare."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    from backend.core.postgresql import PreparedCursor  # its driver is of no use with SQLite

    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return connection._prepare_cursor(PreparedCursor(connection.connection))
