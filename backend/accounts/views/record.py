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
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from backend.accounts.auth import page
from backend.accounts.forms import LogFilterForm
from backend.accounts.models import Organisation, Role, User
from backend.accounts.queries import actors_of, log_of
from backend.accounts.views.organisation import administered_now
from backend.audit.models import Entry

PER_PAGE = 50

KINDS: dict[str, Promise] = {
    "booking": _("Bookings"),
    "usage": _("Usage"),
    "note": _("Messages about bookings"),
    "mail": _("Mail"),
    "charge": _("Charges"),
    "invoice": _("Invoices"),
    "instrument": _("Instruments"),
    "outage": _("Outages"),
    "policy": _("Rules"),
    "feed": _("Calendar subscriptions"),
    "organisation": _("Organisation"),
    "registration": _("Registration"),
    "member": _("Members"),
    "invitation": _("Invitations"),
    "group": _("Groups"),
    "project": _("Projects"),
    "agreement": _("Agreements"),
    "token": _("API tokens"),
    "user": _("Person"),
}
WORDS: dict[str, Promise] = {
    "booking.request": _("Booking requested"),
    "booking.agree": _("Booking: one of the approvals given"),
    "booking.approve": _("Booking approved"),
    "booking.reject": _("Booking rejected"),
    "booking.withdraw": _("Booking withdrawn"),
    "booking.expire": _("Booking expired"),
    "booking.cancel": _("Booking cancelled"),
    "booking.reschedule": _("Booking moved"),
    "booking.displace": _("Booking displaced by an outage"),
    "booking.start": _("Use begun"),
    "booking.finish": _("Use ended"),
    "usage.record": _("Use recorded"),
    "usage.verify": _("Use verified"),
    "usage.amend": _("Record changed before verification"),
    "usage.correct": _("Use corrected"),
    "charge.reserved": _("Charge reserved"),
    "charge.finalised": _("Charge made final"),
    "charge.released": _("Charge released"),
    "invoice.drafted": _("Invoice drafted"),
    "invoice.draft_deleted": _("Draft of an invoice deleted"),
    "invoice.issued": _("Invoice issued"),
    "invoice.pdf_made": _("PDF of an invoice made"),
    "invoice.fapiao_noted": _("Fapiao number noted"),
    "instrument.create": _("Instrument entered"),
    "instrument.update": _("Instrument changed"),
    "instrument.import": _("Instruments imported"),
    "instrument.price_list": _("Prices changed"),
    "instrument.hours": _("Opening hours changed"),
    "instrument.special_days": _("Special days changed"),
    "outage.create": _("Outage entered"),
    "policy.save": _("Rules changed"),
    "feed.create": _("Calendar subscription made"),
    "feed.replace": _("Link of a calendar subscription replaced"),
    "feed.revoke": _("Calendar subscription revoked"),
    "organisation.create": _("Organisation entered"),
    "organisation.change": _("Organisation's data changed"),
    "registration.submit": _("Registration submitted"),
    "registration.change": _("Registration changed"),
    "registration.confirm": _("Registration confirmed"),
    "registration.refuse": _("Registration refused"),
    "membership.create": _("Role given"),
    "membership.change": _("Role changed"),
    "membership.roles": _("Roles changed"),
    "membership.instruments": _("Instruments of a lab manager changed"),
    "membership.end": _("Membership ended"),
    "invitation.create": _("Invitation sent"),
    "invitation.resend": _("Invitation sent again"),
    "invitation.revoke": _("Invitation withdrawn"),
    "invitation.accept": _("Invitation accepted"),
    "group.create": _("Group made"),
    "group.change": _("Group changed"),
    "project.create": _("Project made"),
    "project.change": _("Project changed"),
    "agreement.create": _("Agreement entered"),
    "agreement.change": _("Agreement changed"),
    "agreement.delete": _("Agreement deleted"),
    "token.create": _("API token made"),
    "token.revoke": _("API token revoked"),
    "person.create": _("Account made"),
    "person.change": _("Own data changed"),
    "person.sign_out_everywhere": _("Signed out everywhere"),
    "person.messages": _("Notifications chosen"),
    "note.create": _("Message about a booking written"),
    "mail.open": _("A mail of the demo opened"),
    "mail.retry": _("Mail sent again"),
}
FIELDS: dict[str, Any] = {
    **{field.name: getattr(field, "verbose_name", field.name) for field in Organisation._meta.get_fields()},
    "roles": _("Roles"),
    "members": _("Members"),
    "active": pgettext_lazy("group or project", "Open"),
    "group": _("Group"),
    "instruments": _("Instruments"),
    "tokens_revoked": _("API tokens revoked"),
    "language": _("Language"),
    "expires": _("Expires"),
    "read_only": _("May only read"),
    "all": _("All instruments"),
    "start": _("Start"),
    "end": _("End"),
    "total": _("Total"),
    "status": _("Status"),
    "state": _("Status"),
    "period": _("Period"),
    "fee": _("Fee"),
    "charges": _("Charges"),
    "service_date": _("Day of service"),
    "differences": _("Differences"),
    "used_from": _("Used from"),
    "used_to": _("Used until"),
    "organisation": _("Organisation"),
}


# Rows about a person; their numbers say nothing, their names do.
PEOPLE = ("member", "user")
# Told by the line itself already.
UNTOLD = ("user", "version")
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
            people.update(one for one in values.get("members") or [] if isinstance(one, int))
            organisations.update(one for one in [values.get("organisation")] if isinstance(one, int))
        if entry.object_type in PEOPLE and entry.object_id.isdecimal():
            people.add(int(entry.object_id))
    return {
        "members": {user.pk: str(user) for user in User.objects.filter(pk__in=people)},
        "instruments": dict(found.instruments.filter(pk__in=instruments).values_list("pk", "name")),
        "organisation": dict(Organisation.objects.filter(pk__in=organisations).values_list("pk", "name")),
    }


def _line(entry: Entry, names: Mapping[str, Mapping[int, str]]) -> dict[str, Any]:
    subject = entry.object_id if len(entry.object_id) <= SHORT else ""
    if entry.object_type in PEOPLE and entry.object_id.isdecimal():
        subject = names["members"].get(int(entry.object_id), subject)
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
        known: Mapping[Any, Any] = dict(Role.choices) if name == "roles" else names.get(name, {})
        return ", ".join(str(known.get(one, one) if isinstance(one, str | int) else one) for one in value)
    if isinstance(value, int) and value in names.get(name, {}):
        return names[name][value]
    text = str(value)
    if _INSTANT.fullmatch(text):
        return timezone.localtime(datetime.fromisoformat(text)).strftime("%Y-%m-%d %H:%M")
    return text
