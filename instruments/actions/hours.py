"""Opening hours and special days: each saved as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, time
from itertools import combinations, pairwise
from typing import NamedTuple

from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal
from backend.core.text import has_control_characters
from instruments.actions.noting import record_instrument
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument, OpeningHours, SpecialDay
from instruments.rules import Hours

MOST_WINDOWS = 200
MOST_DAYS = 400
_DAY = 24 * 60
_WEEK = 7 * _DAY


class NamedDay(NamedTuple):
    """A date with hours of its own; closed without ``opens`` and ``closes``."""

    day: date
    opens: time | None = None
    closes: time | None = None
    note: str = ""


@atomic_action
def set_opening_hours(
    *, instrument: Instrument, by: User, hours: Iterable[Hours], open_on_holidays: bool | None = None
) -> Instrument:
    """Replace the weekly hours; local wall time. Windows that hold on the same dates may not overlap."""
    wanted = sorted(set(hours), key=lambda row: (row.valid_from or date.min, row.weekday, row.opens))
    problems = _wrong_hours(wanted)
    if problems:
        raise Invalid(*problems)
    instrument = lock_instruments([instrument.pk])[instrument.pk]
    rows = OpeningHours.objects.filter(instrument=instrument)
    before = [_words(Hours(*row)) for row in rows.values_list(*Hours._fields)]
    after = [_words(row) for row in wanted]
    holidays = instrument.open_on_holidays if open_on_holidays is None else open_on_holidays
    if (sorted(before), instrument.open_on_holidays) == (sorted(after), holidays):
        return instrument
    rows.delete()
    OpeningHours.objects.bulk_create(OpeningHours(instrument=instrument, **row._asdict()) for row in wanted)
    told = [{"rows": before, "open_on_holidays": instrument.open_on_holidays}]
    instrument.version += instrument.open_on_holidays != holidays
    instrument.open_on_holidays = holidays
    instrument.save(update_fields=["open_on_holidays", "updated_at", "version"])
    told.append({"rows": after, "open_on_holidays": holidays})
    record_instrument(instrument, by, "instrument.hours", *told)
    return instrument


@atomic_action
def set_special_days(*, instrument: Instrument, by: User, days: Iterable[NamedDay]) -> Instrument:
    """Replace the dates that differ from the weekly hours."""
    wanted = sorted(days, key=lambda row: row.day)
    problems = _wrong_days(wanted)
    if problems:
        raise Invalid(*problems)
    lock_instruments([instrument.pk])
    rows = SpecialDay.objects.filter(instrument=instrument)
    before = [NamedDay(*row) for row in rows.values_list(*NamedDay._fields)]
    if before == wanted:
        return instrument
    rows.delete()
    SpecialDay.objects.bulk_create(SpecialDay(instrument=instrument, **row._asdict()) for row in wanted)
    told = [{"rows": [_day_words(row) for row in each]} for each in (before, wanted)]
    record_instrument(instrument, by, "instrument.special_days", *told)
    return instrument


def _wrong_hours(rows: Sequence[Hours]) -> list[Refusal]:
    if len(rows) > MOST_WINDOWS:
        return [Refusal("too_many", _("At most %(limit)s windows.") % {"limit": MOST_WINDOWS}, field="hours")]
    out = []
    for row in rows:
        if not 1 <= row.weekday <= 7:
            out.append(Refusal("weekday", _("Weekdays are 1 (Monday) to 7 (Sunday)."), field="hours"))
        if row.valid_from and row.valid_to and row.valid_to < row.valid_from:
            text = _("The last day of validity lies before the first.")
            out.append(Refusal("validity", text, field="valid_to"))
    for one, other in combinations(rows, 2):
        if _share_dates(one, other) and _overlap(one, other):
            text = _("On day %(weekday)s of the week, %(one)s and %(other)s overlap.")
            params = {"weekday": one.weekday, "one": _span(one), "other": _span(other)}
            out.append(Refusal("overlap", text % params, field="hours", params=params))
    return out


def _share_dates(one: Hours, other: Hours) -> bool:
    first = max(one.valid_from or date.min, other.valid_from or date.min)
    return first <= min(one.valid_to or date.max, other.valid_to or date.max)


def _overlap(one: Hours, other: Hours) -> bool:
    """On the circle of the week: Sunday's night reaches into Monday."""
    a, length_a = _minutes(one)
    b, length_b = _minutes(other)
    return (b - a) % _WEEK < length_a or (a - b) % _WEEK < length_b


def _minutes(row: Hours) -> tuple[int, int]:
    opens, closes = (at.hour * 60 + at.minute for at in (row.opens, row.closes))
    return (row.weekday - 1) * _DAY + opens, (closes - opens) % _DAY or _DAY


def _wrong_days(rows: Sequence[NamedDay]) -> list[Refusal]:
    if len(rows) > MOST_DAYS:
        return [Refusal("too_many", _("At most %(limit)s special days.") % {"limit": MOST_DAYS}, field="days")]
    out = []
    for one, other in pairwise(rows):
        if one.day == other.day:
            text = _("%(day)s is there twice.") % {"day": one.day.isoformat()}
            out.append(Refusal("day_twice", text, field="days", params={"day": one.day.isoformat()}))
    for row in rows:
        if (row.opens is None) != (row.closes is None):
            text = _("%(day)s: give both times, or none for a closed day.") % {"day": row.day.isoformat()}
            out.append(Refusal("both_times", text, field="days", params={"day": row.day.isoformat()}))
        if len(row.note) > 100 or has_control_characters(row.note):
            text = _("%(day)s: the note may have at most 100 plain characters.") % {"day": row.day.isoformat()}
            out.append(Refusal("note", text, field="days", params={"day": row.day.isoformat()}))
    return out


def _span(row: Hours) -> str:
    return f"{row.opens:%H:%M}–{row.closes:%H:%M}"


def _words(row: Hours) -> str:
    valid = f" {row.valid_from or ''}/{row.valid_to or ''}" if row.valid_from or row.valid_to else ""
    return f"{row.weekday} {_span(row)}{valid}"


def _day_words(row: NamedDay) -> str:
    hours = f"{row.opens:%H:%M}–{row.closes:%H:%M}" if row.opens and row.closes else "closed"
    return f"{row.day} {hours} {row.note}".strip()
