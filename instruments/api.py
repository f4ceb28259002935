"""``/api/v1/instruments``, availability and price lists."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from ninja import Query, Router

from backend.accounts.auth import access, current_organisation, optional, person, signed_in
from backend.accounts.models import User
from backend.core.api import Renderer
from backend.core.errors import NotFound, invalid
from instruments.actions import catalogue, prices
from instruments.models import Instrument, Technique
from instruments.queries.catalogue import find_instruments
from instruments.queries.detail import price_list_in_force, told
from instruments.queries.free import availability, bookables
from instruments.queries.rights import (
    get_managed_instrument,
    get_visible_instrument,
    institution_to_manage,
    visible_instruments,
)
from instruments.queries.viewers import Viewer, viewer_of
from instruments.schemas import (
    AvailabilityOut,
    CatalogueFilters,
    InstrumentChange,
    InstrumentDetail,
    InstrumentPage,
    NewInstrument,
    PriceDocument,
    Window,
    Windows,
)

router = Router(tags=["instruments"])

LONGEST_WINDOW = timedelta(days=92)
MOST_INSTRUMENTS = 200


@router.get("/instruments", response={200: InstrumentPage, 304: None}, auth=optional, summary="Search the catalogue")
def find(request: HttpRequest, filters: Query[CatalogueFilters]) -> HttpResponse:
    """Public. With a credential, prices are those of your organisation, and instruments shared inside it are found."""
    _check_free_window(filters)
    found = find_instruments(viewer(request), filters.as_filters(), limit=filters.limit, offset=filters.offset)
    return tagged(request, {"items": found.items, "count": found.count})


@router.get(
    "/instruments/{int:pk}", response={200: InstrumentDetail, 304: None}, auth=optional, summary="One instrument"
)
def show(request: HttpRequest, pk: int) -> HttpResponse:
    return tagged(request, told(get_visible_instrument(access(request), pk), viewer(request)))


@router.get("/instruments/{int:pk}/availability", response=AvailabilityOut, auth=optional, summary="When it is free")
def show_availability(request: HttpRequest, pk: int, window: Query[Window]) -> HttpResponse:
    """At most 92 days. ``free`` is what can be booked; ``busy`` is where no unit is free, and never says who."""
    _check_window(window)
    instrument = get_visible_instrument(access(request), pk)
    return answer(request, availability([instrument], window.from_, window.to)[0].as_json())


@router.get("/availability", response=list[AvailabilityOut], auth=optional, summary="When several are free")
def show_availabilities(request: HttpRequest, window: Query[Windows]) -> HttpResponse:
    """At most 200 instruments and 92 days; in the order asked for."""
    _check_window(window)
    asked = list(dict.fromkeys(int(pk) for pk in window.instruments.split(",")))
    if len(asked) > MOST_INSTRUMENTS:
        raise invalid("instruments", _("At most %(limit)s instruments at a time.") % {"limit": MOST_INSTRUMENTS})
    known = {each.pk: each for each in bookables(visible_instruments(access(request)).filter(pk__in=asked))}
    if len(known) < len(asked):
        raise NotFound
    found = availability([known[pk] for pk in asked], window.from_, window.to)
    return answer(request, [each.as_json() for each in found])


@router.post("/instruments", response={201: InstrumentDetail}, auth=signed_in, summary="Add an instrument")
def create(request: HttpRequest, body: NewInstrument) -> HttpResponse:
    """For lab managers and administrators of an institution."""
    made = catalogue.create_instrument(
        institution=institution_to_manage(access(request), body.institution),
        by=person(request),
        values=body.values(),
        techniques=_techniques(body) or [],
        managers=_managers(body) or [],
    )
    return answer(request, _told_to_manager(request, made), status=201)


@router.patch("/instruments/{int:pk}", response=InstrumentDetail, auth=signed_in, summary="Change an instrument")
def change(request: HttpRequest, pk: int, body: InstrumentChange) -> HttpResponse:
    changed = catalogue.update_instrument(
        instrument=get_managed_instrument(access(request), pk),
        by=person(request),
        values=body.values(),
        techniques=_techniques(body),
        managers=_managers(body),
    )
    return answer(request, _told_to_manager(request, changed))


@router.get(
    "/instruments/{int:pk}/price-list", response=PriceDocument, auth=signed_in, summary="The price list in force"
)
def show_price_list(request: HttpRequest, pk: int) -> HttpResponse:
    """For its managers: the document that ``PUT`` takes, with its version."""
    current = price_list_in_force(get_managed_instrument(access(request), pk))
    if current is None:
        raise NotFound(detail=_("This instrument has no price list yet."))
    return answer(request, {**current.document, "version": current.version, "valid_from": current.valid_from})


@router.put(
    "/instruments/{int:pk}/price-list", response=PriceDocument, auth=signed_in, summary="A new version of the prices"
)
def put_price_list(request: HttpRequest, pk: int, body: PriceDocument) -> HttpResponse:
    """A new dated version. What would charge nonsense is refused (422) with every reason."""
    document = body.model_dump(exclude_unset=True, exclude={"version", "valid_from"})
    made = prices.save_price_list(
        instrument=get_managed_instrument(access(request), pk),
        by=person(request),
        document=document,
        valid_from=body.valid_from,
    )
    return answer(request, {**made.document, "version": made.version, "valid_from": made.valid_from})


def viewer(request: HttpRequest) -> Viewer:
    return viewer_of(access(request), current_organisation(request))


def answer(request: HttpRequest, data: Any, *, status: int = 200) -> HttpResponse:
    """JSON without another check of what our own queries shaped; the routes declare its form."""
    content = Renderer().render(request, data, response_status=status)
    return HttpResponse(content, status=status, content_type="application/json")


def tagged(request: HttpRequest, data: Any) -> HttpResponse:
    """With an ETag, and 304 where the caller knows it already."""
    response = answer(request, data)
    etag = quote_etag(hashlib.sha256(response.content).hexdigest()[:32])
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ("Accept-Language", "Authorization", "Cookie"))
    return get_conditional_response(request, etag=etag, response=response) or response


def _told_to_manager(request: HttpRequest, instrument: Instrument) -> dict[str, Any]:
    return told(get_managed_instrument(access(request), instrument.pk), viewer(request))


def _check_window(window: Window) -> None:
    if window.to <= window.from_:
        raise invalid("to", _("The end must lie after the start."))
    if window.to - window.from_ > LONGEST_WINDOW:
        raise invalid("to", _("At most 92 days at a time."))


def _check_free_window(filters: CatalogueFilters) -> None:
    if filters.free_from and filters.free_to and filters.free_to <= filters.free_from:
        raise invalid("free_to", _("The end must lie after the start."))
    if filters.free_from and filters.free_to and filters.free_to - filters.free_from > LONGEST_WINDOW:
        raise invalid("free_to", _("At most 92 days at a time."))


def _techniques(body: InstrumentChange) -> list[Technique] | None:
    if body.techniques is None:
        return None
    found = list(Technique.objects.filter(key__in=body.techniques))
    unknown = sorted(set(body.techniques) - {technique.key for technique in found})
    if unknown:
        text = _("The technique “%(name)s” is not known.") % {"name": unknown[0]}
        raise invalid("techniques", text, code="unknown_technique", params={"unknown": unknown})
    return found


def _managers(body: InstrumentChange) -> list[User] | None:
    if body.managers is None:
        return None
    found = list(User.objects.filter(pk__in=body.managers))
    if len(found) < len(set(body.managers)):
        raise invalid("managers", _("Only lab managers of the institution can be named."), code="not_a_manager")
    return found
