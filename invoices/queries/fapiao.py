"""What the next batch for the tax platform would hold, and the batches that were made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from backend.accounts.models import Organisation
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.money import add_up
from invoices import rules
from invoices.fapiao.filling import read_filling
from invoices.fapiao.layout import Filling, Layout, layout_for, layout_named
from invoices.fapiao.papers import Paper, Problem, paper_of
from invoices.models import (
    BookKind,
    BookSetting,
    FapiaoBatch,
    FapiaoPart,
    Invoice,
    InvoiceKind,
    InvoiceQuerySet,
    InvoiceStatus,
)
from invoices.queries.scope import finance_of

CURRENCY = "CNY"
Rows = dict[str, list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What could be exported today. ``earlier``: the newest standing batch of each invoice that is in one."""

    institution: Organisation
    layout: Layout
    filling: Filling
    papers: list[Paper]
    earlier: dict[int, FapiaoBatch]

    @property
    def invoices(self) -> list[Invoice]:
        return [paper.invoice for paper in self.papers]

    @property
    def problems(self) -> list[Problem]:
        return [problem for paper in self.papers for problem in paper.problems]

    @property
    def ready(self) -> list[Paper]:
        return [paper for paper in self.papers if not paper.problems]

    @property
    def total(self) -> Decimal:
        return add_up(paper.invoice.total for paper in self.papers)


def wanting(institution: Organisation) -> InvoiceQuerySet:
    """Issued invoices in yuan that have no fapiao number and were not credited."""
    return Invoice.objects.filter(
        institution=institution,
        kind=InvoiceKind.INVOICE,
        status=InvoiceStatus.ISSUED,
        currency=CURRENCY,
        fapiao_number="",
    )


def plan_of(
    institution: Organisation,
    day: date,
    period: str = "",
    only: Collection[int] | None = None,
) -> Plan:
    """Four queries. ``only`` these invoices; those that want no tax invoice are left out."""
    rows = wanting(institution)
    rows = rows.filter(period=period) if period else rows
    rows = rows if only is None else rows.filter(pk__in=only)
    layout, filling = layout_for(day), filling_of(institution.pk)
    invoices = list(rows.select_related("customer").order_by("year", "sequence"))
    papers = [paper_of(invoice, layout, filling) for invoice in invoices]
    return Plan(institution, layout, filling, papers, earlier_batches(invoices))


def without_earlier(plan: Plan) -> Plan:
    """Only what stands in no batch yet."""
    return replace(plan, papers=[paper for paper in plan.papers if paper.invoice.pk not in plan.earlier])


def today_of(institution: Organisation) -> date:
    return rules.day_at(institution, timezone.now())


def earlier_batches(invoices: Iterable[Invoice]) -> dict[int, FapiaoBatch]:
    """By invoice: the newest batch that holds it and was not discarded."""
    parts = FapiaoPart.objects.filter(invoice__in=[invoice.pk for invoice in invoices], batch__discarded_at=None)
    rows = parts.select_related("batch__made_by").defer("batch__content").order_by("batch__number")
    return {part.invoice_id: part.batch for part in rows}


def filling_of(institution_id: int) -> Filling:
    """What was saved, read again; the usual one where nothing was."""
    setting = setting_of(institution_id, BookKind.FAPIAO)
    return read_filling(setting.content) if setting else Filling()


def setting_of(institution_id: int, kind: BookKind) -> BookSetting | None:
    return BookSetting.objects.filter(institution=institution_id, kind=kind).select_related("changed_by").first()


def rows_of(papers: Iterable[Paper]) -> Rows:
    """By the name that the layout's sheets give to their rows."""
    parts = [part for paper in papers for part in paper.parts]
    return {"invoices": [part.head for part in parts], "lines": [row for part in parts for row in part.lines]}


# --- batches -------------------------------------------------------------------------------------------------------


def batches_of(institution: Organisation) -> list[FapiaoBatch]:
    """The newest first, with how many numbers have come back."""
    rows = FapiaoBatch.objects.filter(institution=institution).defer("content")
    noted = Count("parts", filter=~Q(parts__number=""))
    return list(rows.annotate(noted=noted).select_related("made_by", "discarded_by").order_by("-number")[:200])


def get_batch(access: Access, pk: int) -> FapiaoBatch:
    """`NotFound` outside the ledgers that the caller keeps."""
    rows = FapiaoBatch.objects.filter(institution__in=finance_of(access))
    return one(rows.select_related("institution", "made_by", "discarded_by"), pk)


def layout_of(batch: FapiaoBatch) -> Layout:
    return layout_named(batch.layout)


def parts_of(batch: FapiaoBatch) -> list[FapiaoPart]:
    return list(batch.parts.select_related("invoice__customer").defer("invoice__snapshot").order_by("pk"))


def numbers_of(invoice: Invoice) -> list[FapiaoPart]:
    """The parts of an invoice in its newest standing batch: several where it is above the platform's limits."""
    parts = invoice.fapiao_parts.filter(batch__discarded_at=None).select_related("batch").defer("batch__content")
    newest: Sequence[Any] = list(parts.order_by("-batch__number", "part"))
    return [part for part in newest if part.batch_id == newest[0].batch_id]


def red_wanted(institution: Organisation) -> list[Invoice]:
    """Credit notes of invoices that have a fapiao: their red-letter fapiao (红字) is still to be noted."""
    notes = Invoice.objects.filter(institution=institution, kind=InvoiceKind.CREDIT_NOTE, fapiao_number="")
    notes = notes.exclude(credits__fapiao_number="").select_related("credits", "customer")
    return list(notes.defer("snapshot", "credits__snapshot").order_by("year", "sequence"))
