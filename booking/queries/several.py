"""Several instruments at once: what speaks against each item, and the first time that fits all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.accounts.queries import Access, access_of, audience_of
from backend.core.db import one
from backend.core.errors import Forbidden, Refusal
from backend.core.periods import Period
from booking.models import Booking, BookingQuerySet, Bundle
from booking.queries import scope
from booking.queries.assess import judge
from booking.queries.behalf import as_asked
from booking.queries.facts import layers_of
from booking.queries.reads import read_for
from booking.queries.series import Planned, as_booked
from booking.queries.times import STEP, Judge, judge_of, read_times
from booking.queries.wishes import Wish
from booking.rules.layers import merge_layers

WITHIN = timedelta(days=14)
# Times that are free on every instrument and asked in full, rules with bookings and all, before the search gives up.
MOST_ASKED = 8


def plan_several(wishes: Sequence[Wish], *, by: User, now: datetime) -> list[Planned]:
    """The answer to each item, when those before it have been booked; writes nothing."""
    asker = access_of(by)
    before: list[dict[str, Any]] = []
    out: list[Planned] = []
    reads = read_for(wishes, now=now)
    for wish in wishes:
        answer = as_asked(asker, wish, judge(wish, reads, also=before))
        refusals = (*answer.refusals, *_in_the_way(wish, [each for each in out if each.bookable]))
        if not refusals:
            before.append(as_booked(wish, answer, now, len(before)))
            reads = reads.after(wish, answer)
        out.append(Planned(wish, refusals, answer))
    return out


def _in_the_way(wish: Wish, earlier: Iterable[Planned]) -> Iterator[Refusal]:
    """Earlier items on the same instrument, where none of its units is left."""
    here = wish.with_buffers()
    same = [each for each in earlier if each.wish.instrument.pk == wish.instrument.pk]
    if sum(each.wish.with_buffers().overlaps(here) for each in same) >= wish.instrument.units:
        yield Refusal("taken", _("Another item of this experiment takes the instrument at this time."))


def numbered(planned: Sequence[Planned]) -> Iterator[Refusal]:
    """Every refusal of every item, naming the item by its place in the list."""
    for index, each in enumerate(planned):
        for refusal in each.refusals:
            yield Refusal(
                refusal.code,
                f"{index + 1}. {each.wish.instrument.label(get_language() or '')}{_(': ')}{refusal.detail}",
                field=f"items.{index}",
                params={**refusal.params, "item": index},
                until=refusal.until,
                fix=refusal.fix,
                fix_text=refusal.fix_text,
            )


@dataclass(frozen=True, slots=True)
class Piece:
    """One instrument of an experiment: ``offset`` is when it begins after the experiment's start."""

    wish: Wish
    offset: timedelta
    length: timedelta

    def at(self, start: datetime) -> Period:
        return Period(start + self.offset, start + self.offset + self.length)


def arranged(wishes: Sequence[Wish], *, chain: bool, gap: timedelta) -> list[Piece]:
    """``chain``: one after another, with the gap between; else all begin together. Lengths are those of the wishes."""
    out: list[Piece] = []
    offset = timedelta(0)
    for wish in wishes:
        length = wish.end - wish.start
        out.append(Piece(wish, offset, length))
        offset += length + gap if chain else timedelta(0)
    return out


def at_time(pieces: Sequence[Piece], start: datetime) -> list[Wish]:
    return [piece.wish.at(*piece.at(start)) for piece in pieces]


def first_fit(pieces: Sequence[Piece], *, by: User, now: datetime, since: datetime | None = None) -> list[Planned]:
    """The first time within 14 days at which every item can be booked; empty when there is none.

    Five queries an instrument find what is free and what the rules say of the time itself; at most eight such
    times are then asked in full.
    """
    begin = max(since or now, now)
    free = [_Free(piece, now, Period(begin, begin + WITHIN + timedelta(days=1))) for piece in pieces]
    asked = 0
    for start in _grid(begin):
        if not all(each.fits(start) for each in free):
            continue
        planned = plan_several(at_time(pieces, start), by=by, now=now)
        if all(each.bookable for each in planned):
            return planned
        asked += 1
        if asked == MOST_ASKED:
            break
    return []


def _grid(begin: datetime) -> Iterator[datetime]:
    seconds = STEP * 60
    at = datetime.fromtimestamp((begin.timestamp() // seconds + 1) * seconds, begin.tzinfo)
    while at < begin + WITHIN:
        yield at
        at += timedelta(minutes=STEP)


class _Free:
    """Where one item can lie: free stretches of its instrument, and the rules that look at the time alone."""

    def __init__(self, piece: Piece, now: datetime, within: Period) -> None:
        self.piece = piece
        instrument, wish = piece.wish.instrument, piece.wish
        times = read_times(instrument, within.start, within.end)
        self.stretches = times.stretches(piece.length)
        audience = audience_of(wish.organisation, instrument.institution_id, now.astimezone(instrument.zone).date())
        rules = merge_layers(layers_of(instrument, now), tz=instrument.timezone)
        self.judge: Judge = judge_of(wish, rules, audience, now)

    def fits(self, start: datetime) -> bool:
        there = self.piece.at(start)
        return any(stretch.contains(there) for stretch in self.stretches) and not self.judge.reason(*there)


# --- what there is ---------------------------------------------------------------------------------------------------


def visible_items(access: Access, bundle: Bundle) -> BookingQuerySet:
    """Those that the person may see: the customer all, a lab those of its instruments."""
    related = "instrument__institution", "organisation", "user", "made_by", "project", "group", "price_list"
    rows = scope.visible_bookings(access).filter(bundle=bundle)
    return rows.select_related(*related, "occupancy").prefetch_related("approvals__by").order_by("start", "pk")


def get_bundle(access: Access, pk: int) -> Bundle:
    """One of which the person may see a booking."""
    seen = scope.visible_bookings(access).filter(bundle=pk).values("bundle")
    return one(Bundle.objects.filter(pk__in=seen).select_related("organisation", "user", "made_by"), pk)


def get_own_bundle(access: Access, pk: int) -> Bundle:
    """One that the person may cancel as its customer; 403 for a lab that sees a part of it."""
    bundle = get_bundle(access, pk)
    if not is_whole_customer(access, visible_items(access, bundle)):
        raise Forbidden
    return bundle


def is_whole_customer(access: Access, rows: Iterable[Booking]) -> bool:
    """Whether the person is the customer of every one, and not the lab of some."""
    return all(scope.is_customer(access, row) for row in rows)


def companions(access: Access, booking: Booking) -> list[Booking]:
    """The other bookings of the same experiment that the person may see; no query where there is none."""
    if booking.bundle is None:
        return []
    return list(visible_items(access, booking.bundle).exclude(pk=booking.pk))
