"""Example rows in bulk, and when none are loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from stdnum.cn import uscc

from backend.accounts.models import Membership, Organisation, User
from backend.web.seed.clock import at
from backend.web.seed.demo import is_empty
from backend.web.seed.uscc import credit_code
from booking.models import Booking, Usage
from instruments.models import Instrument, Occupancy
from invoices.models import Charge
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


def test_bulk_rows_are_valid(db: None) -> None:
    numbers = {"organisations": 40, "users": 60, "instruments": 60, "bookings": 300, "seed": 5}
    out = StringIO()

    call_command("seed", **numbers, stdout=out)

    assert out.getvalue().startswith("40 organisations, 60 users, 60 instruments, 300 bookings in ")
    assert [o.uscc for o in Organisation.objects.all() if not uscc.is_valid(o.uscc or "")] == []
    assert Booking.objects.count() == 300
    assert Occupancy.objects.count() == Booking.objects.exclude(occupancy=None).count() == 60
    assert Usage.objects.count() == Charge.objects.filter(state="final").count() == 240
    assert Membership.objects.count() == 60


def test_bulk_rows_can_be_added_again(db: None) -> None:
    for _ in range(2):
        call_command("seed", organisations=20, users=20, instruments=5, bookings=10, stdout=StringIO())

    assert Organisation.objects.count() == 40
    assert Instrument.objects.count() == 10


def test_a_negative_number_is_refused(db: None) -> None:
    with pytest.raises(CommandError):
        call_command("seed", bookings=-1)
