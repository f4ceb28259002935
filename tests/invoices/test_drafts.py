"""Drafting: what is collected, what waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from backend.audit.models import Entry
from backend.core.errors import Busy, Invalid, NotFound, Refused
from invoices import rules
from invoices.actions import invoices as actions
from invoices.actions.charges import finalise_charges
from invoices.actions.invoices import delete_draft, draft_invoice, issue_invoice
from invoices.models import Charge, Invoice, InvoiceStatus
from tests.factories import make_charge, make_enterprise, make_line
from tests.invoices.ledger import Ledger, code_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_a_draft_collects_what_was_used_until_the_end_of_the_month(ledger: Ledger) -> None:
    earlier = ledger.charge(service_date=date(2026, 11, 30))
    inside = ledger.charge(service_date=date(2026, 12, 31))
    later = ledger.charge(service_date=date(2027, 1, 1))
    reserved = ledger.charge(final=False)
    stranger = make_charge(make_enterprise(), institution=ledger.institution)

    draft = ledger.draft()

    assert set(draft.charges.all()) == {earlier, inside}
    assert draft.status == InvoiceStatus.DRAFT
    assert draft.number is None
    assert {Charge.objects.get(pk=c.pk).invoice for c in (later, reserved, stranger)} == {None}


def test_drafting_again_adds_to_the_draft(ledger: Ledger) -> None:
    ledger.charge()
    first = ledger.draft()
    ledger.charge()

    again, idle = ledger.draft(), ledger.draft()

    assert first == again == idle
    assert first.charges.count() == 2
    assert Entry.objects.filter(action="invoice.drafted").count() == 2


@pytest.mark.parametrize("meanwhile", [issue_invoice, delete_draft])
def test_a_draft_that_was_issued_or_deleted_meanwhile_gets_no_charges(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[..., object]
) -> None:
    first = ledger.charge()
    standing = ledger.draft()
    second = ledger.charge()
    lock, others = actions.lock_invoice, [meanwhile]

    def come_late(pk: int, **options: bool) -> Invoice:
        while others:
            others.pop()(invoice=standing, by=ledger.finance)
        return lock(pk, **options)

    monkeypatch.setattr(actions, "lock_invoice", come_late)
    draft = ledger.draft()

    assert (draft == standing, draft.status) == (False, InvoiceStatus.DRAFT)
    assert set(draft.charges.all()) == ({second} if meanwhile is issue_invoice else {first, second})


def test_a_draft_that_is_never_to_be_had_is_busy(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.charge()

    def gone(pk: int, **options: bool) -> Invoice:
        raise NotFound

    monkeypatch.setattr(actions, "lock_invoice", gone)
    with pytest.raises(Busy):
        ledger.draft()

    assert not Invoice.objects.exists()


def test_a_draft_needs_something_to_invoice(ledger: Ledger) -> None:
    ledger.charge("0.00")

    with pytest.raises(Refused) as raised:
        ledger.draft()
    with pytest.raises(Refused):
        ledger.draft("2026-11")

    assert code_of(raised) == "nothing_to_invoice"


@pytest.mark.parametrize("period", ["2026-13", "2026", "", "12-2026"])
def test_a_draft_needs_a_month(ledger: Ledger, period: str) -> None:
    with pytest.raises(Invalid):
        ledger.draft(period)


def test_currencies_are_drafted_apart_the_home_currency_first(ledger: Ledger) -> None:
    ledger.charge(currency="USD")
    ledger.charge(currency="CNY")

    first, second = ledger.draft(), ledger.draft()

    assert (first.currency, second.currency) == ("CNY", "USD")


def test_a_draft_of_the_currency_that_was_asked_for(ledger: Ledger) -> None:
    ledger.charge(currency="USD")
    ledger.charge(currency="CNY")

    draft = draft_invoice(
        institution_id=ledger.institution.pk,
        customer_id=ledger.customer.pk,
        period="2026-12",
        by=ledger.finance,
        currency="USD",
    )

    assert [charge.currency for charge in draft.charges.all()] == [draft.currency] == ["USD"]


def test_a_credit_in_one_currency_does_not_keep_another_from_being_billed(ledger: Ledger) -> None:
    ledger.charge("-5.00", currency="CNY")
    ledger.charge("9.00", currency="USD")

    assert ledger.draft().currency == "USD"


def test_deleting_a_draft_frees_its_charges(ledger: Ledger) -> None:
    charge = ledger.charge()
    draft = ledger.draft()

    delete_draft(invoice=draft, by=ledger.finance)

    assert not Invoice.objects.exists()
    assert Charge.objects.billable().get() == charge


def test_an_issued_invoice_cannot_be_deleted(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()

    with pytest.raises(Refused) as raised:
        delete_draft(invoice=invoice, by=ledger.finance)

    assert code_of(raised) == "already_issued"


def test_an_emptied_draft_is_not_issued(ledger: Ledger) -> None:
    charge = ledger.charge()
    draft = ledger.draft()
    finalise_charges(source=charge.source, source_uid=charge.source_uid, lines=[], differences=["Free."])

    with pytest.raises(Refused) as raised:
        issue_invoice(invoice=draft, by=ledger.finance)

    assert code_of(raised) == "nothing_to_invoice"


def test_issuing_what_was_deleted_is_not_found(ledger: Ledger) -> None:
    ledger.charge()
    draft = ledger.draft()
    delete_draft(invoice=Invoice.objects.get(), by=ledger.finance)

    with pytest.raises(NotFound):
        issue_invoice(invoice=draft, by=ledger.finance)


def test_a_document_has_a_limit_of_lines(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.charge()
    ledger.charge()
    draft = ledger.draft()
    monkeypatch.setattr(rules, "MAX_LINES", 1)

    with pytest.raises(Refused) as raised:
        issue_invoice(invoice=draft, by=ledger.finance)

    assert code_of(raised) == "too_many_lines"
    assert raised.value.refusals[0].params == {"lines": 2, "most": 1}


def test_a_draft_takes_only_what_a_document_holds(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_LINES", 2)
    newest = ledger.charge(service_date=date(2026, 12, 9))
    for day in (1, 2):
        ledger.charge(service_date=date(2026, 12, day))

    first, second = ledger.issue(), ledger.issue()

    assert [line.service_date.day for line in first.lines.all()] == [1, 2]
    assert [line.charge_line.charge for line in second.lines.all()] == [newest]


def test_a_full_draft_waits_to_be_issued(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_LINES", 1)
    ledger.charge()
    draft = ledger.draft()
    ledger.charge()

    again = ledger.draft()

    assert (again, draft.charges.count()) == (draft, 1)


def test_a_charge_larger_than_a_document_does_not_block_silently(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_LINES", 1)
    make_charge(ledger.customer, make_line(), make_line(code="b"), institution=ledger.institution)

    with pytest.raises(Refused) as raised:
        ledger.issue()

    assert code_of(raised) == "too_many_lines"
