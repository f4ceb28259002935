"""An organisation's own money over a year: by month, by project, by institution; what it has ahead; what is quoted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Sum
from django.db.models.functions import ExtractMonth

from backend.accounts.models import Organisation, Project
from backend.accounts.queries import Access
from backend.core.money import ZERO, add_up
from invoices.models import Charge, ChargeQuerySet, ChargeState, PrepaidAccount
from invoices.queries.charges import with_lines
from invoices.queries.scope import may_receive, visible_charges

# In the order of a booking's life.
STATES = (ChargeState.RESERVED, ChargeState.FINAL, ChargeState.INVOICED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the reader narrowed the year to."""

    year: int
    institution: int | None = None
    project: int | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Sums by state of a month or a project."""

    label: str
    project: Project | None
    sums: Mapping[str, Decimal]

    @property
    def total(self) -> Decimal:
        return add_up(self.sums.values())


@dataclass(frozen=True, slots=True)
class OwnYear:
    """In the organisation's currency; what other currencies come to is named beside."""

    customer: Organisation
    wanted: Wanted
    months: list[Line]
    projects: list[Line]
    institutions: list[tuple[Organisation, Decimal]]
    others: list[tuple[str, Decimal]]

    @property
    def total(self) -> Decimal:
        return add_up(line.total for line in self.months)


def charges_of_year(access: Access, customer: Organisation, wanted: Wanted) -> ChargeQuerySet:
    """Those that the person may see; a plain member those of their own use."""
    days = (date(wanted.year, 1, 1), date(wanted.year, 12, 31))
    rows = visible_charges(access).filter(customer=customer, service_date__range=days)
    rows = rows.exclude(state=ChargeState.RELEASED)
    if wanted.institution is not None:
        rows = rows.filter(institution=wanted.institution)
    if wanted.project is not None:
        rows = rows.filter(project=wanted.project or None)
    return rows.filter(state=wanted.state) if wanted.state else rows


def year_of(access: Access, customer: Organisation, wanted: Wanted) -> OwnYear:
    """Five queries."""
    rows = charges_of_year(access, customer, wanted).order_by()
    mine = rows.filter(currency=customer.currency)
    by_month: dict[int, dict[str, Decimal]] = {month: {} for month in range(1, 13)}
    for month, state, total in mine.values_list(ExtractMonth("service_date"), "state").annotate(Sum("total")):
        by_month[month][state] = by_month[month].get(state, ZERO) + total
    by_project: dict[int | None, dict[str, Decimal]] = {}
    for project, state, total in mine.values_list("project", "state").annotate(Sum("total")):
        by_project.setdefault(project, {})[state] = total
    names = Project.objects.in_bulk([pk for pk in by_project if pk is not None])
    projects = [Line("", names.get(pk) if pk is not None else None, sums) for pk, sums in by_project.items()]
    sums = dict(mine.values_list("institution").annotate(Sum("total")))
    found = Organisation.objects.in_bulk(list(sums))
    return OwnYear(
        customer=customer,
        wanted=wanted,
        months=[Line(f"{wanted.year}-{month:02}", None, sums) for month, sums in by_month.items()],
        projects=sorted(projects, key=lambda line: -line.total),
        institutions=sorted(((found[pk], total) for pk, total in sums.items()), key=lambda pair: -pair[1]),
        others=list(
            rows.exclude(currency=customer.currency).values_list("currency").annotate(Sum("total")).order_by("currency")
        ),
    )


def accounts_of(access: Access, customer: Organisation) -> list[PrepaidAccount]:
    """What the organisation has paid ahead, for those who keep its money."""
    if not may_receive(access, customer.pk):
        return []
    rows = PrepaidAccount.objects.filter(customer=customer)
    return list(rows.select_related("institution", "project", "group").order_by("institution__name", "pk"))


OPEN_QUOTES = 50


def open_quotes(access: Access, customer: Organisation) -> list[Charge]:
    """What is booked and not used yet, the next first."""
    rows = visible_charges(access).filter(customer=customer, state=ChargeState.RESERVED)
    return list(with_lines(rows).order_by("service_date", "pk")[:OPEN_QUOTES])
