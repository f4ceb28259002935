"""A wish for time and the whole answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from backend.accounts.models import Group, Organisation, Project, User
from backend.core.errors import Refusal, invalid
from backend.core.periods import Period
from booking.models import LONGEST, Booking
from instruments.models import Instrument, PriceList
from instruments.pricing.lines import ChargeLine
from invoices.queries.means import Allowance, Hold, Need

if TYPE_CHECKING:
    from booking.queries.earlier import Earlier


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for. ``start`` and ``end`` are aware; ``user`` is the person who will use it.

    ``for_order`` is time that the laboratory takes for samples: rules and prices belong to their order.
    """

    instrument: Instrument
    start: datetime
    end: datetime
    mode: str
    organisation: Organisation
    user: User
    samples: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    project: Project | None = None
    group: Group | None = None
    for_order: bool = False

    def at(self, start: datetime, end: datetime) -> Wish:
        """The same wish for another time."""
        return replace(self, start=start, end=end)

    def with_buffers(self) -> Period:
        """The time that it takes on the instrument, set-up and cleaning included."""
        before, after = self.instrument.setup_minutes, self.instrument.cleaning_minutes
        return Period(self.start - timedelta(minutes=before), self.end + timedelta(minutes=after))


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a wish under the list in force on its start date.

    ``earlier`` is what it was priced after, where the list looks beyond one record.
    """

    currency: str
    total: Decimal
    lines: tuple[ChargeLine, ...]
    price_list: PriceList | None
    earlier: Earlier | None = None

    @property
    def title(self) -> str:
        if self.price_list is None:
            return ""
        return f"{self.price_list.document.get('name') or _('Price list')} v{self.price_list.version}"


@dataclass(frozen=True, slots=True)
class Approval:
    """Which roles must agree, and what it means when they say nothing until ``at``."""

    roles: tuple[str, ...] = ()
    silence: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """The whole answer.

    ``policy`` and ``facts`` are the snapshot: the documents of all layers that held, and what was known of the parties
    by dotted names. ``unit`` is free for the whole time, None where none is. ``hold`` is what a prepaid account must
    have, ``spending`` whose agreement the customer itself wants, ``near_budget`` a budget that comes to its warning.
    """

    refusals: tuple[Refusal, ...]
    approval: Approval
    notices: tuple[str, ...]
    quote: Quote
    audience: str
    policy: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    unit: int | None = None
    hold: Hold | None = None
    spending: Need | None = None
    near_budget: Allowance | None = None

    @property
    def bookable(self) -> bool:
        return not self.refusals


def check_shape(start: datetime, end: datetime) -> None:
    """`Invalid` for times that are no times of a booking at all."""
    if end <= start:
        raise invalid("end", _("The end must be after the start."), "end_before_start")
    if end - start > LONGEST:
        raise invalid("end", _("A booking can last at most 92 days."), "too_long")
    if any(t.second or t.microsecond for t in (start, end)):
        raise invalid("start", _("Please give times in whole minutes."), "whole_minutes")


def wish_of(booking: Booking) -> Wish:
    """The wish that a stored booking came from."""
    return Wish(
        instrument=booking.instrument,
        start=booking.start,
        end=booking.end,
        mode=booking.mode,
        organisation=booking.organisation,
        user=booking.user,
        samples=booking.samples,
        parameters=booking.parameters,
        project=booking.project,
        group=booking.group,
        for_order=booking.order_id is not None,
    )
