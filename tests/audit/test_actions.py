"""The record of who did what: one unbroken chain per organisation."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from backend.accounts.models import Organisation
from backend.audit.actions import digest_of, faults, record
from backend.audit.models import Entry, Head
from backend.audit.queries import entries_of
from backend.core import constraints
from backend.core.db import atomic_action
from tests.factories import make_institution, make_user
from tests.parallel import at_once


def note(institution: Organisation, n: object = 1, **more: Any) -> Entry:
    record(
        organisation_id=institution.pk, actor_id=None, action="thing.changed", object_type="thing", object_id=n, **more
    )
    return Entry.objects.filter(organisation=institution).latest("sequence")


def tamper(statement: str, *parameters: object) -> None:
    """What an intruder with the database's password could do."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            constraints.drop_guards()
        else:
            cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement, parameters)
        if connection.vendor == "sqlite":
            constraints.create_guards()
        else:
            cursor.execute("SET session_replication_role = DEFAULT")


def test_entries_follow_each_other(db: None) -> None:
    institution = make_institution()

    first, second = note(institution), note(institution)

    assert (first.sequence, first.previous) == (1, "")
    assert (second.sequence, second.previous) == (2, first.digest)
    assert Head.objects.get().digest == second.digest


def test_each_organisation_has_a_chain_of_its_own(db: None) -> None:
    one, two = make_institution(), make_institution()

    note(one)
    entry = note(two)

    assert (entry.sequence, entry.previous) == (1, "")
    assert list(faults()) == []


def test_what_is_read_back_has_the_same_digest(db: None) -> None:
    values = {"total": Decimal("12.30"), "at": datetime(2026, 12, 1, tzinfo=UTC), "name": "仪享", "n": 1.5, "no": None}
    entry = note(make_institution(), before=values, after={"status": "confirmed", **values}, reason="因“故障”\n")

    assert digest_of(entry) == entry.digest
    assert entry.before["total"] == "12.30"


def test_history_of_an_object_is_in_order(db: None, django_assert_num_queries: Any) -> None:
    institution, person = make_institution(), make_user("Li")
    note(institution, 7, reason="first")
    note(institution, 8)
    record(organisation_id=institution.pk, actor_id=person.pk, action="b", object_type="thing", object_id=7)

    with django_assert_num_queries(1):
        found = entries_of("thing", 7)

    assert [(one["action"], one["by"]) for one in found] == [
        ("thing.changed", None),
        ("b", {"id": person.pk, "name": "Li"}),
    ]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit_entry SET reason = 'harmless' WHERE sequence = %s", "entry 2 was changed"),
        (
            "UPDATE audit_entry SET actor_id = (SELECT MIN(id) FROM accounts_user) WHERE sequence = %s",
            "entry 2 was changed",
        ),
        ("DELETE FROM audit_entry WHERE sequence = %s", "entry 2 is missing"),
        ("DELETE FROM audit_entry WHERE sequence > %s", "does not end where it should"),
        ("UPDATE audit_head SET sequence = %s, digest = ''", "does not end where it should"),
        ("DELETE FROM audit_head WHERE sequence > %s", "the head of the chain is missing"),
    ],
)
def test_tampering_is_found(statement: str, fault: str, db: None) -> None:
    institution = make_institution()
    make_user()
    for n in range(3):
        note(institution, n)

    tamper(statement, 2)

    assert fault in "; ".join(faults())
    assert fault in "; ".join(faults(organisation_id=institution.pk))
    assert list(faults(organisation_id=make_institution().pk)) == []


def test_the_command_says_that_all_is_well(db: None) -> None:
    note(make_institution())
    out = StringIO()

    call_command("verify_audit", stdout=out)

    assert out.getvalue() == "1 chains with 1 entries are unbroken.\n"


def test_the_command_fails_on_a_broken_chain(db: None) -> None:
    institution = make_institution(code="nmg")
    note(institution)
    tamper("UPDATE audit_entry SET reason = 'x' WHERE sequence = %s", 1)
    out = StringIO()

    with pytest.raises(CommandError, match="1 faults"):
        call_command("verify_audit", organisation="nmg", stdout=out)

    assert out.getvalue() == f"organisation {institution.pk}: entry 1 was changed\n"


def test_the_command_names_an_unknown_organisation(db: None) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        call_command("verify_audit", organisation="nowhere")


@pytest.mark.parallel
def test_writers_at_once_make_one_chain(committed: None) -> None:
    institution = make_institution()

    outcome = at_once([partial(atomic_action(note), institution, n) for n in range(20)])

    assert outcome.errors == []
    assert sorted(entry.sequence for entry in outcome.results) == list(range(1, 21))
    assert list(faults()) == []
