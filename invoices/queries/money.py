"""The customer's page: what arose and what is to be paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Q, Sum
from django.utils import timezone

from backend.accounts.models import Organisation, Project
from backend.accounts.queries import Access
from backend.core.money import ZERO, add_up
from invoices import rules
from invoices.models import (
    Charge,
    ChargeLine,
    ChargeState,
    InvoiceStatus,
)
from invoices.queries.charges import standing_lines, with_lines
from invoices.queries.disputes import disputable
from invoices.queries.papers import Shown, listed, show
from invoices.queries.scope import may_receive, visible_charges, visible_invoices


@dataclass(frozen=True, slots=True)
class Bill:
    """A charge with the lines that stand."""

    charge: Charge
    lines: list[ChargeLine]

    @property
    def tone(self) -> str:
        """To the eye, as in docs/frontend.md."""
        return {"reserved": "wait", "final": "busy", "invoiced": "good"}.get(self.charge.state, "off")


@dataclass(frozen=True, slots=True)
class ProjectBills:
    """A customer's charges of a month on one project (None: on none)."""

    project: Project | None
    bills: list[Bill]
    currency: str

    @property
    def total(self) -> Decimal:
        return add_up(bill.charge.total for bill in self.bills if bill.charge.currency == self.currency)


@dataclass(frozen=True, slots=True)
class Money:
    """A customer's month: what arose, and, to those who may receive it, what has been invoiced so far."""

    customer: Organisation
    period: str
    projects: list[ProjectBills]
    may_receive: bool
    invoices: list[Shown]
    # Charges that the reader may dispute, with the last day for it.
    disputable: dict[int, date]
    open_sum: Decimal
    overdue_sum: Decimal

    def sum_of(self, *states: str) -> Decimal:
        bills = [bill.charge for part in self.projects for bill in part.bills if bill.charge.state in states]
        return add_up(charge.total for charge in bills if charge.currency == self.customer.currency)


RECENT = 24


def money_of(access: Access, customer: Organisation, period: str, today: date | None = None) -> Money:
    """The newest invoices and credit notes, what is to be paid, and the month's charges without the released ones."""
    day = today or timezone.localdate()
    month = (rules.first_day(period), rules.last_day(period))
    charges = visible_charges(access).filter(customer=customer, service_date__range=month)
    charges = charges.exclude(state=ChargeState.RELEASED).order_by("service_date", "pk")
    by_project: dict[int | None, list[Charge]] = {}
    found = list(with_lines(charges))
    for charge in found:
        by_project.setdefault(charge.project_id, []).append(charge)
    projects = [
        ProjectBills(group[0].project, [Bill(charge, standing_lines(charge)) for charge in group], customer.currency)
        for group in by_project.values()
    ]
    receives = may_receive(access, customer.pk)
    issued = listed(visible_invoices(access).filter(customer=customer).exclude(status=InvoiceStatus.DRAFT))
    owing = issued.owing().order_by().filter(currency=customer.currency)
    late = Q(due_date__lt=day)
    sums = owing.aggregate(late=Sum("owed", filter=late), on_time=Sum("owed", filter=~late | Q(due_date=None)))
    return Money(
        open_sum=sums["on_time"] or ZERO,
        overdue_sum=sums["late"] or ZERO,
        customer=customer,
        period=period,
        projects=sorted(projects, key=lambda part: (part.project is None, str(part.project))),
        may_receive=receives,
        disputable=disputable(access, found),
        invoices=show(list(issued.order_by("-issued_at")[:RECENT]), day) if receives else [],
    )
