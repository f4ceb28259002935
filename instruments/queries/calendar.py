"""Public holidays as far as they are known: what comes with the product, and what the operator imported."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from django.utils.translation import gettext_lazy as _

from backend.core.memo import is_known, once
from backend.core.prepared import Prepared
from instruments.models import CalendarDay, DayKind
from instruments.rules import Announced, PublicDays, built_in_days, public_days

MEMO = "announced days"
DAY = timedelta(days=1)
_USUAL = {
    "元旦": _("New Year"),
    "春节": _("Spring Festival"),
    "清明节": _("Tomb-Sweeping Day"),
    "劳动节": _("Labour Day"),
    "端午节": _("Dragon Boat Festival"),
    "中秋节": _("Mid-Autumn Festival"),
    "国庆节": _("National Day"),
}


def announced() -> frozenset[Announced]:
    """What was imported; one query, once in a request."""
    return once(MEMO, _read)


def announced_ahead() -> None:
    """Send what `announced` will ask."""
    if not is_known(MEMO):
        _DAYS.ahead()


def _read() -> frozenset[Announced]:
    return frozenset(Announced(year, day, kind == DayKind.HOLIDAY) for year, day, kind in _DAYS.rows())


_DAYS = Prepared(lambda: CalendarDay.objects.order_by().values_list("year", "day", "kind"))


def days_of(first: date, last: date) -> PublicDays:
    """Of all years from the first date's to the last's."""
    return public_days(first.year, last.year, announced())


def days_around(start: datetime, end: datetime) -> PublicDays:
    """Enough for whatever zone the hours between two instants are worked out in."""
    return days_of((start - 2 * DAY).date(), (end + 2 * DAY).date())


@dataclass(frozen=True, slots=True)
class Holiday:
    """Days off that follow each other under one name, and the weekends worked for them."""

    name: str
    first: date
    last: date
    length: int
    make_up: tuple[date, ...] = ()

    @property
    def label(self) -> str:
        """In the reader's language where it is one of the usual ones."""
        return str(_USUAL.get(self.name, self.name))


@dataclass(frozen=True, slots=True)
class KnownYear:
    year: int
    holidays: list[Holiday]
    imported: bool
    source: str = ""


def known_years(first: int, last: int) -> list[KnownYear]:
    """The years from first to last whose holidays are known; one query."""
    imported: dict[int, list[CalendarDay]] = defaultdict(list)
    for row in CalendarDay.objects.filter(year__gte=first, year__lte=last):
        imported[row.year].append(row)
    out = []
    for year in range(first, last + 1):
        if year in imported:
            days = [(row.day, row.name, row.kind == DayKind.HOLIDAY) for row in imported[year]]
            out.append(KnownYear(year, grouped(days), True, imported[year][0].source))
        elif (built_in := built_in_days(year)) is not None:
            out.append(KnownYear(year, grouped(built_in), False))
    return out


def grouped(days: list[tuple[date, str, bool]]) -> list[Holiday]:
    """Days ``(day, name, is off)`` as holidays in order; a worked weekend belongs to its name, else the nearest."""
    off = sorted((day, name) for day, name, is_off in days if is_off)
    out: list[tuple[str, list[date]]] = []
    for day, name in off:
        if out and out[-1][0] == name and day - out[-1][1][-1] <= DAY:
            out[-1][1].append(day)
        else:
            out.append((name, [day]))
    worked: dict[int, list[date]] = defaultdict(list)
    for day, name, is_off in sorted(days):
        if not is_off and out:
            # Its own holiday if it is named, the nearest otherwise.
            worked[min(range(len(out)), key=lambda n: (out[n][0] != name, abs(out[n][1][0] - day)))].append(day)
    return [Holiday(name, found[0], found[-1], len(found), tuple(worked[n])) for n, (name, found) in enumerate(out)]


def told_year(year: int) -> list[dict[str, object]] | None:
    """For the API: every day that is known; None where nothing is announced. One query."""
    stored = [{"day": row.day, "kind": row.kind, "name": row.name} for row in CalendarDay.objects.filter(year=year)]
    built_in = built_in_days(year)
    if stored or built_in is None:
        return stored or None
    kinds = {True: DayKind.HOLIDAY.value, False: DayKind.WORKDAY.value}
    return [{"day": day, "kind": kinds[off], "name": name} for day, name, off in built_in]


def policy_days(first: date, last: date, imported: frozenset[Announced] | None = None) -> dict[str, list[str]]:
    """Holidays and worked weekends in the form of a policy's document, ranges joined; ``imported`` is `announced`."""
    public = public_days(first.year, last.year, announced() if imported is None else imported)
    return {"holidays": _ranges(public.holidays), "workdays": _ranges(public.make_up)}


def _ranges(days: frozenset[date]) -> list[str]:
    out = []
    for _key, run in groupby(enumerate(sorted(days)), key=lambda pair: pair[1] - pair[0] * DAY):
        found = [day for _place, day in run]
        out.append(f"{found[0]}" if len(found) == 1 else f"{found[0]}..{found[-1]}")
    return out
