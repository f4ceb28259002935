"""Disputes about charges: raised, talked over, decided or withdrawn. Locks: the charge, its dispute, audit head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.files import File
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Role, User
from backend.accounts.queries import managers_of_everything, people_with
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, NotFound, Refusal, invalid, refuse
from backend.core.files import Checked, check_files, keep_files
from backend.core.money import ZERO, format_amount, shown_amount
from backend.core.text import has_control_characters
from backend.outbox.actions import post
from invoices.actions.charges import as_line, figures, post_lines, record_charge, write_lines
from invoices.actions.covering import follow_charge
from invoices.actions.holding import settle_held
from invoices.models import (
    Charge,
    ChargeLine,
    ChargeState,
    Dispute,
    DisputeFile,
    DisputeNote,
    DisputeSide,
    DisputeState,
    Stage,
)
from invoices.queries.disputes import lines_in_question, window_of
from invoices.rules import Line, reversal, without_pairs

MOST_TEXT = 2000
# How much of a text a mail repeats.
IN_MAIL = 800
DECISIONS = {"uphold": DisputeState.UPHELD, "adjust": DisputeState.ADJUSTED, "waive": DisputeState.WAIVED}
RECEIVERS = (Role.ADMIN, Role.FINANCE)


def open_dispute(
    *, charge: Charge, reason: str, by: User, line: int | None = None, files: Sequence[File[Any]] = ()
) -> Dispute:
    """Object to a charge, or to one of its lines by its id. Until it is decided the charge is on no invoice.

    A draft that holds the charge loses it. `Invalid` without a reason or for a line that does not stand on it;
    `Refused` for what is not final or invoiced, for what is disputed already, and when the time for it is over.
    """
    reason = reason.replace("\r\n", "\n").strip()
    checked = _check(reason, files, field="reason", needed=True)
    return keep_files(
        checked, DisputeFile, lambda rows: _open(charge_id=charge.pk, reason=reason, by=by, line_id=line, files=rows)
    )


@atomic_action
def _open(*, charge_id: int, reason: str, by: User, line_id: int | None, files: Sequence[DisputeFile]) -> Dispute:
    charge = _lock_charge(charge_id)
    _refuse_indisputable(charge)
    line = _line_of(charge, line_id)
    if line is None and charge.total <= 0:
        raise refuse("nothing_owed", _("Nothing is owed for this, so there is nothing to dispute."))
    draft = charge.invoice_id
    charge.disputed, charge.invoice = True, None
    charge.save(update_fields=["disputed", "invoice"])
    dispute = Dispute.objects.create(
        charge=charge,
        line=line,
        reason=reason,
        before=charge.total if line is None else line.amount,
        opened_at=timezone.now(),
        opened_by=by,
    )
    _write_note(dispute, DisputeSide.CUSTOMER, reason, by, files)
    _tell(dispute, "dispute_opened", to=_institution(charge), key=f"dispute-{dispute.uid}", by=by, text=reason)
    _record(dispute, "charge.disputed", by, after={"line": line_id, "off_draft": draft is not None}, reason=reason)
    return dispute


def add_reply(
    *, dispute: Dispute, text: str, by: User, side: DisputeSide, files: Sequence[File[Any]] = ()
) -> DisputeNote:
    """Say something to the other side, who is told. Needs a text or a file; `Refused` once it is closed."""
    text = text.replace("\r\n", "\n").strip()
    checked = _check(text, files, field="text", needed=not files)
    return keep_files(
        checked, DisputeFile, lambda rows: _reply(dispute=dispute, text=text, by=by, side=side, files=rows)
    )


@atomic_action
def _reply(*, dispute: Dispute, text: str, by: User, side: DisputeSide, files: Sequence[DisputeFile]) -> DisputeNote:
    fresh, _charge = _lock_open(dispute)
    note = _write_note(fresh, side, text, by, files)
    to = _customer(fresh) if side == DisputeSide.INSTITUTION else _institution(fresh.charge)
    _tell(fresh, "dispute_reply", to=to, key=f"dispute-note-{note.pk}", by=by, text=text)
    _record(fresh, "dispute.reply", by, after={"side": side, "files": [one.name for one in files]})
    return note


@atomic_action
def withdraw_dispute(*, dispute: Dispute, by: User) -> Dispute:
    """The customer gives it up: the charge stands and can be invoiced. `Refused` once it is closed."""
    fresh, charge = _lock_open(dispute)
    _close(fresh, DisputeState.WITHDRAWN, by, "", after=fresh.before)
    _free(charge)
    _tell(fresh, "dispute_withdrawn", to=_institution(charge), key=f"dispute-end-{fresh.uid}", by=by)
    _record(fresh, "dispute.withdrawn", by)
    return fresh


@atomic_action
def decide_dispute(*, dispute: Dispute, decision: str, reason: str, by: User, amount: Decimal | None = None) -> Dispute:
    """``uphold``: the charge stands; ``adjust``: ``amount`` is owed instead; ``waive``: nothing is.

    The amount, above zero and below what is disputed, is that of the disputed line, else of the whole charge. What
    changes is posted as lines that take the old ones back. `Invalid` for a missing reason or an amount that cannot
    be; `Refused` once it is closed, and to the person who raised it.
    """
    reason = reason.replace("\r\n", "\n").strip()
    _check(reason, (), field="reason", needed=True)
    if decision not in DECISIONS:
        raise invalid("decision", _("Choose one of: uphold, adjust, waive."))
    fresh, charge = _lock_open(dispute)
    if fresh.opened_by_id == by.pk:
        raise refuse("own_dispute", _("You raised this yourself; somebody else decides."))
    standing = _standing_amount(fresh, charge)
    owed = {"uphold": standing, "waive": ZERO}.get(decision)
    if owed is None:
        owed = _checked_amount(amount, standing, charge.currency)
    elif amount is not None:
        raise invalid("amount", _("An amount is only given to adjust the charge."), code="not_expected")
    before = figures(charge)
    if decision != "uphold":
        _post(fresh, charge, owed, reason)
        follow_charge(charge, by.pk)
        settle_held(charge)
    _close(fresh, DECISIONS[decision], by, reason, after=owed)
    _free(charge)
    if decision != "uphold":
        record_charge(charge, f"charge.{DECISIONS[decision]}", before, by.pk)
    kept = {"decision": fresh.state, "after": format_amount(owed)}
    _tell(fresh, "dispute_decided", to=_customer(fresh), key=f"dispute-end-{fresh.uid}", by=by, text=reason, **kept)
    _record(fresh, "dispute.decided", by, after=kept, reason=reason)
    return fresh


def _post(dispute: Dispute, charge: Charge, owed: Decimal, reason: str) -> None:
    """Lines that take back what was disputed, and what is owed instead."""
    standing = _remaining(charge)
    if dispute.line is not None:
        rows: list[tuple[Line, ChargeLine | None]] = [(reversal(as_line(dispute.line)), dispute.line)]
        if owed:
            rows.append((_adjusted(dispute.line.code, dispute.line.name, owed, reason), None))
        write_lines(charge, Stage.FINAL, rows)
        charge.total += owed - dispute.line.amount
    elif owed:
        adjustment = _adjusted("dispute", _("Adjustment after a dispute"), owed - charge.total, reason)
        post_lines(charge, Stage.FINAL, [*(as_line(line) for line in lines_in_question(charge)), adjustment])
        charge.total = owed
    else:
        write_lines(charge, Stage.FINAL, [(reversal(as_line(line)), line) for line in standing])
        charge.total = ZERO
    if not _remaining(charge):
        charge.state = ChargeState.RELEASED
    charge.differences = [*charge.differences, _("After a dispute: %(reason)s") % {"reason": reason}]
    charge.save(update_fields=["total", "state", "differences"])
    settle_held(charge)


def _remaining(charge: Charge) -> list[ChargeLine]:
    """What the charge prints, also where it takes back lines of another one."""
    return without_pairs(list(charge.lines.filter(stage=Stage.FINAL)))


def _adjusted(code: str, name: str, amount: Decimal, reason: str) -> Line:
    return Line(code, name, None, "", None, amount, reason)


def _lock_charge(pk: int) -> Charge:
    locked = Charge.objects.select_for_update(of=("self",), no_key=True).select_related("institution", "customer")
    found = locked.filter(pk=pk).first()
    if found is None:
        raise NotFound
    return found


def _lock_open(dispute: Dispute) -> tuple[Dispute, Charge]:
    """The charge first: who drafts and issues locks it too."""
    charge = _lock_charge(dispute.charge_id)
    fresh = Dispute.objects.select_for_update(of=("self",), no_key=True).select_related("line").get(pk=dispute.pk)
    if fresh.state != DisputeState.OPEN:
        raise refuse("dispute_closed", _("This dispute is closed: %(state)s.") % {"state": fresh.get_state_display()})
    fresh.charge = charge
    return fresh, charge


def _refuse_indisputable(charge: Charge) -> None:
    if charge.disputed:
        raise refuse("already_disputed", _("This charge is being disputed already."))
    if charge.state == ChargeState.INVOICED:
        raise refuse(
            "charge_invoiced",
            _("This stands on an issued invoice and can no longer be disputed here."),
            fix_text=_("Write to the institution's finance: it can issue a credit note."),
        )
    if charge.state != ChargeState.FINAL:
        raise refuse("not_final", _("Only what has been charged can be disputed; this is not final."))
    window = window_of(charge)
    if not window.open:
        raise refuse(
            "dispute_too_late",
            _("This could be disputed until %(last)s.") % {"last": window.last},
            params={"last": window.last.isoformat()},
            fix_text=_("Write to the institution's finance."),
        )


def _line_of(charge: Charge, pk: int | None) -> ChargeLine | None:
    if pk is None:
        return None
    found = next((line for line in lines_in_question(charge) if line.pk == pk), None)
    if found is None:
        raise invalid("line", _("This line does not stand on the charge."))
    if found.amount <= 0:
        raise invalid("line", _("This line costs nothing; dispute the charge as a whole."), code="nothing_owed")
    return found


def _standing_amount(dispute: Dispute, charge: Charge) -> Decimal:
    """What is disputed, as it is by now: meanwhile a corrected use may have posted other lines."""
    if dispute.line is None:
        return charge.total
    if charge.state == ChargeState.FINAL and dispute.line in lines_in_question(charge):
        return dispute.line.amount
    dispute.line = None
    return charge.total


def _checked_amount(amount: Decimal | None, standing: Decimal, currency: str) -> Decimal:
    if amount is None:
        raise invalid("amount", _("Give the amount that is owed instead."), code="required")
    if not amount.is_finite() or amount != amount.quantize(Decimal("0.01")):
        raise invalid("amount", _("An amount has at most two decimals."), code="too_precise")
    if not ZERO < amount < standing:
        raise invalid(
            "amount",
            _("It lies above zero and below the disputed %(sum)s.") % {"sum": shown_amount(standing, currency)},
            code="out_of_range",
        )
    return amount


def _close(dispute: Dispute, state: DisputeState, by: User, answer: str, *, after: Decimal) -> None:
    Dispute.objects.filter(pk=dispute.pk).update(
        state=state, closed_at=timezone.now(), closed_by=by, answer=answer, after=after
    )
    line, charge = dispute.line, dispute.charge
    dispute.refresh_from_db()
    dispute.line, dispute.charge = line, charge


def _free(charge: Charge) -> None:
    charge.disputed = False
    charge.save(update_fields=["disputed"])


def _write_note(dispute: Dispute, side: DisputeSide, text: str, by: User, files: Sequence[DisputeFile]) -> DisputeNote:
    note = DisputeNote.objects.create(dispute=dispute, side=side, author=by, text=text, at=timezone.now())
    for file in files:
        file.note = note
    DisputeFile.objects.bulk_create(files)
    return note


def _check(text: str, files: Sequence[File[Any]], *, field: str, needed: bool) -> list[Checked]:
    wrong: list[Refusal] = []
    if needed and not text:
        wrong.append(Refusal("required", _("Please give the reason."), field=field))
    if len(text) > MOST_TEXT:
        wrong.append(Refusal("too_long", _("At most %(most)s characters.") % {"most": MOST_TEXT}, field=field))
    if has_control_characters(text):
        words = _("The text contains characters that cannot be stored or shown.")
        wrong.append(Refusal("control_characters", words, field=field))
    checked = check_files(files, wrong)
    if wrong:
        raise Invalid(*wrong)
    return checked


def _institution(charge: Charge) -> set[int]:
    return {*people_with(charge.institution_id, [Role.FINANCE]), *managers_of_everything(charge.institution_id)}


def _customer(dispute: Dispute) -> set[int]:
    """Who raised it, if they still belong there, and those who receive the customer's invoices."""
    here = set(people_with(dispute.charge.customer_id, Role.values))
    return set(people_with(dispute.charge.customer_id, RECEIVERS)) | ({dispute.opened_by_id} & here)


def _tell(dispute: Dispute, kind: str, *, to: set[int], key: str, by: User, text: str = "", **more: str) -> None:
    charge = dispute.charge
    context = {
        "subject": charge.subject,
        "date": str(charge.service_date),
        "institution": charge.institution.name,
        "customer": charge.customer.name,
        "amount": format_amount(dispute.before),
        "currency": charge.currency,
        "author": by.name,
        "text": text if len(text) <= IN_MAIL else f"{text[:IN_MAIL]}…",
        **more,
    }
    post(key=key, kind=kind, recipients=to - {by.pk}, context=context, path=f"/disputes/{dispute.pk}/")


def _record(
    dispute: Dispute, action: str, by: User, after: Mapping[str, object] | None = None, reason: str = ""
) -> None:
    record(
        organisation_id=dispute.charge.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="dispute",
        object_id=dispute.uid,
        after={"charge": dispute.charge.uid, "state": dispute.state, "amount": dispute.before, **(after or {})},
        reason=reason,
    )
