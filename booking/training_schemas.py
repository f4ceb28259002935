"""Shapes of the API of trainings and qualifications."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, PLAIN, Day, Id, In, Instant, Page
from booking.models import RequestState
from booking.schemas import Named, Version

Name = Annotated[str, Field(min_length=1, max_length=80), LINE]
NameEn = Annotated[str, Field(max_length=120), LINE]
Level = Annotated[str, Field(min_length=1, max_length=20), LINE]
Months = Annotated[int, Field(ge=1, le=240)]
Points = Annotated[int, Field(ge=0, le=100)]
Line = Annotated[str, Field(max_length=200), LINE]
Why = Annotated[str, Field(min_length=1, max_length=200), LINE]
Places = Annotated[int, Field(ge=1, le=500)]
Ids = Annotated[list[Id], Field(max_length=500)]
HOURS = Literal["any", "business"]
OUTCOME = Literal["attended", "passed", "failed", "absent"]


class NewTraining(In):
    """Covers instruments of the institution, a group of them, or both."""

    institution: Id | None = Field(None, description="Needed when you manage instruments of several institutions")
    name: Name
    name_en: NameEn = ""
    description: Annotated[str, Field(max_length=2000), PLAIN] = ""
    instruments: Ids = Field(default_factory=list)
    group: Id | None = None
    level: Level
    rank: Annotated[int, Field(ge=1, le=100)] = Field(1, description="Of several levels the highest rank counts")
    exam: bool = False
    pass_mark: Points | None = None
    validity_months: Months | None = None
    disuse_months: Months | None = Field(None, description="Lapses after so many months without use")
    hours: HOURS = "any"
    open: bool = Field(False, description="Free places are given at once")
    active: bool = True


class TrainingChange(In):
    """What is left out stays."""

    name: Name | None = None
    name_en: NameEn | None = None
    description: Annotated[str, Field(max_length=2000), PLAIN] | None = None
    instruments: Ids | None = None
    group: Id | None = None
    level: Level | None = None
    rank: Annotated[int, Field(ge=1, le=100)] | None = None
    exam: bool | None = None
    pass_mark: Points | None = None
    validity_months: Months | None = None
    disuse_months: Months | None = None
    hours: HOURS | None = None
    open: bool | None = None
    active: bool | None = None
    version: Version | None = None


class NewTrainingSession(In):
    training: Id
    start: Instant
    end: Instant
    places: Places
    place: Annotated[str, Field(max_length=100), LINE] = ""
    trainer: Annotated[str, Field(max_length=80), LINE] = ""


class TrainingSessionChange(In):
    """What is left out stays."""

    start: Instant | None = None
    end: Instant | None = None
    places: Places | None = None
    place: Annotated[str, Field(max_length=100), LINE] | None = None
    trainer: Annotated[str, Field(max_length=80), LINE] | None = None
    version: Version | None = None


class TrainingReason(In):
    reason: Why
    version: Version | None = None


class Seen(In):
    version: Version | None = None


class NewTrainingRequest(In):
    training: Id
    session: Id | None = Field(None, description="Any session by default")
    organisation: Id | None = Field(None, description="Needed when you belong to several organisations")
    note: Line = ""


class GivePlace(In):
    session: Id | None = Field(None, description="The session that was asked for by default")
    version: Version | None = None


class ResultIn(In):
    request: Id
    outcome: OUTCOME
    score: Points | None = None
    reason: Line = ""


class ResultsIn(In):
    """Results of one or many: all are entered, or none."""

    results: Annotated[list[ResultIn], Field(min_length=1, max_length=500)]


class NewQualification(In):
    """Of a training, or for a single instrument; then with its level."""

    email: Annotated[str, Field(min_length=3, max_length=254), LINE]
    training: Id | None = None
    instrument: Id | None = None
    level: Annotated[str, Field(max_length=20), LINE] = ""
    valid_until: Day | None = Field(None, description="The last day; as the training says by default")
    reason: Why


class TrainingFilter(Page):
    instrument: Id | None = None
    institution: Id | None = None
    managed: bool = Field(False, description="Those that you run, also when they are not offered")


class SessionFilter(Page):
    training: Id | None = None
    start: Instant | None = Field(None, alias="from", description="Now by default")
    cancelled: bool = False


class TrainingRequestFilter(Page):
    training: Id | None = None
    session: Id | None = None
    state: RequestState | None = None
    mine: bool = Field(False, description="Your own only")


class QualificationFilter(Page):
    instrument: Id | None = Field(None, description="One that you manage")
    training: Id | None = None
    mine: bool = Field(False, description="Your own only")
    ended: bool = Field(False, description="Also withdrawn and renewed ones")


class QualificationTable(Schema):
    instrument: Id | None = None
    training: Id | None = None
    ended: bool = False


class SessionOut(Schema):
    id: int
    uid: str
    version: int
    status: str = Field(description="open or cancelled")
    training: Named
    start: str
    end: str
    timezone: str
    place: str
    trainer: str
    places: int
    free: int
    reason: str


class SessionPage(Schema):
    items: list[SessionOut]
    count: int


class TrainingOut(Schema):
    id: int
    version: int
    institution: Named
    name: str
    name_en: str
    description: str
    instruments: list[Named]
    group: Named | None
    level: str
    rank: int
    exam: bool
    pass_mark: int | None
    validity_months: int | None
    disuse_months: int | None
    hours: str
    open: bool
    active: bool


class TrainingPage(Schema):
    items: list[TrainingOut]
    count: int


class TrainingRequestOut(Schema):
    id: int
    version: int
    state: str
    training: Named
    session: int | None
    seat: int | None
    user: Named
    organisation: Named
    note: str
    score: int | None
    reason: str
    requested_at: str
    changed_at: str


class TrainingRequestPage(Schema):
    items: list[TrainingRequestOut]
    count: int


class QualificationOut(Schema):
    id: int
    version: int
    user: Named
    institution: Named
    training: Named | None
    instrument: Named | None
    level: str
    rank: int
    hours: str
    status: str = Field(description="valid, expiring, expired, lapsed, revoked or replaced")
    granted_at: str
    granted_by: str
    valid_until: str | None
    ends_at: str | None = Field(description="When it ends by itself, for want of use or at its date")
    last_used: str | None
    reason: str


class QualificationPage(Schema):
    items: list[QualificationOut]
    count: int
