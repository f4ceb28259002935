"""When a band lies in time: its occurrences as periods, and what of a period lies in or outside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from backend.core.periods import Period, intersect, local_boundary, subtract
from instruments.pricing.model import DAY_MINUTES, BandRef, MonthDay, Window

Bands = Mapping[str, tuple[Window, ...]]


def opens_on(window: Window, day: date, holidays: Collection[date]) -> bool:
    if window.season is not None and not _in_season(window.season, (day.month, day.day)):
        return False
    holiday = day in holidays
    if window.holidays is False and holiday:
        return False
    if window.days is None:
        return holiday or window.holidays is not True
    return day.isoweekday() in window.days or (window.holidays is True and holiday)


def _in_season(season: tuple[MonthDay, MonthDay], day: MonthDay) -> bool:
    """Both ends included; a season may run over the new year."""
    first, last = season
    return first <= day <= last if first <= last else day >= first or day <= last


def occurrences(
    band: BandRef, around: Sequence[Period], bands: Bands, holidays: Collection[date], zone: ZoneInfo
) -> list[Period]:
    """Each time that the band lies in the stretch from the first to the last of ``around``.

    Windows of different days stay apart even if they touch; those that overlap become one.
    """
    if not around:
        return []
    inside: list[Period] = []
    for period in sorted(_windows(bands[band.name], around, holidays, zone)):
        if inside and period.start < inside[-1].end:
            inside[-1] = Period(inside[-1].start, max(inside[-1].end, period.end))
        else:
            inside.append(period)
    return subtract([Period(around[0].start, around[-1].end)], inside) if band.outside else inside


def _windows(
    windows: Sequence[Window], around: Sequence[Period], holidays: Collection[date], zone: ZoneInfo
) -> Iterator[Period]:
    start, end = around[0].start, around[-1].end
    day = start.astimezone(zone).date() - timedelta(days=1)
    last = end.astimezone(zone).date()
    while day <= last:
        for window in windows:
            if opens_on(window, day, holidays):
                period = Period(_instant(day, window.start, zone), _instant(day, window.end, zone))
                if period.start <= end and start <= period.end:
                    yield period
        day += timedelta(days=1)


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    days, rest = divmod(minutes, DAY_MINUTES)
    return local_boundary(day + timedelta(days=days), time(rest // 60, rest % 60), zone)


def cut(periods: Sequence[Period], found: Sequence[Period]) -> list[Period]:
    """What of the periods lies in the occurrences found for them."""
    return intersect(periods, found)


def covers(band: BandRef, moment: datetime, bands: Bands, holidays: Collection[date], zone: ZoneInfo) -> bool:
    """Whether the moment lies in the band; its end does not belong to it."""
    inside = BandRef(band.name, outside=False)
    found = occurrences(inside, [Period(moment, moment)], bands, holidays, zone)
    return any(period.start <= moment < period.end for period in found) is not band.outside
