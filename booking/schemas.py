"""Shapes of the booking API; money and quantities are text."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from ninja import Schema
from pydantic import AwareDatetime, Field, field_validator

from backend.core.api import In, Page

MAX_TEXT = 2000
MODES = Literal["self", "operator", "sample"]


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("control characters are not allowed")
    return value


class Slot(In):
    """A time on an instrument. ``parameters`` are numbers that the price list knows by name."""

    instrument: int = Field(ge=1, le=2**31)
    start: AwareDatetime
    end: AwareDatetime
    mode: MODES
    samples: int | None = Field(None, ge=0, le=100_000)
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict, max_length=40)
    organisation: int | None = Field(None, description="Needed when you belong to several organisations")
    project: int | None = None
    on_behalf_of: int | None = Field(None, description="A colleague who will use the time; administrators only")


class NewBooking(Slot):
    purpose: str = Field(min_length=1, max_length=200)
    notes: str = Field("", max_length=MAX_TEXT)

    _text = field_validator("purpose", "notes")(_no_nul)


class Reason(In):
    reason: str = Field("", max_length=MAX_TEXT)
    version: int | None = None

    _text = field_validator("reason")(_no_nul)


class NewTime(In):
    start: AwareDatetime
    end: AwareDatetime
    reason: str = Field("", max_length=MAX_TEXT)
    version: int | None = None

    _text = field_validator("reason")(_no_nul)


class Finish(In):
    start: AwareDatetime | None = Field(None, description="Only where nobody checked in")
    end: AwareDatetime | None = None
    samples: int | None = Field(None, ge=0, le=100_000)
    parameters: dict[str, int | float | str | bool] | None = Field(None, max_length=40)
    comment: str = Field("", max_length=MAX_TEXT)
    version: int | None = None

    _text = field_validator("comment")(_no_nul)


class NewUsage(In):
    source_ref: str = Field(min_length=1, max_length=80)
    instrument: int
    booking: int | None = None
    user: int | None = Field(None, description="Who used it; you by default")
    organisation: int | None = None
    start: AwareDatetime
    end: AwareDatetime
    samples: int | None = Field(None, ge=0, le=100_000)
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict, max_length=40)
    comment: str = Field("", max_length=MAX_TEXT)

    _text = field_validator("source_ref", "comment")(_no_nul)


class BookingFilter(Page):
    status: str = Field("", description="One or several, separated by commas")
    start: AwareDatetime | None = Field(None, alias="from")
    end: AwareDatetime | None = Field(None, alias="to")
    instrument: int | None = None
    organisation: int | None = None

    @field_validator("status")
    @classmethod
    def _plain(cls, value: str) -> str:
        return _no_nul(value)


class NewFeed(In):
    scope: Literal["mine", "organisation", "instrument"]
    instrument: int | None = None
    organisation: int | None = None
    detail: Literal["busy", "full"] = "full"
    name: str = Field("", max_length=80)

    _text = field_validator("name")(_no_nul)


class Outage(In):
    start: AwareDatetime
    end: AwareDatetime
    reason: str = Field(min_length=1, max_length=200)
    displace: bool = False

    _text = field_validator("reason")(_no_nul)


class NewPolicy(In):
    """``policy`` is the JSON of docs/policy.md."""

    policy: dict[str, Any]
    valid_from: date | None = None


class PolicyOut(Schema):
    version: int
    valid_from: str | None
    policy: dict[str, Any]


class OutageOut(Schema):
    id: int
    instrument: int
    start: str
    end: str
    reason: str


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


class Alternative(Schema):
    instrument: int
    name: str
    start: str
    end: str
    total: str


class CheckOut(Schema):
    bookable: bool
    refusals: list[RefusalOut]
    approval: ApprovalOut
    notices: list[str]
    quote: QuoteOut
    alternatives: list[Alternative]


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
    project: Named | None
    purpose: str
    notes: str
    samples: int | None
    quote: QuoteOut
    approval_roles: list[str]
    hold_expires_at: str | None
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


class UsagePage(Schema):
    items: list[UsageOut]
    count: int


class FeedOut(Schema):
    id: int
    url: str
