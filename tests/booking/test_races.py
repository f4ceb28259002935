"""Two people decide about the same booking, or want the same gap, at the same moment: one wins, the rest is told why.

Every race ends in one status, one transition on record, its time and charge as that status wants them. The
controls run the same races without the lock, the fresh read and the comparison, and the same checks notice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import models
from django.test import override_settings

from backend.audit.actions import faults
from backend.audit.models import Entry
from backend.core import constraints
from backend.outbox.models import Message
from booking.actions import changing, deciding, displacing, no_shows, outages, using
from booking.actions.changing import cancel_booking, reschedule_booking, withdraw_booking
from booking.actions.deciding import approve_booking, reject_booking
from booking.actions.displacing import displace_booking
from booking.actions.no_shows import mark_no_show
from booking.actions.outages import create_outage
from booking.actions.requesting import request_booking
from booking.actions.using import finish_booking, start_booking
from booking.models import OCCUPYING, Booking, Status
from booking.queries import assess as assessing
from instruments.actions.occupancy import vacate
from instruments.models import Occupancy, OccupancyKind, Outage
from invoices.models import Charge, ChargeState
from tests.booking.lab import NOW, Lab
from tests.booking.test_contention import drop_every_guard
from tests.factories import at, make_manager, make_member
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]

ROUNDS = 3
Call = Callable[[], Any]


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW) as traveller:
        yield traveller


# --- deciding about one booking -------------------------------------------------------------------------------------


def approve(lab: Lab, booking: Booking) -> Call:
    return partial(approve_booking, booking=booking, by=lab.manager)


def approve_too(lab: Lab, booking: Booking) -> Call:
    return partial(approve_booking, booking=booking, by=make_manager(lab.institution))


def reject(lab: Lab, booking: Booking) -> Call:
    return partial(reject_booking, booking=booking, by=make_manager(lab.institution), reason="No")


def withdraw(lab: Lab, booking: Booking) -> Call:
    return partial(withdraw_booking, booking=booking, by=lab.engineer)


def cancel(lab: Lab, booking: Booking) -> Call:
    return partial(cancel_booking, booking=booking, by=lab.engineer, version=booking.version)


def cancel_for_the_lab(lab: Lab, booking: Booking) -> Call:
    return partial(cancel_booking, booking=booking, by=lab.manager, by_lab=True, reason="Leak")


def start(lab: Lab, booking: Booking) -> Call:
    return partial(start_booking, booking=booking, by=lab.engineer)


def log_use(lab: Lab, booking: Booking) -> Call:
    return partial(finish_booking, booking=booking, by=lab.manager, end=booking.start + timedelta(minutes=20))


def nobody_came(lab: Lab, booking: Booking) -> Call:
    return partial(mark_no_show, booking=booking, by=lab.manager)


def displace(lab: Lab, booking: Booking) -> Call:
    return partial(displace_booking, booking=booking, by=lab.manager, reason="Leak", version=booking.version)


# Who races, from which status, how long after the start of the booked time (None: long before).
CONTESTS: dict[str, tuple[str, list[Callable[[Lab, Booking], Call]], timedelta | None]] = {
    "approve, approve": (Status.REQUESTED, [approve, approve_too], None),
    "approve, reject": (Status.REQUESTED, [approve, reject], None),
    "two approve, two reject": (Status.REQUESTED, [approve, approve_too, reject, reject], None),
    "withdraw, approve": (Status.REQUESTED, [withdraw, approve], None),
    "cancel, approve": (Status.REQUESTED, [cancel, approve], None),
    "displace, reject": (Status.REQUESTED, [displace, reject], None),
    "cancel, cancel for the lab": (Status.CONFIRMED, [cancel, cancel_for_the_lab], None),
    "cancel, start": (Status.CONFIRMED, [cancel, start], timedelta(0)),
    "no-show, check-in": (Status.CONFIRMED, [nobody_came, start], timedelta(minutes=40)),
    "no-show, no-show": (Status.CONFIRMED, [nobody_came, nobody_came], timedelta(minutes=40)),
    "no-show, log the use": (Status.CONFIRMED, [nobody_came, log_use], timedelta(minutes=40)),
    "displace, start": (Status.CONFIRMED, [displace, start], timedelta(0)),
}
RESERVED = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE, Status.COMPLETED)


def run_contest(name: str, clock: Any, rounds: int = ROUNDS) -> list[tuple[Booking, Outcome, list[str]]]:
    status, racers, after = CONTESTS[name]
    out = []
    for _ in range(rounds):
        clock.move_to(NOW)
        lab = Lab(approval=status == Status.REQUESTED, hold_hours=2000)
        booking = lab.book()
        assert booking.status == status
        calls = [racer(lab, booking) for racer in racers]
        if after is not None:
            clock.move_to(booking.start + after)
        seen = set(_transitions(booking))
        outcome = at_once(calls)
        out.append((booking, outcome, [row for row in _transitions(booking) if row not in seen]))
    return out


def _transitions(booking: Booking) -> list[str]:
    rows = Entry.objects.filter(object_type="booking", object_id=str(booking.pk)).order_by("sequence")
    return [f"{row.sequence} {row.action}" for row in rows]


def judge(booking: Booking, outcome: Outcome, transitions: list[str]) -> list[str]:
    """What is wrong with the end of a race; nothing if all is well."""
    now = Booking.objects.select_related("occupancy").get(pk=booking.pk)
    charge = Charge.objects.get(source_uid=booking.uid)
    taken = Occupancy.objects.filter(start=now.start, end=now.end, instrument=now.instrument_id).count()
    wrong = {
        "one winner": len(outcome.results) == 1,
        "the others are told why": set(outcome.error_counts()) <= {"Refused", "Stale"},
        "one transition": len(transitions) == 1,
        "one version more": now.version == booking.version + 1,
        "time as the status wants it": (now.occupancy is not None, taken) == (now.status in OCCUPYING,) * 2,
        "charge as the status wants it": (charge.state == ChargeState.RESERVED) == (now.status in RESERVED),
        "one usage record at most": now.usages.count() == (now.status in (Status.IN_USE, Status.COMPLETED)),
        "one message a person and channel": _no_message_twice(now),
    }
    return [name for name, holds in wrong.items() if not holds]


def _no_message_twice(booking: Booking) -> bool:
    """Of the two that race, only the winner tells the customer; who was displaced hears of other times, once."""
    about = Message.objects.filter(path=f"/bookings/{booking.pk}/", recipient=booking.user_id, channel="mail")
    kinds = Counter(about.values_list("kind", flat=True))
    proposed = kinds.pop("replacements_proposed", 0)
    first = 0 if booking.approval_roles else 1  # the confirmation
    said = kinds.total() - kinds["booking_received"] - kinds["booking_requested"] - first
    return said <= 1 and proposed <= (booking.status == Status.DISPLACED)


@pytest.mark.parametrize("name", CONTESTS)
def test_one_wins_and_the_rest_is_told_why(name: str, clock: Any) -> None:
    ends = run_contest(name, clock)

    assert [judge(*end) for end in ends] == [[]] * ROUNDS
    for booking, *_ in ends:
        assert list(faults(organisation_id=booking.instrument.institution_id)) == []


@contextmanager
def unguarded(monkeypatch: pytest.MonkeyPatch, *, compare: bool = False) -> Iterator[None]:
    """Actions believe what the page showed: no lock, no fresh read, and unless ``compare`` no comparison."""

    def as_shown(booking: Booking, *, version: int | None = None) -> Booking:
        return Booking.objects.model(**{f.attname: getattr(booking, f.attname) for f in Booking._meta.concrete_fields})

    def overwrite(booking: Booking, to: str, *, at: datetime, **changes: Any) -> Booking:
        freed = booking.occupancy_id if to not in OCCUPYING else None
        if freed:
            changes["occupancy"] = None
        more = {"version": models.F("version") + 1, "sequence": models.F("sequence") + 1, "changed_at": at}
        Booking.objects.filter(pk=booking.pk).update(status=to, **more, **changes)
        if freed:
            vacate(occupancy_ids=[freed])
        booking.status = to
        return booking

    with monkeypatch.context() as patched:
        for module in (changing, deciding, displacing, no_shows, using):
            patched.setattr(module, "lock_booking", as_shown)
            if not compare:
                patched.setattr(module, "move", overwrite)
        # Of two agreements for one role the database refuses the second by itself.
        patched.setattr(deciding, "agree", lambda booking, **_: set(booking.approval_roles))
        yield


@pytest.mark.parametrize("name", [name for name in CONTESTS if name not in ("cancel, approve",)])
def test_negative_control_without_lock_and_comparison_the_checks_notice(
    name: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unguarded(monkeypatch):
        ends = run_contest(name, clock, rounds=2)

    assert any(judge(*end) for end in ends)


@pytest.mark.parametrize("name", ["approve, reject", "no-show, check-in"])
def test_the_comparison_alone_lets_one_win(name: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with unguarded(monkeypatch, compare=True):
        ends = run_contest(name, clock)

    assert [judge(*end) for end in ends] == [[]] * ROUNDS


# --- two into one gap ----------------------------------------------------------------------------------------------


def two_reschedules(clock: Any) -> tuple[Outcome, list[Booking], Lab]:
    clock.move_to(NOW)
    lab = Lab()
    colleague = make_member(lab.enterprise)
    mine, other = lab.book(9, 11), lab.book(15, 17, user=colleague)
    calls = [
        partial(reschedule_booking, booking=mine, by=lab.engineer, start=at(12), end=at(14)),
        partial(reschedule_booking, booking=other, by=colleague, start=at(13), end=at(15)),
    ]
    return at_once(calls), [mine, other], lab


def overlaps(lab: Lab) -> int:
    rows = list(Occupancy.objects.filter(instrument=lab.instrument).order_by("start", "end"))
    return sum(1 for n, row in enumerate(rows) for other in rows[:n] if row.start < other.end and other.start < row.end)


def test_two_reschedules_into_one_gap_one_moves_and_the_other_keeps_its_time(clock: Any) -> None:
    for _ in range(ROUNDS):
        outcome, bookings, lab = two_reschedules(clock)

        assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 1})
        now = [Booking.objects.select_related("occupancy").get(pk=booking.pk) for booking in bookings]
        assert sorted(row.version for row in now) == [1, 2]
        kept = next(row for row in now if row.version == 1)
        assert (kept.start, kept.end) == next((b.start, b.end) for b in bookings if b.pk == kept.pk)
        assert all(row.occupancy and (row.occupancy.start, row.occupancy.end) == (row.start, row.end) for row in now)
        assert overlaps(lab) == 0


def test_negative_control_without_guards_both_move_into_the_gap(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_occupancy_guards(monkeypatch):
        outcome, _, lab = two_reschedules(clock)
        found = overlaps(lab)

    assert (len(outcome.results), found) == (2, 1)


@contextmanager
def no_occupancy_guards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither the database's word, nor the lock, nor a look at what is taken."""
    drop_every_guard()
    with monkeypatch.context() as patched, override_settings(BOOKING_GUARDS=False):
        patched.setattr(assessing, "_in_the_way", lambda wish, reads, own: [])
        patched.setattr(outages, "hit_bookings", lambda instrument, start, end: [])
        yield
    Booking.objects.all().update(occupancy=None, status=Status.CANCELLED)
    Occupancy.objects.all().delete()
    Outage.objects.all().delete()
    constraints.create_guards()


# --- an outage against a booking -----------------------------------------------------------------------------------


def outage_and_booking(clock: Any, **more: Any) -> tuple[Outcome, Lab]:
    clock.move_to(NOW)
    lab = Lab()
    calls = [
        partial(
            create_outage,
            instrument=lab.instrument,
            start=at(9),
            end=at(12),
            reason="Leak",
            by=lab.manager,
            displace=True,
            **more,
        ),
        partial(
            request_booking,
            by=lab.engineer,
            user=lab.engineer,
            organisation=lab.enterprise,
            instrument=lab.instrument,
            start=at(10),
            end=at(13),
            mode="self",
            purpose="Race",
        ),
    ]
    return at_once(calls), lab


def test_an_outage_displaces_who_books_meanwhile_or_keeps_them_out(clock: Any) -> None:
    for _ in range(ROUNDS):
        outcome, lab = outage_and_booking(clock)

        assert set(outcome.error_counts()) <= {"Refused"}
        rows = list(Occupancy.objects.filter(instrument=lab.instrument))
        assert [row.kind for row in rows] == [OccupancyKind.OUTAGE]
        made = Booking.objects.filter(instrument=lab.instrument)
        assert [(b.status, b.version) for b in made] in ([], [(Status.DISPLACED, 2)])
        assert made.count() + len(outcome.errors) == 1


def test_an_outage_that_was_shown_no_hits_wins_or_the_booking_does(clock: Any) -> None:
    for _ in range(ROUNDS):
        outcome, lab = outage_and_booking(clock, expected=[])

        assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 1})
        assert Occupancy.objects.filter(instrument=lab.instrument).count() == 1
        assert not Booking.objects.filter(instrument=lab.instrument, status=Status.DISPLACED).exists()
        assert overlaps(lab) == 0


def test_negative_control_without_guards_outage_and_booking_overlap(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_occupancy_guards(monkeypatch):
        outcome, lab = outage_and_booking(clock, expected=[])
        found = overlaps(lab)

    assert (len(outcome.results), found) == (2, 1)
