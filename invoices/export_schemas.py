"""Shapes of the API of what leaves for other programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, Document, In
from backend.core.money import format_amount
from invoices.actions.batches import Result
from invoices.models import BookSetting, ChargeState, FapiaoBatch, FapiaoPart, JournalExport
from invoices.schemas import Id, LedgerFilter, Period


class ChargeExportFilter(LedgerFilter):
    period: Period | None = None
    status: ChargeState | None = None


class JournalFilter(LedgerFilter):
    period: Period


class BatchExportFilter(LedgerFilter):
    """Without ``again`` what stands in an earlier batch is left out."""

    period: Period | None = None
    again: bool = False


class BatchIn(In):
    """``invoices``: those to export; without them all that need a fapiao, of ``period`` or of all months."""

    institution: Id | None = None
    invoices: list[Id] | None = Field(None, max_length=2000)
    period: Period | None = None
    again: bool = False


class FapiaoPartOut(Schema):
    invoice: str
    serial: str
    total: str
    fapiao_number: str


class BatchOut(Schema):
    id: int
    number: int
    layout: str
    size: int
    total: str
    made_at: datetime
    made_by: str
    discarded: bool


class BatchDetail(BatchOut):
    parts: list[FapiaoPartOut]


class BatchList(Schema):
    items: list[BatchOut]
    count: int


class FapiaoNumberIn(In):
    serial: Annotated[str, Field(min_length=1, max_length=40), LINE]
    number: Annotated[str, Field(min_length=1, max_length=60), LINE]


class FapiaoNumbersIn(In):
    """With ``dry_run`` nothing is written."""

    institution: Id | None = None
    rows: list[FapiaoNumberIn] = Field(min_length=1, max_length=5000)
    dry_run: bool = False


class FapiaoNumberOut(Schema):
    line: int
    serial: str
    number: str
    invoice: str | None
    problem: str
    written: bool


class ResultsOut(Schema):
    written: int
    unchanged: int
    problems: int
    rows: list[FapiaoNumberOut]


class JournalIn(In):
    institution: Id | None = None
    period: Period
    again: bool = False


class JournalOut(Schema):
    id: int
    period: str
    vouchers: int
    debit: str
    sha256: str
    exported_at: datetime


class SettingIn(In):
    """``version`` is the one that was read; 0 if nothing was saved yet."""

    institution: Id | None = None
    content: Document
    version: int | None = Field(None, ge=0, le=2**31 - 1)


class SettingOut(Schema):
    content: dict[str, Any]
    version: int


def batch_out(batch: FapiaoBatch) -> dict[str, Any]:
    return {
        "id": batch.pk,
        "number": batch.number,
        "layout": batch.layout,
        "size": batch.size,
        "total": format_amount(batch.total),
        "made_at": batch.made_at,
        "made_by": batch.made_by.name,
        "discarded": batch.discarded_at is not None,
    }


def part_out(part: FapiaoPart) -> dict[str, Any]:
    return {
        "invoice": part.invoice.number,
        "serial": part.serial,
        "total": format_amount(part.total),
        "fapiao_number": part.number,
    }


def results_out(results: list[Result], *, written: bool) -> dict[str, Any]:
    return {
        "written": sum(not result.problem and not result.same for result in results) if written else 0,
        "unchanged": sum(result.same for result in results),
        "problems": sum(bool(result.problem) for result in results),
        "rows": [
            {
                "line": result.pair.line,
                "serial": result.pair.serial,
                "number": result.number or result.pair.number,
                "invoice": result.invoice.number if result.invoice else None,
                "problem": result.problem,
                "written": written and not result.problem and not result.same,
            }
            for result in results
        ],
    }


def journal_out(made: JournalExport) -> dict[str, Any]:
    return {
        "id": made.pk,
        "period": made.period,
        "vouchers": made.vouchers,
        "debit": format_amount(made.debit),
        "sha256": made.sha256,
        "exported_at": made.exported_at,
    }


def setting_out(setting: BookSetting | None) -> dict[str, Any]:
    return {"content": setting.content if setting else {}, "version": setting.version if setting else 0}
