"""The organisation's own audit record, for those who run it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from backend.accounts.auth import page
from backend.accounts.forms import LogFilterForm
from backend.accounts.models import Organisation, Role, User
from backend.accounts.queries import actors_of, log_of
from backend.accounts.views.organisation import administered_now
from backend.accounts.views.record_words import FIELDS, KINDS, UNTOLD, VALUES, WORDS
from backend.audit.models import Entry

PER_PAGE = 50

# Rows about a person; their numbers say nothing, their names do.
PEOPLE = ("member", "user")
# Values that are lists of people.
PEOPLE_LISTS = ("members", "managers")
# Values that are one person.
PERSONS = ("person", "was_user")
# Longer ids are for machines.
SHORT = 20
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


@page
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    found = administered_now(request)
    filters = LogFilterForm(request.GET).known()
    rows = log_of(
        found,
        kind=filters["kind"] or "",
        actor=filters["who"],
        since=_midnight(filters["since"]),
        until=_midnight(filters["until"], days=1),
    )
    page_obj = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    names = _names(found, page_obj.object_list)
    context = {
        "organisation": found,
        "tab": "log",
        "runs": True,
        "page_obj": page_obj,
        "entries": [_line(entry, names) for entry in page_obj],
        "kinds": KINDS.items(),
        "actors": actors_of(found),
        "filters": filters,
        "filtered": any(filters.values()),
    }
    return render(request, "accounts/log.html", context)


def _midnight(day: date | None, *, days: int = 0) -> datetime | None:
    if day is None or day >= date.max - timedelta(days=2):
        return None
    return timezone.make_aware(datetime.combine(day + timedelta(days=days), time()))


def _names(found: Organisation, entries: Iterable[Entry]) -> dict[str, dict[int, str]]:
    """What the ids on the page are called: people, instruments of the organisation, customers. Three queries."""
    people, instruments, organisations = set[int](), set[int](), set[int]()
    for entry in entries:
        for values in (entry.before, entry.after):
            instruments.update(one for one in values.get("instruments") or [] if isinstance(one, int))
            for name in PEOPLE_LISTS:
                people.update(one for one in values.get(name) or [] if isinstance(one, int))
            people.update(one for one in (values.get(name) for name in PERSONS) if isinstance(one, int))
            organisations.update(one for one in [values.get("organisation")] if isinstance(one, int))
        if entry.object_type in PEOPLE and entry.object_id.isdecimal():
            people.add(int(entry.object_id))
        if entry.object_type == "instrument" and entry.object_id.isdecimal():
            instruments.add(int(entry.object_id))
    called = {user.pk: str(user) for user in User.objects.filter(pk__in=people)}
    return {
        **dict.fromkeys((*PEOPLE_LISTS, *PERSONS), called),
        "instruments": dict(found.instruments.filter(pk__in=instruments).values_list("pk", "name")),
        "organisation": dict(Organisation.objects.filter(pk__in=organisations).values_list("pk", "name")),
    }


def _line(entry: Entry, names: Mapping[str, Mapping[int, str]]) -> dict[str, Any]:
    subject = entry.object_id if len(entry.object_id) <= SHORT else ""
    if entry.object_type in PEOPLE and entry.object_id.isdecimal():
        subject = names["members"].get(int(entry.object_id), subject)
    elif entry.object_type == "instrument" and entry.object_id.isdecimal():
        subject = names["instruments"].get(int(entry.object_id), subject)
    return {
        "at": entry.at,
        "number": entry.sequence,
        "who": entry.actor,
        "what": WORDS.get(entry.action, entry.action),
        "object": subject,
        "changes": list(_changes(entry.before, entry.after, names)),
        "reason": entry.reason,
    }


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[str, Mapping[int, str]]
) -> Iterator[tuple[Any, str, str]]:
    """Name, value before, value after, of everything that differs."""
    for name in dict.fromkeys([*before, *after]):
        old, new = _words(name, before.get(name), names), _words(name, after.get(name), names)
        if old != new and name not in UNTOLD:
            yield FIELDS.get(name, name), old, new


def _words(name: str, value: Any, names: Mapping[str, Mapping[int, str]]) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        known: Mapping[Any, Any] = dict(Role.choices) if name == "roles" else VALUES.get(name) or names.get(name, {})
        return ", ".join(str(known.get(one, one) if isinstance(one, str | int) else one) for one in value)
    if isinstance(value, int) and value in names.get(name, {}):
        return names[name][value]
    text = str(VALUES.get(name, {}).get(str(value), value))
    if _INSTANT.fullmatch(text):
        return timezone.localtime(datetime.fromisoformat(text)).strftime("%Y-%m-%d %H:%M")
    return text
