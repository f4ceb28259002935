"""The workbook for making tax invoices (数电票) in a batch on the tax authority's platform.

All cells are text; the second row says what each column takes, the header stands on row 3, data from row 4. Nothing
is exported while anything is missing or too long: `Plan.problems` names invoice and field.
"""

from __future__ import annotations

import io
import re
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from backend.core.errors import Refused, refuse
from backend.core.export import XLSX_TYPE, Format, attachment
from invoices.actions.batches import refusal_of
from invoices.fapiao.layout import Layout
from invoices.fapiao.papers import cell_of
from invoices.models import FapiaoBatch
from invoices.queries.fapiao import Plan, Rows, layout_of, rows_of

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


def plan_response(plan: Plan, form: Format, name: str) -> HttpResponse:
    """What would be in the next batch; `Refused` with all that is to be mended, for CSV, or if there is nothing."""
    _refuse_csv(form)
    if not plan.papers:
        raise refuse("nothing_to_export", _("Every issued invoice has its fapiao number already."))
    if plan.problems:
        raise Refused(*(refusal_of(problem) for problem in plan.problems))
    return _response(plan.layout, rows_of(plan.papers), name)


def batch_response(batch: FapiaoBatch, form: Format = "xlsx") -> HttpResponse:
    """The file of a batch, as it was made."""
    _refuse_csv(form)
    return _response(layout_of(batch), batch.content, f"fapiao-batch-{batch.number}")


def _refuse_csv(form: Format) -> None:
    if form != "xlsx":
        raise refuse("xlsx_only", _("The batch template has several sheets; it exists as XLSX only."))


def _response(layout: Layout, rows: Rows, name: str) -> HttpResponse:
    response = HttpResponse(workbook(layout, rows), content_type=XLSX_TYPE)
    response["Content-Disposition"] = attachment(f"{name}.xlsx")
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def workbook(layout: Layout, rows: Rows) -> bytes:
    book = Workbook(write_only=True)
    for sheet in layout["sheets"]:
        page = book.create_sheet(sheet["name"])
        page.freeze_panes = "B4"
        columns = sheet["columns"]
        for index, column in enumerate(columns, 1):
            page.column_dimensions[get_column_letter(index)].width = max(12, min(40, 2 * len(column["title"]) + 2))
        page.append([_text(page, layout["title"])])
        page.append([_text(page, column.get("rule", "")) for column in columns])
        head = [_text(page, column["title"]) for column in columns]
        for cell in head:
            cell.font = Font(bold=True)
        page.append(head)
        for row in rows.get(sheet["rows"], []):
            page.append([_text(page, cell_of(column, row)) for column in columns])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _text(page: Any, value: str) -> Any:
    """A cell that stays text, whatever it looks like; ``Any``: openpyxl's types know no such page."""
    cell = WriteOnlyCell(page, value=_CONTROLS.sub("", value))
    cell.data_type, cell.number_format = "s", "@"
    return cell
