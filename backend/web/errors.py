"""The last resort: what a visitor gets when the program fails."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from backend.core.errors import YixiangError
from backend.core.http import problem_response


def server_error(request: HttpRequest) -> HttpResponse:
    """A page without context, since whatever failed may fail again while a context is made."""
    if request.path.startswith("/api/"):
        return problem_response(YixiangError())
    return HttpResponse(render_to_string("500.html"), status=500)
