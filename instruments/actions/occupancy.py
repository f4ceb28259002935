"""Taking time on instruments and giving it back: the only writers of `Occupancy`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from backend.core.errors import Refused, refuse
from instruments.models import Instrument, Occupancy, Outage
from instruments.rules import Taken, first_free_unit


def lock_instruments(pks: Iterable[int]) -> dict[int, Instrument]:
    """Lock the rows, always in the order of their ids; on SQLite the write transaction is the lock."""
    rows = Instrument.objects.filter(pk__in=set(pks)).order_by("pk").select_related("institution")
    if settings.BOOKING_GUARDS:
        rows = rows.select_for_update(of=("self",), no_key=True)
    return {row.pk: row for row in rows}


def occupy(
    *, instrument: Instrument, start: datetime, end: datetime, kind: str, replacing: Occupancy | None = None
) -> Occupancy:
    """Take a unit for ``[start, end)`` plus set-up and cleaning; `Refused` with ``taken`` where none is free.

    ``replacing`` (the booking's present row) does not count and is moved instead of a new row being
    written, so that a failed change leaves the old time untouched. Lock the instrument first.
    """
    start -= timedelta(minutes=instrument.setup_minutes)
    end += timedelta(minutes=instrument.cleaning_minutes)
    unit = first_free_unit(_taken(instrument, start, end, replacing), units=instrument.units, start=start, end=end)
    if unit is None:
        raise taken()
    row = replacing or Occupancy(instrument=instrument)
    row.unit, row.start, row.end, row.kind = unit, start, end, kind
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if "no_overlap" in str(error):
            raise taken() from error
        raise
    return row


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


def occupy_every_unit(*, outage: Outage) -> None:
    """Take every unit for the outage, without buffers; what it hits must have been moved away before."""
    try:
        with transaction.atomic():
            for unit in range(1, outage.instrument.units + 1):
                Occupancy.objects.create(
                    instrument=outage.instrument,
                    unit=unit,
                    start=outage.start,
                    end=outage.end,
                    kind="outage",
                    outage=outage,
                )
    except IntegrityError as error:
        if "no_overlap" in str(error):
            raise taken() from error
        raise
