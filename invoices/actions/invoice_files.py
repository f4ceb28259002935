"""Papers that belong to an issued invoice: the fapiao, the contract, the proof of payment. Locks: audit head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.files import File
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action, read_anew
from backend.core.errors import Invalid, Refusal, refuse
from backend.core.files import check_files, keep_files
from invoices.actions.papers import lock_invoice, not_issued, record_invoice
from invoices.models import UPLOADED, Invoice, InvoiceFile, InvoiceStatus

MOST_FILES = 30


def add_invoice_files(*, invoice: Invoice, kind: str, files: Sequence[File[Any]], by: User) -> list[InvoiceFile]:
    """Keep papers beside an issued invoice; customers who read it read them too.

    The files are written before the transaction and removed when it fails. `Invalid` for files that are not accepted.
    """
    wrong: list[Refusal] = []
    if kind not in UPLOADED:
        wrong.append(Refusal("unknown", _("Say what kind of paper it is."), field="kind"))
    if not files:
        wrong.append(Refusal("required", _("Choose a file."), field="files"))
    checked = check_files(files, wrong)
    if wrong:
        raise Invalid(*wrong)

    def write(rows: list[InvoiceFile]) -> list[InvoiceFile]:
        return _keep(invoice=invoice, kind=kind, rows=rows, by=by)

    return keep_files(checked, InvoiceFile, write)


@atomic_action
def _keep(*, invoice: Invoice, kind: str, rows: list[InvoiceFile], by: User) -> list[InvoiceFile]:
    locked = lock_invoice(invoice.pk, no_key=True)
    if locked.status == InvoiceStatus.DRAFT:
        raise not_issued()
    if locked.files.filter(removed_at=None).count() + len(rows) > MOST_FILES:
        raise refuse("too_many_files", _("At most %(most)s files for one invoice.") % {"most": MOST_FILES})
    now = timezone.now()
    for row in rows:
        row.invoice, row.kind, row.at, row.by = locked, kind, now, by
    InvoiceFile.objects.bulk_create(rows)
    names = [row.name for row in rows]
    record_invoice(locked, "invoice.files_added", by, after={"kind": kind, "files": names})
    return rows


@atomic_action
def remove_invoice_file(*, file: InvoiceFile, by: User) -> None:
    """A paper that does not belong there is not shown any more; the record keeps its name and digest."""
    fresh = read_anew(InvoiceFile.objects.select_for_update(of=("self",), no_key=True), file)
    if fresh.removed_at is not None:
        raise refuse("removed_already", _("This file was removed already."))
    fresh.removed_at = timezone.now()
    fresh.save(update_fields=["removed_at"])
    invoice = Invoice.objects.select_related("institution", "customer").defer("snapshot").get(pk=fresh.invoice_id)
    record_invoice(invoice, "invoice.file_removed", by, after={"file": fresh.name, "sha256": fresh.sha256})
