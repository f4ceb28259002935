"""SQLite's statistics count nulls as one value: a unique column that is mostly null looks as if it told rows apart
badly, and joins over it read the whole table for each row. An index without the nulls keeps them fast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.db import connection, models

from booking.models import Usage, UsageState
from tests.factories import make_enterprise, make_instrument, make_member

OURS = {"accounts", "audit", "outbox", "instruments", "invoices", "booking", "web"}


def nullable_links() -> list[models.OneToOneField]:
    every = [field for model in apps.get_models() if model._meta.app_label in OURS for field in model._meta.fields]
    return [field for field in every if isinstance(field, models.OneToOneField) and field.null]


def has_index_without_nulls(field: models.OneToOneField) -> bool:
    wanted = models.Q(**{f"{field.name}__isnull": False})
    return any(index.fields == [field.name] and index.condition == wanted for index in field.model._meta.indexes)


def test_every_nullable_link_has_an_index_without_nulls() -> None:
    links = nullable_links()

    assert len(links) >= 3
    assert [str(field) for field in links if not has_index_without_nulls(field)] == []


def make_records(count: int) -> None:
    instrument = make_instrument()
    user = make_member(make_enterprise())
    organisation = user.memberships.get().organisation
    begun = datetime(2026, 3, 2, 9, tzinfo=UTC)
    Usage.objects.bulk_create(
        Usage(
            source_ref=str(number),
            instrument=instrument,
            organisation=organisation,
            user=user,
            recorded_by=user,
            state=UsageState.RECORDED,
            start=begun + timedelta(hours=number),
        )
        for number in range(count)
    )


@pytest.mark.django_db
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only SQLite's statistics mislead")
def test_the_corrections_of_a_log_are_found_by_their_index_after_analyze() -> None:
    make_records(40)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        sql, params = Usage.objects.filter(corrected_by=None).order_by("-start").query.sql_with_params()
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        plan = [row[3] for row in cursor.fetchall()]

    assert any("usage_that_corrects" in step for step in plan), plan
