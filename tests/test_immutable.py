"""Every row that must never change: the database refuses, whether one asks by the models or in SQL.

The table of guards is that of `backend.core.constraints`, so that a new one is tried as soon as it is registered. The
rows are made up: what they point to is not there, and what else the tables check is switched off.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone

from backend.core import constraints
from backend.core.constraints import Immutable

pytestmark = pytest.mark.django_db

GUARDS = [guard for guard in constraints._guards if isinstance(guard, Immutable)]
MODELS = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
CONDITION = re.compile(r"OLD\.(\w+) (=|<>) '(\w+)'")

# Two values of each kind of field: of the row, and what somebody wants it to be.
VALUES: list[tuple[type[models.Field[Any, Any]], Any, Any]] = [
    (models.UUIDField, uuid.UUID(int=1), uuid.UUID(int=2)),
    (models.BooleanField, True, False),
    (models.DateTimeField, timezone.now(), timezone.now() + datetime.timedelta(days=1)),
    (models.DateField, datetime.date(2026, 1, 1), datetime.date(2027, 1, 1)),
    (models.TimeField, datetime.time(1), datetime.time(2)),
    (models.DurationField, datetime.timedelta(1), datetime.timedelta(2)),
    (models.DecimalField, Decimal(1), Decimal(2)),
    (models.JSONField, {"a": 1}, {"a": 2}),
    (models.BinaryField, b"a", b"b"),
    (models.IntegerField, 1, 2),
    (models.ForeignKey, 1, 2),
    (models.TextField, "a", "b"),
    (models.CharField, "a", "b"),
    (models.Field, "a", "b"),
]


def values_of(field: models.Field[Any, Any]) -> tuple[Any, Any]:
    if isinstance(field, models.ForeignKey):
        return values_of(field.target_field) if field.target_field.get_internal_type() == "UUIDField" else (1, 2)
    return next((first, second) for kind, first, second in VALUES if isinstance(field, kind))


def make_row(guard: Immutable) -> models.Model:
    """A row that the guard protects, every field with a value."""
    model = MODELS[guard.table]
    row = {field.attname: values_of(field)[0] for field in model._meta.concrete_fields if not is_generated(field)}
    for column, sign, value in CONDITION.findall(guard.when):
        row[by_column(model, column).attname] = value if sign == "=" else f"not {value}"[:4]
    made = model(**row)
    made.save_base(raw=True, force_insert=True)
    return made


def is_generated(field: models.Field[Any, Any]) -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField)


def by_column(model: type[models.Model], column: str) -> models.Field[Any, Any]:
    return next(field for field in model._meta.concrete_fields if field.column == column)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Nothing but the guards stands; all is undone afterwards."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA ignore_check_constraints = ON")
            else:
                cursor.execute(
                    "SELECT conrelid::regclass::text, conname FROM pg_constraint "
                    "WHERE contype = 'c' AND conrelid::regclass::text = ANY(%s)",
                    [[guard.table for guard in GUARDS]],
                )
                for table, name in cursor.fetchall():
                    cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        yield
        transaction.set_rollback(True)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


def is_refused(act: Callable[[], Any]) -> bool:
    try:
        with transaction.atomic():
            act()
    except DatabaseError as error:
        return "immutable" in str(error)
    return False


def sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.table)
def test_the_database_refuses_to_change_and_to_delete_it(guard: Immutable) -> None:
    row = make_row(guard)
    model, key = type(row), row._meta.pk
    rows = model._base_manager.filter(pk=row.pk)
    assert key is not None
    known = key.get_db_prep_value(row.pk, connection)
    passed = []
    for column in (*guard.columns, *guard.write_once):
        field = by_column(model, column)
        other = values_of(field)[1]
        stored = field.get_db_prep_save(other, connection)
        change = f'UPDATE {guard.table} SET "{column}" = %s WHERE "{key.column}" = %s'
        if not is_refused(lambda name=field.attname, to=other: rows.update(**{name: to})):
            passed.append(f"update of {column} by the model")
        if not is_refused(lambda text=change, to=stored: sql(text, to, known)):
            passed.append(f"UPDATE of {column}")
    if not is_refused(lambda: rows._raw_delete("default")):
        passed.append("delete by the model")
    if not is_refused(lambda: sql(f'DELETE FROM {guard.table} WHERE "{key.column}" = %s', known)):
        passed.append("DELETE")

    assert passed == []
    assert rows.count() == 1


@pytest.mark.usefixtures("unchecked")
def test_without_its_guard_a_row_changes() -> None:
    """The negative control: nothing else refuses."""
    guard = next(one for one in GUARDS if one.table == "invoices_payment")
    row = make_row(guard)
    rows = type(row)._base_manager.filter(pk=row.pk)
    for name, _statement in constraints._objects(guard, connection):
        sql(f"DROP TRIGGER {name}" + ("" if connection.vendor == "sqlite" else f" ON {guard.table}"))

    assert rows.update(amount=Decimal(2)) == 1
    assert rows._raw_delete("default") == 1


def test_everything_about_issued_documents_and_money_that_moved_has_a_guard() -> None:
    guarded = {guard.table for guard in GUARDS}

    assert {
        "audit_entry",
        "invoices_charge",
        "invoices_chargeline",
        "invoices_invoice",
        "invoices_invoiceline",
        "invoices_invoicepdf",
        "invoices_logo",
        "invoices_payment",
    } <= guarded
