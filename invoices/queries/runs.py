"""How far a monthly run has come; who may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden, NotFound
from invoices.models import InvoiceRun, InvoiceRunItem, ItemState, RunState, RunStep
from invoices.queries.scope import finance_of


@dataclass(frozen=True, slots=True)
class Progress:
    """``documents`` of ``done`` are made; ``problems`` are the items that were refused or have no document."""

    run: InvoiceRun
    items: int
    waiting: int
    done: int
    refused: int
    skipped: int
    documents: int
    problems: Sequence[InvoiceRunItem]

    @property
    def active(self) -> bool:
        return self.run.state == RunState.ACTIVE

    @property
    def makes_documents(self) -> bool:
        return self.run.step == RunStep.ISSUE

    @property
    def percent(self) -> int:
        return 100 * (self.items - self.waiting) // self.items

    @property
    def documents_percent(self) -> int:
        return 100 * self.documents // self.done if self.done else 0


def progress_of(run: InvoiceRun) -> Progress:
    """Two queries."""

    def number(state: str) -> Count:
        return Count("pk", filter=Q(state=state))

    counts = run.items.aggregate(
        items=Count("pk"),
        waiting=number(ItemState.WAITING),
        done=number(ItemState.DONE),
        refused=number(ItemState.REFUSED),
        skipped=number(ItemState.SKIPPED),
        documents=Count("pk", filter=Q(state=ItemState.DONE, invoice__pdf__isnull=False)),
    )
    problems = run.items.exclude(problem="").select_related("customer", "invoice").defer("invoice__snapshot")
    return Progress(run=run, problems=list(problems[:200]), **counts)


def documents_to_make(run_id: int) -> QuerySet[InvoiceRunItem]:
    """What the run has issued and has no PDF yet; those first that were tried least."""
    issued = InvoiceRunItem.objects.filter(run=run_id, run__step=RunStep.ISSUE, run__state=RunState.ACTIVE)
    lacking = issued.filter(state=ItemState.DONE, invoice__isnull=False, invoice__pdf=None, code="")
    return lacking.order_by("attempts", "position")


def runs_of(institution_id: int) -> QuerySet[InvoiceRun]:
    return InvoiceRun.objects.filter(institution=institution_id).select_related("created_by")


def get_run(access: Access, pk: int) -> InvoiceRun:
    """For finance of the institution; `Forbidden` to its others, `NotFound` for everybody else."""
    found = one(InvoiceRun.objects.filter(institution__in=access.where()).select_related("institution"), pk)
    if found.institution_id not in finance_of(access):
        raise Forbidden if access.has(found.institution_id) else NotFound
    return found
