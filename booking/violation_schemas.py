"""Shapes of violations, appeals, suspensions and credit."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, Day, Id, In, Instant, Page
from booking.models import AppealState
from booking.schemas import Named, Words

Reason = Annotated[Words, Field(min_length=1)]
Points = Annotated[int, Field(ge=-1000, le=1000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Such as no_show, late, late_cancel")]
Taken = Annotated[int, Field(ge=0, le=1000)]


class ViolationFilter(Page):
    scope: Literal["mine", "desk"] = Field("mine", description="Your own and your organisation's, or your lab's")
    instrument: Id | None = None
    organisation: Id | None = None
    name: Annotated[str, Field(max_length=80), LINE] = ""
    state: Literal["", "counting", "appealed", "struck"] = ""


class AppealOut(Schema):
    id: int
    state: str = Field(description=", ".join(AppealState.values))
    reason: str
    made_by: Named
    made_at: str
    answer: str
    decided_by: Named | None
    decided_at: str | None


class ViolationOut(Schema):
    id: int
    name: str
    label: str
    cause: str
    rule: str
    at: str
    person: Named | None
    organisation: Named | None
    institution: Named | None
    instrument: Named | None
    booking: int | None
    recorded_by: Named | None = Field(description="Empty: found by a rule of itself")
    reason: str
    struck_out_at: str | None
    appeal: AppealOut | None


class ViolationPage(Schema):
    items: list[ViolationOut]
    count: int


class NewViolation(In):
    """Of a booking; or of a person, by e-mail address, on an instrument."""

    name: Name
    reason: Reason
    at: Instant | None = Field(None, description="Default: now")
    booking: Id | None = None
    email: Annotated[str, Field(max_length=254), LINE] = ""
    instrument: Id | None = None


class Because(In):
    reason: Reason


class DecideAppeal(In):
    uphold: bool
    answer: Reason


class Lift(In):
    """Of one person or one organisation; without ``institution`` those of the network's rules."""

    institution: Id | None = None
    person: Id | None = None
    organisation: Id | None = None
    rule: Annotated[str, Field(max_length=120), LINE] = Field("", description="Of one ladder only")
    reason: Reason


class BarredOut(Schema):
    code: str = Field(description="suspend or deny")
    since: str
    until: str | None = Field(description="Empty: until it is lifted")
    rule: str
    layer: str
    place: Named | None = Field(description="Where it holds; empty: in the whole network")
    party: dict[str, int]


class CounterOut(Schema):
    rule: str
    layer: str
    place: Named | None
    names: list[str]
    count: float
    limit: float | None = Field(description="The next step; empty above the last one")
    window: str
    next: list[str] = Field(description="What the next step does")


class CreditEntryOut(Schema):
    at: str | None
    kind: str = Field(description="start, violation, completed or recovery")
    name: str
    points: int
    total: int


class CreditOut(Schema):
    institution: Named | None = Field(description="Whose rules; empty: the network's")
    version: int
    score: int
    entries: list[CreditEntryOut]


class StandingOut(Schema):
    barred: list[BarredOut]
    counters: list[CounterOut]
    credit: list[CreditOut]


class CreditRulesIn(In):
    start: Points = 100
    floor: Points = 0
    ceiling: Points = 120
    points: dict[Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9_]{0,39})$")], Taken] = Field(
        default_factory=dict, max_length=60, description="Taken away by the name of the violation; * any other"
    )
    completed: int = Field(1, ge=0, le=100)
    recovery: int = Field(5, ge=0, le=100)
    recovery_days: int = Field(30, ge=0, le=1000)
    months: int | None = Field(None, ge=1, le=240, description="What is older is forgotten")
    appeal_days: int = Field(14, ge=0, le=365)
    valid_from: Day | None = Field(None, description="Default: today")


class CreditRulesOut(Schema):
    version: int = Field(description="0: nobody has written rules; these are the usual ones")
    valid_from: date | None
    start: int
    floor: int
    ceiling: int
    points: dict[str, int]
    completed: int
    recovery: int
    recovery_days: int
    months: int | None
    appeal_days: int
