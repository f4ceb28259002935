"""What the home pages show: a constant number of queries per part, whatever the size of the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone

from backend.accounts.models import Membership, Organisation, OrganisationKind, OrganisationStatus, Role
from backend.accounts.queries import Access
from backend.core.periods import local_day
from booking.models import OCCUPYING, OPEN_ORDERS, Booking, OrderStatus, Status, Usage, UsageState
from booking.queries import lists
from booking.queries.sample_orders import counts_by_state
from booking.queries.scope import managed_bookings, own_bookings
from instruments.models import Category, Condition, Instrument
from instruments.queries.rights import managed_instruments, manages_any
from invoices.models import Charge, ChargeState, Invoice, InvoiceKind, InvoiceStatus
from invoices.queries.scope import finance_of, visible_charges

LATELY = timedelta(days=30)
NEXT = 5
MONTHS = 6
# Two digits a level.
SECOND_LEVEL = 4
MOST_CATEGORIES = 12


# --- everybody -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    category: Category
    count: int


def categories() -> list[Counted]:
    """Categories of the second level with the number of public instruments in and below them; two queries."""
    counts = Instrument.objects.public().order_by().values_list("category").annotate(Count("pk"))
    upper: Counter[str] = Counter()
    for code, count in counts:
        upper[code[:SECOND_LEVEL]] += count
    known = Category.objects.in_bulk(list(upper))
    found = [Counted(known[code], count) for code, count in upper.items() if code in known]
    return sorted(found, key=lambda row: (-row.count, row.category.code))[:MOST_CATEGORIES]


def network_figures(now: datetime) -> dict[str, int]:
    """Instruments shared, institutions that share them, uses in the last thirty days; two queries."""
    shared = Instrument.objects.public().aggregate(
        instruments=Count("pk"), institutions=Count("institution", distinct=True)
    )
    logged = [UsageState.SUBMITTED, UsageState.VERIFIED]
    uses = Usage.objects.filter(state__in=logged, start__gte=now - LATELY, start__lt=now, corrected_by=None).count()
    return {**shared, "uses": uses}


# --- the customer --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Customer:
    upcoming: list[Booking]
    unlogged: list[Booking]
    waiting: int
    confirmed: int
    running: list[Booking]
    this_month: Decimal
    months: list[tuple[date, Decimal]]


def customer(access: Access, now: datetime, payer: Organisation | None) -> Customer:
    """Five queries. Bookings are the person's, whoever they are for; money is what they may see of the payer's."""
    mine = own_bookings(access)
    counts = mine.filter(status__in=OCCUPYING, end__gt=now).aggregate(
        waiting=Count("pk", filter=Q(status=Status.REQUESTED)), confirmed=Count("pk", filter=Q(status=Status.CONFIRMED))
    )
    over = {"status__in": (Status.CONFIRMED, Status.IN_USE), "end__lte": now}
    running = mine.filter(status=Status.IN_USE, end__gt=now)
    payers = [payer.pk] if payer else access.where()
    spent = _by_month(visible_charges(access).filter(customer__in=payers), now)
    return Customer(
        upcoming=list(lists.upcoming(access).exclude(status=Status.IN_USE).exclude(**over)[:NEXT]),
        unlogged=list(lists.with_names(mine.filter(**over)).order_by("start", "pk")[:NEXT]),
        waiting=counts["waiting"],
        confirmed=counts["confirmed"],
        running=list(lists.with_names(running).order_by("start")[:NEXT]),
        this_month=spent[-1][1],
        months=spent,
    )


def _by_month(charges: QuerySet[Charge], now: datetime) -> list[tuple[date, Decimal]]:
    """Final and invoiced charges of the last months, this one last; one query."""
    months = _months(timezone.localdate(now))
    rows = charges.filter(state__in=[ChargeState.FINAL, ChargeState.INVOICED], service_date__gte=months[0])
    sums: Mapping[date, Decimal] = dict(
        rows.order_by().annotate(month=TruncMonth("service_date")).values_list("month").annotate(Sum("total"))
    )
    return [(month, sums.get(month, Decimal("0.00"))) for month in months]


def _months(today: date) -> list[date]:
    first = today.replace(day=1)
    out = [first]
    while len(out) < MONTHS:
        first = (first - timedelta(days=1)).replace(day=1)
        out.insert(0, first)
    return out


# --- the lab -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lab:
    requests: list[Booking]
    request_count: int
    next_hold: datetime | None
    today: list[Booking]
    to_verify: int
    missing: int
    instruments: int
    broken: int
    # Orders of samples that nobody has answered, and those on the way; None where the lab never had one.
    samples: tuple[int, int] | None = None


def lab(access: Access, now: datetime) -> Lab | None:
    """Seven queries; None for people who manage nothing."""
    if not manages_any(access):
        return None
    waiting = managed_bookings(access).filter(status=Status.REQUESTED)
    counted = waiting.aggregate(count=Count("pk"), next_hold=Min("hold_expires_at"))
    day = local_day(timezone.localdate(now), _zone())
    shown = (*OCCUPYING, Status.COMPLETED, Status.NO_SHOW)
    today = managed_bookings(access).filter(status__in=shown, start__lt=day.end, end__gt=day.start)
    broken = Q(condition__in=[Condition.REPAIR, Condition.FREQUENT])
    instruments = managed_instruments(access).order_by().aggregate(all=Count("pk"), broken=Count("pk", filter=broken))
    return Lab(
        requests=list(lists.requests_to_decide(access)[:NEXT]),
        request_count=counted["count"],
        next_hold=counted["next_hold"],
        today=list(lists.with_names(today).order_by("start", "pk")[:12]),
        to_verify=lists.usage_to_verify(access).count(),
        missing=lists.bookings_without_usage(access).count(),
        instruments=instruments["all"],
        broken=instruments["broken"],
        samples=_samples(counts_by_state(access)),
    )


def _samples(counts: Mapping[str, int]) -> tuple[int, int] | None:
    open_orders = sum(counts.get(state, 0) for state in OPEN_ORDERS)
    return (counts.get(OrderStatus.SUBMITTED, 0), open_orders) if counts else None


# --- finance -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Money:
    """Of the institutions whose ledger the person keeps."""

    to_verify: int
    to_draft: int
    to_draft_sum: Decimal
    drafts: int
    issued: int
    issued_sum: Decimal
    overdue: int
    months: list[tuple[date, Decimal]]


def money(access: Access, now: datetime) -> Money | None:
    """Four queries; None for people who keep no ledger."""
    institutions = finance_of(access)
    if not institutions:
        return None
    today = timezone.localdate(now)
    charges = Charge.objects.filter(institution__in=institutions)
    billable = charges.billable().order_by().aggregate(count=Count("pk"), sum=Sum("total"))
    month = Q(issued_at__gte=local_day(today.replace(day=1), _zone()).start)
    month &= Q(status=InvoiceStatus.ISSUED, kind=InvoiceKind.INVOICE)
    invoices = (
        Invoice.objects.filter(institution__in=institutions)
        .order_by()
        .aggregate(
            drafts=Count("pk", filter=Q(status=InvoiceStatus.DRAFT)),
            issued=Count("pk", filter=month),
            issued_sum=Sum("total", filter=month),
            overdue=Count("pk", filter=Q(status=InvoiceStatus.ISSUED, due_date__lt=today, paid__lt=F("total"))),
        )
    )
    unverified = Usage.objects.filter(instrument__institution__in=institutions, state=UsageState.SUBMITTED)
    return Money(
        to_verify=unverified.count(),
        to_draft=billable["count"],
        to_draft_sum=billable["sum"] or Decimal("0.00"),
        drafts=invoices["drafts"],
        issued=invoices["issued"],
        issued_sum=invoices["issued_sum"] or Decimal("0.00"),
        overdue=invoices["overdue"],
        months=_by_month(charges, now),
    )


def _zone() -> ZoneInfo:
    return ZoneInfo(timezone.get_current_timezone_name())


# --- administration and network ------------------------------------------------------------------------------------


def people(access: Access) -> list[tuple[Organisation, int]]:
    """Organisations that the person administers, with the number of their people; one query."""
    mine = access.where(Role.ADMIN)
    if not mine:
        return []
    members = Membership.objects.current().filter(organisation__in=mine).order_by()
    counts = dict(members.values_list("organisation").annotate(Count("user", distinct=True)))
    return [(access.organisations[pk], counts.get(pk, 0)) for pk in mine]


@dataclass(frozen=True, slots=True)
class Share:
    """An institution's part of the network in the last thirty days."""

    institution: Organisation
    instruments: int
    uses: int


@dataclass(frozen=True, slots=True)
class Network:
    institutions: int
    enterprises: int
    to_confirm: int
    instruments: int
    uses: int
    waiting: int
    shares: list[Share]
    regions: list[tuple[str, int]]


def network(now: datetime) -> Network:
    """Six queries, for the network's operators."""
    kinds = Organisation.objects.order_by().aggregate(
        institutions=Count("pk", filter=Q(kind=OrganisationKind.INSTITUTION, status=OrganisationStatus.ACTIVE)),
        enterprises=Count("pk", filter=Q(kind=OrganisationKind.ENTERPRISE, status=OrganisationStatus.ACTIVE)),
        to_confirm=Count("pk", filter=Q(status=OrganisationStatus.PENDING)),
    )
    public = Instrument.objects.public().order_by()
    instruments = dict(public.values_list("institution").annotate(Count("pk")))
    lately = Usage.objects.filter(start__gte=now - LATELY, start__lt=now, corrected_by=None).order_by()
    uses = dict(lately.values_list("instrument__institution").annotate(Count("pk")))
    regions = public.values_list("region").annotate(Count("pk"))
    known = Organisation.objects.in_bulk(sorted({*instruments, *uses}))
    shares = [Share(known[pk], instruments.get(pk, 0), uses.get(pk, 0)) for pk in known]
    return Network(
        **kinds,
        instruments=sum(instruments.values()),
        uses=sum(uses.values()),
        waiting=Booking.objects.filter(status=Status.REQUESTED).count(),
        shares=sorted(shares, key=lambda row: (-row.uses, -row.instruments, row.institution.name))[:12],
        regions=sorted(((name, count) for name, count in regions if name), key=lambda row: -row[1])[:12],
    )
