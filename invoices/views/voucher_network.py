"""What those who run the network do with vouchers: schemes, applications, caps."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from invoices import voucher_rules
from invoices.actions.voucher_grants import grant_voucher, refuse_voucher, revoke_voucher
from invoices.actions.voucher_schemes import FIELDS, save_scheme
from invoices.exports import vouchers as tables
from invoices.exports.tables import Download
from invoices.models import GrantState, VoucherGrant, VoucherScheme
from invoices.queries import vouchers as queries
from invoices.voucher_forms import (
    DecisionReasonForm,
    GrantFilterForm,
    GrantForm,
    SchemeForm,
    share_forms,
    shares_in,
)

PER_PAGE = 30
NAV = "invoices:vouchers"


@page
@require_http_methods(["GET", "POST"])
def scheme_new(request: HttpRequest) -> HttpResponse:
    queries.network_of(access(request))
    return _edit(request, None)


@page
@require_http_methods(["GET", "POST"])
def scheme_edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, queries.get_scheme_to_run(access(request), pk))


def _edit(request: HttpRequest, scheme: VoucherScheme | None) -> HttpResponse:
    if request.method == "POST":
        data = checked(SchemeForm(request.POST))
        shares = shares_in([checked(row) for row in share_forms(request.POST)])
        saved = save_scheme(
            scheme=scheme,
            values={**{name: data[name] for name in FIELDS if name in data}, "shares": shares},
            network_id=queries.network_of(access(request)).pk,
            by=person(request),
            version=data["version"] if scheme else None,
        )
        messages.success(request, _("The scheme was saved."))
        return go(request, reverse("invoices:voucher_scheme", args=[saved.pk]))
    context = {
        "scheme": scheme,
        "sentences": voucher_rules.sentences(scheme) if scheme else [],
        "form": SchemeForm.of(scheme) if scheme else SchemeForm.blank(),
        "rows": share_forms(shares=scheme.shares if scheme else ()),
        "nav": NAV,
    }
    return render(request, "invoices/vouchers/scheme_edit.html", context)


@page
@require_GET
def grants(request: HttpRequest) -> HttpResponse:
    queries.network_of(access(request))
    rows, filters = grants_listed(request)
    page_obj = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page_obj,
        "rows": queries.show_grants(list(page_obj.object_list), timezone.localdate()),
        "filters": filters,
        "filtered": any(filters.values()),
        "states": GrantState.choices,
        "schemes": list(VoucherScheme.objects.all()),
        "query": request.GET.urlencode(),
        "nav": NAV,
    }
    return render(request, "invoices/vouchers/grants.html", context)


def grants_listed(request: HttpRequest) -> tuple[QuerySet[VoucherGrant], dict[str, Any]]:
    form = GrantFilterForm(request.GET)
    form.is_valid()
    filters = {name: value for name, value in form.cleaned_data.items() if value}
    rows = queries.visible_grants(access(request))
    rows = rows.filter(**{name: filters[name] for name in ("state", "scheme") if name in filters})
    if "q" in filters:
        named = Q(enterprise__name__icontains=filters["q"]) | Q(enterprise__name_en__icontains=filters["q"])
        rows = rows.filter(named | Q(enterprise__uscc__iexact=filters["q"]))
    return rows, filters


@page
@require_POST
def give(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_grant_to_decide(access(request), pk)
    grant_voucher(grant=found, by=person(request), **checked(GrantForm(request.POST)))
    messages.success(request, _("The voucher was granted; the enterprise has been told."))
    return go(request, reverse("invoices:voucher_grant", args=[pk]))


@page
@require_POST
def refuse(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_grant_to_decide(access(request), pk)
    refuse_voucher(grant=found, by=person(request), **checked(DecisionReasonForm(request.POST)))
    messages.success(request, _("The application was refused; the enterprise has been told why."))
    return go(request, reverse("invoices:voucher_grant", args=[pk]))


@page
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_grant_to_decide(access(request), pk)
    revoke_voucher(grant=found, by=person(request), **checked(DecisionReasonForm(request.POST)))
    messages.success(request, _("The voucher was revoked: nothing new can be reserved."))
    return go(request, reverse("invoices:voucher_grant", args=[pk]))


@page
@require_GET
def caps(request: HttpRequest) -> HttpResponse:
    context = {"rows": queries.caps_of(access(request)), "nav": NAV}
    return render(request, "invoices/vouchers/caps.html", context)


@page
@require_GET
def export(request: HttpRequest, kind: str, form: Format) -> Download:
    """The list as seen: same filters, all pages."""
    may = access(request)
    if kind == "grants":
        return tables.export_grants(grants_listed(request)[0], form)
    if kind == "payouts":
        return tables.export_payouts(queries.visible_payouts(may), form)
    return tables.export_caps(queries.caps_of(may), form)
