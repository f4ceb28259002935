"""What the worker calls."""

from invoices.actions.documents import ensure_pdf
from invoices.models import Invoice


def render_pdf(invoice_id: int) -> str:
    """Make an issued invoice's document unless somebody has; its SHA-256."""
    return ensure_pdf(invoice=Invoice.objects.get(pk=invoice_id)).sha256
