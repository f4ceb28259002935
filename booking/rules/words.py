"""The pieces of sentences: numbers, spans, moments, windows, conditions in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext as _

from .amounts import Amount
from .calendar import DAY, MINUTES_A_DAY, Calendar, DateRange
from .moments import Clock, Duration, Moment, MonthDay, Offset
from .values import plain
from .windows import DAY_WORDS, Part, Window

LABELS: ContextVar[Mapping[str, str]] = ContextVar("LABELS", default=MappingProxyType({}))
"""Names of an institution's own codes: ``{"audience=inside": "…", "person.failed_exams": "…"}``."""


@contextmanager
def labelled(labels: Mapping[str, str]) -> Iterator[None]:
    """Within it, sentences and refusals show these names instead of codes."""
    token = LABELS.set(labels)
    try:
        yield
    finally:
        LABELS.reset(token)


def number(value: Fraction | int | float) -> str:
    exact = plain(value) if isinstance(value, Fraction) else value
    return f"{exact:.2f}".rstrip("0").rstrip(".") if isinstance(exact, float) else str(exact)


def minutes(value: Fraction | int | float) -> str:
    """In hours where they are whole."""
    if value and not value % 60:
        return _("1 hour") if value == 60 else _("%(n)s hours") % {"n": number(value / Fraction(60))}
    return _("1 minute") if value == 1 else _("%(n)s minutes") % {"n": number(value)}


def span(duration: Duration) -> str:
    n = duration.n
    one = {
        "min": _("1 minute"),
        "h": _("1 hour"),
        "d": _("1 day"),
        "w": _("1 week"),
        "mo": _("1 month"),
        "y": _("1 year"),
        "wd": _("1 working day"),
        "bh": _("1 business hour"),
    }
    more = {
        "min": _("%(n)s minutes"),
        "h": _("%(n)s hours"),
        "d": _("%(n)s days"),
        "w": _("%(n)s weeks"),
        "mo": _("%(n)s months"),
        "y": _("%(n)s years"),
        "wd": _("%(n)s working days"),
        "bh": _("%(n)s business hours"),
    }
    return one[duration.unit] if n == 1 else more[duration.unit] % {"n": n}


def amount(value: Amount) -> str:
    """``20 + 2 × group.members, at most 40``."""
    if not value.fact:
        return number(value.base)
    text = value.fact if value.times == 1 else f"{number(value.times)} × {value.fact}"
    if value.base:
        text = f"{number(value.base)} + {text}"
    if value.rounding:
        text = _("%(amount)s, rounded") % {"amount": text}
    return text if value.cap is None else _("%(amount)s, at most %(cap)s") % {"amount": text, "cap": number(value.cap)}


def lasting(value: Amount) -> str:
    """An amount of minutes as a length."""
    return _("%(n)s minutes") % {"n": amount(value)} if value.fact else minutes(value.base)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def instant(at: datetime, calendar: Calendar, *, ends_day: bool = False) -> str:
    """Local wall time; the end of a day is its 24:00."""
    wall = calendar.wall(at)
    if ends_day:
        return f"{wall.date() - DAY:%Y-%m-%d} 24:00"
    return f"{wall:%Y-%m-%d %H:%M}"


def weekday(place: int) -> str:
    names = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
    return names[place]


def moment(value: Moment) -> str:
    text = _anchor(value.anchor)
    for step in value.steps:
        if isinstance(step, Offset):
            words = {"span": span(step.duration), "moment": text}
            text = _("%(span)s before %(moment)s") % words if step.sign < 0 else _("%(span)s after %(moment)s") % words
        elif isinstance(step, Clock):
            text = _at_clock(step, text)
        elif isinstance(step, MonthDay):
            text = _("%(moment)s, day %(day)s of that month") % {"moment": text, "day": step.day}
        else:
            text = _("%(moment)s, %(weekday)s of that week") % {"moment": text, "weekday": weekday(step.weekday)}
    return text


def ahead_of_start(value: Moment | None) -> str:
    """``2 hours`` for a moment that lies just so long before the start; else empty."""
    if value is None or value.anchor != "start" or len(value.steps) != 1:
        return ""
    (step,) = value.steps
    return span(step.duration) if isinstance(step, Offset) and step.sign < 0 else ""


def _at_clock(step: Clock, text: str) -> str:
    if step.minute == MINUTES_A_DAY:
        return _("%(moment)s, end of that day") % {"moment": text}
    return _("%(moment)s, at %(clock)s of that day") % {"moment": text, "clock": clock(step.minute)}


def _anchor(anchor: str | date) -> str:
    if isinstance(anchor, date):
        return anchor.isoformat()
    names = {
        "start": _("the start"),
        "end": _("the end"),
        "made": _("the time of booking"),
        "now": _("now"),
        "at": _("the event"),
    }
    return names.get(anchor) or field_name(anchor)


def window(value: Window) -> str:
    """Its name and what it means."""
    if value.name == "always":
        return _("at any time")
    times = _("; ").join(_part(part) for part in value.parts)
    if value.name == "business":
        return _("business hours (%(times)s)") % {"times": times}
    if ";" in value.name or ":" in value.name:  # written out in place, it is its own name
        return times
    return _("“%(name)s” (%(times)s)") % {"name": value.name, "times": times}


def _part(part: Part) -> str:
    dates = _(", ").join(_dates(each) for each in part.dates)
    times = _(", ").join(_times(first, last) for first, last in part.times)
    return " ".join(text for text in (dates, _days(part), times) if text)


def _dates(dates: DateRange) -> str:
    first, last = ("-".join(f"{each:02}" for each in end) for end in (dates.first, dates.last))
    return first if first == last else f"{first}–{last}"


def _days(part: Part) -> str:
    names = {
        "daily": _("daily"),
        "workday": _("on working days"),
        "offday": _("on days off"),
        "holiday": _("on holidays"),
    }
    found = [names[word] for word in DAY_WORDS if word in part.words]
    runs = _runs(sorted(part.weekdays))
    for first, last in runs:
        if first == last:
            found.append(weekday(first))
        else:
            found.append(_("%(first)s to %(last)s") % {"first": weekday(first), "last": weekday(last)})
    return _(", ").join(found)


def _runs(days: list[int]) -> list[tuple[int, int]]:
    """Consecutive weekdays joined."""
    runs: list[tuple[int, int]] = []
    for day in days:
        if runs and runs[-1][1] == day - 1:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _times(first: int, last: int) -> str:
    if (first, last) == (0, MINUTES_A_DAY):
        return _("all day")
    if last - first == MINUTES_A_DAY:
        return _("%(clock)s to %(clock)s of the next day") % {"clock": clock(first)}
    return f"{clock(first)}–{clock(last if last <= MINUTES_A_DAY else last - MINUTES_A_DAY)}"


def field_name(key: str) -> str:
    names = {
        "mode": _("mode"),
        "audience": _("audience"),
        "instrument": _("instrument"),
        "level": _("level"),
        "label": _("label"),
        "samples": _("number of samples"),
        "person": _("person"),
        "group": _("group"),
        "project": _("project"),
        "organisation": _("organisation"),
        "person.level": _("level of the person"),
        "person.level_since": _("level held since"),
        "person.hours": _("hours of operation"),
        "person.credit": _("credit of the person"),
        "person.levels": _("levels"),
        "person.trained": _("trained"),
        "person.last_used": _("last used"),
        "person.last_use": _("last use"),
        "person.last_service": _("last service"),
        "person.failed_exams": _("failed exams"),
        "person.inside": _("inside the institution"),
        "organisation.kind": _("kind of organisation"),
        "group.holders_A": _("holders of level A in the group"),
        "next_waiting": _("somebody waiting for the time after"),
        "minutes": _("minutes"),
        "hours": _("hours"),
        "for_self": _("booked for oneself"),
        "reused": _("slot used by others"),
    }
    return LABELS.get().get(key) or names.get(key, key)


def value(key: str, shown: Any) -> str:
    """A value as a reader knows it: the codes that the product itself defines have names."""
    if shown is None:
        return _("not given")
    if isinstance(shown, bool):
        return _("yes") if shown else _("no")
    names = {
        ("mode", "self"): _("self-operated"),
        ("mode", "operator"): _("assisted"),
        ("mode", "sample"): _("sample submission"),
        ("audience", "internal"): _("internal users"),
        ("audience", "academic"): _("academic users"),
        ("audience", "enterprise"): _("enterprises"),
        ("audience", "inside"): _("members of the institution"),
    }
    return LABELS.get().get(f"{key}={shown}") or names.get((key, shown), str(shown))


def act(name: str) -> str:
    names = {
        "create": _("booking"),
        "change": _("changing"),
        "cancel": _("cancelling"),
        "extend": _("extending"),
        "transfer": _("handing over"),
        "access": _("access"),
        "train": _("training"),
        "qualify": _("qualification"),
    }
    return names.get(name, name)


def violation(name: str) -> str:
    names = {
        "*": _("any violation"),
        "no_show": _("no-show"),
        "late": _("late arrival"),
        "late_cancel": _("late cancellation"),
        "overtime": _("overtime"),
        "early_leave": _("early leave"),
        "unconfirmed": _("booking not confirmed"),
    }
    return names.get(name, name)


def advice(written: str, code: str) -> str:
    """What the rule advises; where it says nothing, what the ready-made rules advise, in the reader's language."""
    usual = {"not_trained": _("Sign up for the next training."), "night_level": _("Ask the lab for the training.")}
    return written or usual.get(code, "")


def role(name: str) -> str:
    names = {
        "manager": _("the instrument manager"),
        "finance": _("the finance office"),
        "admin": _("an administrator of the institution"),
        "supervisor": _("the supervisor"),
    }
    return names.get(name, name)


def both(texts: Iterable[str]) -> str:
    return _(" and ").join(texts)


def each(parties: Iterable[str]) -> str:
    return _(" and each ").join(parties)


def either(texts: Iterable[str]) -> str:
    return _(" or ").join(texts)


def listed(texts: Iterable[str]) -> str:
    return _(", ").join(texts)
