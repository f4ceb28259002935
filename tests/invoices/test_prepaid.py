"""Prepaid accounts: what is frozen, settled, released, refunded, and what invoices say of it."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.utils import timezone

from backend.accounts.models import Organisation, Role, User
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.changing import cancel_booking, withdraw_booking
from booking.actions.deciding import reject_booking
from booking.actions.lengths import extend_booking
from booking.actions.ordering import cancel_samples
from booking.actions.requesting import request_booking
from booking.models import Booking
from invoices.actions.charges import finalise_charges, release_charges, reserve_charges
from invoices.actions.corrections import correct_charges
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.actions.payments import record_payment
from invoices.actions.prepaid import (
    open_account,
    refund,
    reverse_entry,
    set_prepaid_terms,
    tell_when_below,
    top_up,
)
from invoices.models import Charge, EntryKind, Invoice, PrepaidAccount, PrepaidEntry, PrepaidKind
from tests.booking.lab import Lab, codes
from tests.booking.samples import Bench
from tests.factories import DAY, at, make_enterprise, make_line, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock(time_machine: Any) -> None:
    time_machine.move_to("2026-11-24T01:00:00Z", tick=False)


class Prepaid(Lab):
    """A lab (100.00 an hour) that wants its prices prepaid, and a customer with an account."""

    def __init__(self, funds: str = "1000.00", *, kind: str = PrepaidKind.FULL, **fields: Any) -> None:
        terms = {name: fields.pop(name) for name in ("percent", "amount", "inside") if name in fields}
        super().__init__(**fields)
        self.finance = make_member(self.institution, Role.FINANCE)
        set_prepaid_terms(institution=self.institution, instrument=None, kind=kind, by=self.finance, **terms)
        self.institution.refresh_from_db()
        self.instrument.institution = self.institution
        self.account = open_account(institution=self.institution, customer=self.enterprise, by=self.finance)
        if Decimal(funds):
            self.pay(funds)

    def pay(self, amount: str, reference: str = "T1") -> PrepaidEntry:
        return top_up(
            account=self.account,
            amount=Decimal(amount),
            date=timezone.localdate(),
            reference=reference,
            by=self.finance,
        )

    @property
    def now(self) -> tuple[str, str]:
        """Balance and what of it is frozen; the entries add up to both."""
        account = PrepaidAccount.objects.get(pk=self.account.pk)
        sums = account.entries.aggregate(balance=Sum("amount"), frozen=Sum("held"))
        assert (sums["balance"] or 0, sums["frozen"] or 0) == (account.balance, account.frozen)
        last = account.entries.order_by("-pk").first()
        assert last is None or (last.balance_after, last.frozen_after) == (account.balance, account.frozen)
        return str(account.balance), str(account.frozen)

    def final(self, booking: Booking, amount: str) -> Charge:
        return finalise_charges(
            source="booking", source_uid=booking.uid, lines=[make_line(amount)], differences=[], by_id=self.manager.pk
        )

    def invoice(self) -> Invoice:
        draft = draft_invoice(
            institution_id=self.institution.pk, customer_id=self.enterprise.pk, period="2026-12", by=self.finance
        )
        return issue_invoice(invoice=draft, by=self.finance)


def charge_of(booking: Booking) -> Charge:
    return Charge.objects.get(source="booking", source_uid=booking.uid)


def test_a_booking_freezes_its_price_and_the_final_amount_is_taken_from_it() -> None:
    lab = Prepaid()

    booking = lab.book(9, 12)

    assert lab.now == ("1000.00", "300.00")
    lab.final(booking, "250.00")
    assert lab.now == ("750.00", "0.00")
    assert charge_of(booking).prepaid == Decimal("250.00")


def test_exactly_what_is_there_is_enough_and_a_cent_less_is_refused() -> None:
    lab = Prepaid("300.00")
    lab.book(9, 12)
    assert lab.now == ("300.00", "300.00")

    lab = Prepaid("299.99")
    with pytest.raises(Refused) as caught:
        lab.book(9, 12)

    [refusal] = caught.value.refusals
    assert refusal.code == "balance_too_low"
    assert refusal.params == {"needed": "300.00", "available": "299.99", "missing": "0.01", "currency": "CNY"}
    assert "¥0.01 is missing" in refusal.fix_text
    assert lab.now == ("299.99", "0.00")
    assert not Booking.objects.filter(instrument=lab.instrument).exists()


def test_without_an_account_all_of_it_is_missing() -> None:
    lab = Prepaid("0")

    with pytest.raises(Refused) as caught:
        lab.book(9, 12)

    assert caught.value.refusals[0].params["missing"] == "300.00"


@pytest.mark.parametrize(
    ("terms", "frozen"),
    [
        ({"kind": PrepaidKind.PERCENT, "percent": Decimal("33.33")}, "99.99"),
        ({"kind": PrepaidKind.FIXED, "amount": Decimal("500.00")}, "500.00"),
        ({"kind": PrepaidKind.NONE}, "0.00"),
    ],
)
def test_a_deposit_is_a_share_or_an_amount(terms: dict[str, Any], frozen: str) -> None:
    lab = Prepaid(**terms)

    lab.book(9, 12)

    assert lab.now == ("1000.00", frozen)


def test_more_than_was_frozen_is_taken_from_what_is_available_and_the_rest_is_billed() -> None:
    lab = Prepaid("320.00")
    booking = lab.book(9, 12)

    lab.final(booking, "400.00")

    assert lab.now == ("0.00", "0.00")
    assert charge_of(booking).prepaid == Decimal("320.00")
    invoice = lab.invoice()
    assert (invoice.total, invoice.settled, invoice.balance) == (Decimal(400), Decimal(320), Decimal(80))


def test_withdrawn_and_rejected_requests_release_all() -> None:
    lab = Prepaid(approval=True)
    first, second = lab.book(9, 10), lab.book(11, 12)
    assert lab.now == ("1000.00", "200.00")

    withdraw_booking(booking=first, by=lab.engineer)
    reject_booking(booking=second, by=lab.manager, reason="x")

    assert lab.now == ("1000.00", "0.00")


def test_cancelling_late_keeps_the_fee_only() -> None:
    lab = Prepaid()
    booking = lab.book(9, 12)

    release_charges(source="booking", source_uid=booking.uid, lines=[make_line("150.00", "fee")])

    assert lab.now == ("850.00", "0.00")


def test_cancelling_in_time_releases_all() -> None:
    lab = Prepaid()

    cancel_booking(booking=lab.book(9, 12), by=lab.engineer)

    assert lab.now == ("1000.00", "0.00")


def test_extending_freezes_the_difference_and_is_refused_beyond_the_balance() -> None:
    lab = Prepaid("400.00")
    booking = lab.book(9, 12)

    with pytest.raises(Refused) as caught:
        extend_booking(booking=booking, by=lab.engineer, end=at(14))
    assert codes(caught) == ["balance_too_low"]
    assert caught.value.refusals[0].params["missing"] == "100.00"

    extend_booking(booking=booking, by=lab.engineer, end=at(13))
    assert lab.now == ("400.00", "400.00")


def test_a_project_s_account_goes_before_the_organisation_s() -> None:
    lab = Prepaid("1000.00")
    project = lab.enterprise.projects.create(code="P1", name="Alloys")
    own = open_account(institution=lab.institution, customer=lab.enterprise, project=project, by=lab.finance)
    top_up(account=own, amount=Decimal("100.00"), date=timezone.localdate(), reference="P", by=lab.finance)
    lab.book(9, 12)

    with pytest.raises(Refused) as caught:
        _book_on(lab, project)

    assert caught.value.refusals[0].params["available"] == "100.00"


def _book_on(lab: Lab, project: Any, start: int = 13, end: int = 15) -> Booking:
    return request_booking(
        by=lab.engineer,
        user=lab.engineer,
        organisation=lab.enterprise,
        instrument=lab.instrument,
        start=at(start),
        end=at(end),
        mode="self",
        purpose="x",
        project=project,
    )


# --- what finance records --------------------------------------------------------------------------------------------


def test_a_top_up_is_reversed_only_while_its_money_is_there() -> None:
    lab = Prepaid("300.00")
    entry = lab.account.entries.get()
    booking = lab.book(9, 12)

    with pytest.raises(Refused) as caught:
        reverse_entry(entry=entry, reason="bounced", by=lab.finance)
    assert codes(caught) == ["balance_too_low"]

    cancel_booking(booking=booking, by=lab.engineer)
    reverse_entry(entry=entry, reason="bounced", by=lab.finance)
    assert lab.now == ("0.00", "0.00")
    with pytest.raises(Refused) as caught:
        reverse_entry(entry=entry, reason="again", by=lab.finance)
    assert codes(caught) == ["already_reversed"]


def test_what_is_frozen_is_not_paid_back() -> None:
    lab = Prepaid("400.00")
    lab.book(9, 12)
    pay_back = {"account": lab.account, "date": timezone.localdate(), "by": lab.finance}

    with pytest.raises(Refused) as caught:
        refund(amount=Decimal("100.01"), reference="R1", **pay_back)
    assert codes(caught) == ["balance_too_low"]

    refund(amount=Decimal("100.00"), reference="R1", **pay_back)
    assert lab.now == ("300.00", "300.00")


def test_a_reference_is_recorded_once() -> None:
    lab = Prepaid()

    with pytest.raises(Refused) as caught:
        lab.pay("1.00", "t1")

    assert codes(caught) == ["reference_used"]


@pytest.mark.parametrize(
    ("values", "field"),
    [({"amount": "0"}, "amount"), ({"amount": "0.001"}, "amount"), ({"reference": " "}, "reference")],
)
def test_a_top_up_must_make_sense(values: dict[str, str], field: str) -> None:
    lab = Prepaid("0")

    with pytest.raises(Invalid) as caught:
        lab.pay(values.get("amount", "1.00"), values.get("reference", "X"))

    assert [refusal.field for refusal in caught.value.refusals] == [field]


def test_the_database_refuses_changed_entries_and_a_balance_below_zero() -> None:
    lab = Prepaid()
    entry = lab.account.entries.get()

    for change in (
        lambda: PrepaidEntry.objects.filter(pk=entry.pk).update(amount=Decimal("2.00")),
        lambda: PrepaidEntry.objects.filter(pk=entry.pk).delete(),
        lambda: PrepaidAccount.objects.filter(pk=lab.account.pk).update(balance=Decimal("-0.01")),
        lambda: PrepaidAccount.objects.filter(pk=lab.account.pk).update(frozen=Decimal("1000.01")),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
            connection.check_constraints()


def test_a_low_balance_is_told_once_and_again_after_it_was_more() -> None:
    lab = Prepaid("1000.00")
    make_member(lab.enterprise, Role.ADMIN)
    tell_when_below(account=lab.account, low_at=Decimal("800.00"), by=lab.finance)

    booking = lab.book(9, 12)
    lab.book(13, 14)
    assert Message.objects.filter(kind="prepaid_low", channel="in_app", recipient=lab.boss).count() == 1

    cancel_booking(booking=booking, by=lab.engineer)
    lab.book(9, 12)
    assert Message.objects.filter(kind="prepaid_low", channel="in_app", recipient=lab.boss).count() == 2


# --- on the invoice --------------------------------------------------------------------------------------------------


def test_an_invoice_that_is_prepaid_in_full_is_paid() -> None:
    lab = Prepaid()
    lab.final(lab.book(9, 12), "300.00")

    invoice = lab.invoice()

    assert (invoice.settled, invoice.balance, invoice.snapshot["prepaid"]) == (Decimal(300), Decimal(0), "300.00")
    assert list(Invoice.objects.shown_as("paid", timezone.localdate())) == [invoice]
    assert not Invoice.objects.owing().exists()
    with pytest.raises(Refused) as caught:
        record_payment(
            invoice=invoice, amount=Decimal("0.01"), date=timezone.localdate(), reference="x", by=lab.finance
        )
    assert codes(caught) == ["paid_already"]


def test_crediting_gives_it_back_and_billing_anew_takes_it_again() -> None:
    lab = Prepaid()
    lab.final(lab.book(9, 12), "300.00")
    invoice = lab.invoice()

    note = credit_invoice(invoice=invoice, reason="wrong name", by=lab.finance, rebill=True)

    assert note.settled == Decimal("-300.00")
    assert lab.now == ("700.00", "0.00")
    kinds = list(lab.account.entries.order_by("pk").values_list("kind", flat=True))
    assert kinds == [EntryKind.TOP_UP, EntryKind.FREEZE, EntryKind.SETTLE, EntryKind.RETURN, EntryKind.SETTLE]
    assert lab.invoice().balance == 0


def test_crediting_without_a_new_bill_leaves_it_on_the_account() -> None:
    lab = Prepaid()
    lab.final(lab.book(9, 12), "300.00")

    credit_invoice(invoice=lab.invoice(), reason="x", by=lab.finance)

    assert lab.now == ("1000.00", "0.00")


def test_a_correction_after_the_invoice_returns_what_was_drawn() -> None:
    lab = Prepaid()
    booking = lab.book(9, 12)
    lab.final(booking, "300.00")
    lab.invoice()

    correction = correct_charges(
        source="booking",
        source_uid=booking.uid,
        correction_uid=booking.uid,
        lines=[make_line("120.00")],
        differences=[],
        service_date=DAY,
        by_id=lab.finance.pk,
    )

    assert (correction.total, correction.prepaid) == (Decimal("-180.00"), Decimal("-180.00"))
    assert lab.now == ("880.00", "0.00")


def test_credits_that_make_the_invoice_smaller_than_what_was_drawn_return_the_excess() -> None:
    lab = Prepaid("300.00")
    lab.final(lab.book(9, 12), "300.00")
    other = reserve_charges(
        source="usage",
        source_uid=uuid.uuid4(),
        institution_id=lab.institution.pk,
        customer_id=lab.enterprise.pk,
        project_id=None,
        user_id=lab.engineer.pk,
        subject="x",
        service_date=DAY,
        price_list="",
        currency="CNY",
        lines=[make_line("-100.00")],
    )
    finalise_charges(source="usage", source_uid=other.source_uid, lines=[make_line("-100.00")], differences=[])

    invoice = lab.invoice()

    assert (invoice.total, invoice.settled, invoice.balance) == (Decimal(200), Decimal(200), Decimal(0))
    assert lab.now == ("100.00", "0.00")


def test_another_institution_s_account_does_not_count() -> None:
    lab, other = Prepaid("0"), Prepaid("0")
    account = open_account(institution=other.institution, customer=lab.enterprise, by=other.finance)
    top_up(account=account, amount=Decimal(500), date=timezone.localdate(), reference="x", by=other.finance)

    with pytest.raises(Refused) as caught:
        lab.book(9, 12)

    assert codes(caught) == ["balance_too_low"]


def test_the_institution_s_own_people_are_asked_only_where_the_terms_say_so() -> None:
    assert _inside(Prepaid()) == []
    assert _inside(Prepaid(inside=True)) == ["balance_too_low"]


def _inside(lab: Prepaid) -> list[str]:
    member: User = make_member(lab.institution)
    home: Organisation = lab.institution
    try:
        request_booking(
            by=member,
            user=member,
            organisation=home,
            instrument=lab.instrument,
            start=at(9),
            end=at(10),
            mode="self",
            purpose="x",
        )
    except Refused as refused:
        return [refusal.code for refusal in refused.refusals]
    return []


def test_an_account_is_of_its_customer_s_groups_and_projects() -> None:
    lab = Prepaid("0")
    stranger = make_enterprise()
    project = stranger.projects.create(code="P1", name="x")

    with pytest.raises(Invalid) as caught:
        open_account(institution=lab.institution, customer=lab.enterprise, project=project, by=lab.finance)

    assert caught.value.refusals[0].code == "foreign"


def test_an_order_of_samples_freezes_its_price_too() -> None:
    bench = Bench()
    finance = make_member(bench.institution, Role.FINANCE)
    set_prepaid_terms(institution=bench.institution, instrument=bench.instrument, kind=PrepaidKind.FULL, by=finance)
    with pytest.raises(Refused) as caught:
        bench.submit()
    assert codes(caught) == ["balance_too_low"]
    account = open_account(institution=bench.institution, customer=bench.enterprise, by=finance)
    top_up(account=account, amount=Decimal(1000), date=timezone.localdate(), reference="x", by=finance)

    order = bench.submit()

    account.refresh_from_db()
    assert account.frozen == Decimal("900.00")
    cancel_samples(order=order, by=bench.engineer)
    account.refresh_from_db()
    assert (account.balance, account.frozen) == (Decimal(1000), Decimal(0))
