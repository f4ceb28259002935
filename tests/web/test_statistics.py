"""What the daily job counts for SQLite."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection

from backend.web.actions import EVERY_MINUTE, refresh_statistics
from tests.factories import make_instrument

pytestmark = pytest.mark.django_db


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL does it by itself")
def test_the_rows_are_counted_once_a_day() -> None:
    cache.clear()
    make_instrument()

    done = refresh_statistics(), refresh_statistics()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'instruments_instrument'")
        assert cursor.fetchone()[0] > 0
    assert done == (1, 0)
    assert refresh_statistics in EVERY_MINUTE


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="only SQLite needs it")
def test_postgresql_is_left_alone() -> None:
    cache.clear()

    assert refresh_statistics() == 0
