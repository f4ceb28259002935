"""How these pages answer a form with errors, for HTMX and without."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def again(request: HttpRequest, template: str, fragment: str, context: dict[str, Any]) -> HttpResponse:
    """The form with its errors: the fragment for HTMX, else the whole page."""
    return render(request, fragment if request.headers.get("HX-Request") else template, context, status=422)
