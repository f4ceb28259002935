"""The page of an invoice or credit note, and its buttons."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.audit.queries import entries_of
from backend.core.errors import NotFound, invalid
from backend.core.export import Format
from backend.core.http import go
from backend.core.money import format_amount, shown_amount
from backend.core.text import whole_number
from instruments.pricing.units import unit_label
from invoices import rules
from invoices.actions.credits import credit_invoice
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import delete_draft, issue_invoice, write_fapiao_number
from invoices.actions.payments import record_payment, reverse_payment
from invoices.exports import tables
from invoices.forms import CreditForm, FapiaoForm, PaymentForm, ReversalForm
from invoices.matching import read_amount
from invoices.models import Invoice, InvoiceKind, InvoicePdf, InvoiceStatus
from invoices.queries.credits import creditable_lines
from invoices.queries.evidence import files_of
from invoices.queries.fapiao import numbers_of
from invoices.queries.papers import document_of, payments_of, review, show
from invoices.queries.scope import finance_of, get_managed_invoice, get_payment, get_visible_invoice
from invoices.queries.surplus import surplus_for
from invoices.voucher_forms import FileForm

PDF_PATIENCE = timedelta(minutes=1)


@page
@require_GET
def invoice(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, get_visible_invoice(access(request), pk))


def _page(request: HttpRequest, found: Invoice, payment_form: PaymentForm | None = None) -> HttpResponse:
    """With status 422 if there is a form to mend."""
    is_finance = found.institution_id in finance_of(access(request))
    is_draft = found.status == InvoiceStatus.DRAFT
    snapshot = document_of(found)
    shown = show([found])[0]
    surplus = surplus_for(found) if is_finance and found.balance else None
    context = {
        "invoice": found,
        "shown": shown,
        "paper": rules.paper(snapshot, unit=unit_label),
        "is_draft": is_draft,
        "is_note": found.kind == InvoiceKind.CREDIT_NOTE,
        "is_finance": is_finance,
        "nav": "invoices:desk" if is_finance else "invoices:mine",
        "pdf_expected": _pdf_expected(found),
        "fapiao_form": FapiaoForm(initial={"number": found.fapiao_number}),
        "payment_form": payment_form or PaymentForm.for_invoice(found),
        "payments": payments_of(found),
        "credit_notes": list(found.credit_notes.defer("snapshot").order_by("pk")),
        "surplus": surplus,
        "usable": format_amount(min(surplus.amount, found.balance)) if surplus else "",
        "reminders": list(found.reminders.all()),
        "may_credit": is_finance and found.status == InvoiceStatus.ISSUED and found.kind == InvoiceKind.INVOICE,
        "events": _events(found, is_finance),
        "fapiao_parts": [] if is_draft else numbers_of(found),
        "papers_files": files_of([found.pk]),
        "file_form": FileForm(),
    }
    if is_draft:
        context |= {
            "review": review(found, snapshot),
            "gaps": [(side, _gap_word(field)) for side, field in rules.gaps(snapshot)],
        }
    return render(request, "invoices/invoice.html", context, status=422 if payment_form else 200)


@page
@require_POST
def issue(request: HttpRequest, pk: int) -> HttpResponse:
    issued = issue_invoice(invoice=get_managed_invoice(access(request), pk), by=person(request))
    messages.success(request, _("Issued as %(number)s.") % {"number": issued.number})
    if request.POST.get("back") == "desk":
        return go(request, f"{reverse('invoices:desk')}?period={issued.period}")
    return go(request, reverse("invoices:invoice", args=[pk]))


@page
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_managed_invoice(access(request), pk)
    delete_draft(invoice=found, by=person(request))
    messages.success(request, _("The draft was deleted; its charges can be invoiced again."))
    return go(request, f"{reverse('invoices:desk')}?period={found.period}")


@page
@require_POST
def fapiao(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_managed_invoice(access(request), pk)
    write_fapiao_number(invoice=found, number=request.POST.get("number", ""), by=person(request))
    messages.success(request, _("The fapiao number was noted."))
    return go(request, reverse("invoices:invoice", args=[pk]))


@page
@require_POST
def pay(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_managed_invoice(access(request), pk)
    form = PaymentForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form)
    record_payment(invoice=found, by=person(request), **form.cleaned_data)
    messages.success(request, _("The payment was recorded."))
    return go(request, reverse("invoices:invoice", args=[pk]))


@page
@require_http_methods(["GET", "POST"])
def reverse_one(request: HttpRequest, pk: int, payment: int) -> HttpResponse:
    """A page that asks for the reason, because the customer reads it."""
    found = get_managed_invoice(access(request), pk)
    wrong = get_payment(found, payment)
    form = ReversalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reverse_payment(payment=wrong, by=person(request), **form.cleaned_data)
        messages.success(request, _("The payment was reversed."))
        return go(request, reverse("invoices:invoice", args=[pk]))
    context = {"invoice": found, "payment": wrong, "form": form, "nav": "invoices:desk"}
    return render(request, "invoices/reverse.html", context, status=422 if form.is_bound else 200)


@page
@require_http_methods(["GET", "POST"])
def credit(request: HttpRequest, pk: int) -> HttpResponse:
    """A page that says what happens and asks for the reason."""
    found = get_managed_invoice(access(request), pk)
    if found.status == InvoiceStatus.DRAFT:
        raise NotFound
    form = CreditForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        note = credit_invoice(invoice=found, by=person(request), lines=_ticked(request), **form.cleaned_data)
        messages.success(request, _("Credited by %(number)s.") % {"number": note.number})
        return go(request, reverse("invoices:invoice", args=[note.pk]))
    ticked = request.POST.getlist("line")
    lines = [
        {
            "line": line,
            "ticked": str(line.row.position) in ticked,
            "amount": request.POST.get(f"amount-{line.row.position}", ""),
        }
        for line in creditable_lines(found)
    ]
    context = {"invoice": found, "form": form, "lines": lines, "nav": "invoices:desk"}
    return render(request, "invoices/credit.html", context, status=422 if form.is_bound else 200)


def _ticked(request: HttpRequest) -> dict[int, Decimal | None] | None:
    """The lines that are ticked, or beside which an amount stands; None: all."""
    sent = ((name, str(text).strip()) for name, text in request.POST.items())
    amounts = {name.removeprefix("amount-"): text for name, text in sent if name.startswith("amount-")}
    chosen = dict.fromkeys(request.POST.getlist("line"), "") | {key: text for key, text in amounts.items() if text}
    lines: dict[int, Decimal | None] = {}
    for key, text in chosen.items():
        position, amount = whole_number(key), read_amount(text) if text else None
        if position is None or (text and amount is None):
            raise invalid("lines", _("One of the amounts is no amount with at most two decimals."))
        lines[position] = amount
    return lines or None


@page
@require_GET
def pdf(request: HttpRequest, pk: int) -> HttpResponse:
    return tables.pdf_response(ensure_pdf(invoice=get_visible_invoice(access(request), pk)))


@page
@require_GET
def pdf_state(request: HttpRequest, pk: int) -> HttpResponse:
    """The download button, or a word that the document is being made; asks again by itself."""
    found = get_visible_invoice(access(request), pk)
    return render(request, "invoices/_pdf.html", {"invoice": found, "pdf_expected": _pdf_expected(found)})


@page
@require_GET
def lines(request: HttpRequest, pk: int, form: Format) -> tables.Download:
    found = get_visible_invoice(access(request), pk)
    if found.status == InvoiceStatus.DRAFT:
        raise NotFound
    return tables.export_lines(Invoice.objects.filter(pk=found.pk), form, name=str(found.number))


def _gap_word(field: str) -> str:
    words = {"uscc": _("USCC"), "address": _("Address"), "phone": _("Phone"), "bank": _("Bank")}
    return words.get(field, _("Account"))


def _pdf_expected(found: Invoice) -> bool:
    """Whether the worker is probably still making it; later the first reader makes it."""
    recent = found.issued_at is not None and timezone.now() - found.issued_at < PDF_PATIENCE
    return recent and not InvoicePdf.objects.filter(invoice=found).exists()


def _events(found: Invoice, is_finance: bool) -> list[dict[str, Any]]:
    """From the audit record, the newest first. Customers read neither names nor what was before the issue."""
    words: dict[str, tuple[str, str]] = {
        "invoice.drafted": (_("Charges collected in the draft"), ""),
        "invoice.worded": (_("Words changed"), ""),
        "invoice.issued": (_("Issued"), "good"),
        "invoice.credit_note_issued": (_("Issued"), "good"),
        "invoice.pdf_made": (_("PDF made"), ""),
        "invoice.fapiao_noted": (_("Fapiao number noted"), ""),
        "invoice.payment_recorded": (_("Payment of %(amount)s recorded"), "good"),
        "invoice.payment_reversed": (_("Payment of %(amount)s reversed"), "bad"),
        "invoice.credited": (_("Credited by %(credit_note)s"), "bad"),
        "invoice.credited_in_part": (_("%(amount)s credited by %(credit_note)s"), "bad"),
        "invoice.credit_applied": (_("%(amount)s paid from the customer's credit"), "good"),
        "invoice.reminded": (_("Reminder %(level)s sent"), "wait"),
        "invoice.reminders_held": (_("Reminders stopped"), ""),
        "invoice.reminders_resumed": (_("Reminders allowed again"), ""),
    }
    hidden = {
        "invoice.drafted",
        "invoice.worded",
        "invoice.pdf_made",
        "invoice.reminders_held",
        "invoice.reminders_resumed",
    }
    events = []
    for entry in entries_of("invoice", found.uid):
        if entry["action"] not in words or (not is_finance and entry["action"] in hidden):
            continue
        text, tone = words[entry["action"]]
        after = entry["after"] or {}
        amount = shown_amount(abs(Decimal(after.get("amount") or 0)), found.currency)
        event = {"at": entry["at"], "text": text % {**after, "amount": amount}}
        by = entry["by"]["name"] if is_finance and entry["by"] else ""
        events.append({**event, "tone": tone, "by": by, "detail": entry["reason"]})
    return events[::-1]
