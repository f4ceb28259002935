"""Reminders (催缴) of invoices that are overdue, by the institution's rule. Locks: the invoice, audit head."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import invalid, refuse
from backend.core.money import format_amount
from backend.core.text import has_control_characters
from invoices import rules
from invoices.actions.papers import lock_invoice, record_invoice, tell_payers
from invoices.models import Invoice, InvoiceKind, InvoiceStatus, MoneyTerms, Reminder

LONGEST_REASON = 200


def send_reminders() -> int:
    """Once an hour: of each invoice the highest level that has come, unless it or a higher one was sent."""
    if not cache.add("reminders-sent", True, timeout=3600):
        return 0
    return remind_all(now=timezone.now())


def remind_all(*, now: datetime) -> int:
    """Each in a transaction of its own; a day that was missed is caught up, and several workers send it once."""
    sent = 0
    for terms in MoneyTerms.objects.exclude(reminders=[]).select_related("institution").order_by("pk"):
        today = rules.day_at(terms.institution, now)
        first = today - timedelta(days=terms.reminders[0]["days"])
        owing = Invoice.objects.filter(institution=terms.institution_id, due_date__lte=first, reminders_held="").owing()
        for pk in list(owing.order_by("pk").values_list("pk", flat=True)):
            sent += remind_of(pk, terms=terms, today=today) is not None
    return sent


@atomic_action
def remind_of(pk: int, *, terms: MoneyTerms, today: date) -> Reminder | None:
    """None if nothing is to be paid any more, it is held, or this level was sent."""
    invoice = lock_invoice(pk, no_key=True)
    if not invoice.balance or invoice.reminders_held or invoice.due_date is None:
        return None
    late = (today - invoice.due_date).days
    reached = [level for level, one in enumerate(terms.reminders, 1) if late >= one["days"]]
    if not reached or invoice.reminders.filter(level__gte=reached[-1]).exists():
        return None
    level = reached[-1]
    text = terms.reminders[level - 1]["text"]
    reminder = Reminder.objects.create(invoice=invoice, level=level, day=today, balance=invoice.balance, text=text)
    tell_payers(
        invoice,
        "invoice_reminder",
        f"invoice-reminder-{invoice.uid}-{level}",
        {
            "level": str(level),
            "balance": format_amount(invoice.balance),
            "due_date": str(invoice.due_date),
            "late": str(max(0, late)),
            "text": text,
            "bank": invoice.snapshot["institution"].get("bank", ""),
            "account": invoice.snapshot["institution"].get("bank_account", ""),
        },
    )
    record(
        organisation_id=invoice.institution_id,
        actor_id=None,
        action="invoice.reminded",
        object_type="invoice",
        object_id=invoice.uid,
        after={"number": invoice.number, "level": level, "balance": invoice.balance},
    )
    return reminder


@atomic_action
def hold_reminders(*, invoice: Invoice, reason: str, by: User) -> Invoice:
    """Send none of this invoice, or with an empty reason send them again. `Refused` where nothing is owed."""
    reason = reason.strip()
    if len(reason) > LONGEST_REASON or has_control_characters(reason):
        raise invalid("reason", _("At most %(max_length)s characters.") % {"max_length": LONGEST_REASON})
    locked = lock_invoice(invoice.pk, no_key=True)
    if locked.status != InvoiceStatus.ISSUED or locked.kind != InvoiceKind.INVOICE:
        raise refuse("nothing_owed", _("Nothing is to be paid on this, so nobody is reminded."))
    before, locked.reminders_held = locked.reminders_held, reason
    locked.save(update_fields=["reminders_held"])
    action = "invoice.reminders_held" if reason else "invoice.reminders_resumed"
    record_invoice(locked, action, by, before={"held": before}, after={"held": reason}, reason=reason)
    return locked
