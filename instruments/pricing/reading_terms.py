"""Reads the parts that rules are made of: bands, periods, quantities, conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, cast

from django.utils.translation import gettext as _

from instruments.pricing.model import (
    ADJUSTMENTS,
    CLOCKS,
    DAY_MINUTES,
    Adjustment,
    AnyOf,
    BandRef,
    Comparison,
    Condition,
    Direction,
    History,
    MonthDay,
    Not,
    Operand,
    Operator,
    Part,
    Quantity,
    Span,
    StartIn,
    Term,
    Unit,
    Window,
)
from instruments.pricing.reader import Reader

UNITS = ("use", "day", "week", "month", "quarter", "half", "year", "ever", "rolling")
OPERATORS: dict[str, Operator] = {">=": ">=", ">": ">", "<=": "<=", "<": "<", "!=": "!=", "=": "=", "==": "="}
WINDOW_KEYS = ("days", "from", "to", "season", "holidays")
SPAN_KEYS = ("unit", "day", "month", "days")
HISTORY_KEYS = ("when", "per", "period", "previous", "now", "times", "count", "sum", "of", "amount")
QUANTITY_KEYS = ("of", "history", *ADJUSTMENTS)
_CLOCK_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_MONTH_DAY = re.compile(r"(\d{2})-(\d{2})")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def read_window(reader: Reader, value: object, path: str) -> Window:
    raw = reader.mapping(value, path, WINDOW_KEYS)
    days = None
    if "days" in raw:
        listed = enumerate(reader.sequence(raw["days"], f"{path}.days"))
        days = frozenset(reader.whole(day, f"{path}.days[{n}]", 1, 7) for n, day in listed)
    start = _time_of_day(reader, raw["from"], f"{path}.from", DAY_MINUTES - 1) if "from" in raw else 0
    end = _time_of_day(reader, raw["to"], f"{path}.to", 2 * DAY_MINUTES) if "to" in raw else DAY_MINUTES
    season = _season(reader, raw["season"], f"{path}.season") if "season" in raw else None
    holidays = reader.boolean(raw["holidays"], f"{path}.holidays") if "holidays" in raw else None
    return Window(days, start, end if end > start else end + DAY_MINUTES, season, holidays)


def _time_of_day(reader: Reader, value: object, path: str, latest: int) -> int:
    match = _CLOCK_TIME.fullmatch(value) if isinstance(value, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else latest + 1
    if minutes <= latest:
        return minutes
    reader.problem(
        path, _("“%(path)s” must be a time of day.") % {"path": path}, _("Write hours and minutes, e.g. 09:00.")
    )
    return 0


def _season(reader: Reader, value: object, path: str) -> tuple[MonthDay, MonthDay]:
    found = [_month_day(item) for item in reader.sequence(value, path)]
    if len(found) == 2 and found[0] is not None and found[1] is not None:
        return found[0], found[1]
    reader.problem(
        path,
        _("“%(path)s” must be the first and the last day of a season.") % {"path": path},
        _("Write two days as month-day, e.g. [“11-01”, “03-31”]."),
    )
    return (1, 1), (12, 31)


def _month_day(value: object) -> MonthDay | None:
    match = _MONTH_DAY.fullmatch(value) if isinstance(value, str) else None
    if match and 1 <= int(match[1]) <= 12 and 1 <= int(match[2]) <= _LONGEST_MONTH[int(match[1]) - 1]:
        return int(match[1]), int(match[2])
    return None


def read_span(reader: Reader, value: object, path: str) -> Span:
    """A period: its name, or ``{unit, day, month, days}``."""
    if isinstance(value, str):
        return Span(cast(Unit, reader.choice(value, path, UNITS[:-1])))
    raw = reader.mapping(value, path, SPAN_KEYS)
    unit = cast(Unit, reader.choice(raw.get("unit"), f"{path}.unit", UNITS))
    if unit == "rolling":
        return Span(unit, days=reader.whole(raw.get("days"), f"{path}.days", 1, 36_600))
    day = reader.whole(raw.get("day", 1), f"{path}.day", 1, 7 if unit == "week" else 31)
    month = reader.whole(raw.get("month", 1), f"{path}.month", 1, 12)
    return Span(unit, day, month)


def read_band_ref(reader: Reader, value: object, path: str) -> BandRef:
    text = reader.text(value, path)
    name = text.removeprefix("!")
    if name not in reader.band_names and text != "?":
        fix = _("Define the band or choose one of: %(names)s.") % {"names": ", ".join(sorted(reader.band_names))}
        reader.problem(path, _("There is no band “%(name)s”.") % {"name": name}, fix)
    return BandRef(name, text.startswith("!"))


def read_term(reader: Reader, value: object, path: str, *, low: int | None = None, above: int | None = None) -> Term:
    """A number (within the bounds), a name or a quantity."""
    if isinstance(value, str):
        text = reader.text(value, path)
        number = reader.named_number(text)
        return reader.ref(text) if number is None else reader.number(number, path, low=low, above=above)
    if isinstance(value, Mapping):
        with reader.deeper(path) as possible:
            return read_quantity(reader, value, path) if possible else Fraction(1)
    return reader.number(value, path, low=low, above=above)


def read_quantity(reader: Reader, value: object, path: str) -> Quantity:
    raw = reader.mapping(value, path, QUANTITY_KEYS)
    history = read_history(reader, raw, f"{path}.history") if "history" in raw else None
    of: tuple[Term, ...] = ()
    if history is None:
        of = _read_of(reader, raw.get("of"), f"{path}.of")
    return Quantity(of, history, **cast("dict[str, Any]", dict(read_adjustments(reader, raw, path))))


def _read_of(reader: Reader, value: object, path: str) -> tuple[Term, ...]:
    if value is None:
        reader.problem(
            path,
            _("“%(path)s” is missing.") % {"path": path},
            _("Say what is counted, e.g. booked, used or an attribute."),
        )
        return ()
    if isinstance(value, str) or not isinstance(value, list | tuple):
        return (read_term(reader, value, path),)
    return tuple(read_term(reader, item, f"{path}[{n}]") for n, item in enumerate(value))


def read_adjustments(reader: Reader, raw: Mapping[str, Any], path: str) -> tuple[tuple[str, Adjustment], ...]:
    """The given ones of unit, free, min, step, dir, tolerance, max, band, whole, each, count."""
    return tuple((key, _adjustment(reader, key, raw[key], f"{path}.{key}")) for key in ADJUSTMENTS if key in raw)


def _adjustment(reader: Reader, key: str, value: object, path: str) -> Adjustment:
    if key in ("unit", "step"):
        return read_term(reader, value, path, above=0)
    if key in ("free", "min", "max", "tolerance"):
        return read_term(reader, value, path, low=0)
    if key == "dir":
        return cast(Direction, reader.choice(value, path, ("up", "down", "nearest")))
    if key == "band":
        return read_band_ref(reader, value, path)
    return reader.boolean(value, path)


def read_history(reader: Reader, quantity: Mapping[str, Any], path: str) -> History:
    """Counts records unless it says ``sum`` (of a quantity; also ``of``) or ``amount`` (of codes)."""
    raw = reader.mapping(quantity["history"], path, HISTORY_KEYS)
    summed = raw.get("sum", raw.get("of", quantity.get("of")))
    with reader.deeper(path) as possible:
        of = read_term(reader, summed, f"{path}.sum") if summed is not None and possible else None
        when = read_condition(reader, raw.get("when", {}), f"{path}.when") if possible else Condition()
    codes = reader.texts(raw["amount"], f"{path}.amount") if "amount" in raw else ()
    history = History(
        measure="amount" if "amount" in raw else "count" if of is None else "sum",
        of=of,
        codes=codes,
        when=when,
        per=reader.texts(raw.get("per", ()), f"{path}.per"),
        span=read_span(reader, raw.get("period", "ever"), f"{path}.period"),
        previous=reader.boolean(raw.get("previous", False), f"{path}.previous"),
        now=reader.boolean(raw.get("now", False), f"{path}.now"),
        times=reader.number(raw.get("times", 1), f"{path}.times"),
    )
    reader.histories.append(history)
    return history


def read_condition(reader: Reader, value: object, path: str) -> Condition:
    raw = reader.mapping(value, path)
    parts: list[Part] = []
    with reader.deeper(path) as possible:
        for name in raw if possible else ():
            parts.extend(_read_parts(reader, name, raw[name], f"{path}.{name}"))
    return Condition(tuple(parts))


def _read_parts(reader: Reader, name: str, value: object, path: str) -> Iterable[Part]:
    if name == "any":
        return [AnyOf(_read_conditions(reader, value, path))]
    if name == "not":
        negated = _read_conditions(reader, value if isinstance(value, list) else [value], path)
        return [Not(negated[0] if len(negated) == 1 else Condition((AnyOf(negated),)))]
    if name == "start_in":
        return [StartIn(read_band_ref(reader, value, path))]
    if isinstance(value, Mapping):
        return _read_comparisons(reader, name, value, path)
    values = value if isinstance(value, list | tuple) else [value]
    read = tuple(reader.scalar(item, f"{path}[{n}]") for n, item in enumerate(values))
    return [Comparison(reader.ref(name), "=", read)]


def _read_conditions(reader: Reader, value: object, path: str) -> tuple[Condition, ...]:
    listed = enumerate(reader.sequence(value, path))
    return tuple(read_condition(reader, item, f"{path}[{n}]") for n, item in listed)


def _read_comparisons(reader: Reader, name: str, value: Mapping[str, Any], path: str) -> list[Part]:
    """``{">=": 3, "<": 9}``: all of them."""
    found: list[Part] = []
    for key, operand in value.items():
        op = OPERATORS.get(key)
        if op is not None:
            found.append(Comparison(reader.ref(name), op, (_read_operand(reader, operand, f"{path}.{key}"),)))
    if not value or len(found) < len(value):
        reader.problem(
            path,
            _("“%(path)s” is not a comparison.") % {"path": path},
            _("Use %(operators)s and a value.") % {"operators": ", ".join(OPERATORS)},
        )
    return found


def _read_operand(reader: Reader, value: object, path: str) -> Operand:
    """A number, text or truth value, or what a named quantity, clock or sum is at that moment."""
    if isinstance(value, Mapping):
        with reader.deeper(path) as possible:
            return read_quantity(reader, value, path) if possible else None
    if isinstance(value, str) and (value in reader.quantity_names or value in CLOCKS or value.startswith("sum:")):
        return reader.ref(value)
    return reader.scalar(value, path)
