"""Chargeable facts: a use, a cancellation, a training, an order, the end of a period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backend.core.errors import Invalid
from backend.core.periods import Period, local_boundary, merge
from instruments.pricing.model import Scalar
from instruments.pricing.reader import Reader

Value = Scalar | tuple[Scalar, ...]

FIRST_YEAR, LAST_YEAR = 1900, 2200
LONGEST_USE = timedelta(days=3_700)


@dataclass(frozen=True, slots=True)
class Record:
    """``booked`` and ``used`` are sorted and disjoint, in UTC; None if the record says nothing of them."""

    id: str
    at: datetime
    booked: tuple[Period, ...] | None
    used: tuple[Period, ...] | None
    attributes: Mapping[str, Value]

    @property
    def start(self) -> datetime:
        """Of what was booked, else of what was used, else the moment of the event."""
        times = self.booked or self.used
        return times[0].start if times else self.at

    def as_if(self, changes: Iterable[tuple[str, Scalar]]) -> Record:
        """The same with other attributes; null for booked or used takes these times away."""
        changed = dict(changes)
        booked = None if "booked" in changed else self.booked
        used = None if "used" in changed else self.used
        return replace(self, booked=booked, used=used, attributes={**self.attributes, **changed})


def read_record(raw: Record | Mapping[str, Any], *, tz: ZoneInfo, position: int = 0) -> Record:
    """Texts without an offset are wall times of ``tz``. Raises `Invalid` with every problem."""
    if isinstance(raw, Record):
        return raw
    path = f"records[{position}]"
    reader = Reader()
    values = reader.mapping(raw, path)
    identity = values.get("id")
    booked = _read_times(reader, values.get("booked"), f"{path}.booked", tz)
    used = _read_times(reader, values.get("used"), f"{path}.used", tz)
    record = Record(
        id=str(identity) if isinstance(identity, str | int) else f"r{position + 1}",
        at=_read_at(reader, values.get("at"), f"{path}.at", tz, booked or used),
        booked=booked,
        used=used,
        attributes=_read_attributes(reader, values, path),
    )
    reader.finish()
    return record


def listed(raw: Iterable[Record | Mapping[str, Any]]) -> list[Record | Mapping[str, Any]]:
    """Raises `Invalid` for anything but a list of records."""
    if isinstance(raw, Iterable) and not isinstance(raw, Mapping | str | bytes):
        return list(raw)
    reader = Reader()
    reader.sequence(None, "records")
    raise Invalid(*reader.problems)


def read_records(raw: Iterable[Record | Mapping[str, Any]], *, tz: ZoneInfo) -> list[Record]:
    """Raises `Invalid` if a record cannot be read or two have the same id."""
    records = [read_record(item, tz=tz, position=position) for position, item in enumerate(raw)]
    seen: set[str] = set()
    for position, record in enumerate(records):
        if record.id in seen:
            reader = Reader()
            sentence = _("The id “%(id)s” occurs twice.") % {"id": record.id}
            reader.problem(f"records[{position}].id", sentence, _("Give each record an id of its own."))
            raise Invalid(*reader.problems)
        seen.add(record.id)
    return records


def is_history(raw: Record | Mapping[str, Any]) -> bool:
    """Marked as past: it counts, but what it cost is not asked for."""
    attributes = raw.attributes if isinstance(raw, Record) else raw
    return isinstance(attributes, Mapping) and attributes.get("history") is True


def _read_attributes(reader: Reader, values: Mapping[str, Any], path: str) -> dict[str, Value]:
    """All plain values; an object cannot be named by a rule and is left out."""
    attributes: dict[str, Value] = {"event": "use"}
    for name, value in values.items():
        if name in ("at", "booked", "used") or isinstance(value, Mapping):
            continue
        if isinstance(value, list | tuple):
            plain = [item for item in value if not isinstance(item, list | tuple | Mapping)]
            attributes[name] = tuple(_scalar(reader, item, f"{path}.{name}") for item in plain)
        else:
            attributes[name] = _scalar(reader, value, f"{path}.{name}")
    return attributes


def _scalar(reader: Reader, value: object, path: str) -> Scalar:
    return value.isoformat() if hasattr(value, "isoformat") else reader.scalar(value, path)


def _read_at(reader: Reader, value: object, path: str, tz: ZoneInfo, times: tuple[Period, ...] | None) -> datetime:
    if value is None and times:
        return times[0].start
    return _read_moment(reader, value, path, tz)


def _read_times(reader: Reader, value: object, path: str, tz: ZoneInfo) -> tuple[Period, ...] | None:
    if value is None:
        return None
    found: list[Period] = []
    for position, pair in enumerate(reader.sequence(value, path)):
        place = f"{path}[{position}]"
        ends = reader.sequence(pair, place)
        if len(ends) != 2:
            reader.problem(
                place, _("“%(path)s” must be a start and an end.") % {"path": place}, _("Write two times in brackets.")
            )
            continue
        start, end = (_read_moment(reader, item, f"{place}[{n}]", tz) for n, item in enumerate(ends))
        if end < start or end - start > LONGEST_USE:
            reader.problem(
                place,
                _("“%(path)s” ends before it starts or lasts for years.") % {"path": place},
                _("Correct the start or the end."),
            )
        found.append(Period(start, end))
    return tuple(merge(found))


def _read_moment(reader: Reader, value: object, path: str, tz: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if isinstance(moment, datetime) and FIRST_YEAR <= moment.year <= LAST_YEAR:
        if moment.tzinfo is None:
            return local_boundary(moment.date(), moment.time(), tz)
        return moment.astimezone(UTC)
    reader.problem(
        path,
        _("“%(path)s” must be a date and time.") % {"path": path},
        _("Write it as in 2026-03-31T09:00, with an offset if it is not local time."),
    )
    return datetime(2000, 1, 1, tzinfo=UTC)


def as_number(value: Value) -> Fraction:
    """What a rule multiplies by: absent, text and lists count nothing, true counts one."""
    if isinstance(value, bool):
        return Fraction(int(value))
    return value if isinstance(value, Fraction) else Fraction(0)
