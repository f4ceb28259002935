"""What happens in the demo: two months up to the end of next week, in the order of time, through the real actions."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from backend.accounts.models import Organisation, Project, User
from backend.core.errors import Refused
from backend.core.money import round_half_up
from backend.core.periods import Period
from backend.web.seed.clock import at
from backend.web.seed.world import World
from booking.actions.changing import cancel_booking, withdraw_booking
from booking.actions.deciding import approve_booking, reject_booking
from booking.actions.requesting import request_booking
from booking.actions.using import finish_booking, start_booking, verify_usage
from booking.models import Booking, Status, Usage
from booking.queries.assess import hours_of
from instruments.models import Instrument, Mode
from instruments.queries.calendar import days_around
from instruments.rules import open_periods
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import draft_invoice, issue_invoice, write_fapiao_number
from invoices.actions.payments import record_payment
from invoices.models import Charge, Invoice

ZONE = ZoneInfo("Asia/Shanghai")
HALF_HOUR = timedelta(minutes=30)
# Requests that the visitor finds waiting are at most this old.
FRESH = timedelta(hours=40)
PURPOSES = (
    "样品形貌观察", "成分分析", "物相鉴定", "热稳定性测试", "新产品质量对比", "工艺优化验证", "研究生课题实验",
    "来料检验", "失效分析", "方法开发",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    instrument: Instrument
    mode: str
    user: User
    organisation: Organisation
    project: Project | None
    start: datetime
    end: datetime


@dataclass
class Story:
    """Events are run in the order of their time until ``now``; each may bring about later ones."""

    world: World
    now: datetime
    rng: random.Random
    # How much happens; tests are content with less.
    density: float = 1.0
    refused: int = 0
    _present: datetime | None = None
    _paid: Iterator[int] = field(default_factory=itertools.count)
    _queue: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def later(self, moment: datetime, act: Callable[[], None]) -> None:
        """At ``moment``, but never before what happens already."""
        moment = moment.replace(second=0, microsecond=0)
        heapq.heappush(self._queue, (max(moment, self._present or moment), next(self._numbers), act))

    def run(self) -> None:
        while self._queue and self._queue[0][0] <= self.now:
            moment, _, act = heapq.heappop(self._queue)
            self._present = moment
            try:
                # A refusal takes back what its action wrote, and nothing else.
                with at(moment), transaction.atomic():
                    act()
            except Refused:
                self.refused += 1

    def plan_bookings(self, first: date, last: date) -> None:
        """A wish for about every eighth day on which an instrument is open, for every fourth as of last week."""
        belongs = self.world.belongs()
        for instrument in self.world.instruments:
            modes = [mode for mode in instrument.modes if mode != Mode.SAMPLE]
            if not modes:
                continue
            for period in self._open(instrument, first, last):
                recent = period.start > self.now - timedelta(days=7)
                if self.rng.random() < self.density * (0.26 if recent else 0.12) * min(instrument.units, 2):
                    user, organisation = self.rng.choice(belongs)
                    project = self._project(organisation)
                    start, end = self._time_within(period)
                    plan = Plan(instrument, self.rng.choice(modes), user, organisation, project, start, end)
                    self.later(self._moment_of_request(start), partial(self.request, plan))

    def request(self, plan: Plan) -> None:
        self._go_on(self._request(plan))

    def _request(self, plan: Plan) -> Booking:
        return request_booking(
            by=plan.user,
            user=plan.user,
            organisation=plan.organisation,
            instrument=plan.instrument,
            start=plan.start,
            end=plan.end,
            mode=plan.mode,
            purpose=self.rng.choice(PURPOSES),
            project=plan.project,
        )

    def _go_on(self, booking: Booking) -> None:
        chance = self.rng.random()
        requested = booking.requested_at
        if booking.status == Status.REQUESTED:
            if booking.start > self.now and self.now - requested < FRESH and chance < 0.6:
                return  # waits for whoever tries the demo
            answered = min(requested + timedelta(hours=self.rng.randint(1, 6)), booking.start - HALF_HOUR)
            self.later(answered, lambda: self._answer(booking, chance))
            return
        self._use(booking)

    def _answer(self, booking: Booking, chance: float) -> None:
        manager = self.world.managers[booking.instrument.institution.code]
        if chance > 0.97:
            reject_booking(booking=booking, by=manager, reason="该时段已安排设备维护，请另选时间。")
        elif chance > 0.95:
            withdraw_booking(booking=booking, by=booking.user, reason="样品未准备好")
        else:
            approve_booking(booking=booking, by=manager)
            self._use(booking)

    def _use(self, booking: Booking) -> None:
        chance = self.rng.random()
        if chance < 0.05:
            before = booking.start - timedelta(hours=self.rng.choice((5, 20, 48)))
            self.later(before, lambda: _cancel(booking))
        elif chance < 0.35:
            self.later(booking.start, lambda: _start(booking))
        self.later(booking.end + timedelta(minutes=10), lambda: self._finish(booking))

    def _finish(self, booking: Booking) -> None:
        booking.refresh_from_db()
        if booking.status not in (Status.CONFIRMED, Status.IN_USE):
            return
        if self.now - booking.end < timedelta(days=4) and self.rng.random() < 0.25:
            return  # nobody has logged it yet
        late = timedelta(minutes=self.rng.choice((0, 0, 0, 5, 10)))
        # Never past the present, and short uses are not cut to nothing.
        early = timedelta(minutes=self.rng.choice((0, 0, 0, 10, 10, -5)))
        started = booking.start + late if booking.status == Status.CONFIRMED else None
        comment = self.rng.choice(("", "", "", "仪器运行正常", "样品较多，略有延时"))
        usage = finish_booking(
            booking=booking, by=booking.user, start=started, end=booking.end - early, comment=comment
        )
        checked = usage.end + timedelta(hours=20) if usage.end else self.now
        manager = self.world.managers[booking.instrument.institution.code]
        if self.now - checked > timedelta(days=2) or self.rng.random() < 0.3:
            self.later(checked, lambda: _verify(usage, manager))

    def plan_invoices(self, period: str, moment: datetime, *, issue: bool) -> None:
        """Each institution invoices its customers; its last draft stays one, so that there is something to issue."""
        self.later(moment, lambda: self._invoice(period, issue=issue))

    def plan_late_payer(self, period: str, moment: datetime) -> None:
        """One invoice goes out early in its month and is not paid: a month later it is overdue."""
        self.later(moment, lambda: self._invoice(period, issue=True, most=1))

    def _invoice(self, period: str, *, issue: bool, most: int | None = None) -> None:
        year, month = map(int, period.split("-"))
        before = date(year + month // 12, month % 12 + 1, 1)
        for code, person in self.world.finance.items():
            host = self.world.organisations[code]
            billable = Charge.objects.billable().filter(institution=host, service_date__lt=before, total__gt=0)
            customers = billable.exclude(customer=host).order_by().values_list("customer", flat=True).distinct()
            drafts = [
                draft_invoice(institution_id=host.pk, customer_id=customer, period=period, by=person)
                for customer in sorted(customers)[0 if issue else -1 :][:most]
            ]
            for draft in drafts if issue else []:
                invoice = self._issue(draft, person)
                if most is None:
                    self._pay(invoice, person)
            if most is not None and drafts:
                return

    def _pay(self, invoice: Invoice, person: User) -> None:
        """In turn: paid, paid in part, credited and billed anew, left open."""
        turn = next(self._paid) % 4
        later = min((self._present or self.now) + timedelta(days=5), self.now - timedelta(hours=1))
        reference = f"{invoice.year}{invoice.pk:08}"
        if turn < 2:
            amount = invoice.balance if turn == 0 else round_half_up(invoice.balance / 2)
            self.later(later, lambda: self._receive(invoice, amount, reference, person))
        elif turn == 2:
            self.later(later, lambda: self._credit(invoice, person))

    def _receive(self, invoice: Invoice, amount: Decimal, reference: str, person: User) -> None:
        record_payment(invoice=invoice, amount=amount, date=self._today(), reference=reference, by=person)

    def _today(self) -> date:
        return timezone.localdate(self._present)

    def _credit(self, invoice: Invoice, person: User) -> None:
        credit_invoice(invoice=invoice, reason="客户开票信息有误，红冲后重新开具。", by=person, rebill=True)

    def _issue(self, draft: Invoice, person: User) -> Invoice:
        invoice = issue_invoice(invoice=draft, by=person)
        if self.rng.random() < 0.5:
            number = f"{invoice.year}1500{invoice.pk:012}"
            write_fapiao_number(invoice=invoice, number=number, by=person)
        return invoice

    def book_first_fit(self, instrument: Instrument, email: str, *, after: datetime, minutes: int) -> Booking | None:
        """Request the first free time and leave it as it is: for what the demo must show."""
        user = self.world.users[email]
        organisation = next(place for person, place in self.world.belongs() if person == user)
        mode = next(mode for mode in instrument.modes if mode != Mode.SAMPLE)
        project = self._project(organisation)
        for start in self._starts(instrument, after, minutes):
            end = start + timedelta(minutes=minutes)
            try:
                with transaction.atomic():
                    return self._request(Plan(instrument, mode, user, organisation, project, start, end))
            except Refused:
                self.refused += 1
        return None

    def run_now(self, instrument: Instrument, email: str, *, since: datetime) -> None:
        """A use that goes on while the demo starts."""
        booking = self.book_first_fit(instrument, email, after=since, minutes=360)
        if booking is not None and booking.start <= self.now:
            self.later(booking.start, lambda: _start(booking))

    def _starts(self, instrument: Instrument, after: datetime, minutes: int) -> Iterator[datetime]:
        first = after.astimezone(ZONE).date()
        for period in self._open(instrument, first, first + timedelta(days=9)):
            start = max(period.start, _on_grid(after))
            while start + timedelta(minutes=minutes) <= period.end:
                yield start
                start += HALF_HOUR * 2

    def _open(self, instrument: Instrument, first: date, last: date) -> list[Period]:
        whole = Period(*(datetime.combine(day, time(0), ZONE) for day in (first, last + timedelta(days=1))))
        found = open_periods(
            hours_of(instrument),
            [],
            zone=instrument.zone,
            start=whole.start,
            end=whole.end,
            open_on_holidays=instrument.open_on_holidays,
            public=days_around(*whole),
        )
        # What is open day and night is booked by the day, too.
        return [part for period in found for part in _by_days(period)]

    def _project(self, organisation: Organisation) -> Project | None:
        projects = self.world.projects.get(organisation.code, [])
        return self.rng.choice(projects) if projects and self.rng.random() < 0.8 else None

    def _time_within(self, period: Period) -> tuple[datetime, datetime]:
        room = int(period.duration / HALF_HOUR)
        length = min(self.rng.choice((2, 3, 4, 4, 6, 8)), room)
        start = period.start + self.rng.randint(0, room - length) * HALF_HOUR
        start = _on_grid(start)
        return start, min(start + length * HALF_HOUR, period.end)

    def _moment_of_request(self, start: datetime) -> datetime:
        day = start.astimezone(ZONE).date() - timedelta(days=self.rng.randint(1, 8))
        return datetime.combine(day, time(self.rng.randint(8, 17), self.rng.randint(0, 59)), ZONE)


def _by_days(period: Period) -> Iterator[Period]:
    start = period.start.astimezone(ZONE)
    while start < period.end:
        midnight = datetime.combine(start.date() + timedelta(days=1), time(0), ZONE)
        yield Period(start, min(midnight, period.end))
        start = midnight


def _on_grid(moment: datetime) -> datetime:
    """The next full hour, which every grid of the demo has."""
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole if whole == moment else whole + timedelta(hours=1)


def _start(booking: Booking) -> None:
    booking.refresh_from_db()
    if booking.status == Status.CONFIRMED:
        start_booking(booking=booking, by=booking.user)


def _cancel(booking: Booking) -> None:
    booking.refresh_from_db()
    if booking.status == Status.CONFIRMED:
        cancel_booking(booking=booking, by=booking.user, reason="生产计划调整")


def _verify(usage: Usage, manager: User) -> None:
    verify_usage(usage=usage, by=manager)
