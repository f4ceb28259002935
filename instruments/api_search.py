"""What helps to search: facets with their counts, and suggestions while somebody types."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from backend.accounts.auth import optional
from instruments.api import answer, check_free_window, tagged, viewer
from instruments.queries.catalogue import find_instruments
from instruments.queries.facets import facets
from instruments.queries.suggestions import suggestions
from instruments.schemas import CatalogueFilters
from instruments.search_schemas import FacetsOut, SuggestionOut, Typed

router = Router(tags=["search"])


@router.get("/instruments/facets", response={200: FacetsOut, 304: None}, auth=optional, summary="Counts by filter")
def count(request: HttpRequest, filters: Query[CatalogueFilters]) -> HttpResponse:
    """How many instruments each further choice would leave. Takes the filters of the search; public like it."""
    check_free_window(filters)
    asked, who = filters.as_filters(), viewer(request)
    found = find_instruments(who, asked, limit=1)
    counted = facets(who, asked, found)
    return tagged(request, {name: [option._asdict() for option in options] for name, options in counted.items()})


@router.get("/instruments/suggestions", response=list[SuggestionOut], auth=optional, summary="While somebody types")
def suggest(request: HttpRequest, typed: Query[Typed]) -> HttpResponse:
    """At most eight techniques, manufacturers and names that begin like ``q``, in letters, pinyin or initials."""
    found: list[dict[str, Any]] = [one._asdict() for one in suggestions(viewer(request), typed.q)]
    return answer(request, found)
