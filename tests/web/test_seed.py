"""Example rows in bulk, and when none are loaded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from stdnum.cn import uscc

from backend.accounts.models import Membership, Organisation, User
from backend.audit.actions import faults
from backend.core.constraints import missing_guards
from backend.core.periods import Period
from backend.web.seed.clock import at
from backend.web.seed.demo import is_empty
from backend.web.seed.uscc import credit_code
from booking.models import OCCUPYING, Booking, Usage
from booking.queries.assess import hours_of
from instruments.models import Instrument
from instruments.queries.calendar import days_around
from instruments.rules import open_periods
from invoices.models import Charge, Counter, Invoice
from invoices.rules import digest
from tests.factories import make_user

NOW = datetime(2026, 11, 18, 3, tzinfo=UTC)


def test_a_database_with_other_data_is_left_alone(db: None) -> None:
    make_user()

    with pytest.raises(CommandError, match="not the demo's"):
        call_command("prepare", demo=True)
    with pytest.raises(CommandError, match="not the demo's"):
        call_command("prepare", demo=True, reset=True)

    assert User.objects.count() == 1
    assert not is_empty()


def test_the_clock_is_set_right_again() -> None:
    with pytest.raises(RuntimeError), at(NOW):
        assert timezone.now() == NOW
        raise RuntimeError

    assert timezone.now() != NOW


def test_credit_codes_end_with_their_check_digits() -> None:
    assert credit_code(kind="91", area="350100", register="M000100Y") == "91350100M000100Y43"


NUMBERS = {"organisations": 40, "users": 60, "instruments": 60, "bookings": 400, "seed": 5}


@pytest.fixture
def bulk(db: None) -> str:
    """What the command said."""
    out = StringIO()
    with at(NOW):
        call_command("seed", **NUMBERS, stdout=out)
    return out.getvalue()


def test_bulk_rows_are_as_many_as_asked(bulk: str) -> None:
    assert bulk.startswith("40 organisations, 60 users, 60 instruments, 400 bookings, ")
    assert [o.uscc for o in Organisation.objects.all() if not uscc.is_valid(o.uscc or "")] == []
    assert Booking.objects.count() == Charge.objects.count() == 400
    assert User.objects.count() == 60
    # Two institutions, whose first person manages and keeps the ledger.
    assert Membership.objects.count() == 62


def test_bulk_bookings_lie_in_open_hours_of_a_year_and_three_weeks_and_never_overlap(bulk: str) -> None:
    rows = list(Booking.objects.select_related("instrument").order_by("instrument", "start"))

    assert {row.status for row in rows} >= {"completed", "confirmed", "requested", "cancelled"}
    assert min(row.start for row in rows) > NOW - timedelta(days=366)
    assert sum(row.start > NOW for row in rows) > 20
    assert max(row.end for row in rows) < NOW + timedelta(days=22)
    taken = [row for row in rows if row.status in (*OCCUPYING, "completed")]
    assert [a.pk for a, b in pairwise(taken) if a.instrument_id == b.instrument_id and a.end > b.start] == []
    for row in rows:
        public = days_around(row.start, row.end)
        zone = row.instrument.zone
        open_ = open_periods(hours_of(row.instrument), zone=zone, start=row.start, end=row.end, public=public)
        assert open_ == [Period(row.start, row.end)]


def test_bulk_bookings_have_use_time_and_charges_of_their_state(bulk: str) -> None:
    uses = {usage.booking_id: usage.state for usage in Usage.objects.all()}
    charges = {charge.source_uid: charge for charge in Charge.objects.prefetch_related("lines")}

    for row in Booking.objects.all():
        charge = charges[row.uid]
        stage = "final" if charge.state in ("final", "invoiced") else "reserved"
        final = sum(line.amount for line in charge.lines.all() if line.stage == stage)
        assert (row.occupancy_id is not None) == (row.status in OCCUPYING)
        assert (row.pk in uses) == (row.status in ("completed", "in_use"))
        if uses.get(row.pk) == "verified":
            assert charge.state in ("final", "invoiced")
            assert charge.total == final
        elif row.status in (*OCCUPYING, "completed"):
            assert (charge.state, charge.total) == ("reserved", final)
        else:
            assert (charge.state, charge.total) == ("released", 0)
        assert str(charge.reserved_total) == row.quote["total"]


def test_bulk_invoices_are_as_the_ledger_would_issue_them(bulk: str) -> None:
    issued = list(Invoice.objects.filter(status="issued").order_by("year", "sequence"))

    assert issued
    assert [row.sequence for row in issued] == [
        number
        for year in sorted({row.year for row in issued})
        for number in range(1, sum(row.year == year for row in issued) + 1)
    ]
    for row in issued:
        assert sum(line.amount for line in row.lines.all()) == row.total == sum(c.total for c in row.charges.all())
        assert row.snapshot_sha256 == digest(row.snapshot)
    assert {charge.state for charge in Charge.objects.filter(invoice__status="issued")} == {"invoiced"}
    assert {charge.state for charge in Charge.objects.filter(invoice__status="draft")} <= {"final"}


def test_the_next_statement_has_the_next_number(bulk: str) -> None:
    """The counters are where the seeded numbers end."""
    for counter in Counter.objects.all():
        mine = Invoice.objects.filter(institution=counter.institution_id, year=counter.year)
        assert max(mine.values_list("sequence", flat=True)) == counter.last


def test_bulk_rows_keep_the_record_and_the_guards_whole(bulk: str) -> None:
    assert list(faults()) == []
    assert missing_guards() == []


def test_the_same_numbers_give_the_same_rows(db: None) -> None:
    def rows() -> list[object]:
        with transaction.atomic():
            call_command("seed", **NUMBERS, stdout=StringIO())
            found = list(Booking.objects.order_by("uid").values_list("uid", "status", "start", "end", "quote"))
            found += list(
                Charge.objects.order_by("uid").values_list("uid", "state", "total", "invoice__snapshot_sha256")
            )
            found += list(Usage.objects.order_by("uid").values_list("uid", "state", "start", "end"))
            transaction.set_rollback(True)
        return found

    with at(NOW):
        first, second = rows(), rows()

    assert len(first) > 1000
    assert first == second


def test_bulk_rows_can_be_added_again(db: None) -> None:
    for _ in range(2):
        call_command("seed", organisations=20, users=20, instruments=5, bookings=10, stdout=StringIO())

    assert Organisation.objects.count() == 40
    assert Instrument.objects.count() == 10


def test_a_negative_number_is_refused(db: None) -> None:
    with pytest.raises(CommandError):
        call_command("seed", bookings=-1)
