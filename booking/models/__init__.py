"""The tables of the room: Django looks for them here. Each file holds one subject."""

from .bookings import LONGEST, OCCUPYING, Approval, Booking, BookingQuerySet, Decision, Status
from .feeds import Feed, FeedDetail, FeedScope
from .policies import Layer, Policy, PolicyQuerySet
from .talk import Attachment, Note, Side
from .usage import Usage, UsageState

__all__ = [
    "LONGEST",
    "OCCUPYING",
    "Approval",
    "Attachment",
    "Booking",
    "BookingQuerySet",
    "Decision",
    "Feed",
    "FeedDetail",
    "FeedScope",
    "Layer",
    "Note",
    "Policy",
    "PolicyQuerySet",
    "Side",
    "Status",
    "Usage",
    "UsageState",
]
