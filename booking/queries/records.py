"""What the pricing engine is told of a use, a cancellation, a no-show, and of samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.core.periods import to_utc
from booking.models import SampleItem, SampleOrder
from booking.queries.prices import asked_facts
from booking.queries.wishes import Wish
from booking.rules.samples import TEST, Piece, runs_of
from instruments.models import Instrument, Mode, PriceList

Record = dict[str, Any]


def price_record(
    wish: Wish,
    audience: str,
    *,
    event: str,
    at: datetime,
    used: tuple[datetime, datetime] | None = None,
    uid: str = "booking",
) -> dict[str, Any]:
    """What the pricing engine is told of a use, a cancellation or a no-show."""
    record: dict[str, Any] = {
        **{name: value for name, value in wish.parameters.items() if value is not None},
        "id": uid,
        "event": event,
        "at": to_utc(at),
        "booked": [[to_utc(wish.start), to_utc(wish.end)]],
        "audience": audience,
        "mode": wish.mode,
        "instrument": wish.instrument.local_no,
        "person": str(wish.user.pk),
        "group": str(wish.group.pk) if wish.group else f"person-{wish.user.pk}",
        "project": str(wish.project.pk) if wish.project else f"organisation-{wish.organisation.pk}",
        "organisation": str(wish.organisation.pk),
    }
    if used is not None:
        record["used"] = [[to_utc(used[0]), to_utc(used[1])]]
    if wish.samples is not None:
        record["samples"] = wish.samples
    return record


@dataclass(frozen=True, slots=True)
class Customer:
    """Who is charged, as price lists see them; ``at`` is the day by which the price goes, ``uid`` the order's."""

    instrument: Instrument
    organisation_id: int
    user_id: int
    project_id: int | None
    audience: str
    at: datetime
    uid: str = "order"

    @classmethod
    def of(cls, order: SampleOrder) -> Customer:
        return cls(
            order.instrument,
            order.organisation_id,
            order.user_id,
            order.project_id,
            order.audience,
            order.submitted_at,
            str(order.uid),
        )


def records_of(customer: Customer, pieces: Iterable[Piece], price_list: PriceList, *, event: str) -> list[Record]:
    """One record for each run of the samples; they have no times, so that hours cost nothing."""
    by_test = TEST in asked_facts(price_list)
    common = {
        "event": event,
        "at": to_utc(customer.at),
        "audience": customer.audience,
        "mode": Mode.SAMPLE.value,
        "instrument": customer.instrument.local_no,
        "person": str(customer.user_id),
        "group": f"person-{customer.user_id}",
        "project": str(customer.project_id) if customer.project_id else f"organisation-{customer.organisation_id}",
        "organisation": str(customer.organisation_id),
    }
    return [
        {**run.parameters, **common, "id": f"{customer.uid}/run-{position}", "samples": run.samples}
        for position, run in enumerate(runs_of(pieces, by_test=by_test), 1)
    ]


def ordered(items: Iterable[SampleItem]) -> list[Piece]:
    return [Piece(one.name, one.quantity, tuple(one.tests), one.parameters) for one in items]


def tested(items: Iterable[SampleItem]) -> list[Piece]:
    """What was really measured."""
    return [Piece(one.name, one.tested_quantity or 0, tuple(one.tested_tests), one.tested_parameters) for one in items]
