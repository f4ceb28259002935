"""Crediting an issued invoice (红冲): a credit note with the exact negatives; the original stays as it was printed.

Locks: the invoice, the first charges of its families by id, their successors by id, counter, audit head.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from uuid import uuid5

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Refused, invalid, refuse
from backend.core.money import ZERO, add_up, format_amount
from invoices import rules
from invoices.actions.charges import as_line, figures, record_charge, write_lines
from invoices.actions.corrections import described, family_standing, post_difference
from invoices.actions.papers import (
    give_number,
    lock_invoice,
    not_issued,
    print_lines,
    queue_pdf,
    record_invoice,
    tell_payers,
)
from invoices.models import Charge, ChargeLine, ChargeState, Invoice, InvoiceKind, InvoiceStatus, Stage

CREDIT, REBILL = "credit", "rebill"
MOST_REASON = 500


@atomic_action
def credit_invoice(
    *, invoice: Invoice, reason: str, by: User, rebill: bool = False, lines: Sequence[int] | None = None
) -> Invoice:
    """Issue the credit note of a whole invoice and return it.

    Each charge gets a mirror with the opposite lines, so that the ledger adds up to zero. Without ``rebill`` nothing
    is owed any more. With it, what was owed, as it had been corrected by then, is billed anew by the next draft:
    with the customer's data of that day. Corrections that wait to be billed go with the invoice that they correct.
    ``lines``, if given, must be all positions. `Invalid` without a reason or for only some lines; `Refused` for a
    draft, a credit note, what was credited before, while payments stand on it, and while a later invoice corrects it.
    """
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Say why: the reason is printed on the credit note."))
    if len(reason) > MOST_REASON:
        raise invalid("reason", _("At most %(max_length)s characters.") % {"max_length": MOST_REASON})
    original = lock_invoice(invoice.pk, no_key=True)
    _refuse_uncreditable(original)
    _refuse_part(original, lines)
    charges = list(original.charges.order_by("pk"))
    families = _lock_families(charges)
    _refuse_if_corrected(original, families)
    note = _make_note(original, reason, by)
    owed = {root.pk: [as_line(line) for line in family_standing(root)] for root in families} if rebill else {}
    for pending in sorted(_pending(families), key=lambda charge: -charge.pk):  # the youngest first
        _take_back(pending, by)
    mirrored = _mirror(original, note, by)
    print_lines(note, mirrored)
    Invoice.objects.filter(pk=original.pk).update(status=InvoiceStatus.CREDITED)
    days = {charge.original_id or charge.pk: charge.service_date for charge in charges}
    for root in families:
        if root.pk in owed:
            post_difference(
                root,
                owed[root.pk],
                source=REBILL,
                source_uid=uuid5(note.uid, str(root.uid)),
                differences=[_("Billed anew after %(number)s was credited.") % {"number": original.number}],
                service_date=days[root.pk],
                by_id=by.pk,
            )
    _finish(original, note, rebill, by)
    return note


def _refuse_uncreditable(invoice: Invoice) -> None:
    if invoice.status == InvoiceStatus.DRAFT:
        raise not_issued(_("A draft has nothing to credit: delete it."))
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        raise refuse("is_credit_note", _("A credit note cannot be credited."))
    if invoice.status == InvoiceStatus.CREDITED:
        raise refuse("already_credited", _("%(number)s was credited already.") % {"number": invoice.number})
    if invoice.paid:
        params = {"currency": invoice.currency, "paid": format_amount(invoice.paid)}
        raise refuse(
            "payments_stand",
            _("%(currency)s %(paid)s was paid on this. What is credited has no payments.") % params,
            params=params,
            fix_text=_("Pay it back and reverse the payments on the invoice's page, then credit it."),
        )


def _refuse_part(invoice: Invoice, lines: Sequence[int] | None) -> None:
    if lines is not None and sorted(lines) != sorted(invoice.lines.values_list("position", flat=True)):
        raise invalid(
            "lines",
            _("Only whole invoices can be credited. Leave the lines out, and bill anew what is still owed."),
            code="partial_credit",
        )


def _lock_families(charges: Iterable[Charge]) -> list[Charge]:
    """The first charge of each family. Who corrects locks it too, so no successor comes while we hold it."""
    firsts = {charge.original_id or charge.pk for charge in charges}
    locked = list(Charge.objects.filter(pk__in=firsts).select_for_update(no_key=True).order_by("pk"))
    list(Charge.objects.filter(original__in=firsts).select_for_update(no_key=True).order_by("pk"))
    return locked


def _refuse_if_corrected(invoice: Invoice, families: Sequence[Charge]) -> None:
    """A later issued invoice that takes lines of this one back would take them back twice."""
    successors = ChargeLine.objects.filter(charge__original__in=families, stage=Stage.FINAL)
    stand = rules.in_effect(dict(successors.values_list("pk", "corrects")))
    later = successors.filter(pk__in=stand, corrects__charge__invoice=invoice, charge__state=ChargeState.INVOICED)
    number = later.exclude(charge__invoice=invoice).values_list("charge__invoice__number", flat=True).first()
    if number is not None:
        raise _corrected_by(number)


def _corrected_by(number: str) -> Refused:
    return refuse(
        "corrected_later",
        _("%(number)s corrects what stands on this. Credit that one first.") % {"number": number},
        params={"number": number},
    )


def _pending(families: Sequence[Charge]) -> list[Charge]:
    """Corrections that are on no issued invoice, perhaps on a draft."""
    return list(Charge.objects.filter(original__in=families, state=ChargeState.FINAL))


def _take_back(charge: Charge, by: User) -> None:
    before = figures(charge)
    standing = rules.without_pairs(list(charge.lines.filter(stage=Stage.FINAL)))
    write_lines(charge, Stage.FINAL, [(rules.reversal(as_line(line)), line) for line in standing])
    charge.state, charge.total, charge.invoice = ChargeState.RELEASED, ZERO, None
    charge.save(update_fields=["state", "total", "invoice"])
    record_charge(charge, "charge.released", before, by.pk)


def _make_note(original: Invoice, reason: str, by: User) -> Invoice:
    """Number and content; the caller prints the lines."""
    now = timezone.now()
    today = rules.day_at(original.institution, now)
    note = Invoice(
        kind=InvoiceKind.CREDIT_NOTE,
        credits=original,
        reason=reason,
        institution=original.institution,
        customer=original.customer,
        period=original.period,
        status=InvoiceStatus.ISSUED,
        currency=original.currency,
        tax_percent=original.tax_percent,
        net=-original.net,
        tax=-original.tax,
        total=-original.total,
        created_by=by,
        issued_at=now,
        issued_by=by,
    )
    give_number(note, today)
    note.snapshot = rules.credit_snapshot(note, original.snapshot, original.snapshot_sha256, today)
    note.snapshot_sha256 = rules.digest(note.snapshot)
    note.save()
    return note


def _mirror(original: Invoice, note: Invoice, by: User) -> list[ChargeLine]:
    """A charge with the exact negatives for each charge that has lines on the invoice; the lines as to be printed."""
    printed = ChargeLine.objects.filter(invoice_line__invoice=original).select_related("charge")
    mirrored: list[ChargeLine] = []
    for charge, group in groupby(printed.order_by("invoice_line__position"), key=lambda line: line.charge):
        rows = [(rules.reversal(as_line(line)), line) for line in group]
        mirror = Charge.objects.create(
            **described(charge),
            source=CREDIT,
            source_uid=uuid5(note.uid, str(charge.uid)),
            service_date=charge.service_date,
            state=ChargeState.INVOICED,
            reserved_total=ZERO,
            total=add_up(line.amount for line, _old in rows),
            differences=[_("Credited by %(number)s.") % {"number": note.number}],
            finalised_at=timezone.now(),
            invoice=note,
            original_id=charge.original_id or charge.pk,
        )
        write_lines(mirror, Stage.FINAL, rows)
        record_charge(mirror, "charge.credit_posted", {}, by.pk)
        mirrored += mirror.lines.select_related("charge").order_by("position")
    return mirrored


def _finish(original: Invoice, note: Invoice, rebill: bool, by: User) -> None:
    tell_payers(
        note,
        "invoice_credited",
        f"invoice-credited-{note.uid}",
        {"credited": str(original.number), "total": format_amount(original.total), "reason": note.reason},
    )
    queue_pdf(note)
    after = {"total": note.total, "sha256": note.snapshot_sha256, "credits": original.number}
    record_invoice(note, "invoice.credit_note_issued", by, after=after, reason=note.reason)
    after = {"credit_note": note.number, "rebilled": rebill}
    record_invoice(original, "invoice.credited", by, after=after, reason=note.reason)
