"""The tables of the room: Django looks for them here. Each file holds one subject."""

from .bookings import LONGEST, OCCUPYING, Approval, Booking, BookingQuerySet, Decision, Status
from .closings import PeriodClosing
from .feeds import Feed, FeedDetail, FeedScope
from .policies import Layer, Policy
from .qualifications import (
    OPEN_REQUESTS,
    SEATED,
    Course,
    HoursAllowed,
    Qualification,
    RequestState,
    TrainingRequest,
    TrainingSession,
)
from .replacements import Displacement, DisplacementState, Replacement, ReplacementState
from .samples import OPEN_ORDERS, OrderStatus, ResultFile, SampleItem, SampleOrder
from .series import Bundle, OnConflict, Series, SkippedDate
from .spending import SpendingRequest, SpendingState
from .standing import Appeal, AppealState, CreditRules, Reached
from .talk import Attachment, Note, Side
from .templates import ReasonTemplate
from .usage import Usage, UsageState
from .violations import Violation
from .waitlist import OPEN_WAITS, Wait, WaitStatus

__all__ = [
    "LONGEST",
    "OCCUPYING",
    "OPEN_ORDERS",
    "OPEN_REQUESTS",
    "OPEN_WAITS",
    "SEATED",
    "Appeal",
    "AppealState",
    "Approval",
    "Attachment",
    "Booking",
    "BookingQuerySet",
    "Bundle",
    "Course",
    "CreditRules",
    "Decision",
    "Displacement",
    "DisplacementState",
    "Feed",
    "FeedDetail",
    "FeedScope",
    "HoursAllowed",
    "Layer",
    "Note",
    "OnConflict",
    "OrderStatus",
    "PeriodClosing",
    "Policy",
    "Qualification",
    "Reached",
    "ReasonTemplate",
    "Replacement",
    "ReplacementState",
    "RequestState",
    "ResultFile",
    "SampleItem",
    "SampleOrder",
    "Series",
    "Side",
    "SkippedDate",
    "SpendingRequest",
    "SpendingState",
    "Status",
    "TrainingRequest",
    "TrainingSession",
    "Usage",
    "UsageState",
    "Violation",
    "Wait",
    "WaitStatus",
]
