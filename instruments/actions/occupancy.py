"""Taking time on instruments and giving it back: the only writers of `Occupancy`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from backend.core.errors import Refused, refuse
from backend.core.periods import Period, subtract
from backend.core.prepared import Prepared, among, insert
from instruments.models import Instrument, Occupancy, Outage
from instruments.rules import Taken, first_free_unit


def lock_instruments(pks: Iterable[int]) -> dict[int, Instrument]:
    """Lock the rows, always in the order of their ids; on SQLite the write transaction is the lock."""
    rows = (_LOCKED if settings.BOOKING_GUARDS else _UNLOCKED).objects(pks=sorted(set(pks)))
    return {row.pk: row for row in rows}


def lock_instrument_ahead(pk: int) -> None:
    """Send what `lock_instruments` will ask."""
    (_LOCKED if settings.BOOKING_GUARDS else _UNLOCKED).ahead(pks=[pk])


@contextmanager
def overlap_is_taken() -> Iterator[None]:
    """Where the database itself refuses an overlap, `Refused` with ``taken``; the transaction is lost."""
    try:
        yield
    except IntegrityError as error:
        if "no_overlap" in str(error):
            raise taken() from error
        raise


_UNLOCKED = Prepared(
    lambda: Instrument.objects.filter(among("pk", "pks")).order_by("pk").select_related("institution"),
)
_LOCKED = Prepared(
    lambda: (
        Instrument.objects.filter(among("pk", "pks"))
        .order_by("pk")
        .select_related("institution")
        .select_for_update(of=("self",), no_key=True)
    ),
)


def occupy(
    *,
    instrument: Instrument,
    start: datetime,
    end: datetime,
    kind: str,
    replacing: Occupancy | None = None,
    same_unit: bool = False,
    unit: int | None = None,
) -> Occupancy:
    """Take a unit for ``[start, end)`` plus set-up and cleaning; `Refused` with ``taken`` where none is free.

    ``replacing`` (the booking's present row) does not count and is moved instead of a new row being
    written, so that a failed change leaves the old time untouched; its unit is kept where that is free,
    and with ``same_unit`` no other will do. ``unit`` is one that was found free under the same lock.
    Lock the instrument first.
    """
    start -= timedelta(minutes=instrument.setup_minutes)
    end += timedelta(minutes=instrument.cleaning_minutes)
    if unit is None or replacing is not None:
        unit = _unit_for(instrument, start, end, replacing, same_unit=same_unit)
    row = replacing or Occupancy(instrument=instrument)
    row.unit, row.start, row.end, row.kind = unit, start, end, kind
    with overlap_is_taken():
        row.save() if replacing else insert(row)
    return row


def _unit_for(
    instrument: Instrument, start: datetime, end: datetime, replacing: Occupancy | None, *, same_unit: bool
) -> int:
    busy = _taken(instrument, start, end, replacing)
    unit = first_free_unit(busy, units=instrument.units, start=start, end=end)
    if replacing is not None and replacing.unit not in {each.unit for each in busy}:
        unit = replacing.unit
    if unit is None or (same_unit and replacing is not None and unit != replacing.unit):
        raise taken()
    return unit


def _taken(instrument: Instrument, start: datetime, end: datetime, replacing: Occupancy | None) -> list[Taken]:
    if not settings.BOOKING_GUARDS:
        return []
    rows = Occupancy.objects.filter(instrument=instrument).overlapping(start, end)
    if replacing is not None:
        rows = rows.exclude(pk=replacing.pk)
    return [Taken(*row) for row in rows.values_list("unit", "start", "end")]


def taken() -> Refused:
    return refuse("taken", _("This time has just been taken. Please choose another."))


def relabel(*, occupancy: Occupancy, kind: str) -> None:
    """The same time for another reason: a held request becomes a booking."""
    Occupancy.objects.filter(pk=occupancy.pk).update(kind=kind)


def vacate(*, occupancy_ids: Collection[int]) -> None:
    """Give the time back."""
    Occupancy.objects.filter(pk__in=list(occupancy_ids)).delete()


def occupy_around(*, outage: Outage, start: datetime, end: datetime) -> None:
    """Take for the outage what nobody else has of ``[start, end)`` on each unit. Lock the instrument first."""
    rows = Occupancy.objects.filter(instrument=outage.instrument).overlapping(start, end)
    taken = [Taken(*row) for row in rows.values_list("unit", "start", "end")]
    for unit in range(1, outage.instrument.units + 1):
        for piece in subtract([Period(start, end)], [Period(t.start, t.end) for t in taken if t.unit == unit]):
            Occupancy.objects.create(
                instrument=outage.instrument, unit=unit, start=piece.start, end=piece.end, kind="outage", outage=outage
            )


def occupy_every_unit(*, outage: Outage) -> None:
    """Take every unit for the outage, without buffers; what it hits must have been moved away before."""
    with overlap_is_taken(), transaction.atomic():
        for unit in range(1, outage.instrument.units + 1):
            Occupancy.objects.create(
                instrument=outage.instrument,
                unit=unit,
                start=outage.start,
                end=outage.end,
                kind="outage",
                outage=outage,
            )
