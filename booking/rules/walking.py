"""Every part of a parsed rule, however deep: for what it needs, not for what it decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from .calendar import Calendar
from .windows import Window


def parts_of(value: object) -> Iterator[object]:
    """The value and all dataclasses inside it; windows and calendars are not opened."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from parts_of(item)
    elif isinstance(value, Mapping):
        yield from parts_of(list(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, (Window, Calendar)):
        yield value
        for entry in dataclasses.fields(value):
            yield from parts_of(getattr(value, entry.name))
