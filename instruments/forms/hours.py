"""Opening hours as a week grid with several windows a day, and dates that differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import DateField, TimeField
from django.http import QueryDict
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from backend.core.text import has_control_characters
from instruments.actions.hours import MOST_DAYS, MOST_WINDOWS, NamedDay
from instruments.models import Instrument
from instruments.rules import Hours

MOST_SETS = 12


@dataclass(slots=True)
class Window:
    opens: str = ""
    closes: str = ""
    error: str = ""


@dataclass(slots=True)
class Day:
    number: int
    windows: list[Window] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(WEEKDAYS[self.number - 1])


@dataclass(slots=True)
class WeekSet:
    """The hours of a week, valid always or between two dates."""

    days: list[Day]
    valid_from: str = ""
    valid_to: str = ""
    error: str = ""


class HoursForm:
    """Read from what is stored or from what was sent; ``is_valid`` fills ``hours``.

    Fields of set ``n`` and weekday ``d``: ``opens-n-d`` and ``closes-n-d``, as often as there are windows;
    ``from-n`` and ``to-n`` its validity; ``sets`` the number of sets.
    """

    def __init__(self, sets: list[WeekSet], open_on_holidays: bool) -> None:
        self.sets = sets
        self.open_on_holidays = open_on_holidays
        self.hours: list[Hours] = []

    @classmethod
    def of(cls, instrument: Instrument) -> HoursForm:
        by_validity: dict[tuple[date | None, date | None], WeekSet] = {}
        for row in instrument.opening_hours.order_by("valid_from", "weekday", "opens"):
            validity = (row.valid_from, row.valid_to)
            if validity not in by_validity:
                by_validity[validity] = WeekSet(_empty_week(), *("" if day is None else str(day) for day in validity))
            window = Window(f"{row.opens:%H:%M}", f"{row.closes:%H:%M}")
            by_validity[validity].days[row.weekday - 1].windows.append(window)
        # Hours without dates come first.
        sets = sorted(by_validity.values(), key=lambda one: (one.valid_from or one.valid_to) != "")
        form = cls(sets or [WeekSet(_empty_week())], instrument.open_on_holidays)
        form._offer_one_window()
        return form

    @classmethod
    def sent(cls, data: QueryDict) -> HoursForm:
        count = data.get("sets", "1")
        sets = []
        for n in range(min(int(count) if count.isdecimal() and len(count) < 4 else 1, MOST_SETS)):
            week = WeekSet(_empty_week(), data.get(f"from-{n}", "")[:20], data.get(f"to-{n}", "")[:20])
            for day in week.days:
                opens, closes = data.getlist(f"opens-{n}-{day.number}"), data.getlist(f"closes-{n}-{day.number}")
                pairs = list(zip(opens, closes, strict=False))[:MOST_WINDOWS]
                day.windows = [Window(start.strip()[:20], end.strip()[:20]) for start, end in pairs]
            sets.append(week)
        return cls(sets, "open_on_holidays" in data)

    def rearrange(self, what: str) -> None:
        """Carry out a button of the grid: ``add-n-d``, ``remove-n-d-i``, ``copy-n``, ``season``, ``drop-n``."""
        name, *rest = what.split("-")
        numbers = [int(part) for part in rest if part.isdecimal() and len(part) < 4]
        week = self.sets[numbers[0]] if numbers and numbers[0] < len(self.sets) else None
        day = week.days[numbers[1] - 1] if week and len(numbers) > 1 and 1 <= numbers[1] <= 7 else None
        if name == "season" and len(self.sets) < MOST_SETS:
            self.sets.append(WeekSet(_empty_week()))
        elif name == "drop" and week and len(self.sets) > 1:
            self.sets.remove(week)
        elif name == "copy" and week:
            for other in week.days[1:5]:
                other.windows = [Window(one.opens, one.closes) for one in week.days[0].windows]
        elif name == "add" and day:
            day.windows.append(Window())
        elif name == "remove" and day and len(numbers) > 2 and numbers[2] < len(day.windows):
            del day.windows[numbers[2]]
        self._offer_one_window()

    def is_valid(self) -> bool:
        self.hours, sound = [], True
        for week in self.sets:
            try:
                first, last = _day(week.valid_from), _day(week.valid_to)
            except ValidationError as error:
                week.error, sound = " ".join(error.messages), False
                continue
            for day in week.days:
                for window in day.windows:
                    try:
                        times = _times(window.opens, window.closes)
                    except ValidationError as error:
                        window.error, sound = " ".join(error.messages), False
                        continue
                    if times:
                        self.hours.append(Hours(day.number, *times, first, last))
        self._offer_one_window()
        return sound

    def _offer_one_window(self) -> None:
        for week in self.sets:
            for day in week.days:
                day.windows = day.windows or [Window()]


@dataclass(slots=True)
class DayRow:
    day: str = ""
    opens: str = ""
    closes: str = ""
    note: str = ""
    error: str = ""


class SpecialDaysForm:
    """Dates with hours of their own; a date without times is closed, a row without a date is ignored."""

    def __init__(self, rows: list[DayRow]) -> None:
        self.rows = rows
        self.days: list[NamedDay] = []

    @classmethod
    def of(cls, instrument: Instrument) -> SpecialDaysForm:
        stored = instrument.special_days.order_by("day")
        rows = [DayRow(str(row.day), _clock(row.opens), _clock(row.closes), row.note) for row in stored]
        return cls([*rows, DayRow()])

    @classmethod
    def sent(cls, data: QueryDict) -> SpecialDaysForm:
        columns = [data.getlist(name) for name in ("day", "opens", "closes", "note")]
        cells = list(zip(*columns, strict=False))[: MOST_DAYS + 1]
        return cls([DayRow(*(cell.strip()[:120] for cell in row)) for row in cells])

    def rearrange(self, what: str) -> None:
        name, _dash, number = what.partition("-")
        if name == "add":
            self.rows.append(DayRow())
        elif name == "remove" and number.isdecimal() and len(number) < 4 and int(number) < len(self.rows):
            del self.rows[int(number)]
        self.rows = self.rows or [DayRow()]

    def is_valid(self) -> bool:
        self.days, sound = [], True
        for row in self.rows:
            if not (row.day or row.opens or row.closes or row.note):
                continue
            try:
                day = _day(row.day)
                if day is None:
                    raise ValidationError(_("Give the date."))
                if has_control_characters(row.note):
                    raise ValidationError(_("The text contains characters that cannot be stored or shown."))
                times = _times(row.opens, row.closes)
            except ValidationError as error:
                row.error, sound = " ".join(error.messages), False
                continue
            opens, closes = times or (None, None)
            self.days.append(NamedDay(day, opens, closes, row.note))
        return sound


def _empty_week() -> list[Day]:
    return [Day(number) for number in range(1, 8)]


def _clock(at: time | None) -> str:
    return f"{at:%H:%M}" if at else ""


def _day(text: str) -> date | None:
    found: date | None = DateField(required=False, input_formats=["%Y-%m-%d"]).clean(text)
    if found is not None and not 2000 <= found.year <= 2200:
        raise ValidationError(_("This date is too far away."))
    return found


def _times(opens: str, closes: str) -> tuple[time, time] | None:
    """Both, or neither; ``24:00`` closes at midnight."""
    if not opens and not closes:
        return None
    if not opens or not closes:
        raise ValidationError(_("Give both times."))
    clock: Any = TimeField(input_formats=["%H:%M", "%H:%M:%S"])
    start, end = clock.clean(opens), clock.clean("00:00" if closes == "24:00" else closes)
    return start.replace(second=0), end.replace(second=0)
