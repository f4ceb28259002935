"""The same time again and again: booking a series, moving and cancelling its dates, taking up what was skipped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Refusal, Refused, refuse
from backend.core.memo import remembering_at_least
from backend.core.periods import Period, clock_words
from booking.actions.changing import need_reason, reschedule_booking
from booking.actions.deciding import approve_booking, reject_booking
from booking.actions.requesting import place_booking, require_member
from booking.actions.together import (
    cancel_all,
    expected_fees,
    lock_changing,
    lock_wishes,
    place_planned,
    tell_together,
    without_taken,
)
from booking.actions.transitions import customers, deciders, managers, untold
from booking.models import Booking, OnConflict, Series, SkippedDate, Status
from booking.queries.series import (
    Planned,
    changeable,
    dated,
    dates_of,
    gap_refusal,
    no_overlap,
    plan_series,
    stored,
    wish_of_date,
)
from booking.queries.wishes import Wish, check_shape, wish_of
from booking.rules.recurrence import Occurrence, read_rule, shifted


@atomic_action
@remembering_at_least()
def book_series(*, wish: Wish, rrule: str, on_conflict: str, by: User, purpose: str, notes: str = "") -> Series:
    """Book every date of the rule, beginning with ``wish``; dates whose time the clock skips are kept as skipped.

    ``fail`` books all or none and names every refusal of every date; ``skip`` books what is possible and keeps
    the rest with its refusals. `Refused` also where not one date is possible.
    """
    check_shape(wish.start, wish.end)
    now = timezone.now()
    # Who is refused anyway holds nobody up: the locks come after.
    planned = plan_series(wish, dates_of(wish, rrule), by=by, now=now)
    _stop_where_asked(planned, on_conflict)
    locked = lock_wishes([wish], now=now)
    planned = without_taken(planned, locked)
    series = _write(wish, planned, rrule, on_conflict, by=by, purpose=purpose, notes=notes, now=now)
    done: list[Booking] = []
    left: list[Planned] = []
    words: dict[str, Any] = {"purpose": purpose, "notes": notes, "series": series, "rules": locked.rules}
    with untold():
        for each in planned:
            booking, refusals = place_planned(each, by=by, now=now, **words)
            done += [booking] if booking else []
            left += [] if booking else [Planned(each.wish, refusals)]
    _stop_where_asked([*left, *(Planned(wish_of(row), ()) for row in done)], on_conflict)
    SkippedDate.objects.bulk_create(
        SkippedDate(series=series, start=each.start, end=each.end, refusals=stored(each.refusals)) for each in left
    )
    _announce(series, done, left)
    _note(series, "series.book", by=by, booked=len(done), skipped=len(left))
    return series


def _stop_where_asked(planned: Sequence[Planned], on_conflict: str) -> None:
    """`Refused` where one date is too many that cannot be booked, or none can."""
    gaps = {"gap"}
    against = [each for each in planned if {refusal.code for refusal in each.refusals} - gaps]
    if any(each.bookable for each in planned) and not (against and on_conflict == OnConflict.FAIL):
        return
    named = against or list(planned)
    raise Refused(*(each for one in named for each in dated(one.refusals, one.start, one.wish.instrument)))


def _write(
    wish: Wish, planned: Sequence[Planned], rrule: str, on_conflict: str, *, by: User, now: datetime, **words: str
) -> Series:
    return Series.objects.create(
        instrument=wish.instrument,
        organisation=wish.organisation,
        user=wish.user,
        made_by=by,
        group=wish.group,
        project=wish.project,
        rrule=str(read_rule(rrule)),
        start=planned[0].start,
        end=planned[0].end,
        mode=wish.mode,
        on_conflict=on_conflict,
        samples=wish.samples,
        parameters=dict(wish.parameters),
        made_at=now,
        **words,
    )


def _announce(series: Series, done: Sequence[Booking], left: Iterable[Planned]) -> None:
    zone = series.instrument.zone
    skipped = [clock_words(each.start, each.end, zone) for each in left]
    path = path_of(series)
    tell_together(
        "bookings_made", done, to=customers(done[0]), path=path, key=f"bookings_made:{series.uid}", skipped=skipped
    )
    waiting = [row for row in done if row.status == Status.REQUESTED]
    if waiting:
        asked = set().union(*(deciders(row) for row in _one_of_each(waiting)))
        tell_together("bookings_requested", waiting, to=asked, path=path, key=f"bookings_requested:{series.uid}")


def _one_of_each(rows: Iterable[Booking]) -> list[Booking]:
    """One booking for each set of roles that must agree."""
    return list({tuple(row.approval_roles): row for row in rows}.values())


def path_of(series: Series) -> str:
    return f"/bookings/series/{series.pk}/"


@atomic_action
@remembering_at_least()
def cancel_series(
    *,
    series: Series,
    rows: Sequence[Booking],
    by: User,
    reason: str = "",
    by_lab: bool = False,
    expected: Decimal | None = None,
) -> list[Booking]:
    """Cancel these dates, withdraw those still asked for; all or none. ``expected`` is the fee that was shown.

    The lab cancels what is confirmed, free of charge and with a reason; about requests it decides.
    """
    now = timezone.now()
    _lock(rows, now=now)
    rows = _fresh(rows, now)
    if by_lab:
        need_reason(reason)
        rows = [row for row in rows if row.status == Status.CONFIRMED]
    _need_some(rows)
    fees = None if by_lab else expected_fees(rows, expected=expected, now=now)
    with untold():
        done = cancel_all(rows, by=by, reason=reason, by_lab=by_lab)
    fee = str(fees.total) if fees else "0.00"
    told = customers(rows[0]) | managers(series.instrument)
    more = {"fee": fee, "by_lab": by_lab, "reason": reason}
    tell_together(
        "bookings_cancelled", done, to=told, path=path_of(series), key=_key("cancelled", series, done), **more
    )
    _note(series, "series.cancel", by=by, reason=reason, cancelled=len(done), fee=fee)
    return done


@dataclass(frozen=True, slots=True)
class Moved:
    """``kept`` stay where they are, each with what speaks against its new time."""

    done: list[Booking]
    kept: list[tuple[Booking, Planned]]


@atomic_action
@remembering_at_least()
def move_series(
    *,
    series: Series,
    rows: Sequence[Booking],
    by: User,
    start: datetime,
    end: datetime,
    on_conflict: str,
    reason: str = "",
    by_lab: bool = False,
    only_show: bool = False,
) -> Moved:
    """Move these dates as the first of them moves to ``[start, end)``: by the same days and hours of the clock.

    ``fail`` moves all or none, ``skip`` leaves where they are those that cannot be moved. With ``only_show`` it is
    done, looked at and undone, so that the preview is what would really happen.
    """
    check_shape(start, end)
    now = timezone.now()
    _lock(rows, now=now)
    rows = _fresh(rows, now)
    _need_some(rows)
    if by_lab and not only_show:
        need_reason(reason)
    dates = shifted([Period(row.start, row.end) for row in rows], start=start, end=end, zone=series.instrument.zone)
    if (dates[0].start, dates[0].end) == (rows[0].start, rows[0].end):
        raise refuse("same_time", _("This is the time that the booking has already."))
    no_overlap(dates, series.instrument)
    moved = _move_each(list(zip(rows, dates, strict=True)), by=by, reason="-" if only_show else reason, by_lab=by_lab)
    if only_show:
        transaction.set_rollback(True)
        return moved
    if not moved.done or (moved.kept and on_conflict == OnConflict.FAIL):
        raise Refused(*(each for row, kept in moved.kept for each in dated(kept.refusals, row.start, row.instrument)))
    _tell_moved(series, moved, by=by, by_lab=by_lab, reason=reason)
    _note(series, "series.move", by=by, reason=reason, moved=len(moved.done), kept=len(moved.kept))
    return moved


def _move_each(pairs: Sequence[tuple[Booking, Occurrence]], *, by: User, reason: str, by_lab: bool) -> Moved:
    """Later dates first when they move to later: each then finds the time of its neighbour free."""
    later = pairs[0][1].start >= pairs[0][0].start
    done: list[Booking] = []
    kept: list[tuple[Booking, Planned]] = []
    with untold():
        for row, date in reversed(pairs) if later else pairs:
            try:
                if date.gap:
                    raise Refused(gap_refusal(date))
                with transaction.atomic():
                    done.append(
                        reschedule_booking(
                            booking=row, by=by, start=date.start, end=date.end, reason=reason, by_lab=by_lab
                        )
                    )
            except Refused as refused:
                kept.append((row, Planned(wish_of(row).at(date.start, date.end), refused.refusals)))
    return Moved(sorted(done, key=lambda row: row.start), sorted(kept, key=lambda pair: pair[0].start))


def _tell_moved(series: Series, moved: Moved, *, by: User, by_lab: bool, reason: str) -> None:
    path, key, zone = path_of(series), _key("moved", series, moved.done), series.instrument.zone
    kept = [clock_words(row.start, row.end, zone) for row, _planned in moved.kept]
    told = customers(moved.done[0]) | managers(series.instrument)
    more: dict[str, Any] = {"skipped": kept, "by_lab": by_lab, "reason": reason}
    tell_together("bookings_moved", moved.done, to=told, path=path, key=key, **more)
    waiting = [row for row in moved.done if row.status == Status.REQUESTED]
    if waiting:
        asked = set().union(*(deciders(row) for row in _one_of_each(waiting)))
        tell_together("bookings_requested", waiting, to=asked, path=path, key=f"{key}:asked")


@atomic_action
def decide_series(
    *, series: Series, rows: Sequence[Booking], by: User, approve: bool, reason: str = ""
) -> list[Booking]:
    """Agree to all requests of the series, or reject them with a reason; all or none."""
    now = timezone.now()
    _lock(rows, now=now)
    rows = [row for row in _fresh(rows, now) if row.status == Status.REQUESTED]
    _need_some(rows)
    done: list[Booking] = []
    refusals: list[Refusal] = []
    with untold():
        for row in rows:
            try:
                act = approve_booking if approve else reject_booking
                done.append(act(booking=row, by=by, reason=reason))
            except Refused as refused:
                refusals += dated(refused.refusals, row.start, row.instrument)
    if refusals:
        raise Refused(*refusals)
    settled = [row for row in done if row.status != Status.REQUESTED]
    if settled:
        key = _key("decided", series, settled)
        more = {"approved": approve, "reason": reason}
        tell_together("bookings_decided", settled, to=customers(settled[0]), path=path_of(series), key=key, **more)
    _note(series, "series.approve" if approve else "series.reject", by=by, reason=reason, decided=len(done))
    return done


@atomic_action
def take_up(*, date: SkippedDate, by: User, start: datetime | None = None, end: datetime | None = None) -> Booking:
    """Book a skipped date after all, at its own time or another; it is taken up once."""
    wish = wish_of_date(date)
    wish = wish.at(start or wish.start, end or wish.end)
    check_shape(wish.start, wish.end)
    now = timezone.now()
    locked = lock_wishes([wish], now=now)
    fresh = SkippedDate.objects.select_for_update(of=("self",), no_key=True).get(pk=date.pk)
    if fresh.taken_up_id is not None:
        raise refuse("taken_up", _("This date has been taken up already."), params={"booking": fresh.taken_up_id})
    series = date.series
    require_member(series.user, series.organisation)
    wish = replace(wish, instrument=locked.instruments[wish.instrument.pk])
    words: dict[str, Any] = {"purpose": series.purpose, "notes": series.notes, "rules": locked.rules}
    booking = place_booking(wish, by=by, now=now, series=series, **words)
    SkippedDate.objects.filter(pk=date.pk).update(taken_up=booking)
    return booking


def _lock(rows: Sequence[Booking], *, now: datetime) -> None:
    _need_some(rows)
    lock_changing(rows, now=now)


def _fresh(rows: Sequence[Booking], now: datetime) -> list[Booking]:
    """The rows as they are once the instrument is locked."""
    related = "instrument__institution", "organisation", "user", "made_by", "project", "group", "price_list"
    found = Booking.objects.filter(pk__in=[row.pk for row in rows]).select_related(*related, "occupancy")
    return changeable(found.order_by("start"), now)


def _need_some(rows: Sequence[Booking]) -> None:
    if not rows:
        raise refuse("nothing_left", _("No date of this series can be changed any more."))


def _key(what: str, series: Series, rows: Sequence[Booking]) -> str:
    return f"bookings_{what}:{series.uid}:{rows[0].pk}:{rows[0].version}"


def _note(series: Series, action: str, *, by: User, reason: str = "", **after: Any) -> None:
    record(
        organisation_id=series.instrument.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="series",
        object_id=series.pk,
        after={"organisation": series.organisation_id, "rrule": series.rrule, **after},
        reason=reason,
    )
