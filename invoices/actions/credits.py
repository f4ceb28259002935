"""Crediting an issued invoice (红冲), whole or in part: exact negatives; the original stays as it was printed.

Locks: the invoice, the first charges of its families by id, their successors by id, what vouchers cover, the
customer's credit, counter, audit head.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid5

from django.db.models import F, Q
from django.db.models.functions import Round
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Refused, invalid, refuse
from backend.core.money import ZERO, add_up, format_amount, shown_amount
from invoices import credit_rules, rules, voucher_rules
from invoices.actions.charges import as_line, figures, record_charge, write_lines
from invoices.actions.corrections import described, family_standing, post_difference, post_new
from invoices.actions.covering import follow_charge, give_back, plan_return
from invoices.actions.holding import plan_prepaid_return, return_mirrored, settle_held
from invoices.actions.papers import (
    give_number,
    lock_invoice,
    not_issued,
    printed_line,
    queue_pdf,
    record_invoice,
    tell_payers,
)
from invoices.actions.surplus import set_aside
from invoices.credit_rules import Part
from invoices.models import (
    Charge,
    ChargeLine,
    ChargeState,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    Stage,
)
from invoices.queries.credits import Creditable, creditable_lines

CREDIT, REBILL = "credit", "rebill"
MOST_REASON = 500
# Positions, or positions with the part of their amount that is credited (None: all that is left).
Chosen = Sequence[int] | Mapping[int, Decimal | None]


@atomic_action
def credit_invoice(
    *, invoice: Invoice, reason: str, by: User, rebill: bool = False, lines: Chosen | None = None
) -> Invoice:
    """Issue a credit note of what is left of an invoice, or of ``lines`` of it, and return the note.

    Each charge gets a mirror with the opposite lines: once all is credited the ledger adds up to zero and the invoice
    is ``credited``. Without ``rebill`` what is credited is not owed any more. With it, it is billed anew by the next
    draft with the customer's data of that day: of a whole invoice what was owed as corrected by then; corrections
    that wait to be billed go with it. What was paid beyond what is left to pay becomes the customer's credit.
    `Invalid` without a reason or for lines that are not there; `Refused` for a draft, a credit note, what was credited
    before, while a later invoice corrects these lines, and for parts that a waiting correction is about.
    """
    reason = _checked_reason(reason)
    original = lock_invoice(invoice.pk, no_key=True)
    _refuse_uncreditable(original)
    left = {line.row.position: line for line in creditable_lines(original)}
    parts = _chosen(left, lines, original)
    open_lines = [line for line in left.values() if not line.done]
    whole = len(parts) == len(open_lines) and all(part.whole for part in parts)
    charges = {row.charge_line.charge_id: row.charge_line.charge for row in (left[p.position].row for p in parts)}
    families = _lock_families(charges.values())
    _refuse_if_corrected(original, families)
    owed = _owed(families, rebill and whole)
    _drop_pending(families, whole, by)
    taken = {pk: add_up(part.amount for part in parts if left[part.position].charge_id == pk) for pk in charges}
    back = plan_return(taken)
    drawn = plan_prepaid_return(taken, back)
    settled = add_up([*back.values(), *drawn.values()])
    note = _make_note(original, reason, left, parts, settled, {charges[pk].uid: back[pk] for pk in back}, by)
    _mirror(note, left, parts, back, drawn, by)
    _reduce(original, note, whole, by)
    if rebill:
        days = {charge.original_id or charge.pk: charge.service_date for charge in charges.values()}
        for root in families:
            if whole:
                _bill_all(root, owed[root.pk], original, note, days[root.pk], by)
            else:
                _bill_part(root, left, parts, original, note, days[root.pk], by)
    _finish(original, note, rebill, whole, by)
    return note


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Say why: the reason is printed on the credit note."))
    if len(reason) > MOST_REASON:
        raise invalid("reason", _("At most %(max_length)s characters.") % {"max_length": MOST_REASON})
    return reason


def _chosen(left: Mapping[int, Creditable], lines: Chosen | None, invoice: Invoice) -> list[Part]:
    """By position. A credit that is not above zero as a whole is refused: it would be a bill."""
    if lines is None:
        wanted: dict[int, Decimal | None] = {position: None for position, line in left.items() if not line.done}
    elif isinstance(lines, Mapping):
        wanted = dict(lines)
    else:
        wanted = dict.fromkeys(lines)
    if not wanted:
        raise invalid("lines", _("Choose at least one line to credit."), code="required")
    unknown = sorted(set(wanted) - set(left))
    if unknown:
        raise invalid("lines", _("There is no line %(position)s on this invoice.") % {"position": unknown[0]})
    parts = [_part(left[position], wanted[position], invoice.currency) for position in sorted(wanted)]
    if len(wanted) < len(left) and credit_rules.total_of_parts(parts) <= 0:
        raise refuse("nothing_to_credit", _("These lines come to nothing that could be credited."), field="lines")
    return parts


def _part(line: Creditable, amount: Decimal | None, currency: str) -> Part:
    position = line.row.position
    if line.done:
        words = _("Line %(position)s was credited already.") % {"position": position}
        raise refuse("line_credited", words, field="lines", params={"position": position})
    if amount is None or amount == line.left:
        return Part(position, line.left, whole=True, earlier=tuple(part.amount for part in line.parts))
    if not amount.is_finite() or amount != amount.quantize(Decimal("0.01")):
        raise invalid("lines", _("An amount has at most two decimals."), code="too_precise")
    if amount <= 0 or line.left <= 0:
        raise invalid("lines", _("A part to be credited is above zero."), code="not_positive")
    if amount > line.left:
        params = {"position": position, "left": shown_amount(line.left, currency)}
        words = _("Only %(left)s is left to credit of line %(position)s.") % params
        raise refuse("more_than_left", words, field="lines", params=params)
    return Part(position, amount, whole=False)


def _refuse_uncreditable(invoice: Invoice) -> None:
    if invoice.status == InvoiceStatus.DRAFT:
        raise not_issued(_("A draft has nothing to credit: delete it."))
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        raise refuse("is_credit_note", _("A credit note cannot be credited."))
    if invoice.status == InvoiceStatus.CREDITED:
        raise refuse("already_credited", _("%(number)s was credited already.") % {"number": invoice.number})


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
    ours = Q(corrects__charge__invoice=invoice) | Q(corrects__charge__invoice__credits=invoice)
    later = successors.filter(ours, pk__in=stand, charge__state=ChargeState.INVOICED)
    later = later.exclude(charge__invoice=invoice).exclude(charge__invoice__credits=invoice)
    number = later.values_list("charge__invoice__number", flat=True).first()
    if number is not None:
        raise _corrected_by(number)


def _corrected_by(number: str) -> Refused:
    return refuse(
        "corrected_later",
        _("%(number)s corrects what stands on this. Credit that one first.") % {"number": number},
        params={"number": number},
    )


def _owed(families: Sequence[Charge], wanted: bool) -> dict[int, list[rules.Line]]:
    """What each family owes now, as corrected."""
    return {root.pk: [as_line(line) for line in family_standing(root)] for root in families} if wanted else {}


def _drop_pending(families: Sequence[Charge], whole: bool, by: User) -> None:
    """Corrections that are on no issued invoice, perhaps on a draft, go with the whole; a part waits for them."""
    waiting = Charge.objects.filter(original__in=families, state=ChargeState.FINAL)
    pending = sorted(waiting, key=lambda charge: -charge.pk)  # the youngest first
    if pending and not whole:
        raise refuse(
            "correction_waits",
            _("A correction of these charges waits for the next invoice. Issue that one first, or credit all lines."),
        )
    for charge in pending:
        _take_back(charge, by)


def _take_back(charge: Charge, by: User) -> None:
    before = figures(charge)
    standing = rules.without_pairs(list(charge.lines.filter(stage=Stage.FINAL)))
    write_lines(charge, Stage.FINAL, [(rules.reversal(as_line(line)), line) for line in standing])
    charge.state, charge.total, charge.invoice = ChargeState.RELEASED, ZERO, None
    charge.save(update_fields=["state", "total", "invoice"])
    follow_charge(charge, by.pk)
    settle_held(charge)
    record_charge(charge, "charge.released", before, by.pk)


def _make_note(
    original: Invoice,
    reason: str,
    left: Mapping[int, Creditable],
    parts: Sequence[Part],
    settled: Decimal,
    back: Mapping[UUID, Decimal],
    by: User,
) -> Invoice:
    """Number and content; the caller prints the lines. ``settled``, below zero, returns to vouchers and accounts."""
    now = timezone.now()
    today = rules.day_at(original.institution, now)
    split = credit_rules.split_of_part(
        add_up(line.credited for line in left.values()),
        credit_rules.total_of_parts(parts),
        original.tax_percent,
        included=original.snapshot["tax"]["included"],
    )
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
        net=-split.net,
        tax=-split.tax,
        total=-split.total,
        settled=settled,
        created_by=by,
        issued_at=now,
        issued_by=by,
    )
    give_number(note, today)
    full = split.total == original.total
    note.snapshot = credit_rules.credit_snapshot(
        note, original.snapshot, original.snapshot_sha256, today, parts, full=full
    )
    note.snapshot = voucher_rules.given_back(
        note.snapshot, note.total, {str(uid): amount for uid, amount in back.items()}
    )
    note.snapshot_sha256 = rules.digest(note.snapshot)
    note.save()
    return note


def _mirror(
    note: Invoice,
    left: Mapping[int, Creditable],
    parts: Sequence[Part],
    back: Mapping[int, Decimal],
    drawn: Mapping[int, Decimal],
    by: User,
) -> None:
    """A charge with the exact negatives for each charge that is credited; its lines in the order of the original."""
    rows: dict[int, list[tuple[rules.Line, ChargeLine | None, InvoiceLine]]] = {}
    for part in parts:
        line = left[part.position]
        rows.setdefault(line.row.charge_line.charge_id, []).extend(_mirrored(line, part, note))
    posted: list[InvoiceLine] = []
    for charge_id, group in rows.items():
        charge = group[0][2].charge_line.charge
        mirror = Charge.objects.create(
            **described(charge),
            source=CREDIT,
            source_uid=uuid5(note.uid, str(charge.uid)),
            service_date=charge.service_date,
            state=ChargeState.INVOICED,
            reserved_total=ZERO,
            total=add_up(line.amount for line, _old, _row in group),
            differences=[_("Credited by %(number)s.") % {"number": note.number}],
            finalised_at=timezone.now(),
            invoice=note,
            prepaid=drawn.get(charge_id, ZERO),
            original_id=charge.original_id or charge.pk,
        )
        write_lines(mirror, Stage.FINAL, [(line, old) for line, old, _row in group])
        if charge_id in back:
            give_back(mirror, charge, back[charge_id], by.pk)
        return_mirrored(mirror)
        record_charge(mirror, "charge.credit_posted", {}, by.pk)
        written = mirror.lines.select_related("charge").order_by("position")
        for one, (_line, _old, row) in zip(written, group, strict=True):
            posted.append(printed_line(note, len(posted) + 1, one))
            posted[-1].credits = row
    InvoiceLine.objects.bulk_create(posted)


def _mirrored(
    line: Creditable, part: Part, note: Invoice
) -> Iterable[tuple[rules.Line, ChargeLine | None, InvoiceLine]]:
    old = line.row.charge_line
    if part.whole:
        for each in (old, *line.parts):
            yield rules.reversal(as_line(each)), each, line.row
    else:
        why = _("Part of line %(position)s of %(number)s.") % {
            "position": part.position,
            "number": note.snapshot["credits"]["number"],
        }
        yield rules.Line(old.code, old.name, None, "", None, -part.amount, why), None, line.row


def _reduce(original: Invoice, note: Invoice, whole: bool, by: User) -> None:
    """Less is owed on the original; what was paid beyond that is the customer's credit.

    The database adds: its check refuses more than the invoice even without our lock.
    """
    own = original.total - original.settled
    less = own - original.credited if whole else note.settled - note.total
    over = max(ZERO, original.paid - (own - original.credited - less))
    if over:
        set_aside(invoice=original, amount=over, note=note, by=by)
    if whole:
        original.status = InvoiceStatus.CREDITED
    changed = {
        "credited": Round(F("credited") + less, precision=2),
        "paid": Round(F("paid") - over, precision=2),
        "status": original.status,
    }
    Invoice.objects.filter(pk=original.pk).update(**changed)
    original.credited, original.paid = original.credited + less, original.paid - over


def _bill_all(root: Charge, owed: Sequence[rules.Line], original: Invoice, note: Invoice, day: date, by: User) -> None:
    """What was owed, as corrected by then."""
    post_difference(
        root,
        owed,
        source=REBILL,
        source_uid=uuid5(note.uid, str(root.uid)),
        differences=[_("Billed anew after %(number)s was credited.") % {"number": original.number}],
        service_date=day,
        by_id=by.pk,
    )


def _bill_part(
    root: Charge,
    left: Mapping[int, Creditable],
    parts: Sequence[Part],
    original: Invoice,
    note: Invoice,
    day: date,
    by: User,
) -> None:
    """Exactly what was credited of this family."""
    lines = []
    for part in parts:
        old = left[part.position].row.charge_line
        if root.pk not in (old.charge_id, old.charge.original_id):
            continue
        plain = rules.Line(old.code, old.name, None, "", None, part.amount, old.why)
        lines.append(as_line(old) if part.amount == old.amount else plain)
    post_new(
        root,
        lines,
        source=REBILL,
        source_uid=uuid5(note.uid, str(root.uid)),
        differences=[_("Billed anew after %(number)s was credited in part.") % {"number": original.number}],
        service_date=day,
        by_id=by.pk,
    )


def _finish(original: Invoice, note: Invoice, rebill: bool, whole: bool, by: User) -> None:
    tell_payers(
        note,
        "invoice_credited",
        f"invoice-credited-{note.uid}",
        {
            "credited": str(original.number),
            "total": format_amount(-note.total),
            "reason": note.reason,
            "balance": format_amount(original.balance),
        },
    )
    queue_pdf(note)
    after = {"total": note.total, "sha256": note.snapshot_sha256, "credits": original.number}
    record_invoice(note, "invoice.credit_note_issued", by, after=after, reason=note.reason)
    after = {"credit_note": note.number, "rebilled": rebill, "amount": note.total, "whole": whole}
    action = "invoice.credited" if whole else "invoice.credited_in_part"
    record_invoice(original, action, by, after=after, reason=note.reason)
