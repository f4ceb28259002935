"""Statements whose SQL is made once give what Django's own would."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Count
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.core.prepared import (
    DAY,
    ID,
    TEXT,
    WHEN,
    Given,
    Prepared,
    PreparedUpdate,
    among,
    among_texts,
    fetch,
    insert,
    insert_all,
)
from backend.outbox.models import Message, Preference
from instruments.models import Instrument, Occupancy, PriceList
from tests.factories import make_instrument, make_price_list, make_user

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)


def message(user: Any, key: str = "k", **fields: Any) -> Message:
    return Message(key=key, channel="mail", recipient=user, kind="hello", context={"n": 1}, due_at=NOW, **fields)


def test_each_call_binds_its_own_values_to_the_same_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = make_instrument(name="A"), make_instrument(name="B")
    named = Prepared(lambda: Instrument.objects.filter(pk=Given("pk", ID)).values_list("name"))

    assert named.rows(pk=one.pk) == [("A",)]
    monkeypatch.setattr(SQLCompiler, "as_sql", None)
    assert named.rows(pk=two.pk) == [("B",)]
    assert named.rows(pk=0) == []


def test_what_is_found_is_read_anew() -> None:
    one = make_instrument(name="A")
    named = Prepared(lambda: Instrument.objects.filter(pk=Given("pk", ID)).values_list("name"))
    named.rows(pk=one.pk)

    Instrument.objects.update(name="B")

    assert named.rows(pk=one.pk) == [("B",)]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_lists_of_any_length_are_one_parameter(number: int) -> None:
    rows = [make_instrument(name=f"N{place}") for place in range(4)][:number]
    some = Prepared(lambda: Instrument.objects.filter(among("pk", "pks")).order_by("pk").values_list("pk", "name"))
    by_name = Prepared(lambda: Instrument.objects.filter(among_texts("name", "names")).order_by("pk"))

    assert some.rows(pks=[row.pk for row in rows]) == [(row.pk, row.name) for row in rows]
    assert by_name.objects(names=[row.name for row in rows]) == rows


def test_objects_come_with_what_they_point_to_and_with_annotations() -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    counted = Prepared(
        lambda: (
            Instrument.objects.filter(pk=Given("pk", ID))
            .select_related("institution")
            .annotate(lists=Count("price_lists"))
        )
    )

    with CaptureQueriesContext(connection) as caught:
        found: Any = counted.first(pk=instrument.pk)
        assert (found.institution.name, found.lists) == (instrument.institution.name, 1)

    assert len(caught) == 1
    assert counted.first(pk=0) is None


def test_values_are_read_as_django_reads_them() -> None:
    """Days, instants and JSON, which the engines keep in different ways."""
    instrument = make_instrument()
    prices = make_price_list(instrument)
    occupancy = Occupancy.objects.create(
        instrument=instrument, unit=1, start=NOW, end=NOW + timedelta(hours=1), kind="hold"
    )
    in_force = Prepared(lambda: PriceList.objects.in_force(Given("day", DAY)).values_list("valid_from", "document"))
    taken = Prepared(lambda: Occupancy.objects.filter(end__gt=Given("now", WHEN)).values_list("start", "end"))

    assert in_force.rows(day=prices.valid_from) == [(prices.valid_from, prices.document)]
    assert in_force.rows(day=prices.valid_from - timedelta(days=1)) == []
    assert taken.rows(now=NOW) == [(occupancy.start, occupancy.end)]
    assert taken.rows(now=occupancy.end) == []
    assert taken.rows(now=NOW)[0][0].tzinfo is UTC


def test_an_update_says_how_many_rows_it_changed() -> None:
    one = make_instrument(name="A")
    make_instrument(name="B")
    rename = PreparedUpdate(lambda: Instrument.objects.filter(pk=Given("pk", ID)), name=Given("name", TEXT))

    assert rename(pk=one.pk, name="C") == 1
    assert rename(pk=0, name="D") == 0
    assert sorted(Instrument.objects.values_list("name", flat=True)) == ["B", "C"]


def test_a_new_row_has_its_key_and_is_as_if_saved() -> None:
    user = make_user()

    stored = insert(message(user))

    assert stored.pk
    assert not stored._state.adding
    found = Message.objects.get(pk=stored.pk)
    assert (found.context, found.state, found.due_at) == ({"n": 1}, "waiting", NOW)
    assert found.created_at is not None
    stored.kind = "other"
    stored.save()
    assert Message.objects.get().kind == "other"


@pytest.mark.parametrize("number", [0, 1, 120])
def test_many_rows_learn_their_keys_in_order(number: int) -> None:
    user = make_user()

    stored = insert_all(message(user, f"k{place}") for place in range(number))

    assert [Message.objects.get(pk=row.pk).key for row in stored] == [f"k{place}" for place in range(number)]
    assert Message.objects.count() == number


def test_conflicts_are_passed_over_only_where_that_is_wanted() -> None:
    user = make_user()
    insert(message(user))

    insert_all([message(user), message(user, "other")], ignore_conflicts=True)
    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        insert(message(user))

    assert Message.objects.count() == 2


def test_the_query_log_shows_the_statement() -> None:
    off = Prepared(lambda: Preference.objects.filter(among("user", "users")).values_list("topic"))
    for _ in range(2):
        with CaptureQueriesContext(connection) as caught:
            off.rows(users=[1])
        assert [query["sql"].split()[0] for query in caught.captured_queries] == ["SELECT"]
        assert "outbox_preference" in caught.captured_queries[0]["sql"]


def test_statements_written_by_hand_bind_too() -> None:
    instrument = make_instrument(name="A")

    assert fetch("SELECT name FROM instruments_instrument WHERE id = %s", [instrument.pk]) == [("A",)]


def test_a_value_that_is_not_told_is_missed() -> None:
    taken = Prepared(lambda: Occupancy.objects.filter(end__gt=Given("now", WHEN)))

    with pytest.raises(KeyError, match="now"):
        taken.objects()
