"""A table of rules with a wish at the boundary of each and one just past it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from booking.rules.starters import add_starter
from tests.factories import DAY, at

WEEK_BEFORE = DAY - timedelta(days=7)
NOON = at(12, day=WEEK_BEFORE)


@dataclass(frozen=True)
class Row:
    """``good`` and ``past`` change what is asked: start, end, now, who, mode, samples; ``codes`` refuse the latter."""

    name: str
    document: dict[str, Any]
    good: dict[str, Any]
    past: dict[str, Any]
    codes: tuple[str, ...]
    earlier: tuple[tuple[datetime, datetime], ...] = ()
    base: dict[str, Any] = field(default_factory=dict)


def rule(kind: str, **parameters: Any) -> dict[str, Any]:
    return {"rules": [{"kind": kind, **parameters}]}


def preset(code: str, **answers: Any) -> dict[str, Any]:
    return add_starter({"rules": []}, code, answers)


def on(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
    return at(hour, day=DAY + timedelta(days=days)) + timedelta(minutes=minute)


MINUTE = timedelta(minutes=1)
FREE = (on(9), on(10))
ROWS = [
    # The nine kinds: those that judge a wish here, the others below.
    Row("require", rule("require", that={"audience": "enterprise"}), {}, {"who": "inside"}, ("require",)),
    Row(
        "require a window",
        rule("require", that={"inside": "Mon-Sun 09:00-12:00"}),
        {"start": on(9), "end": on(12)},
        {"start": on(9), "end": on(12, 1)},
        ("require",),
    ),
    Row(
        "require, own code",
        rule("require", that={"samples": {"max": 5}}, code="many"),
        {"samples": 5},
        {"samples": 6},
        ("many",),
    ),
    Row(
        "length",
        rule("length", max=120),
        {"start": on(9), "end": on(11)},
        {"start": on(9), "end": on(11, 1)},
        ("too_long",),
    ),
    Row(
        "length, least",
        rule("length", min=60),
        {"start": on(9), "end": on(10)},
        {"start": on(9), "end": on(9, 59)},
        ("too_short",),
    ),
    Row(
        "length, step",
        rule("length", step=30),
        {"start": on(9), "end": on(10, 30)},
        {"start": on(9), "end": on(10, 31)},
        ("step",),
    ),
    Row(
        "length in a part",
        rule("length", part="daily 09:00-11:00", max=60),
        {"start": on(10), "end": on(14)},
        {"start": on(9, 59), "end": on(14)},
        ("too_long",),
    ),
    Row(
        "slots",
        rule("slots", step=30),
        {"start": on(9, 30), "end": on(10)},
        {"start": on(9, 31), "end": on(10)},
        ("start_grid",),
    ),
    Row(
        "slots, bands",
        rule("slots", bands="daily 09:00-12:00, 13:00-17:00", join=1),
        {"start": on(9), "end": on(12)},
        {"start": on(9), "end": on(11, 59)},
        ("band",),
    ),
    Row(
        "slots, joined",
        rule("slots", bands="daily 09:00-12:00, 12:00-15:00, 15:00-18:00", join=2),
        {"start": on(9), "end": on(15)},
        {"start": on(9), "end": on(18)},
        ("bands_joined",),
    ),
    Row(
        "deadline, latest",
        rule("deadline", latest="start -24h"),
        {"now": on(9, days=-1)},
        {"now": on(9, days=-1) + timedelta(seconds=1)},
        ("too_late",),
    ),
    Row(
        "deadline, end of a day",
        rule("deadline", latest="start -3d @24:00"),
        {"now": on(23, 59, days=-3)},
        {"now": on(0, days=-2)},
        ("too_late",),
    ),
    Row(
        "deadline, earliest",
        rule("deadline", earliest="start -1w @12:00"),
        {"now": NOON},
        {"now": NOON - timedelta(seconds=1)},
        ("too_early",),
    ),
    Row(
        "quota",
        rule("quota", measure="hours", over="week", max=3),
        {"start": on(13), "end": on(14)},
        {"start": on(13), "end": on(14, 1)},
        ("quota",),
        earlier=((on(9), on(11)),),
    ),
    Row(
        "quota, rolling",
        rule("quota", over="7d", max=1),
        {"start": on(9, days=7), "end": on(10, days=7)},
        {"start": on(8, 59, days=7), "end": on(10, days=7)},
        ("quota",),
        earlier=(FREE,),
    ),
    Row(
        "quota, apart",
        rule("quota", over="near 2h", max=0),
        {"start": on(12), "end": on(13)},
        {"start": on(11, 59), "end": on(13)},
        ("quota",),
        earlier=(FREE,),
    ),
    Row(
        "quota, needs another",
        rule("quota", over="day", min=1, others=True),
        {"start": on(13), "end": on(14)},
        {"start": on(13, days=1), "end": on(14, days=1)},
        ("needs_booking",),
        earlier=(FREE,),
    ),
    Row(
        "cases",
        rule("length", cases=[{"if": {"mode": "operator"}, "free": True}, {"max": 60}]),
        {"mode": "operator", "start": on(9), "end": on(12)},
        {"mode": "self", "start": on(9), "end": on(12)},
        ("too_long",),
    ),
    # The ten usual ones.
    Row(
        "preset length",
        preset("length", shortest=30, longest=120, step=30),
        {"start": on(9), "end": on(11)},
        {"start": on(9), "end": on(11, 30)},
        ("too_long",),
    ),
    Row(
        "preset horizon",
        preset("horizon", lead_hours=24, horizon_days=5),
        {"now": on(9, days=-5)},
        {"now": on(9, days=-5) - timedelta(seconds=1)},
        ("too_early",),
    ),
    Row(
        "preset lead",
        preset("horizon", lead_hours=24, horizon_days=5),
        {"now": on(9, days=-1)},
        {"now": on(9, days=-1) + MINUTE},
        ("too_late",),
    ),
    Row(
        "preset quota",
        preset("quota", hours=3, per="organisation"),
        {"start": on(13), "end": on(14)},
        {"start": on(13), "end": on(14, 1)},
        ("quota",),
        earlier=((on(9), on(11)),),
    ),
    Row(
        "preset prime",
        preset("prime", opens=time(9), closes=time(13), hours=3),
        {"start": on(12), "end": on(17)},
        {"start": on(11, 59), "end": on(17)},
        ("quota",),
        earlier=((on(9), on(11)),),
    ),
    Row(
        "preset night",
        preset("night", opens=time(18), closes=time(8), levels="independent"),
        {"start": on(16), "end": on(18)},
        {"start": on(16), "end": on(18, 1)},
        ("night_level",),
    ),
    Row("preset training", preset("training", whom="self"), {"mode": "operator"}, {"mode": "self"}, ("not_trained",)),
    Row(
        "preset bands",
        preset("bands", bands="09:00-12:00, 13:00-17:00", join=2),
        {"start": on(13), "end": on(17)},
        {"start": on(13), "end": on(17, 1)},
        ("band",),
    ),
]
