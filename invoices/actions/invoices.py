"""Drafting and issuing. Locks: invoice, its charges by id, counter, audit head."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.db import IntegrityError
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.core.db import atomic_action
from backend.core.errors import Busy, NotFound, Refused, invalid, refuse
from backend.core.money import ZERO, add_up, format_amount
from invoices import rules
from invoices.actions.billing import refuse_incomplete
from invoices.actions.covering import lock_uses, redeem_uses, set_off
from invoices.actions.holding import settle_on_invoice
from invoices.actions.papers import give_number, lock_invoice, print_lines, queue_pdf, record_invoice, tell_payers
from invoices.models import (
    Charge,
    ChargeLine,
    ChargeState,
    Invoice,
    InvoiceStatus,
    TaxRate,
)
from invoices.queries.billing import with_logo
from invoices.queries.papers import line_counts, printed_lines

# How often a draft may be issued or deleted under our hands before we give up.
DRAFT_ATTEMPTS = 5

_FIXED_AT_ISSUE = (
    *("year", "sequence", "number", "tax_percent", "net", "tax", "total", "settled", "snapshot", "snapshot_sha256"),
    *("issued_at", "issued_by", "due_date", "status"),
)


@atomic_action
def draft_invoice(
    *, institution_id: int, customer_id: int, period: str, by: User, currency: str | None = None
) -> Invoice:
    """Collect what the customer can be invoiced for: charges of the month or before that stand on no invoice.

    Adds to the draft of that month if there is one. A draft has one currency: the one named, else one in which
    something is owed, the institution's own first. It has at most the lines that a document may have: what is
    left is collected after it has been issued. `Refused` if there is nothing. Charges never go to a draft that was
    issued or deleted while we waited for it: then a new one is begun.
    """
    if not rules.is_period(period):
        raise invalid("period", _("Give the month as YYYY-MM, for example 2026-03."))
    for _attempt in range(DRAFT_ATTEMPTS):
        draft = _collect(institution_id, customer_id, period, by, currency)
        if draft is not None:
            return draft
    raise Busy


def _collect(institution_id: int, customer_id: int, period: str, by: User, named: str | None) -> Invoice | None:
    """None if the draft was issued or deleted before we had its lock."""
    billable = Charge.objects.billable().filter(
        institution=institution_id, customer=customer_id, service_date__lte=rules.last_day(period)
    )
    drafts = Invoice.objects.filter(
        institution=institution_id, customer=customer_id, period=period, status=InvoiceStatus.DRAFT
    )
    if named:
        billable, drafts = billable.filter(currency=named), drafts.filter(currency=named)
    sums = dict(billable.order_by().values_list("currency").annotate(Sum("total")))
    if not sums:
        standing = drafts.order_by("pk").first()
        if standing is None:
            raise _nothing_to_invoice()
        return standing
    home = Organisation.objects.values_list("currency", flat=True).get(pk=institution_id)
    # A credit that waits in one currency does not keep another from being billed.
    currency = min(sums, key=lambda code: (sums[code] <= 0, code != home, code))
    try:
        found, created = drafts.get_or_create(
            currency=currency,
            defaults={
                "institution_id": institution_id,
                "customer_id": customer_id,
                "period": period,
                "status": InvoiceStatus.DRAFT,
                "created_by": by,
            },
        )
        draft = lock_invoice(found.pk, no_key=True)
    except (IntegrityError, NotFound):  # another's draft stood in the way and is none any more
        return None
    if draft.status != InvoiceStatus.DRAFT:
        return None
    charges = list(billable.filter(currency=currency).select_for_update(no_key=True).order_by("pk"))
    if created and add_up(charge.total for charge in charges) <= 0:
        raise _nothing_to_invoice()
    taken = _as_many_as_fit(draft, charges)
    if taken:
        Charge.objects.filter(pk__in=[charge.pk for charge in taken]).update(invoice=draft)
        record_invoice(draft, "invoice.drafted", by, after={"period": period, "charges": len(taken)})
    return draft


@atomic_action
def delete_draft(*, invoice: Invoice, by: User) -> None:
    """Give the charges back to be invoiced later. `Refused` once a number was given."""
    locked = lock_invoice(invoice.pk)
    _refuse_unless_draft(locked)
    Charge.objects.filter(invoice=locked).update(invoice=None)
    Invoice.objects.filter(pk=locked.pk, status=InvoiceStatus.DRAFT).delete()
    record_invoice(locked, "invoice.draft_deleted", by, before={"period": locked.period})


@atomic_action
def issue_invoice(*, invoice: Invoice, by: User, with_document: bool = True) -> Invoice:
    """Give a draft its number and freeze parties, lines, rate and totals. The PDF is made after commit if wanted.

    `Refused` if it is no draft any more, has no positive amount, more lines than a document may have, or lacks tax
    data where the institution wants it.
    """
    draft = lock_invoice(invoice.pk)
    _refuse_unless_draft(draft)
    charges = list(Charge.objects.filter(invoice=draft).select_for_update(no_key=True).order_by("pk"))
    lines = printed_lines(draft)
    _refuse_unissuable(lines)
    uses = lock_uses(charges)
    now = timezone.now()
    today = rules.day_at(draft.institution, now)
    give_number(draft, today)
    rate = TaxRate.objects.in_force(draft.institution_id, today)
    snapshot = with_logo(rules.make_snapshot(draft, lines, rate, today), draft.institution_id)
    refuse_incomplete(draft, snapshot)
    draft.tax_percent = rate.percent if rate else ZERO
    draft.net, draft.tax, draft.total = (Decimal(snapshot[key]) for key in ("net", "tax_amount", "total"))
    set_off(draft, snapshot, uses)
    settle_on_invoice(draft, snapshot, charges)
    draft.snapshot, draft.snapshot_sha256 = snapshot, rules.digest(snapshot)
    draft.issued_at, draft.issued_by, draft.due_date = now, by, rules.due_date(today)
    draft.status = InvoiceStatus.ISSUED
    draft.save(update_fields=_FIXED_AT_ISSUE)
    print_lines(draft, lines)
    Charge.objects.filter(pk__in=[charge.pk for charge in charges]).update(state=ChargeState.INVOICED)
    redeem_uses(uses, by)
    _tell_customer(draft)
    if with_document:
        queue_pdf(draft)
    record_invoice(draft, "invoice.issued", by, after={"total": draft.total, "sha256": draft.snapshot_sha256})
    return draft


@atomic_action
def write_fapiao_number(*, invoice: Invoice, number: str, by: User) -> Invoice:
    """Note the number of the tax invoice that was made in the tax authority's platform: 20 digits.

    One tax invoice may cover several statements of a customer. `Refused` for a draft, and for a number that stands
    on another customer's statement: a tax invoice has one buyer.
    """
    digits = rules.fapiao_number(number)
    if digits is None:
        raise invalid("number", _("The number of a fapiao has exactly 20 digits."))
    locked = lock_invoice(invoice.pk, no_key=True)
    if locked.status == InvoiceStatus.DRAFT:
        raise refuse("not_issued", _("A draft has no fapiao. Issue it first."))
    before = locked.fapiao_number
    if digits != before:
        _refuse_foreign_fapiao(locked, digits)
        locked.fapiao_number = digits
        locked.save(update_fields=["fapiao_number"])
        record_invoice(locked, "invoice.fapiao_noted", by, before={"fapiao": before}, after={"fapiao": digits})
    return locked


def _refuse_foreign_fapiao(invoice: Invoice, digits: str) -> None:
    """Only within the institution: it may not learn what others have noted."""
    same = Invoice.objects.filter(institution=invoice.institution_id, fapiao_number=digits)
    number = same.exclude(customer=invoice.customer_id).values_list("number", flat=True).first()
    if number is not None:
        raise refuse(
            "fapiao_of_another",
            _("This fapiao number stands on %(number)s, which is another customer's.") % {"number": number},
            field="number",
            params={"number": number},
        )


def _as_many_as_fit(draft: Invoice, charges: Sequence[Charge]) -> list[Charge]:
    """The oldest charges whose lines a document can still hold; at least one for an empty draft."""
    counts = line_counts([charge.pk for charge in charges])
    room = rules.MAX_LINES - len(printed_lines(draft))
    empty = room == rules.MAX_LINES
    taken: list[Charge] = []
    for charge in sorted(charges, key=lambda charge: (charge.service_date, charge.pk)):
        room -= counts.get(charge.pk, 0)
        if room < 0 and (taken or not empty):
            break
        taken.append(charge)
    return taken


def _nothing_to_invoice() -> Refused:
    return refuse("nothing_to_invoice", _("There is nothing to invoice for this customer up to the end of that month."))


def _refuse_unless_draft(invoice: Invoice) -> None:
    if invoice.status != InvoiceStatus.DRAFT:
        detail = _("This was issued as %(number)s and does not change any more.") % {"number": invoice.number}
        raise refuse("already_issued", detail, params={"number": invoice.number})


def _refuse_unissuable(lines: Sequence[ChargeLine]) -> None:
    if add_up(line.amount for line in lines) <= 0:
        raise refuse(
            "nothing_to_invoice",
            _("The amount is not above zero, so there is nothing to issue."),
            fix_text=_("Delete the draft: its charges wait for the next month and are set off then."),
        )
    if len(lines) > rules.MAX_LINES:
        detail = _("This has %(lines)s lines; a document may have %(most)s. Delete the draft and draft it again.")
        params = {"lines": len(lines), "most": rules.MAX_LINES}
        raise refuse("too_many_lines", detail % params, params=params)


def _tell_customer(invoice: Invoice) -> None:
    tell_payers(
        invoice,
        "invoice_issued",
        f"invoice-issued-{invoice.uid}",
        {
            "total": format_amount(invoice.total),
            "due_date": str(invoice.due_date),
            # What the customer has to transfer where vouchers or prepaid money pay a part.
            "to_pay": format_amount(invoice.balance) if invoice.settled else "",
        },
    )
