"""How the organisation that one acts for bills, or wants to be billed."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, current_organisation, page, person
from backend.accounts.models import Organisation, OrganisationKind
from backend.core.errors import Forbidden, invalid
from backend.core.http import go
from invoices.actions.billing import choose_billing, remove_logo, set_logo
from invoices.models import MissingData
from invoices.queries.billing import billing_of, logo_of
from invoices.queries.scope import finance_of, get_ledger, may_receive
from invoices.views.shared import ledger_of


class InstitutionForm(forms.Form):
    missing_data = forms.ChoiceField(
        label=gettext_lazy("If tax data of a party is missing"), choices=MissingData.choices, widget=forms.RadioSelect
    )


class CustomerForm(forms.Form):
    attach_pdf = forms.BooleanField(
        label=gettext_lazy("Attach the PDF to mails about new invoices"),
        required=False,
        help_text=gettext_lazy("Otherwise the mail only has a link, which asks to sign in."),
    )


@page
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """Finance of an institution says how it bills; administrators and finance of a customer how they are billed."""
    organisation, bills = _organisation(request)
    chosen = billing_of(organisation.pk)
    kind = InstitutionForm if bills else CustomerForm
    initial = {"missing_data": chosen.missing_data, "attach_pdf": chosen.attach_pdf}
    form = kind(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        choose_billing(organisation=organisation, by=person(request), **form.cleaned_data)
        messages.success(request, _("Saved."))
        return go(request, reverse("invoices:billing"))
    nav = "invoices:desk" if bills else "invoices:mine"
    context = {"organisation": organisation, "billing": chosen, "form": form, "bills": bills, "nav": nav}
    return render(request, "invoices/billing.html", context, status=422 if form.is_bound else 200)


def _organisation(request: HttpRequest) -> tuple[Organisation, bool]:
    """Which one, and whether as the side that bills."""
    current = current_organisation(request)
    if current is not None and current.pk not in finance_of(access(request)):
        if may_receive(access(request), current.pk) and current.kind == OrganisationKind.ENTERPRISE:
            return current, False
        raise Forbidden
    institution = ledger_of(request)
    if institution is None:
        raise Forbidden
    return institution, True


@page
@require_POST
def change_logo(request: HttpRequest, institution: int) -> HttpResponse:
    ledger = get_ledger(access(request), institution)
    if "remove" in request.POST:
        remove_logo(institution=ledger, by=person(request))
        messages.success(request, _("The logo is gone from documents to come."))
    else:
        file = request.FILES.get("logo")
        if file is None:
            raise invalid("logo", _("Choose a picture."), code="required")
        set_logo(institution=ledger, file=file, by=person(request))
        messages.success(request, _("The logo stands on documents from now on."))
    return go(request, reverse("invoices:billing"))


@page
@require_GET
def logo(request: HttpRequest, institution: int) -> HttpResponse:
    found = logo_of(get_ledger(access(request), institution).pk)
    response = HttpResponse(bytes(found.content), content_type="image/png")
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    return response
