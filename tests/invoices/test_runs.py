"""Monthly runs: item by item, whatever happens between."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache
from django_q.models import OrmQ

from backend.accounts.models import Organisation, Role, User
from backend.core import pdf
from backend.core.errors import Busy, Invalid, Refused
from backend.outbox.models import Message
from invoices.actions import papers, running
from invoices.actions.billing import choose_billing
from invoices.actions.invoices import delete_draft, draft_invoice, issue_invoice
from invoices.actions.running import cancel_run, continue_runs, start_run, work_and_go_on, work_on_run
from invoices.models import Charge, Invoice, InvoicePdf, InvoiceRun, InvoiceStatus, ItemState, RunState, RunStep
from invoices.queries.preview import preview_of
from invoices.queries.runs import progress_of
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member
from tests.invoices.ledger import code_of

pytestmark = pytest.mark.django_db

MONTH = "2026-12"


@pytest.fixture
def institution() -> Organisation:
    return make_institution(code="kx")


@pytest.fixture
def finance(institution: Organisation) -> User:
    return make_member(institution, Role.FINANCE)


@pytest.fixture
def customers(institution: Organisation) -> list[Organisation]:
    made = [make_enterprise() for _ in range(3)]
    for customer in made:
        make_charge(customer, institution=institution)
    return made


@pytest.fixture(autouse=True)
def plain_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "render", lambda html: b"%PDF-1.7 " + str(len(html)).encode())


def run(institution: Organisation, by: User, step: str = RunStep.DRAFT, **more: Any) -> InvoiceRun:
    started = start_run(institution=institution, period=MONTH, step=step, by=by, **more)
    work_on_run(run_id=started.pk)
    started.refresh_from_db()
    return started


def states(started: InvoiceRun) -> list[str]:
    return list(started.items.values_list("state", flat=True))


@pytest.mark.usefixtures("customers")
def test_a_run_drafts_and_another_issues_with_documents(institution: Organisation, finance: User) -> None:
    drafting = run(institution, finance)
    assert (drafting.state, states(drafting)) == (RunState.DONE, [ItemState.DONE] * 3)
    assert Invoice.objects.filter(status=InvoiceStatus.DRAFT).count() == 3

    issuing = run(institution, finance, RunStep.ISSUE)

    assert issuing.state == RunState.DONE
    assert sorted(Invoice.objects.values_list("sequence", flat=True)) == [1, 2, 3]
    progress = progress_of(issuing)
    assert (progress.items, progress.done, progress.documents) == (3, 3, 3)
    assert (progress.percent, progress.documents_percent) == (100, 100)
    told = Message.objects.filter(recipient=finance, kind="invoice_run_done", channel="in_app")
    assert [message.context["done"] for message in told] == [3, 3]


def test_only_the_chosen_are_drafted_and_issued(
    institution: Organisation, finance: User, customers: list[Organisation]
) -> None:
    run(institution, finance, only=[customers[0].pk, customers[1].pk])
    drafts = list(Invoice.objects.order_by("pk"))
    assert {draft.customer_id for draft in drafts} == {customers[0].pk, customers[1].pk}

    run(institution, finance, RunStep.ISSUE, only=[drafts[1].pk])

    assert [Invoice.objects.get(pk=draft.pk).number for draft in drafts] == [None, drafts[1].pk and "JS-kx-2026-000001"]


def test_who_owes_nothing_is_no_item(institution: Organisation, finance: User) -> None:
    make_charge(institution=institution, final=False)
    make_charge(None, make_line("-5.00"), institution=institution)

    with pytest.raises(Refused) as refused:
        start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=finance)
    assert code_of(refused) == "nothing_to_run"
    with pytest.raises(Invalid):
        start_run(institution=institution, period="2026-13", step=RunStep.DRAFT, by=finance)


def test_an_error_is_named_and_the_run_goes_on(
    institution: Organisation, finance: User, customers: list[Organisation]
) -> None:
    choose_billing(organisation=institution, by=finance, missing_data="block")
    for number, party in enumerate((institution, customers[1])):
        Organisation.objects.filter(pk=party.pk).update(
            uscc=f"9135010000000000{number:02d}", address="x", phone="1", bank="x", bank_account="1"
        )
    run(institution, finance)

    issuing = run(institution, finance, RunStep.ISSUE)

    assert sorted(states(issuing)) == [ItemState.DONE, ItemState.REFUSED, ItemState.REFUSED]
    problems = progress_of(issuing).problems
    assert {item.code for item in problems} == {"tax_data_missing"}
    assert customers[0].name in problems[0].problem + problems[1].problem
    assert Invoice.objects.exclude(number=None).get().customer == customers[1]


def test_a_defect_of_one_customer_does_not_stop_the_others(
    institution: Organisation, finance: User, customers: list[Organisation], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(institution, finance)
    issue = running.issue_invoice

    def fail_for_one(*, invoice: Invoice, **more: Any) -> Invoice:
        issued = issue(invoice=invoice, **more)
        if invoice.customer_id == customers[0].pk:
            raise ZeroDivisionError("after the number was given")
        return issued

    monkeypatch.setattr(running, "issue_invoice", fail_for_one)
    issuing = run(institution, finance, RunStep.ISSUE)

    assert sorted(states(issuing)) == [ItemState.DONE, ItemState.DONE, ItemState.REFUSED]
    assert progress_of(issuing).problems[0].code == "failed"
    assert sorted(Invoice.objects.exclude(number=None).values_list("sequence", flat=True)) == [1, 2]
    assert Charge.objects.get(customer=customers[0]).invoice.status == InvoiceStatus.DRAFT  # type: ignore[union-attr]


@pytest.mark.usefixtures("customers")
def test_a_document_that_cannot_be_made_is_named(
    institution: Organisation, finance: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(institution, finance)
    bad = Invoice.objects.order_by("pk")[1]

    def render(html: str) -> bytes:
        if bad.customer.name in html:
            raise pdf.PdfUnavailable("too large")
        return b"%PDF-1.7"

    monkeypatch.setattr(pdf, "render", render)
    issuing = run(institution, finance, RunStep.ISSUE)

    progress = progress_of(issuing)
    assert (issuing.state, progress.done, progress.documents) == (RunState.DONE, 3, 2)
    assert [(item.invoice_id, item.code) for item in progress.problems] == [(bad.pk, "pdf_unavailable")]


@pytest.mark.usefixtures("customers")
def test_the_same_run_twice_is_one_and_another_waits(institution: Organisation, finance: User) -> None:
    first = start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=finance)
    again = start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=finance)
    with pytest.raises(Refused) as refused:
        start_run(institution=institution, period="2027-01", step=RunStep.DRAFT, by=finance)

    assert again.pk == first.pk
    assert code_of(refused) == "run_under_way"
    work_on_run(run_id=first.pk)
    make_charge(institution=institution)
    assert start_run(institution=institution, period="2027-01", step=RunStep.DRAFT, by=finance).pk != first.pk


@pytest.mark.usefixtures("customers")
def test_a_stopped_run_keeps_what_is_done(institution: Organisation, finance: User) -> None:
    started = start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=finance)
    running._next_item(started.pk)

    cancel_run(run=started, by=finance)
    cancel_run(run=started, by=finance)
    work_on_run(run_id=started.pk)

    assert started.state == RunState.CANCELLED
    assert states(started) == [ItemState.DONE, ItemState.SKIPPED, ItemState.SKIPPED]
    assert Invoice.objects.count() == 1


@pytest.mark.usefixtures("customers")
def test_a_draft_deleted_meanwhile_is_named(institution: Organisation, finance: User) -> None:
    run(institution, finance)
    started = start_run(institution=institution, period=MONTH, step=RunStep.ISSUE, by=finance)
    delete_draft(invoice=Invoice.objects.order_by("pk")[0], by=finance)

    work_on_run(run_id=started.pk)

    assert sorted(states(started)) == [ItemState.DONE, ItemState.DONE, ItemState.REFUSED]
    assert [item.code for item in progress_of(started).problems] == ["draft_deleted"]


@pytest.mark.usefixtures("customers")
def test_what_is_contended_waits_for_its_next_turn_and_is_set_aside_in_the_end(
    institution: Organisation, finance: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, failures = running.draft_invoice, [Busy(), Busy()]

    def sometimes(**given: Any) -> Invoice:
        if failures:
            raise failures.pop()
        return draft(**given)

    monkeypatch.setattr(running, "draft_invoice", sometimes)
    assert states(run(institution, finance)) == [ItemState.DONE] * 3

    make_charge(institution=institution)
    failures += [Busy() for _ in range(running.MAX_ATTEMPTS)]
    last = run(institution, finance)
    assert (states(last), last.items.get().code) == ([ItemState.REFUSED], "failed")


@pytest.mark.usefixtures("customers")
def test_an_item_that_kills_its_worker_is_set_aside(
    institution: Organisation, finance: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=finance)
    deadly = started.items.order_by("position")[0]
    do = running._do_item

    def die(*, item_id: int) -> None:
        if item_id == deadly.pk:
            raise KeyboardInterrupt
        do(item_id=item_id)

    monkeypatch.setattr(running, "_do_item", die)
    for _ in range(running.MAX_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            work_on_run(run_id=started.pk)
    work_on_run(run_id=started.pk)

    deadly.refresh_from_db()
    assert (deadly.state, deadly.code) == (ItemState.REFUSED, "interrupted")
    assert sorted(states(started)) == [ItemState.DONE, ItemState.DONE, ItemState.REFUSED]


@pytest.mark.usefixtures("customers")
def test_one_chain_of_slices_works_on_a_run(institution: Organisation, finance: User) -> None:
    cache.clear()
    started = start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=finance)
    running._queue(started.pk, "first")

    assert continue_runs() == 0
    assert work_and_go_on(run_id=started.pk, chain="second") == 0
    assert work_and_go_on(run_id=started.pk, chain="first") == 3
    assert InvoiceRun.objects.get().state == RunState.DONE


@pytest.mark.usefixtures("customers")
def test_a_run_that_lost_its_worker_is_continued(
    institution: Organisation, finance: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    monkeypatch.setattr(running, "SLICE_SECONDS", 0)
    started = start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=finance)
    before = OrmQ.objects.count()

    assert continue_runs() == 1
    assert OrmQ.objects.count() == before + 1
    assert continue_runs() == 0
    cache.delete(running._lease(started.pk))
    assert continue_runs() == 1


def test_what_closes_a_month_comes_first(
    institution: Organisation, finance: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(which: Organisation, period: str) -> None:
        make_charge(institution=which, service_date=date(2026, 12, 31))
        assert period == MONTH

    monkeypatch.setattr(running, "before_drafting", [close])

    assert states(run(institution, finance)) == [ItemState.DONE]


def test_the_preview_names_what_blocks_and_what_is_missing(institution: Organisation, finance: User) -> None:
    full = {"uscc": "91350100M000100Y43", "address": "x", "phone": "1", "bank": "x", "bank_account": "1"}
    good, poor, credit = make_enterprise(**full), make_enterprise(address="x"), make_enterprise()
    make_charge(good, institution=institution)
    make_charge(good, institution=institution, final=False)
    Charge.objects.filter(pk=make_charge(poor, institution=institution).pk).update(disputed=True)
    make_charge(poor, institution=institution, currency="USD")
    make_charge(credit, make_line("-5.00"), institution=institution)
    make_charge(good, institution=institution, service_date=date(2027, 1, 1))

    def codes(of: Organisation) -> list[tuple[str, list[tuple[str, bool]]]]:
        rows = preview_of(institution, MONTH).rows
        return [(row.currency, [(t.code, t.blocks) for t in row.troubles]) for row in rows if row.customer == of]

    assert codes(good) == [("CNY", [("unverified", False)])]
    assert sorted(codes(poor)) == [
        ("CNY", [("disputed", False), ("customer_data", False)]),
        ("USD", [("other_currency", False), ("customer_data", False)]),
    ]
    assert codes(credit) == [("CNY", [("not_above_zero", False), ("customer_data", False)])]
    shown = preview_of(institution, MONTH)
    assert [(row.customer, row.charges) for row in shown.to_draft] == [(good, 1), (poor, 1)] or [
        row.customer for row in shown.to_draft
    ] == [poor, good]
    assert [trouble.code for trouble in shown.troubles] == ["own_data", "no_tax_rate"]
    choose_billing(organisation=institution, by=finance, missing_data="block")
    assert ("customer_data", True) in codes(credit)[0][1]
    assert preview_of(institution, MONTH).troubles[0].blocks


def test_the_preview_asks_as_much_for_many_as_for_few(
    institution: Organisation, django_assert_num_queries: Any, finance: User
) -> None:
    for _ in range(2):
        make_charge(institution=institution)
        make_charge(institution=institution, final=False)
    with django_assert_num_queries(7):
        preview_of(institution, MONTH)
    for _ in range(6):
        make_charge(institution=institution)
    run(institution, finance)
    with django_assert_num_queries(7):
        preview_of(institution, MONTH)


def test_documents_are_left_to_the_run(institution: Organisation, finance: User, customers: list[Organisation]) -> None:
    run(institution, finance)
    started = start_run(institution=institution, period=MONTH, step=RunStep.ISSUE, by=finance)
    running._next_item(started.pk)

    assert InvoicePdf.objects.count() == 0
    work_on_run(run_id=started.pk)
    assert InvoicePdf.objects.count() == len(customers)


@pytest.mark.usefixtures("committed")
def test_a_queue_that_does_not_answer_does_not_undo_what_was_done(
    institution: Organisation, finance: User, customers: list[Organisation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next minute finds the run; the first reader makes a document."""

    def fail(*_args: Any) -> None:
        raise RuntimeError("no queue")

    monkeypatch.setattr(running, "_queue", fail)
    monkeypatch.setattr(papers, "_queue_pdf", fail)
    started = start_run(institution=institution, period=MONTH, step=RunStep.DRAFT, by=finance)
    draft = draft_invoice(institution_id=institution.pk, customer_id=customers[0].pk, period=MONTH, by=finance)

    assert InvoiceRun.objects.get().pk == started.pk
    assert issue_invoice(invoice=draft, by=finance).number == "JS-kx-2026-000001"
