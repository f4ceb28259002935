"""What the worker calls."""

from invoices.actions import running
from invoices.actions.documents import ensure_pdf
from invoices.models import Invoice


def render_pdf(invoice_id: int) -> str:
    """Make an issued invoice's document unless somebody has; its SHA-256."""
    return ensure_pdf(invoice=Invoice.objects.get(pk=invoice_id)).sha256


def work_on_run(run_id: int, chain: str) -> int:
    """A part of a monthly run; asks for the next one until it has ended."""
    return running.work_and_go_on(run_id=run_id, chain=chain)
