"""What people uploaded, as a download."""

from __future__ import annotations

from django.http import FileResponse

from backend.core.export import attachment
from invoices.models import GrantFile, InvoiceFile


def stored_response(file: GrantFile | InvoiceFile) -> FileResponse:
    """Only ever a download: what people upload is never shown as a page of ours."""
    response = FileResponse(file.content.open("rb"), content_type=file.media_type)
    response["Content-Disposition"] = attachment(file.name)
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
