"""Shapes of the booking API; money and quantities are text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import AfterValidator, Field, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from backend.core.api import LINE, PLAIN, Day, Document, Id, In, Instant, Page
from backend.core.text import has_control_characters
from booking.models import Status, UsageState
from booking.queries.quoting import RESERVED
from booking.rules.reporting import PERIOD as REPORT_PERIOD

MAX_TEXT = 2000
MODES = Literal["self", "operator", "sample"]
LARGEST = 10**9

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _wrong(words: str) -> PydanticCustomError:
    return PydanticCustomError("parameter", "{words}", {"words": words})


def _parameter_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _wrong(_("A parameter is named by at most 40 small letters, digits and underscores, a letter first."))
    if name in RESERVED:
        raise _wrong(_("This name has a meaning of its own and cannot be a parameter."))
    return name


def _parameter_value(value: Any) -> bool | int | float | str:
    match value:
        case bool():
            return value
        case int() | float() if -LARGEST <= value <= LARGEST:  # never true of NaN
            return value
        case str() if len(value) <= 100 and not has_control_characters(value):
            return value
    raise _wrong(
        _("A parameter is true, false, a number up to %(largest)s or a text of at most 100 characters.")
        % {"largest": LARGEST}
    )


_VALUE_SCHEMA = {
    "anyOf": [
        {"type": "boolean"},
        {"type": "number", "minimum": -LARGEST, "maximum": LARGEST},
        {"type": "string", "maxLength": 100},
    ]
}
ParameterName = Annotated[str, AfterValidator(_parameter_name)]
ParameterValue = Annotated[Any, AfterValidator(_parameter_value), WithJsonSchema(_VALUE_SCHEMA)]
Parameters = Annotated[dict[ParameterName, ParameterValue], Field(max_length=40)]

Version = Annotated[int, Field(ge=0, le=2**31 - 1)]
Samples = Annotated[int, Field(ge=0, le=100_000)]
Words = Annotated[str, Field(max_length=MAX_TEXT), PLAIN]
Purpose = Annotated[str, Field(min_length=1, max_length=200), LINE]


def _one_of(text: str, possible: Iterable[str]) -> str:
    """One or several of them, separated by commas."""
    asked, known = [part.strip() for part in text.split(",") if part.strip()], list(possible)
    if not set(asked) <= set(known):
        raise PydanticCustomError("literal_error", "{expected}", {"expected": ", ".join(known)})
    return ",".join(asked)


class OnBehalf(In):
    """For whom something is asked, where not for the caller."""

    organisation: Id | None = Field(None, description="Needed when you belong to several organisations")
    on_behalf_of: Id | None = Field(
        None, description="Who it is for: a colleague, for administrators; a customer, for the lab's managers"
    )
    on_behalf_of_email: Annotated[str, Field(max_length=254), LINE] = Field("", description="Instead of the id")


class Slot(OnBehalf):
    """A time on an instrument. ``parameters`` are values that the price list knows by name."""

    instrument: Id
    start: Instant
    end: Instant
    mode: MODES
    samples: Samples | None = None
    parameters: Parameters = Field(default_factory=dict)
    project: Id | None = None


class NewBooking(Slot):
    purpose: Purpose
    notes: Words = ""
    displaces: list[Id] = Field(
        default_factory=list,
        max_length=50,
        description="Bookings to displace, as `check` named them (`displaces`): the rules let you come first",
    )
    voucher: Id | None = Field(None, description="A voucher of your enterprise that is to cover its share of the price")
    voucher_declared: bool = Field(False, description="You state that it is no statutory inspection")


class Reason(In):
    reason: Words = ""
    version: Version | None = None


class NewTime(In):
    start: Instant
    end: Instant
    reason: Words = ""
    version: Version | None = None


class Finish(In):
    start: Instant | None = Field(None, description="Only where nobody checked in")
    end: Instant | None = None
    samples: Samples | None = None
    parameters: Parameters | None = None
    comment: Words = ""
    version: Version | None = None


class NewUsage(In):
    source_ref: Annotated[str, Field(min_length=1, max_length=80), LINE]
    instrument: Id
    booking: Id | None = None
    user: Id | None = Field(None, description="Who used it; you by default")
    organisation: Id | None = None
    start: Instant
    end: Instant
    samples: Samples | None = None
    parameters: Parameters = Field(default_factory=dict)
    comment: Words = ""


class Measured(In):
    """A use as it should stand in the log; what is left out stays as it is."""

    start: Instant | None = None
    end: Instant | None = None
    samples: Samples | None = None
    parameters: Parameters | None = None
    comment: Words | None = None


class AmendUsage(Measured):
    reason: Words = ""


class CorrectUsage(Measured):
    reason: Annotated[str, Field(min_length=1, max_length=MAX_TEXT), PLAIN]


class _TimeFilter(Page):
    start: Instant | None = Field(None, alias="from")
    end: Instant | None = Field(None, alias="to")
    instrument: Id | None = None
    organisation: Id | None = None


class BookingFilter(_TimeFilter):
    status: str = Field("", description=f"One or several, separated by commas: {', '.join(Status.values)}")

    @field_validator("status")
    @classmethod
    def _known(cls, value: str) -> str:
        return _one_of(value, Status.values)


class UsageFilter(_TimeFilter):
    status: str = Field("", description=f"One or several, separated by commas: {', '.join(UsageState.values)}")
    corrected: bool = Field(False, description="Also the records that a correction has replaced")

    @field_validator("status")
    @classmethod
    def _known(cls, value: str) -> str:
        return _one_of(value, UsageState.values)


class ReportFilter(Schema):
    period: Annotated[str, Field(pattern=REPORT_PERIOD, examples=["2026-03", "2026Q1"])] | None = None
    institution: Id | None = None
    instrument: Id | None = None


class NewFeed(In):
    scope: Literal["mine", "organisation", "instrument"]
    instrument: Id | None = None
    organisation: Id | None = None
    detail: Literal["busy", "full"] = "full"
    name: Annotated[str, Field(max_length=80), LINE] = ""


class Outage(In):
    start: Instant
    end: Instant | None = Field(None, description="Needed unless `open_ended`")
    open_ended: bool = Field(False, description="Nobody knows the end yet: it moves on by a day each day until ended")
    displaces: bool = Field(False, description="Where open-ended: displace what is newly hit without asking")
    reason: Purpose
    displace: bool = Field(False, description="Displace the bookings that it hits instead of being refused")
    hits: list[Id] | None = Field(
        None, max_length=1000, description="The bookings that you know it hits; refused when these are others by now"
    )


class OutageChange(In):
    """What is left out stays. ``sequence`` is the one that you read."""

    start: Instant | None = None
    end: Instant | None = None
    open_ended: bool | None = None
    displaces: bool | None = None
    reason: Purpose | None = None
    displace: bool = False
    hits: list[Id] | None = Field(None, max_length=1000)
    sequence: Version | None = None


class NewPolicy(In):
    """``policy`` is the JSON of docs/policy.md."""

    policy: Document
    valid_from: Day | None = None


class TryPolicy(In):
    """Somebody of an audience, or a known customer by e-mail, and a time. ``policy`` as in `NewPolicy`."""

    policy: Document | None = Field(
        None, description="In place of the instrument's own rules; the saved ones if absent"
    )
    audience: Literal["internal", "academic", "enterprise"] = "enterprise"
    email: Annotated[str, Field(max_length=254), LINE] = Field(
        "", description="A known customer, instead of the audience"
    )
    organisation: Id | None = Field(None, description="Needed when that person has several")
    mode: MODES
    start: Instant
    end: Instant
    samples: Samples | None = None


class PolicyOut(Schema):
    version: int
    valid_from: str | None
    policy: dict[str, Any]


class OutageOut(Schema):
    id: int
    uid: str
    sequence: int
    instrument: int
    start: str
    end: str
    open_ended: bool
    displaces: bool
    reason: str


class OutagePage(Schema):
    items: list[OutageOut]
    count: int


class Named(Schema):
    id: int
    name: str


class QuoteLine(Schema):
    code: str
    description: str
    quantity: str | None
    unit: str
    unit_price: str | None
    amount: str
    why: str


class QuoteOut(Schema):
    currency: str
    total: str
    lines: list[QuoteLine]
    price_list: str


class RefusalOut(Schema):
    code: str
    detail: str
    field: str | None = None
    params: dict[str, Any] | None = None
    until: str | None = None
    fix: str | None = None
    fix_text: str | None = None


class ApprovalOut(Schema):
    needed: bool
    roles: list[str]
    silence: str | None
    at: str | None
    customer: list[str] = Field(description="Who of your own organisation must agree to the price first, by role")


class PrepaidOut(Schema):
    account: int | None
    frozen: str = Field(description="What is frozen on the prepaid account when this is booked")
    available: str
    missing: str


class Alternative(Schema):
    instrument: int = Field(description="Another time of the same, or an equivalent one elsewhere")
    name: str
    institution: str
    start: str
    end: str
    total: str
    currency: str


class CheckOut(Schema):
    bookable: bool
    refusals: list[RefusalOut]
    approval: ApprovalOut
    prepaid: PrepaidOut | None
    notices: list[str]
    quote: QuoteOut
    alternatives: list[Alternative]
    unknown_years: list[int] = Field(description="Years whose public holidays are not announced yet")


class AgreementGiven(Schema):
    role: str
    decision: str = Field(description="approved or rejected")
    by: str | None
    at: str


class BookingOut(Schema):
    id: int
    uid: str
    version: int
    status: str
    instrument: Named
    institution: Named
    unit: int
    start: str
    end: str
    timezone: str
    mode: str
    organisation: Named
    user: Named
    made_by: Named
    project: Named | None
    purpose: str
    notes: str
    samples: int | None
    quote: QuoteOut
    approval_roles: list[str]
    awaiting: str | None = Field(description="Whom a request waits for: customer, then institution")
    approvals: list[AgreementGiven]
    hold_expires_at: str | None
    confirm_by: str | None = Field(description="Until when the rules want to hear that the customer comes")
    coming_at: str | None = Field(description="When the customer said so")
    reason: str


class BookingPage(Schema):
    items: list[BookingOut]
    count: int


class HistoryEntry(Schema):
    at: str
    action: str
    by: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str


class UsageOut(Schema):
    id: int
    uid: str
    source_ref: str
    status: str
    instrument: Named
    booking: int | None
    organisation: Named
    user: Named
    start: str
    end: str | None
    samples: int | None
    parameters: dict[str, Any]
    comment: str
    verified_at: str | None
    corrects: int | None
    corrected_by: int | None
    reason: str


class UsagePage(Schema):
    items: list[UsageOut]
    count: int


class FeedOut(Schema):
    id: int
    url: str


class TouchedBooking(Schema):
    id: int
    start: str
    end: str
    organisation: Named
    reasons: list[RefusalOut]


class TouchedOut(Schema):
    """Coming bookings that would be refused: how many, of how many looked at (at most 200), and the first twenty."""

    count: int
    looked_at: int
    bookings: list[TouchedBooking]


class TriedOut(CheckOut):
    audience: str
    before: CheckOut | None = Field(description="What the rules in force say, where others were tried")
    touched: TouchedOut
