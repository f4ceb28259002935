"""What somebody types into a rule's form, in words, while it is typed."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from . import phrases, words
from .calendar import Calendar
from .moments import parse_duration, parse_moment
from .over import parse_over
from .windows import BUILT_IN, parse_window

KINDS = ("moment", "duration", "ending", "bound", "over", "window")
_CALENDAR = Calendar(ZoneInfo("UTC"))
_BUSINESS = parse_window("business", BUILT_IN["business"], _CALENDAR)


def explain(kind: str, text: str) -> tuple[str, bool]:
    """The meaning and True, or how it is written and False; nothing for nothing, and for the name of a window."""
    text = text.strip()
    if not text or len(text) > 200 or kind not in KINDS:
        return "", True
    try:
        return _meaning(kind, text), True
    except ValueError:
        return _grammar(kind), False


def _meaning(kind: str, text: str) -> str:
    if kind == "moment":
        return words.moment(parse_moment(text, _CALENDAR, _BUSINESS))
    if kind == "bound":
        return "" if _is_number(text) else words.moment(parse_moment(text, _CALENDAR, _BUSINESS))
    if kind == "ending":
        return _ending(text)
    if kind == "duration":
        return "" if text == "ever" else words.span(parse_duration(text))
    if kind == "over":
        return phrases.period(parse_over(text))
    if kind != "window" or not any(sign.isdigit() for sign in text):
        return ""
    return _("; ").join(words.window(parse_window(part.strip(), part, _CALENDAR)) for part in text.split("+"))


def _ending(text: str) -> str:
    try:
        return words.moment(parse_moment(text, _CALENDAR, _BUSINESS))
    except ValueError:
        return _meaning("duration", text)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _grammar(kind: str) -> str:
    return {
        "moment": _("This is no moment. Write it like start -24h or start -3d @24:00."),
        "bound": _("Write a number, or for dates a moment like end or start +30d."),
        "ending": _("Write a duration like 14d or 1mo, or a moment like at #last @24:00."),
        "duration": _("This is no duration. Write it like 30min, 24h, 7d, 3mo, 2wd or 4bh."),
        "over": _("Write day, week, month, quarter, halfyear, year, 7d, open, ever, overlap or near 2h."),
        "window": _("This is no window. Write it like Mon-Fri 09:00-17:00; Sat 09:00-12:00."),
    }[kind]
