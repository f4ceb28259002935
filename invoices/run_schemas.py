"""Shapes of the API of monthly runs, billing settings and figures."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, PLAIN, In
from backend.core.money import format_amount
from invoices.models import ItemState, MissingData, RunState, RunStep
from invoices.queries.figures import Figure, Figures, Wanted
from invoices.queries.preview import Preview, PreviewRow, Trouble
from invoices.queries.runs import Progress
from invoices.schemas import Id, Period

Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class MonthFilter(Schema):
    period: Period
    institution: Id | None = None


class TroubleOut(Schema):
    code: str
    text: str
    blocks: bool = Field(description="Nothing is issued until it is mended")


class PreviewRowOut(Schema):
    customer: int
    name: str
    currency: str
    charges: int
    total: str
    first: date | None
    last: date | None
    draft: int | None
    can_be_drafted: bool
    troubles: list[TroubleOut]


class PreviewOut(Schema):
    institution: int
    period: str
    totals: dict[str, str]
    troubles: list[TroubleOut]
    rows: list[PreviewRowOut]


def _trouble_out(trouble: Trouble) -> dict[str, Any]:
    return {"code": trouble.code, "text": trouble.text, "blocks": trouble.blocks}


def _row_out(row: PreviewRow) -> dict[str, Any]:
    return {
        "customer": row.customer.pk,
        "name": row.customer.name,
        "currency": row.currency,
        "charges": row.charges,
        "total": format_amount(row.total),
        "first": row.first,
        "last": row.last,
        "draft": row.draft_id,
        "can_be_drafted": row.can_be_drafted,
        "troubles": [_trouble_out(trouble) for trouble in row.troubles],
    }


def preview_out(preview: Preview) -> dict[str, Any]:
    return {
        "institution": preview.institution.pk,
        "period": preview.period,
        "totals": {currency: format_amount(total) for currency, total in preview.totals().items()},
        "troubles": [_trouble_out(trouble) for trouble in preview.troubles],
        "rows": [_row_out(row) for row in preview.rows],
    }


class RunIn(In):
    institution: Id
    period: Period
    step: RunStep
    only: list[Id] | None = Field(
        None, max_length=5000, description="Customers to make drafts for, or drafts to issue; all if absent"
    )


class ProblemOut(Schema):
    customer: int
    invoice: int | None
    state: ItemState
    code: str
    text: str


class RunOut(Schema):
    id: int
    institution: int
    period: str
    step: RunStep
    state: RunState
    items: int
    waiting: int
    done: int
    refused: int
    skipped: int
    documents: int = Field(description="How many PDFs of what was issued are made")
    problems: list[ProblemOut]


def run_out(progress: Progress) -> dict[str, Any]:
    run = progress.run
    counts = ("items", "waiting", "done", "refused", "skipped", "documents")
    return {
        "id": run.pk,
        "institution": run.institution_id,
        "period": run.period,
        "step": run.step,
        "state": run.state,
        **{name: getattr(progress, name) for name in counts},
        "problems": [
            {
                "customer": item.customer_id,
                "invoice": item.invoice_id,
                "state": item.state,
                "code": item.code,
                "text": item.problem,
            }
            for item in progress.problems
        ],
    }


class Words(In):
    """What stands on the document beside its amounts; empty where nothing is to stand."""

    period: Annotated[str, LINE] = Field("", max_length=60, description="Printed instead of the month")
    order_number: Annotated[str, LINE] = Field("", max_length=60)
    contact: Annotated[str, LINE] = Field("", max_length=120)
    remark: Annotated[str, PLAIN] = Field("", max_length=500)


class AskIn(In):
    institution: Id
    customer: Id


class BillingIn(In):
    missing_data: MissingData | None = None
    attach_pdf: bool | None = None


class BillingOut(Schema):
    missing_data: MissingData
    attach_pdf: bool
    logo_sha256: str | None


class Breakdown(StrEnum):
    MONTH = "month"
    INSTRUMENT = "instrument"
    CUSTOMER = "customer"
    AGE = "age"


class FiguresFilter(Schema):
    institution: Id | None = None
    first: Period | None = Field(None, description="First month")
    last: Period | None = Field(None, description="Last month")
    customer: Id | None = None
    currency: Currency | None = None

    def wanted(self) -> Wanted:
        return Wanted(self.first or "", self.last or "", self.customer, self.currency or "")


class FiguresTable(FiguresFilter):
    by: Breakdown = Breakdown.MONTH


class FigureOut(Schema):
    key: str
    label: str
    number: int
    invoiced: str
    paid: str | None
    open: str | None


class FiguresOut(Schema):
    institution: int
    first: str
    last: str
    currency: str
    months: list[FigureOut]
    instruments: list[FigureOut]
    customers: list[FigureOut]
    ages: list[FigureOut]


def _figure_out(figure: Figure) -> dict[str, Any]:
    return {
        "key": figure.key,
        "label": figure.label,
        "number": figure.number,
        "invoiced": format_amount(figure.invoiced),
        "paid": None if figure.paid is None else format_amount(figure.paid),
        "open": None if figure.open is None else format_amount(figure.open),
    }


def figures_out(figures: Figures) -> dict[str, Any]:
    return {
        "institution": figures.institution.pk,
        "first": figures.first,
        "last": figures.last,
        "currency": figures.currency,
        **{
            name: [_figure_out(figure) for figure in rows]
            for name, rows in (
                ("months", figures.months),
                ("instruments", figures.instruments),
                ("customers", figures.customers),
                ("ages", figures.ages),
            )
        },
    }
