"""Importing a table of instruments: upload, look at what it would do, confirm."""

from __future__ import annotations

from typing import Any, Literal, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.accounts.auth import access, page, person
from backend.core.errors import invalid
from backend.core.export import table_response
from backend.core.text import whole_number
from instruments.actions.import_columns import REQUIRED, TEMPLATE, chinese_name, heading
from instruments.actions.import_rows import Report
from instruments.actions.import_table import LARGEST_FILE
from instruments.actions.importing import fingerprint, preview_import
from instruments.actions.tables import discard_table, import_table, keep_table
from instruments.models import InstrumentTable
from instruments.queries.rights import importable, institution_to_import
from instruments.queries.tables import get_table

MOST_SHOWN = 100


@page
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """For those who may change every instrument of an institution."""
    mine = access(request)
    here = importable(mine)
    institution = institution_to_import(mine, _chosen(request, here))
    if request.method == "POST":
        file = request.FILES.get("file")
        if file is None:
            raise invalid("file", _("Choose a file."), code="required")
        # One byte more than allowed is enough to be refused.
        content = file.read(LARGEST_FILE + 1)
        made = keep_table(institution=institution, by=person(request), name=file.name or "", content=content)
        return redirect("instruments:import_table", made.pk)
    columns = [(name, chinese_name(name), name in REQUIRED) for name in TEMPLATE]
    institutions = [mine.organisations[pk] for pk in here]
    context = {"institution": institution, "institutions": institutions, "columns": columns}
    return render(request, "instruments/import.html", context)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """What the table would do. Confirming imports exactly that; if the catalogue moved on, it is shown anew."""
    table = get_table(access(request), pk)
    if request.POST.get("do") == "cancel":
        discard_table(table=table)
        return redirect("instruments:import")
    if request.method == "POST":
        name = table.name
        report, done = import_table(table=table, by=person(request), seen=request.POST.get("seen", ""))
        if done:
            messages.success(request, _summary(name, report))
            return redirect("instruments:manage")
        return render(request, "instruments/import_preview.html", _told(table, report, moved=True), status=412)
    report = preview_import(institution=table.institution, content=bytes(table.content))
    return render(request, "instruments/import_preview.html", _told(table, report))


@page
@require_safe
def problems(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Everything that is wrong, as a table to work through."""
    table = get_table(access(request), pk)
    report = preview_import(institution=table.institution, content=bytes(table.content))
    header = [_("Line"), _("Column"), _("Reason")]
    language = get_language() or ""
    rows = ([p.params["line"], heading(p.params["column"], language), p.params["reason"]] for p in report.problems)
    return table_response("csv", "import-problems", header, rows)


@page
@require_safe
def template(request: HttpRequest, form: str) -> HttpResponseBase:
    """An empty table with every column, in Chinese for readers of Chinese."""
    mine = access(request)
    institution_to_import(mine, _chosen(request, importable(mine)))
    if form not in ("csv", "xlsx"):
        raise Http404
    header = [heading(name, get_language() or "") for name in TEMPLATE]
    return table_response(cast(Literal["csv", "xlsx"], form), "instruments", header, [])


def _chosen(request: HttpRequest, here: list[int]) -> int | None:
    text = request.POST.get("institution") or request.GET.get("institution") or ""
    named = whole_number(text)
    return named if named is not None or not here else here[0]


def _told(table: InstrumentTable, report: Report, *, moved: bool = False) -> dict[str, Any]:
    added, changes = report.sound(report.added), report.sound(report.changes)
    language = get_language() or ""
    return {
        "table": table,
        "moved": moved,
        "seen": fingerprint(report),
        "figures": [
            {"label": _("New"), "value": len(added)},
            {"label": _("Changed"), "value": len(changes)},
            {"label": _("Unchanged"), "value": len(report.unchanged)},
            {"label": _("Wrong"), "value": len(report.wrong_lines), "tone": "bad" if report.problems else ""},
        ],
        "problems": [
            (p.params["line"], heading(p.params["column"], language), p.params["reason"])
            for p in report.problems[:MOST_SHOWN]
        ],
        "more_problems": max(0, len(report.problems) - MOST_SHOWN),
        "added": added[:MOST_SHOWN],
        "more_added": max(0, len(added) - MOST_SHOWN),
        "changes": [
            (row, [(heading(column, language), old, new) for column, old, new in row.fields])
            for row in changes[:MOST_SHOWN]
        ],
        "more_changes": max(0, len(changes) - MOST_SHOWN),
        "notes": report.notes[:MOST_SHOWN],
        "writes": len(report.created) + len(report.updated),
        "sound": not report.problems and bool(report.created or report.updated),
    }


def _summary(name: str, report: Report) -> str:
    created = ngettext("%(count)s instrument added", "%(count)s instruments added", len(report.created))
    updated = ngettext("%(count)s changed", "%(count)s changed", len(report.updated))
    return _("%(file)s is imported: %(created)s, %(updated)s.") % {
        "file": name,
        "created": created % {"count": len(report.created)},
        "updated": updated % {"count": len(report.updated)},
    }
