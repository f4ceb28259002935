"""Files of a booking's messages, as downloads only: a browser never shows what a stranger sent."""

from __future__ import annotations

import logging

from django.http import FileResponse

from backend.core.errors import NotFound
from backend.core.export import attachment as disposition
from booking.models import Attachment

log = logging.getLogger(__name__)


def attachment_response(attachment: Attachment) -> FileResponse:
    """`NotFound` when the row is there but the file is not, as after a restore without the files."""
    try:
        content = attachment.content.open("rb")
    except FileNotFoundError as error:
        log.error("attachment %s: the file %s is missing", attachment.pk, attachment.content.name)
        raise NotFound from error
    response = FileResponse(content, content_type=attachment.media_type)
    response["Content-Disposition"] = disposition(attachment.name)
    response["Content-Length"] = str(attachment.size)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
