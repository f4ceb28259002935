"""The usage records of an institution for its reports; of a corrected use only the newest record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.utils import timezone

from backend.accounts.models import Agreement, Organisation, Role
from backend.accounts.queries import Access
from backend.core.errors import Forbidden, NotFound
from backend.core.periods import local_day
from booking.models import Usage, UsageState
from booking.rules.reporting import days_of
from instruments.queries.rights import managed_instruments

REPORTERS = (Role.FINANCE, Role.ADMIN, Role.MANAGER)


@dataclass(frozen=True, slots=True)
class Wanted:
    """``period`` is a month or a quarter, ``day`` one date; both by the institution's clock."""

    period: str = ""
    day: date | None = None
    institution: int | None = None
    instrument: int | None = None


def reported_usage(access: Access, wanted: Wanted) -> QuerySet[Usage]:
    """What has ended: of the whole institution for its finance, else of the instruments that the person manages.

    `Forbidden` for who reports for nobody or is a plain member there, `NotFound` for a foreign institution.
    """
    institution = _institution(access, wanted.institution)
    finance = Q(instrument__institution__in=access.where(Role.FINANCE))
    mine = Q(instrument__in=managed_instruments(access).values("pk"))
    rows = Usage.objects.filter(mine | finance, corrected_by=None).exclude(state=UsageState.RECORDED)
    if institution is not None:
        rows = rows.filter(instrument__institution=institution)
    if wanted.instrument:
        rows = rows.filter(instrument=wanted.instrument)
    bounds = _bounds(wanted, institution)
    if bounds:
        rows = rows.filter(start__gte=bounds[0], start__lt=bounds[1])
    return rows


def _institution(access: Access, pk: int | None) -> Organisation | None:
    reports = access.institutions(*REPORTERS)
    if pk is None:
        if not reports:
            raise Forbidden
        return None
    if pk not in reports:
        raise Forbidden if access.has(pk) else NotFound
    return access.organisations[pk]


def _bounds(wanted: Wanted, institution: Organisation | None) -> tuple[datetime, datetime] | None:
    zone = ZoneInfo(institution.timezone if institution else timezone.get_current_timezone_name())
    if wanted.day:
        whole = local_day(wanted.day, zone)
        return whole.start, whole.end
    if wanted.period:
        first, after = days_of(wanted.period)
        return local_day(first, zone).start, local_day(after, zone).start
    return None


def with_parties(rows: QuerySet[Usage]) -> QuerySet[Usage]:
    """With all that a row of a report names, in the order of time."""
    related = ("instrument__institution", "organisation", "user", "booking__project", "verified_by")
    return rows.select_related(*related).order_by("start", "pk")


def agreements_of(usages: list[Usage]) -> set[int]:
    """Which uses happened under an agreement in force on their day, by id; one query."""
    pairs = {(row.instrument.institution_id, row.organisation_id) for row in usages}
    rows = Agreement.objects.filter(
        institution__in={pair[0] for pair in pairs}, customer__in={pair[1] for pair in pairs}
    )
    known = list(rows.values_list("institution_id", "customer_id", "valid_from", "valid_to"))
    out = set()
    for row in usages:
        day = row.start.astimezone(row.instrument.zone).date()
        parties = (row.instrument.institution_id, row.organisation_id)
        if any(one[:2] == parties and one[2] <= day and (one[3] is None or day <= one[3]) for one in known):
            out.add(row.pk)
    return out
