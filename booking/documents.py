"""Files that people send, only as downloads (a browser never shows what a stranger sent); quotes; labels of bags."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import segno
from django.conf import settings
from django.http import FileResponse, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

from backend.core import pdf
from backend.core.errors import NotFound
from backend.core.export import attachment as disposition
from booking.models import Attachment, ResultFile, SampleOrder

log = logging.getLogger(__name__)


# Bags with a label of their own; of more of a kind one label says how many there are.
MOST_LABELS = 12
# Of more than these each kind has one label.
MOST_LABELS_ALTOGETHER = 240


def attachment_response(attachment: Attachment | ResultFile) -> FileResponse:
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


def result_response(file: ResultFile) -> FileResponse:
    return attachment_response(file)


def quote_pdf(paper: Mapping[str, Any]) -> HttpResponse:
    """A quote, as `booking.queries.quote_papers` says it."""
    html = render_to_string("booking/quote_paper.html", {"paper": paper, "family": pdf.FAMILY})
    return _pdf(html, f"{paper['number']}.pdf")


def labels_pdf(order: SampleOrder) -> HttpResponse:
    """An A4 sheet of labels, one for each bag; the code on each leads to the order's page."""
    labels = []
    items = list(order.items.all())
    bags_of = {item.pk: item.quantity if item.quantity <= MOST_LABELS else 1 for item in items}
    for item in items:
        bags = bags_of[item.pk] if sum(bags_of.values()) <= MOST_LABELS_ALTOGETHER else 1
        url = f"{settings.SITE_URL}{reverse('booking:sample_order', args=[order.pk])}?item={item.pk}"
        code = segno.make(url, error="m").svg_data_uri(scale=4, border=1, light="#fff")
        labels += [{"item": item, "bag": bag, "bags": bags, "code": code} for bag in range(1, bags + 1)]
    html = render_to_string("booking/labels.html", {"order": order, "labels": labels, "family": pdf.FAMILY})
    return _pdf(html, f"{order.number}.pdf")


def _pdf(html: str, name: str) -> HttpResponse:
    response = HttpResponse(pdf.render(html), content_type="application/pdf")
    response["Content-Disposition"] = disposition(name, inline=True)
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
