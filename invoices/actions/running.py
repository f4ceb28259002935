"""Monthly runs: drafting or issuing for many customers, by the worker, item by item.

An item and its invoice are one transaction, so a run that is killed anywhere goes on where it was, without a number
left out, a charge twice or one forgotten. Locks: institution or run item first, then those of drafting and issuing.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection

from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Busy, YixiangError, invalid, refuse
from backend.core.pdf import PdfUnavailable
from backend.outbox.actions import post
from invoices import rules
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Invoice, InvoiceRun, InvoiceRunItem, InvoiceStatus, ItemState, RunState, RunStep
from invoices.queries.desk import to_draft
from invoices.queries.runs import documents_to_make

log = logging.getLogger(__name__)

# How often an item may end with its worker before it is set aside.
MAX_ATTEMPTS = 5
# What one task of the worker takes: well below the queue's limit, so that others get their turn.
SLICE_SECONDS = 30
# Longer than a slice and its last document; then its worker is taken for dead.
LEASE_SECONDS = 120

# What is to happen before a month is billed, told (institution, period): later rooms add theirs here.
before_drafting: list[Callable[[Organisation, str], object]] = []


def close_month(institution: Organisation, period: str) -> None:
    """Charge what is only known at the end of a period; may be called again."""
    for close in before_drafting:
        close(institution, period)


def start_run(
    *, institution: Organisation, period: str, step: str, by: User, only: Collection[int] | None = None
) -> InvoiceRun:
    """Begin to draft for all customers who owe something, or to issue the drafts; ``only`` names some of them.

    ``only`` holds ids of customers where drafts are made, of drafts where they are issued. The same run asked for
    again while it is under way is that run; `Refused` while another is, and if there is nothing to do.
    """
    if not rules.is_period(period):
        raise invalid("period", _("Give the month as YYYY-MM, for example 2026-03."))
    if step == RunStep.DRAFT:
        close_month(institution, period)
    return _start(institution, period, step, by, only)


@atomic_action
def _start(institution: Organisation, period: str, step: str, by: User, only: Collection[int] | None) -> InvoiceRun:
    Organisation.objects.select_for_update(no_key=True).get(pk=institution.pk)
    active = InvoiceRun.objects.filter(institution=institution, state=RunState.ACTIVE).first()
    if active is not None:
        if (active.period, active.step) == (period, step):
            return active
        text = _("Another run is under way for %(period)s. Wait until it is done, or stop it.")
        raise refuse("run_under_way", text % {"period": active.period}, params={"run": active.pk})
    items = _items_to_draft(institution, period) if step == RunStep.DRAFT else _items_to_issue(institution, period)
    if only is not None:
        chosen = set(only)
        items = [item for item in items if (item.invoice_id if step == RunStep.ISSUE else item.customer_id) in chosen]
    if not items:
        raise refuse("nothing_to_run", _("There is nothing to do for this month."))
    run = InvoiceRun.objects.create(institution=institution, period=period, step=step, created_by=by)
    for position, item in enumerate(items, 1):
        item.run, item.position = run, position
    InvoiceRunItem.objects.bulk_create(items)
    _record(run, "invoice_run.started", by.pk, {"step": step, "items": len(items)})
    queue_run(run)
    return run


def _items_to_draft(institution: Organisation, period: str) -> list[InvoiceRunItem]:
    rows = to_draft(institution.pk, period)
    return [InvoiceRunItem(customer_id=row.customer_id, currency=row.currency) for row in rows]


def _items_to_issue(institution: Organisation, period: str) -> list[InvoiceRunItem]:
    drafts = Invoice.objects.filter(institution=institution, period=period, status=InvoiceStatus.DRAFT)
    rows = drafts.order_by("customer__name", "pk").values_list("pk", "customer_id", "currency")
    return [InvoiceRunItem(invoice_id=pk, customer_id=customer, currency=currency) for pk, customer, currency in rows]


@atomic_action
def cancel_run(*, run: InvoiceRun, by: User) -> InvoiceRun:
    """What is done stays; what waits is left out. Nothing happens to a run that has ended."""
    stopped = InvoiceRun.objects.filter(pk=run.pk, state=RunState.ACTIVE)
    if stopped.update(state=RunState.CANCELLED, ended_at=timezone.now()):
        left = run.items.filter(state=ItemState.WAITING).update(state=ItemState.SKIPPED)
        _record(run, "invoice_run.stopped", by.pk, {"left_out": left})
    run.refresh_from_db()
    return run


def queue_run(run: InvoiceRun) -> None:
    """Ask the worker after commit; if the task is lost, the next minutes go on."""
    # No `partial`: Django wants to name what failed, and would fail itself.
    transaction.on_commit(lambda: _queue(run.pk, uuid.uuid4().hex), robust=True)


def _queue(run_id: int, chain: str) -> None:
    from django_q.tasks import async_task  # reads the settings' queue when imported

    cache.set(_lease(run_id), chain, LEASE_SECONDS)
    async_task("invoices.tasks.work_on_run", run_id, chain, task_name=f"invoice-run-{run_id}")


def _lease(run_id: int) -> str:
    return f"invoice-run-{run_id}"


def continue_runs() -> int:
    """Once a minute: runs that nobody has worked on for a while, because their worker was killed."""
    active = InvoiceRun.objects.filter(state=RunState.ACTIVE).values_list("pk", flat=True)
    left = [pk for pk in active if cache.get(_lease(pk)) is None]
    for pk in left:
        _queue(pk, uuid.uuid4().hex)
    return len(left)


def work_and_go_on(*, run_id: int, chain: str) -> int:
    """One slice; the worker is asked for the next, so that others get their turn between.

    One ``chain`` of slices works on a run at a time: a second would only wait for the locks of the first.
    """
    if cache.get(_lease(run_id)) not in (None, chain):
        return 0
    cache.set(_lease(run_id), chain, LEASE_SECONDS)
    done = work_on_run(run_id=run_id)
    if InvoiceRun.objects.filter(pk=run_id, state=RunState.ACTIVE).exists():
        _queue(run_id, chain)
    return done


def work_on_run(*, run_id: int, seconds: float = SLICE_SECONDS) -> int:
    """Do items, then documents, until nothing is left or the time is over; how many."""
    until = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until:
        step = _next_item(run_id) or _next_document(run_id)
        if not step:
            end_run(run_id=run_id)
            break
        done += 1
    return done


def _next_item(run_id: int) -> bool:
    """False when none waits that nobody else is doing."""
    waiting = InvoiceRunItem.objects.filter(run=run_id, run__state=RunState.ACTIVE, state=ItemState.WAITING)
    pk = waiting.order_by("attempts", "position").values_list("pk", flat=True).first()
    if pk is None:
        return False
    attempts = _count_attempt(item_id=pk)
    try:
        if attempts > MAX_ATTEMPTS:
            _set_aside(item_id=pk, code="interrupted", problem=_("The server was interrupted here several times."))
        elif attempts:
            _do_item(item_id=pk)
    except Exception as error:
        if attempts < MAX_ATTEMPTS and isinstance(error, Busy):
            return True  # it waits for its next turn, after the others
        log.exception("item %s of run %s failed", pk, run_id)
        _set_aside(item_id=pk, code="failed", problem=_("This failed for a reason that the operator finds in the log."))
    return True


@atomic_action
def _count_attempt(*, item_id: int) -> int:
    """0 if it does not wait any more. Committed before it begins, so that one that kills its worker is noticed."""
    waiting = InvoiceRunItem.objects.filter(pk=item_id, state=ItemState.WAITING)
    if not waiting.update(attempts=F("attempts") + 1):
        return 0
    return InvoiceRunItem.objects.values_list("attempts", flat=True).get(pk=item_id)


@atomic_action
def _do_item(*, item_id: int) -> None:
    """The item and what it is about, together or not at all. Who comes second finds it done."""
    locked = InvoiceRunItem.objects.select_for_update(of=("self",), no_key=True).select_related("run__created_by")
    item = locked.filter(pk=item_id, state=ItemState.WAITING).first()
    if item is None:
        return
    try:
        with transaction.atomic():  # a refusal undoes what was begun
            item.invoice = _draft(item) if item.run.step == RunStep.DRAFT else _issue(item)
        item.state = ItemState.DONE
    except Busy:
        raise
    except YixiangError as error:
        reason = error.refusals[0] if error.refusals else None
        item.state, item.code = ItemState.REFUSED, reason.code if reason else error.code
        item.problem = str(error.detail or error.title)
    item.save(update_fields=["invoice", "state", "code", "problem"])


def _draft(item: InvoiceRunItem) -> Invoice:
    return draft_invoice(
        institution_id=item.run.institution_id,
        customer_id=item.customer_id,
        period=item.run.period,
        currency=item.currency,
        by=item.run.created_by,
    )


def _issue(item: InvoiceRunItem) -> Invoice:
    draft = item.invoice
    if draft is None:
        raise refuse("draft_deleted", _("The draft was deleted meanwhile."))
    # Its document is made by the run itself, with the others.
    return issue_invoice(invoice=draft, by=item.run.created_by, with_document=False)


@atomic_action
def _set_aside(*, item_id: int, code: str, problem: str) -> None:
    rows = InvoiceRunItem.objects.filter(pk=item_id, state=ItemState.WAITING)
    rows.update(state=ItemState.REFUSED, code=code, problem=problem)


def _next_document(run_id: int) -> bool:
    """The next PDF of what was issued. One that cannot be made is named and does not stop the others."""
    item = documents_to_make(run_id).select_related("invoice").first()
    if item is None or item.invoice is None:
        return False
    InvoiceRunItem.objects.filter(pk=item.pk).update(attempts=F("attempts") + 1)
    try:
        ensure_pdf(invoice=item.invoice)
    except Exception as error:
        if item.attempts < 2 * MAX_ATTEMPTS and isinstance(error, PdfUnavailable | Busy):
            return True
        log.exception("the document of invoice %s failed", item.invoice_id)
        problem = _("The document could not be made; it is tried again when somebody opens it.")
        InvoiceRunItem.objects.filter(pk=item.pk).update(code="pdf_unavailable", problem=problem)
    return True


@atomic_action
def end_run(*, run_id: int) -> None:
    """Once nothing waits any more; tells those who keep the ledger."""
    run = InvoiceRun.objects.select_for_update(of=("self",), no_key=True).select_related("institution").get(pk=run_id)
    if run.state != RunState.ACTIVE or run.items.filter(state=ItemState.WAITING).exists():
        return
    run.state, run.ended_at = RunState.DONE, timezone.now()
    run.save(update_fields=["state", "ended_at"])
    refused = run.items.filter(state=ItemState.REFUSED).count()
    done = run.items.filter(state=ItemState.DONE).count()
    post(
        key=f"invoice-run-{run.uid}",
        kind="invoice_run_done",
        recipients={run.created_by_id} & set(people_with(run.institution_id, (Role.FINANCE,))),
        context={"period": run.period, "step": run.step, "done": done, "refused": refused},
        path=f"/finance/runs/{run.pk}/",
    )
    _record(run, "invoice_run.done", None, {"done": done, "refused": refused})


def _record(run: InvoiceRun, action: str, by: int | None, after: dict[str, object]) -> None:
    record(
        organisation_id=run.institution_id,
        actor_id=by,
        action=action,
        object_type="invoice_run",
        object_id=run.uid,
        after={"period": run.period, **after},
    )
