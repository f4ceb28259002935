"""Shapes of changing a booking and of the lab's desk."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, Id, In, Instant
from booking.schemas import BookingOut, RefusalOut, Version, Words


class NewEnd(In):
    """Another end of the booked time; the lab gives a reason."""

    end: Instant
    reason: Words = ""
    version: Version | None = None


class NewUser(In):
    """Who takes the booking over: a colleague, by id or by the exact e-mail address of their account."""

    user: Id | None = None
    user_email: Annotated[str, Field(max_length=254), LINE] = Field("", description="Instead of the id")
    reason: Words = ""
    version: Version | None = None


class Decisions(In):
    """One decision about several requests. Each stands on its own: one that fails does not hold up the others."""

    decision: Literal["approve", "reject"]
    ids: Annotated[list[Id], Field(min_length=1, max_length=100)]
    reason: Words = Field("", description="Needed to reject: the customer reads it")
    versions: dict[Id, Version] = Field(
        default_factory=dict, max_length=100, description="By id: the version that you read, where it must not differ"
    )


class DecisionOut(Schema):
    """``status`` is that of HTTP for the one request: 200, or why not with ``code``, ``detail`` and ``errors``."""

    id: int
    status: int
    booking: BookingOut | None
    code: str
    detail: str
    errors: list[RefusalOut]


class DecisionsOut(Schema):
    results: list[DecisionOut]


class ReasonTemplateIn(In):
    text: Annotated[str, Field(min_length=1, max_length=300), LINE]
    text_en: Annotated[str, Field(max_length=300), LINE] = ""


class ReasonTemplateOut(Schema):
    text: str
    text_en: str


class ReasonTemplates(In):
    """The whole list, in the order in which it is offered."""

    items: Annotated[list[ReasonTemplateIn], Field(max_length=30)]


class ReasonTemplatesOut(Schema):
    items: list[ReasonTemplateOut]
