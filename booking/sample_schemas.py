"""Shapes of sample orders in the API; money is text, days are ISO 8601."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Schema
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from backend.core.api import LINE, PLAIN, Day, Id, In, Instant, Page
from booking.models import OrderStatus
from booking.rules.samples import MOST_ITEMS, MOST_PIECES, MOST_TESTS
from booking.schemas import ApprovalOut, Named, OnBehalf, Parameters, Purpose, QuoteOut, RefusalOut, Version, Words

Count = Annotated[int, Field(ge=0, le=MOST_PIECES)]
Tests = Annotated[list[Annotated[str, Field(min_length=1, max_length=100), LINE]], Field(max_length=MOST_TESTS)]
Remark = Annotated[str, Field(max_length=200), LINE]


class NewItem(In):
    """``tests`` are names of what is to be measured; ``parameters`` values that the price list knows by name."""

    name: Annotated[str, Field(min_length=1, max_length=100), LINE]
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]
    tests: Tests = Field(default_factory=list)
    parameters: Parameters = Field(default_factory=dict)
    notes: Annotated[str, Field(max_length=500), LINE] = ""
    storage: Annotated[str, Field(max_length=200), LINE] = Field("", description="Hazards, and how to keep it")


class SampleWish(OnBehalf):
    instrument: Id
    items: Annotated[list[NewItem], Field(min_length=1, max_length=MOST_ITEMS)]
    wished_on: Day | None = Field(None, description="The day on which you want the results at the latest begun")
    project: Id | None = None


class NewSampleOrder(SampleWish):
    purpose: Purpose
    requirements: Words = ""
    return_samples: bool = False


class OrderStep(In):
    version: Version | None = None


class OrderReason(OrderStep):
    reason: Words = ""


class Acceptance(OrderStep):
    expected_on: Day | None = Field(None, description="When the results are expected")


class ReceivedItem(In):
    id: Id
    quantity: Count | None = None
    condition: Remark = ""


class Receipt(OrderStep):
    items: Annotated[list[ReceivedItem], Field(max_length=MOST_ITEMS)] = Field(default_factory=list)


class TestingStart(OrderStep):
    """With ``start`` and ``end`` time on the instrument is taken for the samples."""

    start: Instant | None = None
    end: Instant | None = None


class MachineTime(OrderStep):
    start: Instant
    end: Instant


class TestedItem(In):
    id: Id
    quantity: Count | None = None
    tests: Tests | None = None
    parameters: Parameters | None = None


class Finished(OrderStep):
    """What is not named was tested as it was received."""

    items: Annotated[list[TestedItem], Field(max_length=MOST_ITEMS)] = Field(default_factory=list)
    report: Annotated[str, Field(max_length=5000), PLAIN] = ""


class GivenBack(OrderStep):
    items: Annotated[list[Id], Field(max_length=MOST_ITEMS)] | None = Field(None, description="All that were received")
    note: Remark = ""


class SampleOrderFilter(Page):
    status: str = Field("", description=f"One or several, separated by commas: {', '.join(OrderStatus.values)}")
    instrument: Id | None = None
    organisation: Id | None = None

    @field_validator("status")
    @classmethod
    def _known(cls, value: str) -> str:
        asked = [part.strip() for part in value.split(",") if part.strip()]
        if not set(asked) <= set(OrderStatus.values):
            raise PydanticCustomError("literal_error", "{expected}", {"expected": ", ".join(OrderStatus.values)})
        return ",".join(asked)


class SampleCheckOut(Schema):
    acceptable: bool
    refusals: list[RefusalOut]
    approval: ApprovalOut
    notices: list[str]
    quote: QuoteOut


class SampleItemOut(Schema):
    id: int
    name: str
    quantity: int
    tests: list[str]
    parameters: dict[str, Any]
    notes: str
    storage: str
    received_quantity: int | None
    condition: str
    tested_quantity: int | None
    tested_tests: list[str]
    tested_parameters: dict[str, Any]
    returned_at: str | None


class ResultOut(Schema):
    """``size`` in bytes; ``url`` is where the file is read, with the same credentials."""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    at: str
    url: str


class OrderCharge(Schema):
    status: str
    total: str
    currency: str
    differences: list[str]


class SampleOrderOut(Schema):
    """Instants have the instrument's offset. ``results`` are empty for the customer until the order is done."""

    id: int
    uid: str
    number: str
    version: int
    status: str
    instrument: Named
    institution: Named
    organisation: Named
    user: Named
    project: Named | None
    purpose: str
    requirements: str
    return_samples: bool
    wished_on: str | None
    expected_on: str | None
    items: list[SampleItemOut]
    quote: QuoteOut
    charge: OrderCharge | None
    approval_roles: list[str]
    agreed: list[str]
    submitted_at: str
    accepted_at: str | None
    received_at: str | None
    started_at: str | None
    done_at: str | None
    closed_at: str | None
    reason: str
    report: str
    bookings: list[int]
    results: list[ResultOut]


class SampleOrderPage(Schema):
    items: list[SampleOrderOut]
    count: int
