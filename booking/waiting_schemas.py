"""Shapes of the waitlist and of what replaces a displaced booking; money is text."""

from __future__ import annotations

from typing import Literal

from ninja import Schema
from pydantic import Field

from backend.core.api import Id, In, Instant, Page
from booking.models import WaitStatus
from booking.schemas import MODES, Named, OnBehalf, Parameters, Purpose, Samples, Version, Words


class NewWait(OnBehalf):
    """Any time of the length within the window from ``from`` to ``to``."""

    instrument: Id
    start: Instant = Field(alias="from")
    end: Instant = Field(alias="to")
    duration_minutes: int = Field(ge=1, le=92 * 24 * 60)
    mode: MODES
    purpose: Purpose = Field("", description="What the booking will be for")
    notes: Words = ""
    samples: Samples | None = None
    parameters: Parameters = Field(default_factory=dict)
    project: Id | None = None


class WaitAnswer(In):
    version: Version | None = Field(None, description="The one that you read; refused where it has changed since")


class WaitFilter(Page):
    status: Literal["waiting", "offered", "accepted", "left", "ended"] | None = None


class WaitOffer(Schema):
    start: str
    end: str
    until: str = Field(description="Without an answer it passes on then")


class WaitOut(Schema):
    id: int
    version: int
    status: str = Field(description=", ".join(WaitStatus.values))
    instrument: Named
    organisation: Named
    user: Named
    start: str = Field(alias="from")
    end: str = Field(alias="to")
    duration_minutes: int
    timezone: str
    mode: str
    purpose: str
    joined_at: str
    place: int | None = Field(description="Among those who wait for some of the same time, 1 first")
    queue: int | None = Field(description="How many they are")
    offer: WaitOffer | None
    booking: int | None


class WaitPage(Schema):
    items: list[WaitOut]
    count: int


class RankedWait(WaitOut):
    why: list[str] = Field(description="For each rule of priority, the class that it belongs to")


class ProposalOut(Schema):
    id: int
    instrument: Named
    institution: Named
    start: str
    end: str
    total: str
    currency: str
    state: str = Field(description="proposed, accepted, declined or gone")


class ReplacementsOut(Schema):
    booking: int
    state: str = Field(description="open, accepted or declined")
    replaced_by: int | None
    proposals: list[ProposalOut]


class DisplacedOut(ReplacementsOut):
    organisation: Named
    user: Named
    start: str
    end: str


class Extend(In):
    hits: list[Id] = Field(max_length=1000, description="The bookings that you know it hits")
    sequence: Version | None = None
