"""One's own record: what counts against the limits, what follows from it, credit and its entries, contesting."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from backend.accounts.auth import access, page, person
from backend.accounts.models import Role
from backend.core.attachments import MOST_FILES, TYPES_IN_WORDS
from backend.core.errors import NotFound
from backend.core.export import Format
from booking.actions.appealing import appeal_violation
from booking.exports import export_violations
from booking.models import AppealState, Violation
from booking.queries import violations as queries
from booking.queries.credit import appeal_days, credit_of, grouped
from booking.queries.standing import Barred, Counted, standing_of
from booking.rules.standing import LIFTED
from booking.rules.violation_names import consequence_label, labels, violation_label
from booking.violation_forms import AppealForm

APPEAL_TONES: dict[str, str] = {AppealState.OPEN: "wait", AppealState.UPHELD: "good", AppealState.DISMISSED: "bad"}


@require_GET
@page
def record(request: HttpRequest) -> HttpResponse:
    """Counters against the limits, suspensions, entries, credit; ``?who=all`` for an organisation's administrator."""
    mine, user, now = access(request), person(request), timezone.now()
    whole = bool(mine.where(Role.ADMIN))
    everybody = whole and request.GET.get("who") == "all"
    part = Paginator(_rows(request), 20).get_page(request.GET.get("page"))
    stands = standing_of(user, mine.where(), now)
    scores = [{"of": each, "lines": grouped(each.score)} for each in credit_of(user, now)]
    context = {
        "whole": whole,
        "everybody": everybody,
        "entries": shown(part.object_list, now),
        "page_obj": part,
        "barred": [barred_line(each) for each in stands.barred],
        "counters": [_counter_line(each) for each in stands.counted],
        "scores": scores,
        "query": request.GET.urlencode(),
    }
    return render(request, "booking/record.html", context)


def _rows(request: HttpRequest) -> QuerySet[Violation]:
    mine = access(request)
    if request.GET.get("who") == "all" and mine.where(Role.ADMIN):
        return queries.own_violations(mine)
    return queries.persons_violations(person(request))


def shown(rows: Iterable[Violation], now: datetime) -> list[dict[str, Any]]:
    """Entries with the words that pages show; one query for the days of appeals."""
    rows = list(rows)
    days = appeal_days({row.institution_id for row in rows})
    return [
        {
            "row": row,
            "label": violation_label(row.name),
            "appeal": getattr(row, "appeal", None),
            "tone": APPEAL_TONES.get(getattr(getattr(row, "appeal", None), "state", ""), "off"),
            "can_appeal": queries.can_appeal(row, days=days[row.institution_id], now=now),
            "lifted": row.name == LIFTED,
            "zone": row.instrument.timezone if row.instrument else None,
        }
        for row in rows
    ]


def barred_line(each: Barred) -> dict[str, Any]:
    """``why`` names the entry that led to it."""
    return {
        "each": each,
        "denied": each.code == "deny",
        "until": each.consequence.until,
        "since": each.consequence.start,
        "zone": each.instrument.timezone,
        "place": each.place,
        "why": violation_label(str(each.consequence.event.get("name", ""))),
        "person": each.party.get("person"),
        "organisation": each.party.get("organisation"),
        "institution": each.house.pk if each.house else "",
        "rule": each.consequence.rule_id,
    }


def _counter_line(each: Counted) -> dict[str, Any]:
    following = _(", ").join(dict.fromkeys(consequence_label(action.code) for action in each.counter.next_actions))
    return {"counter": each.counter, "label": labels(each.counter.names), "place": each.place, "then": following}


@require_http_methods(["GET", "HEAD", "POST"])
@page
def appeal(request: HttpRequest, pk: int) -> HttpResponse:
    """Contest one entry: a reason, and files where it belongs to a booking."""
    found = queries.get_own_violation(access(request), pk)
    form = AppealForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        files = request.FILES.getlist("files")
        appeal_violation(violation=found, by=person(request), reason=form.cleaned_data["reason"], files=files)
        messages.success(request, _("The lab has been told. You hear of the answer by message."))
        return redirect("booking:record")
    context = {
        "form": form,
        "entry": shown([found], timezone.now())[0],
        "until": queries.appeal_until(found),
        "files": {"most": MOST_FILES, "types": TYPES_IN_WORDS} if found.booking_id else None,
    }
    return render(request, "booking/appeal.html", context, status=422 if form.errors else 200)


@require_GET
@page
def export(request: HttpRequest, form: Format) -> HttpResponseBase:
    """The list as it is shown."""
    if form not in ("csv", "xlsx"):
        raise NotFound
    return export_violations(_rows(request), form)
