"""The public catalogue."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backend.accounts.auth import access, current_organisation
from instruments.forms.catalogue import read_filters
from instruments.models import Condition, Mode
from instruments.queries.catalogue import at_home, find_instruments
from instruments.queries.facets import facets
from instruments.queries.viewers import viewer_of

PAGE_SIZE = 24
# Which picture stands for an upper category.
ICONS = {
    "01": "microscope",
    "02": "tool",
    "03": "adjustments-horizontal",
    "05": "world",
    "09": "heart",
}
USUAL_ICON = "flask"
BROKEN = (Condition.REPAIR, Condition.SCRAP)


class Known(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Pages over items that were already cut out; the count is known."""

    def __init__(self, items: list[dict[str, Any]], count: int) -> None:
        super().__init__(items, PAGE_SIZE)
        self._count = count

    @cached_property
    def count(self) -> int:
        return self._count


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """The whole page, or for HTMX the results and the facets beside them."""
    filters, form = read_filters(request.GET)
    here = current_organisation(request)
    viewer, filters = viewer_of(access(request), here), at_home(filters, here)
    number = _page_number(request)
    found = find_instruments(viewer, filters, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    if found.count and not found.items:
        number = 1
        found = find_instruments(viewer, filters, limit=PAGE_SIZE)
    paginator = Known(found.items, found.count)
    context = {
        "form": form,
        "filters": filters,
        "found": found,
        "page": paginator.page(number if found.count else 1),
        "cards": [_card(item, found.techniques) for item in found.items],
        "facets": facets(viewer, filters, found),
        "narrowed": filters.number_chosen,
    }
    partial = request.headers.get("HX-Target") == "results"
    response = render(request, "instruments/_catalogue.html" if partial else "instruments/catalogue.html", context)
    # The same address is a page and a fragment: a browser must not show one for the other.
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    return response


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 6 else 1


def _card(item: dict[str, Any], techniques: dict[str, str]) -> dict[str, Any]:
    places = {
        "technique": _("Technique"),
        "technical": _("Specifications"),
        "function": _("Functions"),
        "service_content": _("Services"),
    }
    marks = {each["field"]: each["pieces"] for each in item.get("highlights", ())}
    place = next((name for name in marks if name in places), "")
    modes = {mode.value: mode.label for mode in Mode}
    units = {"hour": _("hour"), "sample": _("sample"), "use": _("use")}
    price = item["price_from"]
    code = cast(str, item["category"]["code"])
    return {
        **item,
        # Our own page asks its own address, whatever name it was reached by.
        "photo": (item["photo"] or "").removeprefix(settings.SITE_URL),
        "icon": ICONS.get(code[:2], USUAL_ICON),
        "technique_words": [(key, techniques[key]) for key in item["techniques"]],
        "mode_words": [modes[mode] for mode in item["modes"]],
        "price_unit": units.get(price["unit"], price["unit"]) if price else "",
        "by_sample_only": item["modes"] == [Mode.SAMPLE.value],
        "status_word": Condition(item["status"]).label,
        "out_of_order": item["status"] in BROKEN,
        "status_tone": "bad" if item["status"] in BROKEN else "wait",
        "marks": marks,
        "found_in": places.get(place, ""),
        "found": marks.get(place),
        "start": item["next_free"].isoformat() if item["next_free"] else "",
    }
