"""The home page: what the network offers to a visitor, and what waits for a person who is signed in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backend.accounts.auth import access, current_organisation, person
from backend.accounts.models import Organisation
from backend.accounts.queries import Access, own_registrations
from backend.web import queries

# Which picture stands for an upper category.
ICONS = {"01": "microscope", "02": "tool", "03": "adjustments-horizontal", "04": "star", "05": "world", "06": "map-pin"}
ICONS |= {"07": "sun", "08": "plug", "09": "heart", "10": "urgent", "11": "shield-check"}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    if not request.user.is_authenticated:
        return render(request, "web/home.html", _visitor(now))
    mine = access(request)
    context = _today(mine, now, payer=current_organisation(request), staff=request.user.is_staff)
    if not mine.organisations:
        context["registrations"] = own_registrations(person(request))
    return render(request, "web/today.html", context)


def _visitor(now: datetime) -> dict[str, Any]:
    figures = queries.network_figures(now)
    catalogue = reverse("instruments:catalogue")
    today = timezone.localdate(now)
    return {
        "today": today,
        "tomorrow": today + timedelta(days=1),
        "categories": [(row, ICONS.get(row.category.code[:2], "flask")) for row in queries.categories()],
        "figures": [
            {"label": _("Instruments to book"), "value": f"{figures['instruments']:,}", "url": catalogue},
            {"label": _("Institutions that share them"), "value": f"{figures['institutions']:,}"},
            {"label": _("Uses in 30 days"), "value": f"{figures['uses']:,}"},
        ],
    }


def _today(me: Access, now: datetime, *, payer: Organisation | None, staff: bool) -> dict[str, Any]:
    context: dict[str, Any] = {"now": now, "now_hour": timezone.localtime(now).hour}
    lab, money = queries.lab(me, now), queries.money(me, now)
    if lab:
        context |= {"lab": lab, "lab_figures": _lab_figures(lab)}
    if money:
        context |= {
            "money": money,
            "money_figures": _money_figures(money),
        }
        if any(amount for _month, amount in money.months):
            context["money_chart"] = _months(money.months, _("Charges"))
    if me.is_operator or staff:
        network = queries.network(now)
        context |= {"network": network, "network_figures": _network_figures(network)}
        if any(row.uses for row in network.shares):
            context["network_chart"] = _shares(network)
    if me.bookers() and not (lab or money):
        customer = queries.customer(me, now, payer)
        context |= {"customer": customer, "customer_figures": _customer_figures(customer)}
        if any(amount for _month, amount in customer.months):
            context["customer_chart"] = _months(customer.months, _("Spent"))
    people = queries.people(me)
    if people:
        context |= {"people_figures": _people_figures(people)}
    return context


def _link(name: str, query: str = "") -> str:
    """The address of a page, empty where there is none."""
    try:
        return reverse(name) + query
    except NoReverseMatch:
        return ""


def _figure(label: str, value: Any, url: str = "", *, tone: str = "", hint: str = "") -> dict[str, Any]:
    return {"label": label, "value": value, "url": url, "tone": tone, "hint": hint}


def _yuan(amount: Decimal) -> str:
    return f"¥{amount:,.0f}"


def _customer_figures(customer: queries.Customer) -> list[dict[str, Any]]:
    mine = _link("booking:mine")
    return [
        _figure(_("Confirmed bookings"), customer.confirmed, mine),
        _figure(_("Waiting for approval"), customer.waiting, mine, tone="wait" if customer.waiting else ""),
        _figure(_("In use"), len(customer.running), mine),
        _figure(_("Spent this month"), _yuan(customer.this_month), _link("invoices:mine")),
    ]


def _lab_figures(lab: queries.Lab) -> list[dict[str, Any]]:
    usage = _link("booking:usage")
    broken = _("%(number)s out of order or unreliable") % {"number": lab.broken} if lab.broken else ""
    return [
        _figure(
            _("Requests to decide"), lab.request_count, _link("booking:desk"), tone="wait" if lab.request_count else ""
        ),
        *_sample_figures(lab),
        _figure(_("Uses to verify"), lab.to_verify, usage, tone="wait" if lab.to_verify else ""),
        _figure(_("Records missing"), lab.missing, usage, tone="bad" if lab.missing else ""),
        _figure(_("Instruments"), lab.instruments, _link("instruments:manage"), hint=broken),
    ]


def _sample_figures(lab: queries.Lab) -> list[dict[str, Any]]:
    if lab.samples is None:
        return []
    new, on_the_way = lab.samples
    hint = _("%(number)s open") % {"number": on_the_way}
    return [_figure(_("Sample orders"), new, _link("booking:sample_desk"), tone="wait" if new else "", hint=hint)]


def _money_figures(money: queries.Money) -> list[dict[str, Any]]:
    desk, invoices = _link("invoices:desk"), _link("invoices:list")
    count = _("%(number)s charges") % {"number": money.to_draft}
    issued = _("%(number)s invoices") % {"number": money.issued}
    return [
        _figure(_("Uses to verify"), money.to_verify),
        _figure(
            _("To draft, all periods"),
            _yuan(money.to_draft_sum),
            desk,
            hint=count,
            tone="wait" if money.to_draft else "",
        ),
        _figure(_("Drafts"), money.drafts, f"{invoices}?status=draft"),
        _figure(
            _("Issued this month, by date of issue"), _yuan(money.issued_sum), f"{invoices}?status=issued", hint=issued
        ),
        _figure(_("Overdue"), money.overdue, f"{invoices}?status=overdue", tone="bad" if money.overdue else ""),
    ]


def _people_figures(people: Iterable[tuple[Any, int]]) -> list[dict[str, Any]]:
    language = get_language() or ""
    url = _link("accounts:organisation")
    return [_figure(one.label(language), count, url, hint=ngettext("person", "people", count)) for one, count in people]


def _network_figures(network: queries.Network) -> list[dict[str, Any]]:
    return [
        _figure(_("Institutions"), network.institutions),
        _figure(_("Enterprises"), network.enterprises),
        _figure(
            _("Registrations to confirm"),
            network.to_confirm,
            _link("accounts:registrations"),
            tone="wait" if network.to_confirm else "",
        ),
        _figure(_("Public instruments"), network.instruments, _link("instruments:catalogue")),
        _figure(_("Uses in 30 days"), network.uses),
        _figure(_("Requests waiting"), network.waiting),
    ]


def _months(months: Iterable[tuple[date, Decimal]], name: str) -> dict[str, Any]:
    rows = list(months)
    return {
        "kind": "bar",
        "labels": [date_format(month, "Y-m") for month, _amount in rows],
        "series": [{"name": name, "data": [float(amount) for _month, amount in rows]}],
        "unit": _("yuan"),
    }


def _shares(network: queries.Network) -> dict[str, Any]:
    language = get_language() or ""
    return {
        "kind": "bar",
        "labels": [row.institution.label(language) for row in network.shares],
        "series": [{"name": _("Uses in 30 days"), "data": [row.uses for row in network.shares]}],
    }
