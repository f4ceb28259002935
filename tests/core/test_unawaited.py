"""What is sent without waiting is answered as if it had been asked in its place."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from backend.core.prepared import ID, TEXT, Given, Prepared, PreparedUpdate, insert, insert_all, number_ahead
from backend.core.unawaited import open_now, sending
from backend.outbox.models import Message
from instruments.models import Instrument
from tests.core.test_prepared import message
from tests.factories import make_instrument, make_user

pytestmark = pytest.mark.django_db
NAMED = Prepared(lambda: Instrument.objects.filter(pk=Given("pk", ID)).values_list("name"))
RENAME = PreparedUpdate(lambda: Instrument.objects.filter(pk=Given("pk", ID)), name=Given("name", TEXT))


def asked(queries: Any) -> int:
    return sum("instruments_instrument" in each["sql"] for each in queries.captured_queries)


def test_what_was_sent_ahead_answers_once_and_only_for_its_values() -> None:
    one, two = make_instrument(name="A"), make_instrument(name="B")

    with CaptureQueriesContext(connection) as queries, sending():
        NAMED.ahead(pk=one.pk)
        NAMED.ahead(pk=two.pk)
        assert NAMED.rows(pk=one.pk) == [("A",)]
        assert NAMED.rows(pk=two.pk) == [("B",)]
        before = asked(queries)
        assert NAMED.rows(pk=0) == []
        assert NAMED.rows(pk=one.pk) == [("A",)]

    assert (before, asked(queries)) == (2, 4)


def test_it_sees_what_was_sent_before_it_and_not_what_came_after() -> None:
    one = make_instrument(name="A")

    with sending():
        RENAME.send(pk=one.pk, name="B")
        NAMED.ahead(pk=one.pk)
        first = NAMED.rows(pk=one.pk)
        RENAME.send(pk=one.pk, name="C")
        assert (first, NAMED.rows(pk=one.pk)) == ([("B",)], [("C",)])


def test_nothing_is_sent_ahead_outside_and_a_block_within_belongs_to_the_outer() -> None:
    one = make_instrument(name="A")
    with CaptureQueriesContext(connection) as queries:
        NAMED.ahead(pk=one.pk)
    assert (asked(queries), open_now()) == (0, False)

    with sending():
        NAMED.ahead(pk=one.pk)
        with sending():
            assert NAMED.rows(pk=one.pk) == [("A",)]
        assert open_now() == (connection.vendor == "postgresql")
    assert not open_now()


def test_the_number_of_changed_rows_is_known_at_once() -> None:
    one = make_instrument(name="A")

    with sending():
        assert RENAME(pk=one.pk, name="B") == 1
        assert RENAME(pk=0, name="B") == 0
        assert Instrument.objects.filter(pk=one.pk).update(name="C") == 1
        one.name = "D"
        one.save()

    assert list(Instrument.objects.values_list("name", flat=True)) == ["D"]


def test_rows_whose_numbers_were_asked_for_are_stored_under_them() -> None:
    user = make_user()

    with sending():
        number_ahead(Message)
        first = insert(message(user, "a"))
        second = insert(message(user, "b"))
        insert_all([message(user, "c")], numbered=False)
    third = insert(message(user, "d"))

    stored = dict(Message.objects.values_list("pk", "key"))
    assert len(stored) == 4
    assert [stored[row.pk] for row in (first, second, third)] == ["a", "b", "d"]


def test_a_failure_is_told_at_the_latest_at_the_end_and_takes_everything_with_it() -> None:
    user = make_user()
    insert(message(user))

    with pytest.raises(IntegrityError, match=r"(?i)unique"), transaction.atomic(), sending():
        insert_all([message(user, "other")], numbered=False)
        insert_all([message(user)], numbered=False)

    assert [row.key for row in Message.objects.all()] == ["k"]


def test_after_a_failure_that_is_caught_a_savepoint_is_undone_and_the_rest_goes_on() -> None:
    user = make_user()
    insert(message(user))

    with sending():
        with pytest.raises(IntegrityError), transaction.atomic():
            message(user).save()
        with pytest.raises(IntegrityError), transaction.atomic():
            insert(message(user))
        insert(message(user, "other"))
        assert Message.objects.count() == 2
