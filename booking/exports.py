"""The usage log as tables: for people, and the service records that are reported every quarter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import FileResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.core.export import Cell, Format, table_response
from backend.core.money import round_half_up
from backend.core.periods import Period, hours
from booking.models import HoursAllowed, Usage, UsageState, Violation
from booking.queries.owed import Owed, first_uids, owed_for
from booking.queries.qualified import standing
from booking.queries.reports import agreements_of, with_parties
from booking.rules import reporting
from booking.rules.violation_names import violation_label
from instruments.models import Mode

CHUNK = 500

Download = StreamingHttpResponse | FileResponse


def export_usage(rows: QuerySet[Usage], form: Format, name: str = "usage") -> Download:
    """One row for each use; money is what is owed in the end, empty before the record is verified."""
    header = [
        _("Record"),
        _("Status"),
        _("Institution"),
        _("Number of the instrument"),
        _("Instrument"),
        _("Booking"),
        _("Mode"),
        _("Customer"),
        _("Person"),
        _("Project"),
        _("Booked from"),
        _("Booked to"),
        _("Used from"),
        _("Used to"),
        _("Hours"),
        _("Samples"),
        _("Quoted"),
        _("Charge"),
        _("Currency"),
        _("Differences"),
        _("Comment"),
        _("Verified by"),
        _("Verified at"),
        _("Reason of the correction"),
    ]
    return table_response(form, name, header, _usage_rows(rows))


def _usage_rows(rows: QuerySet[Usage]) -> Iterator[list[Cell]]:
    for chunk in _chunks(rows):
        owed = owed_for(chunk)
        for usage in chunk:
            yield [*_about(usage), *_money(owed.get(usage.pk), usage), *_verified(usage)]


def _about(usage: Usage) -> list[Cell]:
    booking, zone = usage.booking, usage.instrument.zone
    return [
        str(usage.uid),
        str(UsageState(usage.state).label),
        usage.instrument.institution.name,
        usage.instrument.local_no,
        usage.instrument.name,
        booking.pk if booking else None,
        str(Mode(_mode(usage)).label),
        usage.organisation.name,
        usage.user.name,
        booking.project.code if booking and booking.project else "",
        _wall(booking.start, zone) if booking else "",
        _wall(booking.end, zone) if booking else "",
        _wall(usage.start, zone),
        _wall(usage.end, zone),
        round_half_up(_exact_hours(usage)),
        usage.samples,
    ]


def _money(owed: Owed | None, usage: Usage) -> list[Cell]:
    if owed is None:
        return [None, None, "", ""]
    final = usage.state == UsageState.VERIFIED and owed.is_final
    return [owed.quoted, owed.total if final else None, owed.currency, " ".join(owed.differences if final else [])]


def _verified(usage: Usage) -> list[Cell]:
    return [
        usage.comment,
        usage.verified_by.name if usage.verified_by else "",
        usage.verified_at,
        usage.reason,
    ]


def export_service_records(rows: QuerySet[Usage], form: Format, name: str = "service-records") -> Download:
    """The verified uses by the names of the national interface; what is not kept here stays empty."""
    verified = rows.filter(state=UsageState.VERIFIED)
    return table_response(form, name, reporting.SERVICE_RECORD, _service_rows(verified))


def _service_rows(rows: QuerySet[Usage]) -> Iterator[list[Cell]]:
    for chunk in _chunks(rows):
        owed, first, agreed = owed_for(chunk), first_uids(chunk), agreements_of(chunk)
        for usage in chunk:
            known: dict[str, Cell] = {
                # A correction replaces what was reported: it keeps the number of the first record.
                "recordInnerId": str(first[usage.pk]),
                "innerId": usage.instrument.local_no,
                "amounts": owed[usage.pk].total if usage.pk in owed else None,
                **_service(usage),
                "applicant": usage.user.name,
                "phone": usage.user.phone,
                "email": usage.user.email,
                "unit": usage.organisation.name,
                "signAgreement": reporting.YES if usage.pk in agreed else reporting.NO,
            }
            yield [known.get(name, "") for name in reporting.SERVICE_RECORD]


def _service(usage: Usage) -> dict[str, Cell]:
    mode, zone = _mode(usage), usage.instrument.zone
    internal = usage.organisation_id == usage.instrument.institution_id
    return {
        "serviceAmount": usage.samples if mode == Mode.SAMPLE else round_half_up(_exact_hours(usage), 1),
        "serviceTime": _wall(usage.start, zone),
        "endTime": _wall(usage.end, zone),
        "serviceContent": usage.booking.purpose if usage.booking else usage.comment,
        "serviceWay": reporting.WAYS.get(Mode(mode), reporting.OTHER_WAY),
        "serviceType": reporting.INTERNAL if internal else reporting.EXTERNAL,
    }


def export_violations(rows: QuerySet[Violation], form: Format, name: str = "violations") -> Download:
    """One row for each entry, as the list shows them; times by the clock of the instrument."""
    header = [
        _("Number"),
        _("Time"),
        _("Entry"),
        _("Code"),
        _("Person"),
        _("Organisation"),
        _("Institution"),
        _("Instrument"),
        _("Booking"),
        _("Recorded by"),
        _("Reason"),
        _("Struck out at"),
        _("Appeal"),
        _("What they say"),
        _("Answer"),
    ]
    return table_response(form, name, header, _violation_rows(rows))


def _violation_rows(rows: QuerySet[Violation]) -> Iterator[list[Cell]]:
    for row in rows.iterator(chunk_size=CHUNK):
        appeal = getattr(row, "appeal", None)
        zone = row.instrument.zone if row.instrument else timezone.get_default_timezone()
        yield [
            row.pk,
            f"{row.at.astimezone(zone):%Y-%m-%d %H:%M}",
            violation_label(row.name),
            row.name,
            row.person.name if row.person else "",
            row.organisation.name if row.organisation else "",
            row.institution.name if row.institution else "",
            row.instrument.name if row.instrument else "",
            row.booking_id,
            row.recorded_by.name if row.recorded_by else "",
            row.reason,
            row.struck_out_at,
            appeal.state if appeal else "",
            appeal.reason if appeal else "",
            appeal.answer if appeal else "",
        ]


def export_qualifications(rows: Any, form: Format, name: str = "qualifications") -> Download:
    """One row for each qualification; ``rows`` have the names and ``last_used``."""
    header = [
        _("Person"),
        _("E-mail"),
        _("Institution"),
        _("Training or instrument"),
        _("Level"),
        _("Hours allowed"),
        _("Since"),
        _("Valid until"),
        _("Last used"),
        _("Status"),
        _("Given by"),
        _("Reason"),
    ]
    return table_response(form, name, header, _qualification_rows(rows))


def _qualification_rows(rows: Any) -> Iterator[list[Cell]]:
    now = timezone.now()
    for row in rows.iterator(chunk_size=CHUNK):
        stands = standing(row, now)
        # The instant belongs to the following day; the last day still counts.
        until = (stands.until - timedelta(seconds=1)).astimezone(row.zone).date() if stands.until else None
        yield [
            row.user.name,
            row.user.email,
            row.institution.name,
            str(row.course or row.instrument),
            row.level,
            str(HoursAllowed(row.hours).label),
            row.granted_at,
            until,
            row.last_used,
            stands.state,
            row.granted_by.name,
            row.reason,
        ]


def _mode(usage: Usage) -> str:
    """Of the booking; a use without one is priced by the instrument's first mode."""
    return usage.booking.mode if usage.booking else next(iter(usage.instrument.modes), Mode.OPERATOR.value)


def _wall(at: datetime | None, zone: ZoneInfo) -> str:
    """The clock of the instrument."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""


def _exact_hours(usage: Usage) -> Fraction:
    assert usage.end is not None
    return hours([Period(usage.start, usage.end)])


def _chunks(rows: QuerySet[Usage]) -> Iterator[list[Usage]]:
    found = with_parties(rows).iterator(chunk_size=CHUNK)
    while chunk := list(islice(found, CHUNK)):
        yield chunk
