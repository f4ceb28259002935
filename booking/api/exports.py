"""The usage log as tables."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from backend.accounts.auth import access, signed_in
from backend.core.export import Format
from booking import exports
from booking.queries.reports import Wanted, reported_usage
from booking.schemas import ReportFilter

router = Router(auth=signed_in, tags=["usage"])

TABLE: dict[str, Any] = {
    "responses": {
        200: {"content": {"text/csv": {}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}}
    }
}


@router.get("/exports/usage.{form}", summary="The usage log as a table", openapi_extra=TABLE)
def export_usage(request: HttpRequest, form: Format, filters: Query[ReportFilter]) -> exports.Download:
    rows = reported_usage(access(request), _wanted(filters))
    return exports.export_usage(rows, form, _name("usage", filters))


@router.get("/exports/service-records.{form}", summary="Verified uses as the national record", openapi_extra=TABLE)
def export_service_records(request: HttpRequest, form: Format, filters: Query[ReportFilter]) -> exports.Download:
    rows = reported_usage(access(request), _wanted(filters))
    return exports.export_service_records(rows, form, _name("service-records", filters))


def _wanted(filters: ReportFilter) -> Wanted:
    return Wanted(period=filters.period or "", institution=filters.institution, instrument=filters.instrument)


def _name(kind: str, filters: ReportFilter) -> str:
    return "-".join(filter(None, [kind, filters.period]))
