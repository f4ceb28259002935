"""Fifty writers make overlapping series and experiments at once: one wins, nobody waits long, nothing is half done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.test import override_settings

from backend.audit.actions import faults
from backend.core import constraints
from booking.actions.policies import save_policy
from booking.actions.series import book_series, cancel_series, move_series, take_up
from booking.actions.several import book_several
from booking.models import Booking, Bundle, Series, SkippedDate, Status
from booking.queries import assess
from booking.queries.wishes import Wish
from instruments.models import Instrument, Occupancy
from tests.booking.lab import NOW, Lab
from tests.booking.test_contention import drop_every_guard
from tests.booking.test_races import overlaps
from tests.factories import at, make_enterprise, make_instrument, make_member, make_price_list
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]

WRITERS = 50
# Seconds for the last of them, on threads of one process: most of it is their own arithmetic, taken in turns.
LONGEST_WAIT = 15


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW) as traveller:
        yield traveller


@contextmanager
def unguarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither the database's word, nor the lock, nor a look at what is taken."""
    drop_every_guard()
    with monkeypatch.context() as patched, override_settings(BOOKING_GUARDS=False):
        patched.setattr(assess, "_in_the_way", lambda *_wish: [])
        yield
    Booking.objects.all().update(occupancy=None, status=Status.CANCELLED)
    Occupancy.objects.all().delete()
    constraints.create_guards()


def rush(calls: list[Callable[[], Any]]) -> tuple[Outcome, list[float]]:
    outcome = at_once(calls, timeout=120)
    return outcome, outcome.finished


def wish_of(instrument: Instrument, start: int = 9, end: int = 11, user: Any = None) -> Wish:
    user = user or make_member(make_enterprise())
    return Wish(instrument, at(start), at(end), "self", user.memberships.get().organisation, user)


def series_calls(lab: Lab, on_conflict: str = "fail", count: int = WRITERS) -> list[Callable[[], Any]]:
    """Each begins an hour later than the one before it, in turn, so that all overlap and few are equal."""
    wishes = [wish_of(lab.instrument, 9 + n % 2, 11 + n % 2) for n in range(count)]
    return [
        partial(
            book_series, wish=wish, rrule="FREQ=WEEKLY;COUNT=4", on_conflict=on_conflict, by=wish.user, purpose="Race"
        )
        for wish in wishes
    ]


def test_fifty_series_want_the_same_weeks_and_one_gets_them() -> None:
    lab = Lab()

    outcome, took = rush(series_calls(lab))

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": WRITERS - 1})
    assert (Series.objects.count(), Booking.objects.count(), Occupancy.objects.count()) == (1, 4, 4)
    assert overlaps(lab) == 0
    assert not list(faults())
    assert outcome.queued, (outcome.deadlocks, outcome.stall)
    assert max(took) < LONGEST_WAIT


def test_fifty_series_that_take_what_is_left_share_without_overlap() -> None:
    lab = Lab()

    outcome, _took = rush(series_calls(lab, "skip"))

    assert set(outcome.error_counts()) <= {"Refused"}
    assert Booking.objects.count() == Occupancy.objects.count() == 4
    assert overlaps(lab) == 0


def test_negative_control_without_guards_series_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    with unguarded(monkeypatch):
        outcome, _took = rush(series_calls(lab, count=6))
        found = overlaps(lab)

    assert len(outcome.results) > 1
    assert found > 0


def bundle_calls(instruments: list[Instrument], count: int = WRITERS) -> list[Callable[[], Any]]:
    """Every second one names the instruments the other way round."""
    calls: list[Callable[[], Any]] = []
    for number in range(count):
        user = make_member(make_enterprise())
        wishes = [wish_of(each, user=user) for each in instruments]
        calls.append(
            partial(book_several, wishes=wishes[::-1] if number % 2 else wishes, by=user, purpose=f"Race {number}")
        )
    return calls


def priced() -> Instrument:
    instrument = make_instrument()
    make_price_list(instrument)
    return instrument


def test_fifty_experiments_name_the_instruments_in_different_orders_and_one_gets_them() -> None:
    instruments = [priced() for _ in range(3)]

    outcome, took = rush(bundle_calls(instruments))

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": WRITERS - 1})
    assert (Bundle.objects.count(), Booking.objects.count(), Occupancy.objects.count()) == (1, 3, 3)
    assert outcome.queued, (outcome.deadlocks, outcome.stall)
    assert max(took) < LONGEST_WAIT


def test_experiments_at_the_same_labs_with_other_instruments_do_not_lock_each_other_out() -> None:
    """They meet only in the audit records of the two institutions."""
    left, right = priced(), priced()
    calls: list[Callable[[], Any]] = []
    for number in range(WRITERS // 2):
        mine = [make_instrument(left.institution), make_instrument(right.institution)]
        for each in mine:
            make_price_list(each)
        calls += bundle_calls(mine[::-1] if number % 2 else mine, 1)

    outcome, _took = rush(calls)

    assert outcome.error_counts() == {}
    assert Bundle.objects.count() == WRITERS // 2
    assert not list(faults())


def test_negative_control_without_guards_experiments_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    with unguarded(monkeypatch):
        outcome, _took = rush(bundle_calls([lab.instrument, priced()], 6))
        found = overlaps(lab)

    assert len(outcome.results) > 1
    assert found > 0


def test_quotas_hold_when_one_organisation_books_series_from_many_desks() -> None:
    lab = Lab(units=20)
    quota = {"id": "w", "kind": "quota", "measure": "hours", "over": "week", "per": ["organisation"], "max": 6}
    save_policy(instrument=lab.instrument, document={"rules": [quota]}, by=lab.manager)
    wishes = [
        Wish(lab.instrument, at(9), at(11), "self", lab.enterprise, make_member(lab.enterprise)) for _ in range(12)
    ]
    rule = {"rrule": "FREQ=WEEKLY;COUNT=2", "on_conflict": "fail", "purpose": "Race"}

    outcome, _took = rush([partial(book_series, wish=wish, by=wish.user, **rule) for wish in wishes])

    assert (len(outcome.results), outcome.error_counts()) == (3, {"Refused": 9})
    assert Booking.objects.count() == 6


def test_a_series_moves_and_is_cancelled_at_once_and_one_of_the_two_holds() -> None:
    lab = Lab()
    series = book_series(
        wish=wish_of(lab.instrument, user=lab.engineer), rrule="FREQ=WEEKLY;COUNT=4", on_conflict="fail",
        by=lab.engineer, purpose="Race",
    )  # fmt: skip
    rows = list(series.bookings.order_by("start"))
    common = {"series": series, "rows": rows, "by": lab.engineer}

    outcome, _took = rush(
        [
            partial(move_series, start=at(14), end=at(16), on_conflict="fail", **common),
            partial(cancel_series, **common),
        ]
    )

    assert set(outcome.error_counts()) <= {"Refused"}
    states = {row.status for row in series.bookings.all()}
    assert states == {"cancelled"}
    assert Occupancy.objects.count() == 0


def ten_take_up_one_date(lab: Lab) -> tuple[Outcome, Series]:
    """Five want one time for it, five another."""
    lab.book(10, 11)
    series = book_series(
        wish=wish_of(lab.instrument, user=lab.engineer), rrule="FREQ=WEEKLY;COUNT=4", on_conflict="skip",
        by=lab.engineer, purpose="Race",
    )  # fmt: skip
    date = series.skipped.select_related("series__instrument", "series__user", "series__organisation").get()
    calls = [partial(take_up, date=date, by=lab.engineer, start=at(13), end=at(14)) for _ in range(5)]
    calls += [partial(take_up, date=date, by=lab.engineer, start=at(15), end=at(16)) for _ in range(5)]
    outcome, _took = rush(list(calls))
    return outcome, series


def test_a_skipped_date_is_taken_up_once_by_ten_who_try() -> None:
    outcome, series = ten_take_up_one_date(Lab())

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 9})
    assert series.bookings.count() == 4


def test_negative_control_without_a_fresh_read_a_skipped_date_is_taken_up_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def as_shown(*_args: Any, **_kwargs: Any) -> Any:
        return SimpleNamespace(get=lambda pk: SkippedDate(pk=pk))

    monkeypatch.setattr(SkippedDate.objects, "select_for_update", as_shown)

    outcome, series = ten_take_up_one_date(Lab())

    assert len(outcome.results) == 2
    assert series.bookings.count() == 5
