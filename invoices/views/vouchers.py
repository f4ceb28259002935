"""Vouchers of an enterprise: schemes, applications, what they cover, and choosing one for a charge."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, current_organisation, page, person
from backend.accounts.models import Organisation
from backend.core.attachments import TYPES_IN_WORDS
from backend.core.fields import checked
from backend.core.http import go
from invoices import voucher_rules
from invoices.actions.covering import cover_charge, uncover_charge
from invoices.actions.voucher_grants import apply_for_voucher, withdraw_application
from invoices.exports.stored import stored_response
from invoices.models import GrantState
from invoices.queries import vouchers as queries
from invoices.queries.covering import can_cover, find_voucher, get_charge_to_cover, offers_for_charge, use_of
from invoices.queries.payouts import due_uses, sum_due
from invoices.queries.scope import finance_of
from invoices.voucher_forms import ApplicationForm, CoverForm, DecisionReasonForm, GrantForm

RECENT = 50


def applicant_of(request: HttpRequest) -> Organisation | None:
    """The enterprise whose vouchers are shown: the current organisation, else the first that one may."""
    mine = queries.applicants(access(request))
    current = current_organisation(request)
    return next((one for one in mine if current and one.pk == current.pk), mine[0] if mine else None)


def nav(request: HttpRequest) -> str:
    if access(request).is_operator:
        return "invoices:vouchers"
    return "invoices:desk" if finance_of(access(request)) else "invoices:mine"


@page
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """By role: the network's figures, what an institution is owed, an enterprise's own vouchers."""
    may, today = access(request), timezone.localdate()
    own = applicant_of(request)
    schemes = list(queries.schemes_shown(may, today))
    context: dict[str, Any] = {
        "nav": nav(request),
        "enterprise": own,
        "schemes": [(scheme, voucher_rules.sentences(scheme)) for scheme in schemes],
        "is_operator": may.is_operator,
        "is_finance": bool(finance_of(may)),
        "today": today,
    }
    if own is not None:
        grants = queries.visible_grants(may).filter(enterprise=own)
        context["grants"] = queries.show_grants(list(grants), today)
        context["uses"] = list(queries.visible_uses(may).filter(charge__customer=own)[:RECENT])
    if may.is_operator or finance_of(may):
        uses = queries.visible_uses(may)
        context["months"] = queries.redeemed_by_month(uses)[:60]
        due = due_uses() if may.is_operator else due_uses().filter(charge__institution__in=finance_of(may))
        waiting = queries.visible_grants(may).filter(state=GrantState.APPLIED) if may.is_operator else None
        context["figures"] = _figures(sum_due(due), None if waiting is None else waiting.count())
        if may.is_operator:
            context["scheme_figures"] = queries.scheme_figures(schemes)
    return render(request, "invoices/vouchers/home.html", context)


def _figures(due: Any, waiting: int | None) -> list[dict[str, Any]]:
    payouts = reverse("invoices:voucher_payouts")
    figures = [{"label": _("To be paid out"), "value": due, "url": payouts, "money": True}]
    if waiting is not None:
        applications = f"{reverse('invoices:voucher_grants')}?state={GrantState.APPLIED}"
        figures.insert(0, {"label": _("Applications that wait"), "value": waiting, "url": applications})
    return figures


@page
@require_GET
def scheme(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_scheme(access(request), pk, timezone.localdate())
    context = {
        "scheme": found,
        "sentences": voucher_rules.sentences(found),
        "may_apply": applicant_of(request) is not None and found.open,
        "is_operator": access(request).is_operator,
        "nav": nav(request),
    }
    return render(request, "invoices/vouchers/scheme.html", context)


@page
@require_http_methods(["GET", "POST"])
def apply(request: HttpRequest, pk: int) -> HttpResponse:
    may = access(request)
    wanted = applicant_of(request)
    enterprise = queries.get_applicant(may, wanted.pk if wanted else None)
    found = queries.get_scheme(may, pk, timezone.localdate())
    if request.method == "POST":
        grant = apply_for_voucher(
            scheme=found,
            enterprise=enterprise,
            values=checked(ApplicationForm(request.POST)),
            files=request.FILES.getlist("files"),
            by=person(request),
        )
        messages.success(request, _("Your application was sent. You will be told what the network decides."))
        return go(request, reverse("invoices:voucher_grant", args=[grant.pk]))
    context = {
        "scheme": found,
        "sentences": voucher_rules.sentences(found),
        "enterprise": enterprise,
        "form": ApplicationForm(),
        "types": TYPES_IN_WORDS,
        "nav": nav(request),
    }
    return render(request, "invoices/vouchers/apply.html", context)


@page
@require_GET
def grant(request: HttpRequest, pk: int) -> HttpResponse:
    may = access(request)
    found = queries.get_grant(may, pk)
    [shown] = queries.show_grants([found], timezone.localdate())
    own = found.enterprise_id in {one.pk for one in queries.applicants(may)}
    context = {
        "grant": found,
        "shown": shown,
        "sentences": voucher_rules.sentences(found.scheme),
        "uses": queries.uses_of(found),
        "files": list(found.files.select_related("by")),
        "may_decide": may.is_operator and found.state == GrantState.APPLIED,
        "may_revoke": may.is_operator and found.state == GrantState.GRANTED,
        "may_withdraw": own and found.state == GrantState.APPLIED,
        "is_operator": may.is_operator,
        "grant_form": GrantForm.of(found),
        "reason_form": DecisionReasonForm(),
        "nav": nav(request),
    }
    return render(request, "invoices/vouchers/grant.html", context)


@page
@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    withdraw_application(grant=queries.get_own_grant(access(request), pk), by=person(request))
    messages.success(request, _("The application was withdrawn."))
    return go(request, reverse("invoices:voucher_grant", args=[pk]))


@page
@require_GET
def grant_file(request: HttpRequest, pk: int, file: int) -> FileResponse:
    return stored_response(queries.get_grant_file(queries.get_grant(access(request), pk), file))


@page
@require_http_methods(["GET", "POST"])
def charge(request: HttpRequest, pk: int) -> HttpResponse:
    """The vouchers beside a charge: which could cover it and how much, which not and why."""
    found = get_charge_to_cover(access(request), pk)
    if request.method == "POST":
        data = checked(CoverForm(request.POST))
        voucher = find_voucher(access(request), found.customer, data["voucher"])
        source, uid, by = found.source, found.source_uid, person(request)
        if voucher is None:
            uncover_charge(source=source, source_uid=uid, by=by)
            messages.success(request, _("Nothing of this is covered by a voucher any more."))
        else:
            cover_charge(source=source, source_uid=uid, grant=voucher, declared=data["voucher_declared"], by=by)
            messages.success(request, _("The voucher is reserved for this."))
        return go(request, reverse("invoices:voucher_charge", args=[pk]))
    use = use_of(found)
    context = {
        "charge": found,
        "use": use,
        "own": found.total - (use.amount if use else 0),
        "limits": [voucher_rules.limit_word(code) for code in use.limits] if use else [],
        "offers": offers_for_charge(found),
        "can_cover": can_cover(found),
        "nav": nav(request),
    }
    return render(request, "invoices/vouchers/charge.html", context)
