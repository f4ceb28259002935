"""Stored events of the parties of requests, as ladders count them: one query whatever the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Q, QuerySet

from backend.core.prepared import ID, Given, Prepared
from booking.models import Layer, Violation
from booking.queries.facts import InForce
from booking.rules.facts import EventRead
from booking.rules.standing import LIFTED
from instruments.models import Instrument

PARTIES = ("person", "group", "project", "organisation", "instrument")
_COLUMNS = (
    "pk", "name", "rule", "cause", "at", "person_id", "group_id", "project_id", "organisation_id", "instrument_id",
    "institution_id", "instrument__group_id", "booking_id", "values",
    "booking__start", "booking__end", "booking__requested_at", "booking__mode", "booking__audience", "booking__facts",
)  # fmt: skip
Row = Mapping[str, Any]
Branch = tuple[tuple[tuple[str, int], ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Events that nobody has struck out, of the parties of some requests."""

    rows: tuple[Row, ...] = ()

    def counting(self, instrument: Instrument, in_force: InForce) -> list[dict[str, Any]]:
        """As the instrument's ladders see them.

        A layer counts what happened within it: the network's ladders all there is, an institution's and a group's
        what happened there, an instrument's what happened on it. What a manager has lifted without naming an
        instrument concerns all layers of the institution.
        """
        return [_event(row, _layers(row, instrument, in_force)) for row in self.rows]


def stored_events(asked: Iterable[tuple[InForce, Mapping[str, Any]]], act: str) -> Recorded:
    """What the ladders of each (rules, request) count; one query, none where there are no ladders."""
    branches = {
        branch
        for in_force, request in asked
        for read in in_force.book.needs(act).event_reads
        if (branch := _branch(read, request))
    }
    if not branches:
        return Recorded()
    wanted = sorted(branches)
    values = {f"{name} {place}": pk for place, (parties, _names) in enumerate(wanted) for name, pk in parties}
    rows = _events(tuple((tuple(name for name, _pk in parties), names) for parties, names in wanted)).rows(**values)
    return Recorded(tuple(dict(zip(_COLUMNS, row, strict=True)) for row in rows))


def recorded_where(wanted: Q) -> Recorded:
    """Those that count, in order; one query."""
    return Recorded(tuple(_counting(wanted).values(*_COLUMNS)))


def _counting(wanted: Q) -> QuerySet[Violation]:
    return Violation.objects.filter(wanted, struck_out_at=None).order_by("at", "pk")


def _branch(read: EventRead, request: Mapping[str, Any]) -> Branch | None:
    """None for an absent party, which has no events; a ladder that names no party counts those of the instrument."""
    parties = sorted({name for name in read.per if name in PARTIES}) or ["instrument"]
    if any(request.get(name) is None for name in parties):
        return None
    names = () if "*" in read.names else tuple(sorted({*read.names, LIFTED}))
    return tuple((name, int(request[name])) for name in parties), names


@lru_cache(maxsize=256)
def _events(shape: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]) -> Prepared[Violation]:
    """Of each branch the parties, and the names of events that count; without any all do."""

    def build() -> QuerySet[Violation, Any]:
        wanted = Q()
        for place, (parties, names) in enumerate(shape):
            branch = Q(**{f"{name}_id": Given(f"{name} {place}", ID) for name in parties})
            wanted |= branch & Q(name__in=names) if names else branch
        return _counting(wanted).values_list(*_COLUMNS)

    return Prepared(build)


def _layers(row: Row, instrument: Instrument, in_force: InForce) -> frozenset[int]:
    """The places of the layers, as `Rule.layer` counts them."""
    house = row["institution_id"]
    at_home = house is None or house == instrument.institution_id
    lifted = row["booking_id"] is None
    here = row["instrument_id"] == instrument.pk or (lifted and row["instrument_id"] is None)
    grouped = here or (instrument.group_id is not None and row["instrument__group_id"] == instrument.group_id)
    concerned = {
        Layer.NETWORK: house is None or not lifted,
        Layer.INSTITUTION: at_home,
        Layer.GROUP: at_home and grouped,
        Layer.INSTRUMENT: at_home and here,
    }
    return frozenset(place for place, layer in enumerate(in_force.layers) if layer and concerned[Layer(layer)])


def _event(row: Row, layers: frozenset[int]) -> dict[str, Any]:
    """The built-in names win over values that a rule gave the event."""
    about = {name: row[f"{name}_id"] for name in PARTIES}
    booked = {"start": "start", "end": "end", "made": "requested_at", "mode": "mode", "audience": "audience"}
    return {
        **(row["booking__facts"] or {}),
        **row["values"],
        **about,
        **{name: row[f"booking__{column}"] for name, column in booked.items()},
        "id": row["pk"],
        "name": row["name"],
        "cause": row["cause"],
        "at": row["at"],
        "booking": row["booking_id"],
        # Only what ends a suspension names a ladder; the rule that found a violation is no concern of ladders.
        "rule": (row["rule"] or None) if row["booking_id"] is None else None,
        "layers": layers,
    }
