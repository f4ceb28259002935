"""What issuing a statement, crediting and paying one have in common."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from backend.accounts.models import Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.errors import NotFound, Refused, refuse
from backend.outbox.actions import post
from invoices import rules
from invoices.models import SERIES, ChargeLine, Counter, Invoice, InvoiceKind, InvoiceLine


def lock_invoice(pk: int, *, no_key: bool = False) -> Invoice:
    """``no_key`` where the row stays and keeps its number; to PostgreSQL all that is unique is a key."""
    locked = Invoice.objects.select_for_update(of=("self",), no_key=no_key).select_related("institution", "customer")
    found = locked.filter(pk=pk).first()
    if found is None:
        raise NotFound
    return found


def give_number(paper: Invoice, day: date) -> None:
    """The next of its institution, series and year; not saved."""
    paper.series, paper.year = SERIES[InvoiceKind(paper.kind)], day.year
    paper.sequence = next_sequence(paper, day.year)
    paper.number = rules.invoice_number(paper.series, paper.institution.code, paper.year, paper.sequence)


def next_sequence(paper: Invoice, year: int) -> int:
    """The next number of the institution's series and year, held by the counter's row lock until commit."""
    counter, _created = Counter.objects.get_or_create(institution=paper.institution, series=paper.series, year=year)
    counter = Counter.objects.select_for_update(no_key=True).get(pk=counter.pk)
    counter.last += 1
    counter.save(update_fields=["last"])
    return counter.last


def print_lines(paper: Invoice, lines: Iterable[ChargeLine]) -> None:
    """Keep the lines as printed; ``line.charge`` has been fetched."""
    InvoiceLine.objects.bulk_create(printed_line(paper, position, line) for position, line in enumerate(lines, 1))


def printed_line(paper: Invoice, position: int, line: ChargeLine) -> InvoiceLine:
    """Not saved."""
    return InvoiceLine(
        invoice=paper,
        position=position,
        charge_line=line,
        service_date=line.charge.service_date,
        subject=line.charge.subject,
        name=line.name,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        amount=line.amount,
    )


def queue_pdf(paper: Invoice) -> None:
    """Ask the worker after commit; if the task is lost, the first reader of the document makes it."""
    # No `partial`: Django wants to name what failed, and would fail itself.
    transaction.on_commit(lambda: _queue_pdf(paper.pk), robust=True)


def _queue_pdf(invoice_id: int) -> None:
    from django_q.tasks import async_task  # reads the settings' queue when imported

    async_task("invoices.tasks.render_pdf", invoice_id, task_name=f"pdf-{invoice_id}")


def tell_payers(invoice: Invoice, kind: str, key: str, context: dict[str, str]) -> None:
    """To those of the customer who read its invoices."""
    post(
        key=key,
        kind=kind,
        recipients=people_with(invoice.customer_id, (Role.ADMIN, Role.FINANCE)),
        context={
            "number": str(invoice.number),
            "institution": invoice.institution.name,
            "period": invoice.period,
            "currency": invoice.currency,
            **context,
        },
        path=f"/invoices/{invoice.pk}/",
    )


def not_issued(detail: str = "") -> Refused:
    return refuse("not_issued", detail or _("This is a draft. Issue it first."))


def record_invoice(
    invoice: Invoice,
    action: str,
    by: User,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    reason: str = "",
) -> None:
    record(
        organisation_id=invoice.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="invoice",
        object_id=invoice.uid,
        before=before,
        after={"number": invoice.number, **(after or {})},
        reason=reason,
    )
