"""What the database refuses by itself, whoever asks, on the engine of this run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction

from backend.audit.actions import record
from backend.audit.models import Entry
from backend.core import constraints
from instruments.models import Instrument, Occupancy, OccupancyKind, PriceList
from tests.factories import at, make_institution, make_instrument, make_price_list
from tests.parallel import at_once


def occupy(instrument: Instrument, start: datetime, end: datetime, unit: int = 1) -> Occupancy:
    return Occupancy.objects.create(instrument=instrument, unit=unit, start=start, end=end, kind=OccupancyKind.BOOKING)


def refused(act: Callable[[], Any]) -> str:
    """The database's reason; fails when it lets the act pass."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        act()
    return str(caught.value)


def sql(statement: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def shifted(minutes: int) -> tuple[datetime, datetime]:
    return at(9) + timedelta(minutes=minutes), at(10) + timedelta(minutes=minutes)


@pytest.mark.parametrize("minutes", [-59, -1, 0, 1, 59])
def test_an_overlap_is_refused(minutes: int, db: None) -> None:
    instrument = make_instrument()
    occupy(instrument, at(9), at(10))

    assert "no_overlap" in refused(lambda: occupy(instrument, *shifted(minutes)))


@pytest.mark.parametrize("minutes", [-60, 60, 61])
def test_neighbours_may_touch(minutes: int, db: None) -> None:
    instrument = make_instrument()
    occupy(instrument, at(9), at(10))

    occupy(instrument, *shifted(minutes))

    assert Occupancy.objects.count() == 2


def test_inside_and_around_are_overlaps(db: None) -> None:
    instrument = make_instrument()
    occupy(instrument, at(9), at(12))

    assert "no_overlap" in refused(lambda: occupy(instrument, at(10), at(11)))
    assert "no_overlap" in refused(lambda: occupy(instrument, at(8), at(13)))


def test_other_units_and_instruments_are_free(db: None) -> None:
    instrument = make_instrument(units=2)
    occupy(instrument, at(9), at(10))

    occupy(instrument, at(9), at(10), unit=2)
    occupy(make_instrument(), at(9), at(10))

    assert Occupancy.objects.count() == 3


def test_moving_onto_another_is_refused(db: None) -> None:
    instrument = make_instrument()
    occupy(instrument, at(9), at(10))
    later = occupy(instrument, at(11), at(12))

    move = 'UPDATE instruments_occupancy SET start = %s, "end" = %s WHERE id = %s'

    assert "no_overlap" in refused(lambda: sql(move, at(9, 30), at(10, 30), later.pk))
    assert "no_overlap" in refused(
        lambda: sql("UPDATE instruments_occupancy SET start = %s WHERE id = %s", at(9), later.pk)
    )


def test_moving_within_itself_is_fine(db: None) -> None:
    row = occupy(make_instrument(), at(9), at(11))

    sql("UPDATE instruments_occupancy SET start = %s WHERE id = %s", at(10), row.pk)

    row.refresh_from_db()
    assert row.start == at(10)


def test_a_bulk_insert_is_refused_as_a_whole(db: None) -> None:
    instrument = make_instrument()
    rows = [
        Occupancy(instrument=instrument, unit=1, start=at(hour), end=at(hour + 2), kind=OccupancyKind.OUTAGE)
        for hour in (9, 10)
    ]

    assert "no_overlap" in refused(lambda: Occupancy.objects.bulk_create(rows))
    assert not Occupancy.objects.exists()


def test_end_before_start_is_refused(db: None) -> None:
    instrument = make_instrument()

    refused(lambda: occupy(instrument, at(10), at(9)))
    refused(lambda: occupy(instrument, at(10), at(10)))


def test_an_audit_entry_never_changes(db: None) -> None:
    institution = make_institution()
    record(organisation_id=institution.pk, actor_id=None, action="a.b", object_type="x", object_id=1)
    entry = Entry.objects.get()

    assert "immutable" in refused(lambda: sql("UPDATE audit_entry SET reason = 'no' WHERE id = %s", entry.pk))
    assert "immutable" in refused(
        lambda: sql("UPDATE audit_entry SET actor_id = NULL, action = '' WHERE id = %s", entry.pk)
    )
    assert "immutable" in refused(lambda: sql("DELETE FROM audit_entry WHERE id = %s", entry.pk))
    assert "immutable" in refused(Entry.objects.filter(pk=entry.pk).delete)


def test_a_price_list_version_never_changes(db: None) -> None:
    prices = make_price_list(make_instrument())

    assert "immutable" in refused(lambda: PriceList.objects.filter(pk=prices.pk).update(document={"name": "Other"}))
    assert "immutable" in refused(lambda: PriceList.objects.filter(pk=prices.pk).delete())


def test_no_guard_is_missing(db: None) -> None:
    assert constraints.missing_guards() == []


def test_every_guard_names_real_columns() -> None:
    tables = {model._meta.db_table: {f.column for f in model._meta.fields} for model in apps.get_models()}

    for guard in constraints._guards:
        columns = guard.keys if isinstance(guard, constraints.NoOverlap) else (*guard.columns, *guard.write_once)  # type: ignore[attr-defined]
        assert set(columns) <= tables[guard.table], guard


@pytest.mark.parallel
def test_guards_stand_after_migrations_that_rebuild_each_table(committed: None) -> None:
    """As `migrate` does it: guards dropped, every guarded table altered, guards made anew."""
    guarded = {guard.table for guard in constraints._guards}
    altered = [model for model in apps.get_models() if model._meta.db_table in guarded]

    constraints.drop_guards()
    extra = models.CharField(max_length=10, default="x")
    extra.set_attributes_from_name("extra")
    for model in altered:
        with connection.schema_editor() as editor:
            editor.add_field(model, extra)
        with connection.schema_editor() as editor:
            editor.remove_field(model, extra)
    call_command("migrate", verbosity=0)

    assert len(altered) == len(guarded)
    assert constraints.missing_guards() == []
    instrument = make_instrument()
    occupy(instrument, at(9), at(10))
    assert "no_overlap" in refused(lambda: occupy(instrument, at(9), at(10)))


@pytest.mark.parallel
def test_missing_guards_are_named_and_made_again(committed: None) -> None:
    if connection.vendor == "sqlite":
        sql("DROP TRIGGER guard_instruments_occupancy_no_overlap_insert")
    else:
        sql("ALTER TABLE instruments_occupancy DROP CONSTRAINT guard_instruments_occupancy_no_overlap")

    missing = constraints.missing_guards()
    call_command("migrate", verbosity=0)

    assert len(missing) == 1
    assert missing[0].startswith("guard_instruments_occupancy_no_overlap")
    assert constraints.missing_guards() == []


@pytest.mark.parallel
def test_a_guard_of_an_older_form_is_replaced(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    known = next(guard for guard in constraints._guards if guard.table == "instruments_pricelist")
    wider = constraints.Immutable("instruments_pricelist", ("version", "valid_from", "document", "created_at"))
    monkeypatch.setattr(constraints, "_guards", [wider if guard is known else guard for guard in constraints._guards])
    older = constraints.missing_guards()

    constraints.create_guards()

    assert older == ["guard_instruments_pricelist_immutable_update"]
    assert constraints.missing_guards() == []
    version = make_price_list(make_instrument())
    assert "immutable" in refused(lambda: PriceList.objects.filter(pk=version.pk).update(created_at=at(9)))
    monkeypatch.undo()
    constraints.create_guards()
    assert constraints.missing_guards() == []


def contest(instrument: Instrument) -> Any:
    """Writers that insert the same hour. Few: without a row lock, PostgreSQL resolves many of them by deadlocks."""
    return at_once([partial(occupy, instrument, at(9), at(10)) for _ in range(8)])


@pytest.mark.parallel
def test_of_many_writers_one_gets_the_hour(committed: None) -> None:
    instrument = make_instrument()

    outcome = contest(instrument)

    assert len(outcome.results) == 1
    assert Occupancy.objects.count() == 1


@pytest.mark.parallel
def test_without_the_guard_they_would_overlap(committed: None) -> None:
    """The negative control: the test above fails when the guard is off."""
    instrument = make_instrument()
    if connection.vendor == "sqlite":
        constraints.drop_guards()
    else:
        sql("ALTER TABLE instruments_occupancy DROP CONSTRAINT guard_instruments_occupancy_no_overlap")

    outcome = contest(instrument)

    assert len(outcome.results) == 8
    Occupancy.objects.all().delete()
