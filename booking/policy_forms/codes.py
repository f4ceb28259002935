"""The codes that the product itself defines, with their names in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from booking.rules import words
from booking.rules.explaining import explain

# Fields that a condition can ask for; others are typed in.
FIELDS = (
    "audience",
    "mode",
    "minutes",
    "samples",
    "person.level",
    "person.levels",
    "person.trained",
    "person.hours",
    "person.credit",
    "person.last_used",
    "person.inside",
    "organisation.kind",
    "for_self",
    "label",
    "reused",
    "instrument",
)
PARTIES = ("person", "group", "project", "organisation", "instrument")
VIOLATIONS = ("no_show", "late", "late_cancel", "overtime", "early_leave", "unconfirmed")
# Moments that rules name often; each is explained in words.
DEADLINES = ("start -1h", "start -24h", "start -3d", "start -7d", "start -1wd", "start -30d", "start -1d @17:00")
LATENESS = ("start", "start +15min", "start +30min", "end", "end +15min", "start -24h")
SPANS = ("7d", "14d", "1mo", "3mo", "6mo", "12mo")
WINDOWS_OF_COUNTING = ("30d", "3mo", "6mo", "12mo", "month", "quarter", "year")


def _named(codes: Iterable[str], namer: Callable[[str], str]) -> Callable[[], list[tuple[str, str]]]:
    return lambda: [(code, namer(code)) for code in codes]


AUDIENCES = _named(("internal", "academic", "enterprise"), lambda code: words.value("audience", code))
MODES = _named(("self", "operator", "sample"), lambda code: words.value("mode", code))
ACTS = _named(("create", "change", "cancel", "extend", "access", "train", "qualify"), words.act)
BARRED_ACTS = _named(("create", "change", "extend", "qualify"), words.act)
PER = _named(PARTIES, words.field_name)
VIOLATION_NAMES = _named(VIOLATIONS, words.violation)
FIELD_NAMES = _named(FIELDS, words.field_name)


def deadlines() -> list[tuple[str, str]]:
    return [(text, explain("moment", text)[0]) for text in DEADLINES]


def lateness() -> list[tuple[str, str]]:
    return [(text, explain("moment", text)[0]) for text in LATENESS]


def spans() -> list[tuple[str, str]]:
    return [(text, explain("duration", text)[0]) for text in SPANS]


def counting_windows() -> list[tuple[str, str]]:
    return [(text, explain("over", text)[0]) for text in WINDOWS_OF_COUNTING]


def counted() -> list[tuple[str, str]]:
    return [*VIOLATION_NAMES(), ("*", _("any violation"))]


def happenings() -> list[tuple[str, str]]:
    return [
        ("cancel", _("cancelling")),
        ("checkin", _("arriving")),
        ("checkout", _("leaving")),
        ("never", _("not coming")),
        ("unconfirmed", _("not confirming")),
    ]


def verdicts() -> list[tuple[str, str]]:
    asked = [(f"approve:{role}", words.role(role)) for role in ("manager", "finance", "admin", "supervisor")]
    return [
        ("", _("it is refused")),
        ("refuse", _("it is refused (said in so many words)")),
        ("notice", _("a notice is shown")),
        *((code, _("%(role)s must approve") % {"role": role}) for code, role in asked),
    ]


def measures() -> list[tuple[str, str]]:
    return [
        ("", _("bookings (as usual)")),
        ("count", _("bookings")),
        ("hours", pgettext("measure", "hours")),
        ("pieces", _("samples")),
        ("people", _("different people")),
        ("days", _("different days")),
        ("instruments", _("different instruments")),
    ]


def periods() -> list[tuple[str, str]]:
    return [
        ("day", _("in a day")),
        ("week", _("in a week")),
        ("month", _("in a month")),
        ("quarter", _("in a quarter")),
        ("halfyear", _("in half a year")),
        ("year", _("in a year")),
        ("7d", _("in any 7 days")),
        ("open", _("not finished yet at the same time")),
        ("ever", _("altogether")),
        ("overlap", _("at once")),
        ("near 2h", _("less than 2 hours apart")),
        ("near 0min", _("without a break")),
    ]


def consequences() -> list[tuple[str, str]]:
    return [
        ("warn", _("a warning")),
        ("fee", _("a fee")),
        ("suspend", _("suspension")),
        ("deny", _("the deny list")),
        ("cancel_future", _("future bookings are cancelled")),
        ("tell", _("somebody is told")),
    ]


def silences() -> list[tuple[str, str]]:
    return [("", _("nothing")), ("consent", _("consent")), ("refuse", _("refusal"))]
