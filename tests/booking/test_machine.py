"""A long random life of one instrument beside a model too plain to be wrong.

After every step both must have given the same answer (every reason by its code) and hold the same bookings and the
same taken time. ``MACHINE=500x50 pytest tests/booking/test_machine.py`` plays 500 lives of 50 steps.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from backend.accounts.models import User
from backend.core.errors import Refused
from booking.actions import changing, deciding, requesting
from booking.actions.policies import save_policy
from booking.models import Booking
from instruments.models import Mode, Occupancy
from tests.factories import make_enterprise, make_institution, make_instrument, make_manager, make_member
from tests.factories import make_price_list as make_prices

LIVES, STEPS = (int(number) for number in os.environ.get("MACHINE", "12x40").split("x"))
SHANGHAI = timedelta(hours=8)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# A Thursday, so that two weeks are in reach at once. Local wall time; Shanghai has no summer time.
BEGIN = datetime(2026, 11, 26, 6)
UNITS, CLEANING, HOLD = 2, 30 * MINUTE, 24 * HOUR
# The first two people belong to the institution; the others' requests need approval.
INSIDERS, PEOPLE = 2, 5
POLICY = {
    "rules": [
        {"id": "length", "kind": "length", "min": 60, "max": 240, "step": 30},
        {"id": "grid", "kind": "slots", "step": 30},
        {"id": "horizon", "kind": "deadline", "earliest": "start -7d"},
        {"id": "lead", "kind": "deadline", "latest": "start -2h"},
        {"id": "week", "kind": "quota", "measure": "hours", "over": "week", "max": 8},
        {"id": "many", "kind": "quota", "over": "open", "max": 3, "code": "too_many"},
        {"id": "cutoff", "kind": "deadline", "act": ["cancel"], "latest": "start -24h"},
        {"id": "approval", "kind": "require", "that": {"audience": "internal"}, "else": "approve:manager"},
    ]
}
LIVE = ("requested", "confirmed")


@dataclass
class Plain:
    """A booking of the model; local times."""

    person: int
    start: datetime
    end: datetime
    unit: int
    status: str
    asked: datetime
    hold: datetime | None = None


class Model:
    def __init__(self) -> None:
        self.now = BEGIN
        self.bookings: list[Plain] = []

    def others(self, own: Plain | None) -> list[Plain]:
        return [each for each in self.bookings if each is not own and each.status in LIVE]

    def free_unit(self, start: datetime, end: datetime, own: Plain | None) -> int | None:
        """What moves keeps its unit where that is free; otherwise the lowest."""
        for unit in ([own.unit] if own else []) + list(range(1, UNITS + 1)):
            mine = [each for each in self.others(own) if each.unit == unit]
            if all(each.end + CLEANING <= start or end + CLEANING <= each.start for each in mine):
                return unit
        return None

    def rules(self, person: int, start: datetime, end: datetime, own: Plain | None) -> Iterator[str]:
        minutes = (end - start) // MINUTE
        if minutes < 60:
            yield "too_short"
        if minutes > 240:
            yield "too_long"
        if minutes % 30:
            yield "step"
        if start.minute % 30:
            yield "start_grid"
        if self.now < start - 7 * DAY:
            yield "too_early"
        if self.now > start - 2 * HOUR:
            yield "too_late"
        mine = [each for each in self.others(own) if each.person == person]
        week = [each for each in mine if each.start.isocalendar()[:2] == start.isocalendar()[:2]]
        if sum((each.end - each.start for each in week), end - start) > 8 * HOUR:
            yield "quota"
        if len([each for each in mine if each.end > self.now]) + 1 > 3:
            yield "too_many"

    def house(self, start: datetime, end: datetime, own: Plain | None) -> Iterator[str]:
        if start < self.now and (own is None or own.start != start):
            yield "past"
        if start < start.replace(hour=8, minute=0) or end > start.replace(hour=20, minute=0):
            yield "closed"
        if self.free_unit(start, end, own) is None:
            yield "taken"

    def reasons(self, person: int, start: datetime, end: datetime, own: Plain | None = None) -> set[str]:
        found = set(self.rules(person, start, end, own))
        if own is not None and own.start <= start and end <= own.end:
            found -= set(self.rules(person, own.start, own.end, own))
        return found | set(self.house(start, end, own))

    def request(self, person: int, start: datetime, end: datetime) -> set[str]:
        found = self.reasons(person, start, end)
        if not found:
            unit = self.free_unit(start, end, None)
            assert unit is not None
            new = Plain(person, start, end, unit, "confirmed", self.now)
            if person >= INSIDERS:
                new.status, new.hold = "requested", self.until(self.now, start)
            self.bookings.append(new)
        return found

    def until(self, asked: datetime, start: datetime) -> datetime:
        return max(min(asked + HOLD, start), self.now + MINUTE)

    def approve(self, which: Plain) -> set[str]:
        if which.status != "requested":
            return {"wrong_status"}
        which.status, which.hold = "confirmed", None
        return set()

    def leave(self, which: Plain, before: str, after: str) -> set[str]:
        if which.status != before:
            return {"wrong_status"}
        which.status, which.hold = after, None
        return set()

    def cancel(self, which: Plain) -> set[str]:
        if which.status != "confirmed":
            return {"wrong_status"}
        if self.now >= which.end:
            return {"over"}
        if self.now > which.start - 24 * HOUR:
            return {"too_late"}
        which.status = "cancelled"
        return set()

    def against_moving(self, which: Plain, start: datetime, end: datetime) -> Iterator[str]:
        if (start, end) == (which.start, which.end):
            yield "same_time"
        if self.now >= which.start:
            yield "begun"
        elif which.status == "confirmed" and self.now > which.start - 24 * HOUR:
            yield "too_late"

    def move(self, which: Plain, start: datetime, end: datetime) -> set[str]:
        if which.status not in LIVE:
            return {"wrong_status"}
        if impossible := set(self.against_moving(which, start, end)):
            return impossible
        found = self.reasons(which.person, start, end, which)
        if not found:
            smaller = which.start <= start and end <= which.end
            unit = self.free_unit(start, end, which)
            assert unit is not None
            waits = which.status == "requested" or (which.person >= INSIDERS and not smaller)
            asked = which.asked if which.status == "requested" else self.now
            which.start, which.end, which.unit = start, end, unit
            which.status, which.hold = ("requested", self.until(asked, start)) if waits else ("confirmed", None)
        return found

    def pass_time(self, span: timedelta) -> None:
        self.now += span
        for each in self.bookings:
            if each.status == "requested" and each.hold is not None and each.hold <= self.now:
                each.status, each.hold = "expired", None


def instant(local: datetime) -> datetime:
    return (local - SHANGHAI).replace(tzinfo=UTC)


def answer(act: Callable[[], object]) -> set[str]:
    try:
        act()
    except Refused as refused:
        return {refusal.code for refusal in refused.refusals}
    return set()


_starts = strategies.tuples(
    strategies.sampled_from([0, 1, 1, 2, 2, 3, 7]),
    strategies.integers(7, 20),
    strategies.sampled_from([0, 30, 30, 0, 15]),
)
_lengths = strategies.sampled_from([30, 60, 90, 105, 120, 120, 180, 240, 240, 270])
_which = strategies.integers(0, 10_000)
_people = strategies.integers(0, PEOPLE - 1)


class Life(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.clock = time_machine.travel(instant(BEGIN), tick=False)
        self.traveller = self.clock.start()
        self.model = Model()
        institution, enterprise = make_institution(), make_enterprise()
        self.manager = make_manager(institution)
        self.people: list[User] = [make_member(place) for place in (institution, institution, *[enterprise] * 3)]
        self.homes = [institution, institution, enterprise, enterprise, enterprise]
        self.instrument = make_instrument(
            institution, units=UNITS, cleaning_minutes=CLEANING // MINUTE, hold_hours=HOLD // HOUR
        )
        make_prices(self.instrument)
        save_policy(instrument=self.instrument, document=POLICY, by=self.manager, valid_from=BEGIN.date())
        self.stored: list[int] = []

    def teardown(self) -> None:
        if hasattr(self, "atomic"):
            self.clock.stop()
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    def local(self, start: tuple[int, int, int]) -> datetime:
        days, hour, minute = start
        return (self.model.now + days * DAY).replace(hour=hour, minute=minute)

    def pick(self, which: int) -> tuple[Plain, Booking] | None:
        """One of the last few, so that many steps meet the same booking."""
        if not self.stored:
            return None
        place = len(self.stored) - 1 - which % min(len(self.stored), 6)
        return self.model.bookings[place], Booking.objects.select_related("instrument").get(pk=self.stored[place])

    @rule(person=_people, start=_starts, length=_lengths)
    def request(self, person: int, start: tuple[int, int, int], length: int) -> None:
        self._request(person, self.local(start), length)

    @rule(which=_which, person=_people, gap=strategies.sampled_from([0, 30, 30, 60]), length=_lengths)
    def request_beside(self, which: int, person: int, gap: int, length: int) -> None:
        if found := self.pick(which):
            self._request(person, found[0].end + gap * MINUTE, length)

    def _request(self, person: int, first: datetime, length: int) -> None:
        last = first + length * MINUTE
        user = self.people[person]

        def act() -> None:
            made = requesting.request_booking(
                by=user,
                user=user,
                organisation=self.homes[person],
                instrument=self.instrument,
                start=instant(first),
                end=instant(last),
                mode=Mode.SELF,
                purpose="x",
            )
            self.stored.append(made.pk)

        assert answer(act) == self.model.request(person, first, last)

    @rule(
        which=_which,
        early=strategies.sampled_from([-60, -30, 0, 30, 24 * 60]),
        longer=strategies.sampled_from([-30, 0, 30]),
    )
    def move(self, which: int, early: int, longer: int) -> None:
        if found := self.pick(which):
            first, last = found[0].start + early * MINUTE, found[0].end + (early + longer) * MINUTE
            if first < last:
                self._move(which, first, last)

    def _move(self, which: int, first: datetime, last: datetime) -> None:
        found = self.pick(which)
        if found is None:
            return
        plain, row = found
        said = answer(
            lambda: changing.reschedule_booking(
                booking=row, by=self.people[plain.person], start=instant(first), end=instant(last)
            )
        )
        assert said == self.model.move(plain, first, last)

    @rule(which=_which, act=strategies.sampled_from(["approve", "approve", "reject", "withdraw", "cancel", "cancel"]))
    def act(self, which: int, act: str) -> None:
        if found := self.pick(which):
            getattr(self, f"_{act}")(*found)

    def _approve(self, plain: Plain, row: Booking) -> None:
        said = answer(lambda: deciding.approve_booking(booking=row, by=self.manager))
        assert said == self.model.approve(plain)

    def _reject(self, plain: Plain, row: Booking) -> None:
        said = answer(lambda: deciding.reject_booking(booking=row, by=self.manager, reason="no"))
        assert said == self.model.leave(plain, "requested", "rejected")

    def _withdraw(self, plain: Plain, row: Booking) -> None:
        said = answer(lambda: changing.withdraw_booking(booking=row, by=self.people[plain.person]))
        assert said == self.model.leave(plain, "requested", "withdrawn")

    def _cancel(self, plain: Plain, row: Booking) -> None:
        said = answer(lambda: changing.cancel_booking(booking=row, by=self.people[plain.person]))
        assert said == self.model.cancel(plain)

    @rule(which=_which, before=strategies.sampled_from([None, 24, 24, 2, 0]), late=strategies.sampled_from([0, 1]))
    def wait(self, which: int, before: int | None, late: int) -> None:
        """An hour, or until a deadline of a booking: rules are at their most telling on the minute."""
        found = self.pick(which)
        span = HOUR
        if found and before is not None:
            span = found[0].start - before * HOUR + late * MINUTE - self.model.now
        if timedelta() < span <= 2 * DAY:
            self._wait(span)

    def _wait(self, span: timedelta) -> None:
        self.model.pass_time(span)
        self.traveller.move_to(instant(self.model.now))
        deciding.expire_holds()

    @invariant()
    def both_hold_the_same(self) -> None:
        if not hasattr(self, "stored"):
            return
        rows = Booking.objects.order_by("pk").filter(instrument=self.instrument)
        real = rows.values_list("status", "start", "end", "unit", "hold_expires_at")
        plain = [
            (each.status, instant(each.start), instant(each.end), each.unit, each.hold and instant(each.hold))
            for each in self.model.bookings
        ]
        assert list(real) == plain
        taken = Occupancy.objects.filter(instrument=self.instrument).values_list("unit", "start", "end")
        live = self.model.others(None)
        assert sorted(taken) == sorted((b.unit, instant(b.start), instant(b.end + CLEANING)) for b in live)
        for one, two in itertools.combinations(sorted(taken), 2):
            assert one[0] != two[0] or one[2] <= two[1]


@pytest.mark.django_db
def test_the_engine_and_a_plain_model_never_differ() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
