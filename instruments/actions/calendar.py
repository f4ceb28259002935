"""The State Council's announcement of holidays: read as it is published, stored by the network's operator."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, NotFound, Refusal, Stale, invalid
from backend.core.memo import forget
from backend.core.text import has_control_characters
from instruments.models import CalendarDay, DayKind
from instruments.queries.calendar import MEMO, Holiday, announced, grouped
from instruments.rules import public_days

LONGEST_TEXT = 20_000
LONGEST_HOLIDAY = 31
MOST_DAYS = 120
_DAY = timedelta(days=1)
_PARTS = re.compile(r"[\s,;，；、]+")
_KINDS = {
    **dict.fromkeys(("休", "放假", "休息", "假", "holiday", "off"), DayKind.HOLIDAY),
    **dict.fromkeys(("班", "上班", "补班", "调休上班", "workday", "work"), DayKind.WORKDAY),
}
_HEADERS = {"day", "date", "日期"}


@dataclass(frozen=True, slots=True)
class Given:
    day: date
    kind: DayKind
    name: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """What was read. ``conflicts``: days that are known otherwise. ``seen`` stands for what is known now."""

    year: int
    days: list[Given]
    holidays: list[Holiday]
    conflicts: list[str]
    seen: str


def read_announcement(text: str, year: int) -> Announcement:
    """Lines such as ``2027-01-01 元旦 休`` or ``2027-02-05..2027-02-12,holiday,春节``.

    `Invalid` names every line that cannot be read. Days may lie in the Decembers and Januaries around the year.
    """
    if not 2000 <= year <= 2100:
        raise invalid("year", _("Choose a year from 2000 to 2100."))
    if len(text) > LONGEST_TEXT or has_control_characters(text):
        raise invalid("text", _("At most %(limit)s plain characters.") % {"limit": LONGEST_TEXT})
    problems: list[Refusal] = []
    found: dict[date, Given] = {}
    for number, line in enumerate(text.splitlines(), 1):
        for given in _read_line(line, number, year, problems):
            if given.day in found:
                problems.append(_problem(number, _("%(day)s is there twice.") % {"day": given.day}))
            found[given.day] = given
    if not problems and not found:
        problems.append(Refusal("empty", _("There is no day in it."), field="text"))
    if len(found) > MOST_DAYS:
        problems.append(Refusal("too_many", _("At most %(limit)s days.") % {"limit": MOST_DAYS}, field="text"))
    if problems:
        raise Invalid(*problems[:100])
    days = sorted(found.values(), key=lambda one: one.day)
    told = grouped([(one.day, one.name, one.kind == DayKind.HOLIDAY) for one in days])
    return Announcement(year, days, told, list(_conflicts(days, year)), _fingerprint())


@atomic_action
def import_announcement(
    *, network: Organisation, by: User, text: str, year: int, source: str = "", seen: str = ""
) -> Announcement:
    """Replace the year's days. `Stale` if what is known changed since the preview."""
    found = read_announcement(text, year)
    if seen and seen != found.seen:
        raise Stale
    if len(source) > 200 or has_control_characters(source):
        raise invalid("source", _("At most %(limit)s plain characters.") % {"limit": 200})
    before = _words(CalendarDay.objects.filter(year=year))
    CalendarDay.objects.filter(year=year).delete()
    # A day on which two announcements differ belongs to the newer one.
    CalendarDay.objects.filter(day__in=[one.day for one in found.days]).delete()
    CalendarDay.objects.bulk_create(
        CalendarDay(day=one.day, year=year, kind=one.kind, name=one.name, source=source) for one in found.days
    )
    forget(MEMO)
    after = {"days": _words(CalendarDay.objects.filter(year=year)), "source": source}
    _record(network, by, "calendar.import", year, {"days": before}, after)
    return found


@atomic_action
def delete_announcement(*, network: Organisation, by: User, year: int) -> int:
    """Take an import back; what comes with the product holds again. The number of days."""
    rows = CalendarDay.objects.filter(year=year)
    before = _words(rows)
    if not before:
        raise NotFound
    rows.delete()
    forget(MEMO)
    _record(network, by, "calendar.delete", year, {"days": before}, {})
    return len(before)


def _read_line(line: str, number: int, year: int, problems: list[Refusal]) -> Iterator[Given]:
    parts = [part for part in _PARTS.split(line.strip().lstrip("\ufeff")) if part]
    if not parts or parts[0].startswith("#") or (number == 1 and parts[0].lower() in _HEADERS):
        return
    first_text, separator, last_text = parts[0].partition("..")
    try:
        first = _day(first_text)
        last = _day(last_text) if separator else first
    except (ValueError, OverflowError):
        problems.append(_problem(number, _("“%(text)s” is no date like 2027-01-01.") % {"text": parts[0][:40]}))
        return
    kinds = [_KINDS[part.lower()] for part in parts[1:] if part.lower() in _KINDS]
    name = " ".join(part for part in parts[1:] if part.lower() not in _KINDS)
    if len(kinds) != 1:
        problems.append(_problem(number, _("Say 休 (holiday) or 班 (workday), once.")))
    elif len(name) > 40:
        problems.append(_problem(number, _("The name may have at most 40 characters.")))
    elif not 0 <= (last - first).days < LONGEST_HOLIDAY:
        problems.append(_problem(number, _("The range ends before it begins or is longer than a month.")))
    elif not date(year - 1, 12, 1) <= first <= last <= date(year + 1, 1, 31):
        problems.append(_problem(number, _("This date does not belong to %(year)s.") % {"year": year}))
    else:
        yield from (Given(first + n * _DAY, kinds[0], name) for n in range((last - first).days + 1))


def _day(text: str) -> date:
    year, month, day = (int(part) for part in re.split(r"[-/.年月]", text.rstrip("日")))
    return date(year, month, day)


def _conflicts(days: Iterable[Given], year: int) -> Iterator[str]:
    """Where the announcement says something else than what is known for those dates."""
    known = public_days(year - 1, year + 1, announced())
    kinds = {DayKind.HOLIDAY: _("holiday"), DayKind.WORKDAY: _("working day"), None: _("ordinary day")}
    given = {one.day: one.kind for one in days}
    if year in known.unknown:
        return
    dates = {day for day in (*known.holidays, *known.make_up) if day.year == year} | set(given)
    for day in sorted(dates):
        if day.year in known.unknown:
            continue
        before = DayKind.HOLIDAY if day in known.holidays else DayKind.WORKDAY if day in known.make_up else None
        if before != given.get(day):
            params = {"day": day, "before": kinds[before], "after": kinds[given.get(day)]}
            yield _("%(day)s: so far %(before)s, now %(after)s") % params


def _fingerprint() -> str:
    return hashlib.sha256(repr(sorted(announced())).encode()).hexdigest()[:32]


def _problem(line: int, reason: str) -> Refusal:
    params = {"line": line, "reason": reason}
    return Refusal("bad_row", _("Line %(line)s: %(reason)s") % params, field="text", params=params)


def _words(rows: Iterable[CalendarDay]) -> list[str]:
    return [f"{row.day} {row.kind} {row.name}".strip() for row in rows]


def _record(
    network: Organisation, by: User, action: str, year: int, before: Mapping[str, object], after: Mapping[str, object]
) -> None:
    record(
        organisation_id=network.pk,
        actor_id=by.pk,
        action=action,
        object_type="calendar",
        object_id=year,
        before=before,
        after=after,
    )
