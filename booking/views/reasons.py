"""The page where managers write the reasons that they give often."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backend.accounts.auth import access, page, person
from backend.core.fields import checked
from backend.core.http import go
from booking.actions.templates import save_reasons
from booking.forms import ReasonTemplateForm
from booking.queries.reasons import get_institution_with_reasons, reasons_of, usual_in_both

SPARE = 2


@page
@require_http_methods(["GET", "HEAD", "POST"])
def reasons(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole list at once: an emptied line goes, the last lines are new ones."""
    institution = get_institution_with_reasons(access(request), pk)
    if request.method == "POST":
        lines = zip(request.POST.getlist("text"), request.POST.getlist("text_en"), strict=False)
        rows = [checked(ReasonTemplateForm({"text": text, "text_en": english})) for text, english in lines]
        texts = [(row["text"], row["text_en"]) for row in rows]
        save_reasons(institution=institution, texts=texts, by=person(request))
        messages.success(request, _("The reasons have been saved."))
        return go(request, reverse("booking:reasons", args=[pk]))
    own = [(row.text, row.text_en) for row in reasons_of(pk)]
    context = {
        "institution": institution,
        "rows": [*(own or usual_in_both()), *[("", "")] * SPARE],
        "usual": not own,
    }
    return render(request, "booking/reasons.html", context)
