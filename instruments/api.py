"""``/api/v1/instruments``, availability and price lists."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from ninja import File, Query, Router, Status, UploadedFile

from backend.accounts.auth import access, current_organisation, optional, person, signed_in
from backend.accounts.models import Organisation, User
from backend.accounts.queries import Access
from backend.core.api import Page, Renderer, page_of
from backend.core.errors import NotFound, invalid
from instruments.actions import catalogue, groups, prices
from instruments.actions.import_table import LARGEST_FILE
from instruments.actions.importing import import_instruments
from instruments.models import Instrument, InstrumentGroup, Technique
from instruments.queries import groups as groups_of
from instruments.queries.calendar import told_year
from instruments.queries.catalogue import at_home, find_instruments
from instruments.queries.detail import price_list_in_force, told
from instruments.queries.free import availability, bookables
from instruments.queries.rights import (
    get_managed_instrument,
    get_visible_instrument,
    institution_to_import,
    institution_to_manage,
    visible_instruments,
)
from instruments.queries.viewers import Viewer, viewer_of
from instruments.schemas import (
    AvailabilityOut,
    CatalogueFilters,
    GroupChange,
    GroupOut,
    GroupPage,
    HolidaysAsked,
    HolidaysOut,
    ImportAsked,
    ImportOut,
    InstrumentChange,
    InstrumentDetail,
    InstrumentPage,
    NewGroup,
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
    check_free_window(filters)
    asked = at_home(filters.as_filters(), current_organisation(request))
    found = find_instruments(viewer(request), asked, limit=filters.limit, offset=filters.offset)
    return tagged(request, {"items": found.items, "count": found.count, "how": found.how})


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


@router.get("/holidays", response=HolidaysOut, auth=optional, summary="Public holidays of a year")
def show_holidays(request: HttpRequest, asked: Query[HolidaysAsked]) -> HttpResponse:
    """Days off and weekends worked instead, as availability counts them. Public."""
    days = told_year(asked.year)
    return answer(request, {"year": asked.year, "known": days is not None, "days": days or []})


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


@router.post("/instruments/import", response=ImportOut, auth=signed_in, summary="Import a table of instruments")
def import_table(request: HttpRequest, asked: Query[ImportAsked], file: File[UploadedFile]) -> HttpResponse:
    """CSV or XLSX, columns as in docs/data.md; all rows or none. ``dry_run`` says what would happen.

    For those who may change every instrument of the institution. A bad cell is named by line, column and reason (422).
    """
    report = import_instruments(
        institution=institution_to_import(access(request), asked.institution),
        by=person(request),
        content=file.read(LARGEST_FILE + 1),
        dry_run=asked.dry_run,
    )
    told = {name: getattr(report, name) for name in ("created", "updated", "unchanged", "notes")}
    return answer(request, {**told, "dry_run": asked.dry_run})


@router.patch("/instruments/{int:pk}", response=InstrumentDetail, auth=signed_in, summary="Change an instrument")
def change(request: HttpRequest, pk: int, body: InstrumentChange) -> HttpResponse:
    changed = catalogue.update_instrument(
        instrument=get_managed_instrument(access(request), pk),
        by=person(request),
        values=body.values(),
        techniques=_techniques(body),
        managers=_managers(body),
        version=body.version,
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


def check_free_window(filters: CatalogueFilters) -> None:
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


@router.get("/instrument-groups", response=GroupPage, auth=signed_in, summary="Groups where you manage instruments")
def list_groups(request: HttpRequest, part: Query[Page]) -> dict[str, Any]:
    rows = groups_of.groups_at_desks(access(request)).prefetch_related("instruments")
    return page_of(rows, part, _group_out)


@router.post("/instrument-groups", response={201: GroupOut}, auth=signed_in, summary="A new group")
def create_group(request: HttpRequest, body: NewGroup) -> Status[dict[str, Any]]:
    mine = access(request)
    institution = groups_of.get_institution_to_group(mine, body.institution)
    chosen = _to_group(mine, institution, body.instruments)
    made = groups.create_group(institution=institution, name=body.name, instruments=chosen, by=person(request))
    return Status(201, _group_out(made))


@router.get("/instrument-groups/{int:pk}", response=GroupOut, auth=signed_in, summary="One group")
def show_group(request: HttpRequest, pk: int) -> dict[str, Any]:
    return _group_out(groups_of.get_group_to_run(access(request), pk))


@router.patch("/instrument-groups/{int:pk}", response=GroupOut, auth=signed_in, summary="Another name or instruments")
def change_group(request: HttpRequest, pk: int, body: GroupChange) -> dict[str, Any]:
    mine = access(request)
    found = groups_of.get_group_to_run(mine, pk)
    ids = body.instruments
    chosen = list(found.instruments.all()) if ids is None else _to_group(mine, found.institution, ids)
    changed = groups.change_group(group=found, name=body.name or found.name, instruments=chosen, by=person(request))
    return _group_out(changed)


@router.delete("/instrument-groups/{int:pk}", response={204: None}, auth=signed_in, summary="Delete an empty group")
def delete_group(request: HttpRequest, pk: int) -> Status[None]:
    groups.delete_group(group=groups_of.get_group_to_run(access(request), pk), by=person(request))
    return Status(204, None)


def _group_out(group: InstrumentGroup) -> dict[str, Any]:
    inside = sorted(each.pk for each in group.instruments.all())
    return {"id": group.pk, "name": group.name, "institution": group.institution_id, "instruments": inside}


def _to_group(mine: Access, institution: Organisation, ids: list[int]) -> list[Instrument]:
    found = list(groups_of.instruments_to_group(mine, institution).filter(pk__in=ids))
    if len(found) < len(set(ids)):
        raise invalid("instruments", _("Only instruments of the institution that you manage can be chosen."), "foreign")
    return found
