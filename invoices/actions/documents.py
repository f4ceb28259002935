"""Making the PDF of an issued invoice, once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from backend.audit.actions import record
from backend.core import pdf
from backend.core.db import atomic_action
from backend.core.errors import refuse
from backend.outbox.queries.attachments import Attachment
from invoices import rules, verification
from invoices.models import Invoice, InvoicePdf, InvoiceStatus
from invoices.queries.billing import billing_of, logo_as_data


def ensure_pdf(*, invoice: Invoice) -> InvoicePdf:
    """The document's bytes, made from the snapshot alone if nobody has made them yet, and then kept.

    No transaction is open while it renders, so that nobody waits for it. `PdfUnavailable` if it cannot be
    made now, `Refused` for a draft or for a snapshot that is not what was issued.
    """
    stored = InvoicePdf.objects.filter(invoice=invoice).first()
    if stored is not None:
        return stored
    if invoice.status == InvoiceStatus.DRAFT:
        raise refuse("not_issued", _("A draft has no document yet. Issue it first."))
    if rules.digest(invoice.snapshot) != invoice.snapshot_sha256:
        raise refuse("snapshot_changed", _("The stored content is not what was issued. Please tell the operator."))
    context = {
        "paper": rules.paper(invoice.snapshot),
        "sha256": invoice.snapshot_sha256,
        "family": pdf.FAMILY,
        "verify": verification.code_as_data(invoice),
        "logo": logo_as_data(invoice.snapshot["institution"].get("logo", "")),
    }
    return _store_pdf(invoice, pdf.render(render_to_string("invoices/statement.html", context)))


@atomic_action
def _store_pdf(invoice: Invoice, content: bytes) -> InvoicePdf:
    digest = hashlib.sha256(content).hexdigest()
    stored, created = InvoicePdf.objects.get_or_create(invoice=invoice, defaults={"content": content, "sha256": digest})
    if created:
        record(
            organisation_id=invoice.institution_id,
            actor_id=None,
            action="invoice.pdf_made",
            object_type="invoice",
            object_id=invoice.uid,
            after={"number": invoice.number, "sha256": digest},
        )
    return stored


def attached_pdf(context: Mapping[str, Any]) -> list[Attachment]:
    """For the mail about an issued invoice, if the customer wants it; the link to its page is in the text anyway."""
    invoice = Invoice.objects.filter(number=context["number"]).first()
    if invoice is None or not billing_of(invoice.customer_id).attach_pdf:
        return []
    return [Attachment(f"{invoice.number}.pdf", bytes(ensure_pdf(invoice=invoice).content), "application/pdf")]
