"""Series of bookings: what would happen on each date, what there is of one, what cancelling it costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.accounts.queries import Access, access_of
from backend.core.db import one
from backend.core.errors import Forbidden, Invalid, Refusal, Refused
from booking.models import Booking, BookingQuerySet, Series, SkippedDate, Status
from booking.queries import scope
from booking.queries.assess import judge
from booking.queries.behalf import as_asked
from booking.queries.cancellation import cancellation
from booking.queries.facts import request_of
from booking.queries.reads import read_for
from booking.queries.wishes import Assessment, Wish
from booking.rules.recurrence import Occurrence, occurrences, overlapping, read_rule
from instruments.models import Instrument
from instruments.queries.rights import manages


@dataclass(frozen=True, slots=True)
class Planned:
    """One date of a series, or one item of several: the answer to it, when those before it have been booked."""

    wish: Wish
    refusals: tuple[Refusal, ...]
    answer: Assessment | None = None

    @property
    def start(self) -> datetime:
        return self.wish.start

    @property
    def end(self) -> datetime:
        return self.wish.end

    @property
    def bookable(self) -> bool:
        return not self.refusals


def dates_of(wish: Wish, rrule: str) -> list[Occurrence]:
    """The dates of the rule; `Refused` with the pair when two of them overlap, set-up and cleaning included."""
    dates = occurrences(read_rule(rrule), start=wish.start, end=wish.end, zone=wish.instrument.zone)
    no_overlap(dates, wish.instrument)
    return dates


def no_overlap(dates: Iterable[Occurrence], instrument: Instrument) -> None:
    before, after = timedelta(minutes=instrument.setup_minutes), timedelta(minutes=instrument.cleaning_minutes)
    pair = overlapping(dates, before=before, after=after)
    if pair is None:
        return
    first, second = (date.start.astimezone(instrument.zone) for date in pair)
    words = {"first": f"{first:%Y-%m-%d %H:%M}", "second": f"{second:%Y-%m-%d %H:%M}"}
    raise Refused(
        Refusal(
            "overlaps_itself",
            _("The dates %(first)s and %(second)s overlap, set-up and cleaning included.") % words,
            field="rrule",
            params={"first": first.isoformat(), "second": second.isoformat()},
            fix_text=_("Choose a shorter time or a greater interval."),
        )
    )


def plan_series(wish: Wish, dates: Iterable[Occurrence], *, by: User, now: datetime) -> list[Planned]:
    """The answer to each date; as many queries for a hundred dates as for one, and no writes."""
    asker = access_of(by)
    before: list[dict[str, Any]] = []
    out = []
    dates = list(dates)
    reads = read_for([wish.at(date.start, date.end) for date in dates], now=now)
    for date in dates:
        there = wish.at(date.start, date.end)
        if date.gap:
            out.append(Planned(there, (gap_refusal(date),)))
            continue
        answer = as_asked(asker, there, judge(there, reads, also=before))
        if answer.bookable:
            before.append(as_booked(there, answer, now, len(before)))
            reads = reads.after(there, answer)
        out.append(Planned(there, answer.refusals, answer))
    return out


def preview_series(wish: Wish, rrule: str, *, by: User, now: datetime) -> tuple[list[Planned], tuple[Refusal, ...]]:
    """The plan, or why the rule has no dates that could be planned; writes nothing."""
    try:
        return plan_series(wish, dates_of(wish, rrule), by=by, now=now), ()
    except (Invalid, Refused) as error:
        return [], error.refusals


def as_booked(wish: Wish, answer: Assessment, now: datetime, number: int) -> dict[str, Any]:
    """A wish as if it had been booked; no stored booking has its id."""
    return {**request_of(wish, answer.audience, made=now), "id": -number - 1, "status": Status.CONFIRMED}


def gap_refusal(date: Occurrence) -> Refusal:
    text = _("The clock skips %(time)s on this day: it is set forward. Please choose another time.")
    return Refusal("gap", text % {"time": date.gap})


def dated(refusals: Iterable[Refusal], start: datetime, instrument: Instrument) -> Iterator[Refusal]:
    """The refusals of one date, naming it."""
    local = start.astimezone(instrument.zone)
    for each in refusals:
        yield Refusal(
            each.code,
            f"{local:%Y-%m-%d %H:%M} · {each.detail}",
            params={**each.params, "date": local.isoformat()},
            until=each.until,
            fix_text=each.fix_text,
        )


def total_of(planned: Iterable[Planned]) -> Decimal:
    """The quotes of what can be booked."""
    quotes = [each.answer.quote.total for each in planned if each.bookable and each.answer]
    return sum(quotes, Decimal("0.00"))


# --- what there is ---------------------------------------------------------------------------------------------------


def visible_dates(access: Access, series: Series) -> BookingQuerySet:
    """The bookings of the series that the person may see, by date."""
    return _full(scope.visible_bookings(access).filter(series=series))


def _full(rows: BookingQuerySet) -> BookingQuerySet:
    related = "instrument__institution", "organisation", "user", "made_by", "project", "group", "price_list"
    return rows.select_related(*related, "occupancy").prefetch_related("approvals__by").order_by("start")


def get_series(access: Access, pk: int) -> Series:
    """A series of which the person may see a booking."""
    seen = scope.visible_bookings(access).filter(series=pk).values("series")
    related = "instrument__institution", "organisation", "user", "made_by", "group", "project"
    return one(Series.objects.filter(pk__in=seen).select_related(*related), pk)


def get_series_to_change(access: Access, pk: int) -> Series:
    """A series that the person takes part in; 403 for who may only agree to its dates."""
    series = get_series(access, pk)
    if not (scope.is_customer(access, series) or manages(access, series.instrument)):
        raise Forbidden
    return series


def get_managed_series(access: Access, pk: int) -> Series:
    """A series at an instrument that the person manages; 403 for its customer."""
    series = get_series(access, pk)
    if not manages(access, series.instrument):
        raise Forbidden
    return series


def get_own_series(access: Access, pk: int) -> Series:
    """A series that the person may add to as its customer; 403 for the lab."""
    series = get_series(access, pk)
    if not scope.is_customer(access, series):
        raise Forbidden
    return series


def skipped_dates(series: Series) -> QuerySet[SkippedDate]:
    return series.skipped.select_related("taken_up")


def get_skipped(series: Series, pk: int) -> SkippedDate:
    return one(skipped_dates(series), pk)


def wish_of_date(date: SkippedDate) -> Wish:
    series = date.series
    return Wish(
        instrument=series.instrument,
        start=date.start,
        end=date.end,
        mode=series.mode,
        organisation=series.organisation,
        user=series.user,
        samples=series.samples,
        parameters=series.parameters,
        project=series.project,
        group=series.group,
    )


def changeable(rows: Iterable[Booking], now: datetime, *, since: datetime | None = None) -> list[Booking]:
    """Those that can still be moved or cancelled: asked for or confirmed, not begun; from one date on."""
    live = (Status.REQUESTED, Status.CONFIRMED)
    return [row for row in rows if row.status in live and row.start > now and (since is None or row.start >= since)]


@dataclass(frozen=True, slots=True)
class Fees:
    """What cancelling several bookings costs now; ``refusals`` by the rules, each naming its date."""

    count: int
    total: Decimal
    currency: str
    refusals: tuple[Refusal, ...]


def fees_of(rows: Sequence[Booking], *, now: datetime) -> Fees:
    """For the customer; requests are withdrawn and cost nothing."""
    found = [(row, cancellation(row, now=now)) for row in rows if row.status == Status.CONFIRMED]
    refusals = [each for row, fee in found for each in dated(fee.refusals, row.start, row.instrument)]
    currency = next((row.quote.get("currency", "") for row in rows), "")
    total = sum((fee.total for _row, fee in found), Decimal("0.00"))
    return Fees(len(rows), total, currency, tuple(refusals))


def stored(refusals: Iterable[Refusal]) -> list[dict[str, Any]]:
    """Refusals as a skipped date keeps them: in the words of who booked."""
    return [_kept({"code": each.code, "detail": str(each.detail), "fix_text": str(each.fix_text)}) for each in refusals]


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value}
