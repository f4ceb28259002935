"""The demo's story: what somebody who tries it must find."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django_q.models import OrmQ
from stdnum.cn import uscc

from backend.accounts.models import Organisation, OrganisationKind, User
from backend.audit.actions import faults
from backend.audit.models import Entry
from backend.outbox.models import Message, State
from backend.web.seed.accounts import ACCOUNTS, PASSWORD, UNIVERSITY
from backend.web.seed.demo import is_demo, load_demo
from booking.models import Attachment, Booking, Bundle, ReasonTemplate, Series, Status, Usage
from instruments.models import Instrument, OpeningHours, PriceList
from invoices.models import Charge, ChargeState, Invoice

# A Wednesday, 11:00 in Shanghai.
NOW = datetime(2026, 11, 18, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: Any) -> Any:
    """Loaded once for the tests of this file, and taken back after them."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        try:
            with time_machine.travel(NOW, tick=False):
                load_demo(say=lambda _: None, density=0.4)
            yield
        finally:
            transaction.set_rollback(True)
            atomic.__exit__(None, None, None)


@pytest.mark.usefixtures("demo", "db")
class TestDemo:
    """What somebody who tries it must find."""

    def test_institutions_enterprises_and_instruments_are_there(self) -> None:
        kinds = Counter(Organisation.objects.values_list("kind", flat=True))

        assert kinds == {"institution": 3, "enterprise": 5, "network": 1}
        assert Instrument.objects.count() == 47
        assert Counter(Instrument.objects.values_list("units", flat=True))[8] == 1
        assert Organisation.objects.filter(name__startswith="示例").count() == 9

    def test_every_credit_code_is_valid(self) -> None:
        assert [o.uscc for o in Organisation.objects.all() if not uscc.is_valid(o.uscc or "")] == []

    @pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.email)
    def test_every_account_can_sign_in(self, account: Any) -> None:
        user = User.objects.get(email=account.email)

        assert user.check_password(PASSWORD)
        assert set(user.memberships.values_list("organisation__code", "role")) == {
            (account.organisation, role) for role in account.roles
        }

    def test_every_instrument_has_hours_and_prices(self) -> None:
        assert OpeningHours.objects.values("instrument").distinct().count() == 47
        assert PriceList.objects.values("instrument").distinct().count() == 47

    def test_last_month_was_used_and_invoiced(self) -> None:
        past = Booking.objects.filter(start__lt=datetime(2026, 11, 1, tzinfo=UTC), status=Status.COMPLETED)

        assert past.count() > 25
        assert Usage.objects.filter(state="verified").count() > 30
        assert Charge.objects.filter(state=ChargeState.INVOICED).count() > 20
        assert Invoice.objects.filter(status="issued", period="2026-10").count() >= 5
        assert Invoice.objects.filter(status="draft").count() >= 1

    def test_numbers_have_no_gap(self) -> None:
        for institution in Organisation.objects.filter(kind=OrganisationKind.INSTITUTION):
            for series in ("JS", "HC"):
                issued = Invoice.objects.filter(institution=institution, series=series).exclude(number=None)
                numbers = issued.values_list("sequence", flat=True)
                assert sorted(numbers) == list(range(1, len(numbers) + 1))

    def test_invoices_stand_in_every_state(self) -> None:
        finance = Invoice.objects.filter(kind="invoice")

        for status in ("paid", "part_paid", "overdue", "credited", "open"):
            assert finance.shown_as(status, NOW.date()).exists(), status
        assert Invoice.objects.filter(kind="credit_note").exists()

    def test_the_manager_finds_requests_and_uses_that_go_on(self) -> None:
        waiting = Booking.objects.filter(status=Status.REQUESTED, hold_expires_at__gt=NOW, start__gt=NOW)

        assert waiting.filter(instrument__institution__code=UNIVERSITY).count() >= 3
        assert waiting.filter(user__email="enterprise@demo.example").exists()
        assert Booking.objects.filter(status=Status.IN_USE).count() >= 3

    def test_a_series_an_experiment_and_the_labs_own_reasons_are_there(self) -> None:
        series, bundle = Series.objects.get(), Bundle.objects.get()

        assert series.bookings.count() == 3
        assert series.skipped.filter(taken_up=None).count() == 1
        assert bundle.bookings.count() == 2
        assert ReasonTemplate.objects.filter(institution__code=UNIVERSITY).count() == 4

    def test_nothing_happened_in_the_future(self) -> None:
        assert not Usage.objects.filter(end__gt=NOW).exists()
        assert not Booking.objects.filter(requested_at__gt=NOW).exists()
        assert not Booking.objects.filter(status=Status.COMPLETED, start__gt=NOW).exists()

    def test_the_audit_record_is_unbroken_and_in_the_order_of_time(self) -> None:
        assert list(faults()) == []
        for organisation in Organisation.objects.all():
            times = list(
                Entry.objects.filter(organisation=organisation).order_by("sequence").values_list("at", flat=True)
            )
            assert times == sorted(times)

    def test_nobody_gets_mail_of_the_past(self) -> None:
        assert not Message.objects.exclude(state=State.SENT).exists()
        assert OrmQ.objects.count() < 60

    def test_customer_and_lab_have_talked(self) -> None:
        booking = Booking.objects.exclude(conversation=None).distinct().get()

        assert (booking.status, booking.user.email) == (Status.REQUESTED, "enterprise@demo.example")
        assert [note.side for note in booking.conversation.all()] == ["customer", "lab", "customer"]
        assert Attachment.objects.get().name == "样品清单.csv"

    @pytest.mark.parametrize("email", ["enterprise@demo.example", "manager@demo.example"])
    def test_messages_wait_under_the_bell(self, email: str) -> None:
        assert Message.objects.filter(recipient__email=email, channel="in_app", read_at=None).exists()

    def test_loading_is_done_once(self) -> None:
        assert is_demo()
        out = StringIO()

        call_command("prepare", demo=True, stdout=out)

        assert out.getvalue() == ""

    @pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.email)
    def test_everybody_s_home_page_opens(self, account: Any) -> None:
        client = Client()
        client.force_login(User.objects.get(email=account.email))

        with time_machine.travel(NOW, tick=False):
            assert client.get("/").status_code == 200
