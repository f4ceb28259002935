"""Customers' credit, transfers over several invoices, reminders, terms, and the public check of a document."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from backend.accounts.auth import access, page, person, throttle
from backend.core.errors import Forbidden, invalid
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from invoices import rules
from invoices.actions.payments import record_transfer, reverse_transfer
from invoices.actions.reminders import hold_reminders
from invoices.actions.surplus import apply_surplus, refund_surplus
from invoices.actions.terms import save_terms
from invoices.exports import money, tables
from invoices.exports.notice import notice_response
from invoices.models import SurplusEntry
from invoices.money_forms import (
    HoldForm,
    RefundForm,
    ReverseTransferForm,
    TermsForm,
    TransferForm,
    UseCreditForm,
    parts_of,
)
from invoices.queries.scope import (
    RECEIVERS,
    finance_of,
    get_charged_customer,
    get_managed_invoice,
    get_visible_invoice,
)
from invoices.queries.surplus import (
    entries_of,
    get_managed_surplus,
    get_managed_transfer,
    get_visible_surplus,
    open_invoices,
    visible_surpluses,
    visible_transfers,
)
from invoices.queries.terms import terms_of
from invoices.queries.verification import confirm
from invoices.views.shared import kept_ledger

RECENT = 100


def sent_parts(request: HttpRequest) -> dict[int, Decimal]:
    """What was filled in beside the invoices."""
    try:
        return parts_of(request.POST)
    except ValidationError as error:
        raise invalid("parts", _("One of the amounts beside the invoices is no amount.")) from error


@page
@require_GET
def credits_list(request: HttpRequest) -> HttpResponse:
    """What customers have at the institution; to a customer's finance what it has anywhere."""
    mine = access(request)
    if not (finance_of(mine) or mine.where(*RECEIVERS)):
        raise Forbidden
    context = {
        "rows": list(visible_surpluses(mine).order_by("-amount", "pk")[:300]),
        "transfers": list(visible_transfers(mine)[:RECENT]),
        "is_finance": bool(finance_of(mine)),
        "ledgers": finance_of(mine),
        "nav": "invoices:desk" if finance_of(mine) else "invoices:mine",
    }
    return render(request, "invoices/credits.html", context)


@page
@require_GET
def credits_export(request: HttpRequest, form: Format) -> tables.Download:
    rows = SurplusEntry.objects.filter(surplus__in=visible_surpluses(access(request)))
    return money.export_credit(rows, form)


@page
@require_GET
def credit(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_visible_surplus(access(request), pk)
    is_finance = found.institution_id in finance_of(access(request))
    invoices = open_invoices(found.institution_id, found.customer_id, found.currency)
    context = {
        "credit": found,
        "entries": list(entries_of(found)[:200]),
        "invoices": list(invoices[:RECENT]) if is_finance else [],
        "is_finance": is_finance,
        "form": RefundForm.for_surplus(found),
        "nav": "invoices:desk" if is_finance else "invoices:mine",
    }
    return render(request, "invoices/credit_account.html", context)


@page
@require_POST
def refund(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_managed_surplus(access(request), pk)
    refund_surplus(surplus=found, by=person(request), **checked(RefundForm(request.POST)))
    messages.success(request, _("The refund was recorded."))
    return go(request, reverse("invoices:credit_account", args=[pk]))


@page
@require_POST
def use(request: HttpRequest, pk: int) -> HttpResponse:
    """Pay an invoice from the customer's credit."""
    found = get_managed_invoice(access(request), pk)
    apply_surplus(invoice=found, amount=checked(UseCreditForm(request.POST))["amount"], by=person(request))
    messages.success(request, _("Paid from the customer's credit."))
    return go(request, reverse("invoices:invoice", args=[pk]))


@page
@require_http_methods(["GET", "POST"])
def transfer(request: HttpRequest, customer: int) -> HttpResponse:
    """One transfer of a customer, split over its open invoices."""
    institution = kept_ledger(request)
    owner = get_charged_customer(institution.pk, customer)
    form = TransferForm(request.POST or None, initial={"date": timezone.localdate()})
    if request.method == "POST" and form.is_valid():
        made = record_transfer(
            institution=institution,
            customer=owner,
            currency=institution.currency,
            parts=sent_parts(request),
            by=person(request),
            **form.cleaned_data,
        )
        messages.success(request, _("The transfer %(reference)s was recorded.") % {"reference": made.reference})
        return go(request, reverse("invoices:credits"))
    rows = [
        {"invoice": invoice, "value": request.POST.get(f"part-{invoice.pk}", "")}
        for invoice in open_invoices(institution.pk, owner.pk, institution.currency)[:RECENT]
    ]
    context = {"institution": institution, "customer": owner, "rows": rows, "form": form, "nav": "invoices:desk"}
    return render(request, "invoices/transfer.html", context, status=422 if form.is_bound else 200)


@page
@require_http_methods(["GET", "POST"])
def undo_transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """A page that asks for the reason, because the customer reads it."""
    found = get_managed_transfer(access(request), pk)
    form = ReverseTransferForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reverse_transfer(transfer=found, reason=form.cleaned_data["reason"], by=person(request))
        messages.success(request, _("The transfer was taken back."))
        return go(request, reverse("invoices:credits"))
    context = {"transfer": found, "form": form, "nav": "invoices:desk"}
    return render(request, "invoices/transfer_reverse.html", context, status=422 if form.is_bound else 200)


# --- reminders and terms ---------------------------------------------------------------------------------------------


@page
@require_GET
def notice(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_visible_invoice(access(request), pk)
    return notice_response(found, rules.day_at(found.institution, timezone.now()))


@page
@require_POST
def hold(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_managed_invoice(access(request), pk)
    held = hold_reminders(invoice=found, reason=checked(HoldForm(request.POST))["reason"], by=person(request))
    done = _("No reminders of this invoice are sent.") if held.reminders_held else _("Reminders are sent again.")
    messages.success(request, done)
    return go(request, reverse("invoices:invoice", args=[pk]))


@page
@require_http_methods(["GET", "POST"])
def terms(request: HttpRequest) -> HttpResponse:
    institution = kept_ledger(request)
    form = TermsForm(request.POST) if request.method == "POST" else TermsForm.of(terms_of(institution.pk))
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["dispute_days"]
        save_terms(institution=institution, dispute_days=days, reminders=form.reminders(), by=person(request))
        messages.success(request, _("Saved."))
        return go(request, reverse("invoices:terms"))
    context: dict[str, Any] = {"institution": institution, "form": form, "nav": "invoices:desk"}
    return render(request, "invoices/terms.html", context, status=422 if form.is_bound else 200)


# --- the public check ------------------------------------------------------------------------------------------------


@require_safe
def verify(request: HttpRequest, code: str) -> HttpResponse:
    """Reached by the code on a document; no sign-in. Unknown and tampered codes are not found."""
    throttle(request, "verify")
    response = render(request, "invoices/verify.html", {"found": confirm(code)})
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response
