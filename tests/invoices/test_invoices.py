"""Drafting and issuing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, transaction
from django.utils import timezone

from backend.accounts.models import Organisation, Role, User
from backend.audit.actions import faults
from backend.audit.models import Entry
from backend.core.errors import Busy, Invalid, NotFound, Refused
from backend.outbox.actions import render
from backend.outbox.models import Message
from invoices import queries, rules
from invoices.actions import invoices as actions
from invoices.actions.charges import finalise_charges
from invoices.actions.invoices import delete_draft, draft_invoice, issue_invoice, write_fapiao_number
from invoices.models import Charge, ChargeState, Counter, Invoice, InvoiceLine, InvoiceStatus, Stage, TaxRate
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member

pytestmark = pytest.mark.django_db

FAPIAO = "26152000000012345678"


class Ledger:
    """An institution, its finance person and a customer."""

    def __init__(self) -> None:
        self.institution: Organisation = make_institution(code="kx", bank="示例银行", bank_account="0602")
        self.customer: Organisation = make_enterprise(uscc="91350100M000100Y43")
        self.finance: User = make_member(self.institution, Role.FINANCE)
        TaxRate.objects.create(name="Services", percent=Decimal(6), valid_from=date(2020, 1, 1))

    def charge(self, amount: str = "100.00", **fields: Any) -> Charge:
        return make_charge(self.customer, make_line(amount), institution=self.institution, **fields)

    def draft(self, period: str = "2026-12") -> Invoice:
        return draft_invoice(
            institution_id=self.institution.pk, customer_id=self.customer.pk, period=period, by=self.finance
        )

    def issue(self, period: str = "2026-12") -> Invoice:
        return issue_invoice(invoice=self.draft(period), by=self.finance)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def code_of(raised: pytest.ExceptionInfo[Refused]) -> str:
    return raised.value.refusals[0].code


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
    lock, others = actions._lock_invoice, [meanwhile]

    def come_late(pk: int, **options: bool) -> Invoice:
        while others:
            others.pop()(invoice=standing, by=ledger.finance)
        return lock(pk, **options)

    monkeypatch.setattr(actions, "_lock_invoice", come_late)
    draft = ledger.draft()

    assert (draft == standing, draft.status) == (False, InvoiceStatus.DRAFT)
    assert set(draft.charges.all()) == ({second} if meanwhile is issue_invoice else {first, second})


def test_a_draft_that_is_never_to_be_had_is_busy(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.charge()

    def gone(pk: int, **options: bool) -> Invoice:
        raise NotFound

    monkeypatch.setattr(actions, "_lock_invoice", gone)
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


def test_deleting_a_draft_frees_its_charges(ledger: Ledger) -> None:
    charge = ledger.charge()
    draft = ledger.draft()

    delete_draft(invoice=draft, by=ledger.finance)

    assert not Invoice.objects.exists()
    assert Charge.objects.billable().get() == charge


def test_issuing_freezes_the_document(ledger: Ledger) -> None:
    charge = ledger.charge("106.00")
    with time_machine.travel("2027-01-03T02:00:00Z", tick=False):
        invoice = ledger.issue()

    stored = Invoice.objects.get(pk=invoice.pk)
    charge.refresh_from_db()
    assert (stored.number, stored.status, stored.year, stored.sequence) == ("JS-kx-2027-000001", "issued", 2027, 1)
    assert (stored.net, stored.tax, stored.total) == (Decimal("100.00"), Decimal("6.00"), Decimal("106.00"))
    assert (stored.tax_percent, stored.due_date) == (Decimal("6.00"), date(2027, 2, 2))
    assert (charge.state, charge.invoice) == (ChargeState.INVOICED, stored)
    assert stored.snapshot["institution"]["bank_account"] == "0602"
    assert stored.snapshot["customer"]["uscc"] == "91350100M000100Y43"
    assert stored.snapshot["total_in_capitals"] == "人民币壹佰零陆元整"
    assert stored.snapshot["lines"][0]["why"] == "1 × 106.00 = 106.00"
    assert rules.digest(stored.snapshot) == stored.snapshot_sha256
    [line] = InvoiceLine.objects.filter(invoice=stored)
    assert (line.amount, line.charge_line.stage, line.service_date) == (
        Decimal("106.00"),
        Stage.FINAL,
        date(2026, 12, 1),
    )


def test_the_year_is_that_of_the_institutions_clock(ledger: Ledger) -> None:
    ledger.charge()

    with time_machine.travel("2026-12-31T16:30:00Z", tick=False):
        invoice = ledger.issue()

    assert invoice.number == "JS-kx-2027-000001"


def test_a_draft_is_dated_and_taxed_by_the_institutions_clock(ledger: Ledger) -> None:
    """At 16:30 UTC it is 2027 in Shanghai but not in New York, whatever the site's zone is."""
    TaxRate.objects.create(name="New", percent=Decimal(13), valid_from=date(2027, 1, 1))
    west = make_institution(code="ny", timezone="America/New_York")
    for institution in (ledger.institution, west):
        make_charge(ledger.customer, make_line("113.00"), institution=institution)
        by = make_member(institution, Role.FINANCE)
        draft_invoice(institution_id=institution.pk, customer_id=ledger.customer.pk, period="2026-12", by=by)
    drafts = queries.invoice_list(Invoice.objects.order_by("pk"))

    with time_machine.travel("2026-12-31T16:30:00Z", tick=False), timezone.override("UTC"):
        shown = queries.show(list(drafts))
        papers = [queries.document_of(draft) for draft in drafts]
        issued = [issue_invoice(invoice=draft, by=by) for draft in drafts]

    assert [row.tax for row in shown] == [Decimal("13.00"), Decimal("6.40")]
    assert [paper["issue_date"] for paper in papers] == ["2027-01-01", "2026-12-31"]
    for row, paper, invoice in zip(shown, papers, issued, strict=True):
        assert invoice.tax == row.tax == Decimal(paper["tax_amount"])
        assert invoice.snapshot["issue_date"] == paper["issue_date"]


def test_later_changes_of_the_parties_do_not_show(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()
    name = ledger.customer.name

    Organisation.objects.filter(pk=ledger.customer.pk).update(name="Renamed")

    invoice.refresh_from_db()
    assert invoice.snapshot["customer"]["name"] == name


def test_numbers_are_gapless_per_institution_and_year(ledger: Ledger) -> None:
    other = Ledger.__new__(Ledger)
    other.institution, other.customer = make_institution(code="ot"), ledger.customer
    other.finance = make_member(other.institution, Role.FINANCE)
    numbers = []
    for month, owner in ((10, ledger), (11, other), (11, ledger), (12, ledger)):
        owner.charge(service_date=date(2026, month, 1))
        numbers.append(owner.issue(f"2026-{month}").number)

    year = timezone.localdate().year
    assert numbers == [f"JS-{code}-{year}-{n:06d}" for code, n in (("kx", 1), ("ot", 1), ("kx", 2), ("kx", 3))]


def test_a_rolled_back_issue_leaves_no_gap(ledger: Ledger) -> None:
    ledger.charge()
    draft = ledger.draft()

    class Stop(Exception):
        pass

    with pytest.raises(Stop), transaction.atomic():
        assert issue_invoice(invoice=draft, by=ledger.finance).sequence == 1
        raise Stop

    assert Invoice.objects.get().status == InvoiceStatus.DRAFT
    assert Charge.objects.get().state == ChargeState.FINAL
    assert not Counter.objects.exists()
    assert issue_invoice(invoice=draft, by=ledger.finance).sequence == 1


def test_issuing_twice_is_refused(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()

    with pytest.raises(Refused) as raised:
        issue_invoice(invoice=invoice, by=ledger.finance)

    assert code_of(raised) == "already_issued"
    assert Counter.objects.get().last == 1


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


def test_only_standing_lines_are_printed(ledger: Ledger) -> None:
    charge = ledger.charge("100.00")
    finalise_charges(
        source=charge.source, source_uid=charge.source_uid, lines=[make_line("90.00")], differences=["Shorter."]
    )

    invoice = ledger.issue()

    assert [line.amount for line in invoice.lines.all()] == [Decimal("90.00")]
    assert invoice.total == Decimal("90.00")


def test_the_institutions_own_rate_goes_before_the_networks(ledger: Ledger) -> None:
    for institution, percent, valid in (
        (ledger.institution, 1, date(2021, 1, 1)),
        (ledger.institution, 3, date(2099, 1, 1)),
        (None, 13, date(2025, 1, 1)),
        (make_institution(), 9, date(2025, 1, 1)),
    ):
        TaxRate.objects.create(
            institution=institution, name="x", percent=percent, valid_from=valid, included=institution is None
        )
    ledger.charge("100.00")

    invoice = ledger.issue()

    assert (invoice.tax_percent, invoice.net, invoice.total) == (Decimal(1), Decimal("100.00"), Decimal("101.00"))


def test_without_a_rate_there_is_no_tax(ledger: Ledger) -> None:
    TaxRate.objects.all().delete()
    ledger.charge("100.00")

    invoice = ledger.issue()

    assert (invoice.net, invoice.tax, invoice.total) == (Decimal("100.00"), Decimal("0.00"), Decimal("100.00"))


def test_the_customers_administrators_hear_of_it_in_their_language(ledger: Ledger) -> None:
    admin = make_member(ledger.customer, Role.ADMIN)
    make_member(ledger.customer)
    ledger.charge("1234.00")

    invoice = ledger.issue()

    messages = Message.objects.filter(kind="invoice_issued")
    assert {message.recipient for message in messages} == {admin}
    subject, body = render(messages[0])
    assert subject == f"Statement {invoice.number}: CNY 1234.00"
    assert f"/invoices/{invoice.pk}/" in body
    assert ledger.institution.name in body


def test_every_step_is_in_the_chain(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()
    write_fapiao_number(invoice=invoice, number=FAPIAO, by=ledger.finance)

    entries = Entry.objects.filter(organisation=ledger.institution, object_type="invoice").order_by("sequence")

    assert [entry.action for entry in entries] == ["invoice.drafted", "invoice.issued", "invoice.fapiao_noted"]
    assert {entry.actor for entry in entries} == {ledger.finance}
    assert entries[1].after["sha256"] == invoice.snapshot_sha256
    assert list(faults(organisation_id=ledger.institution.pk)) == []


def test_a_fapiao_number_can_be_noted_and_put_right(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()

    write_fapiao_number(invoice=invoice, number=FAPIAO, by=ledger.finance)
    write_fapiao_number(invoice=invoice, number=FAPIAO, by=ledger.finance)
    write_fapiao_number(invoice=invoice, number=FAPIAO[::-1], by=ledger.finance)

    assert Invoice.objects.get().fapiao_number == FAPIAO[::-1]
    assert Entry.objects.filter(action="invoice.fapiao_noted").count() == 2


def test_a_wrong_fapiao_number_is_invalid(ledger: Ledger) -> None:
    ledger.charge()
    invoice = ledger.issue()

    with pytest.raises(Invalid) as raised:
        write_fapiao_number(invoice=invoice, number="123", by=ledger.finance)

    assert raised.value.refusals[0].field == "number"


def test_a_draft_has_no_fapiao(ledger: Ledger) -> None:
    ledger.charge()

    with pytest.raises(Refused) as raised:
        write_fapiao_number(invoice=ledger.draft(), number=FAPIAO, by=ledger.finance)

    assert code_of(raised) == "not_issued"


FROZEN = {
    "number": "JS-x",
    "total": Decimal(1),
    "net": Decimal(1),
    "tax": Decimal(1),
    "snapshot": {},
    "snapshot_sha256": "x",
    "due_date": date(2030, 1, 1),
    "period": "2026-01",
    "sequence": 9,
    "year": 2030,
    "issued_at": timezone.now() + timedelta(days=1),
    "currency": "USD",
    "status": InvoiceStatus.DRAFT,
}


@pytest.mark.parametrize("field", FROZEN)
def test_the_database_refuses_to_change_an_issued_invoice(ledger: Ledger, field: str) -> None:
    ledger.charge()
    invoice = ledger.issue()

    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(**{field: FROZEN[field]})


def test_the_database_refuses_to_change_or_delete_what_was_issued(ledger: Ledger) -> None:
    charge = ledger.charge()
    invoice = ledger.issue()
    ledger.charge()
    draft = ledger.draft()

    refused = [
        lambda: Invoice.objects.filter(pk=invoice.pk)._raw_delete("default"),
        lambda: InvoiceLine.objects.filter(invoice=invoice)._raw_delete("default"),
        lambda: InvoiceLine.objects.filter(invoice=invoice).update(amount=1),
        lambda: InvoiceLine.objects.filter(invoice=invoice).update(subject="x"),
        lambda: Charge.objects.filter(pk=charge.pk).update(total=1),
        lambda: Charge.objects.filter(pk=charge.pk).update(invoice=None),
        lambda: Charge.objects.filter(pk=charge.pk).update(invoice=draft),
        lambda: Charge.objects.filter(pk=charge.pk).update(state=ChargeState.FINAL),
        lambda: Charge.objects.filter(pk=charge.pk)._raw_delete("default"),
    ]

    for attempt in refused:
        with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
            attempt()
    assert Invoice.objects.filter(pk=invoice.pk).update(note="may change", fapiao_number=FAPIAO) == 1


def test_the_database_knows_one_draft_per_customer_month_and_currency(ledger: Ledger) -> None:
    ledger.charge()
    ledger.draft()

    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.create(
            institution=ledger.institution, customer=ledger.customer, period="2026-12", created_by=ledger.finance
        )
