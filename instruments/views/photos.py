"""Pictures of instruments: shown to whoever may see the instrument, kept by its managers."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.accounts.auth import access, page, person
from backend.core.errors import invalid
from instruments.actions.photos import add_photo, delete_photo, describe_photo, move_photo
from instruments.models import Instrument, Sharing
from instruments.queries.photos import SIZES, get_photo_of, get_visible_photo, path_of
from instruments.queries.rights import get_managed_instrument

A_MONTH = 30 * 24 * 3600


@require_safe
def photo(request: HttpRequest, uid: UUID, size: str) -> FileResponse:
    """The file never changes; who may see the instrument does, so only what is public may be kept by others."""
    found = get_visible_photo(access(request), uid)
    path = path_of(found.uid, size)
    if size not in SIZES or not default_storage.exists(path):
        raise Http404
    response = FileResponse(default_storage.open(path), content_type="image/jpeg")
    public = found.instrument.sharing == Sharing.EXTERNAL and not request.user.is_authenticated
    response["Cache-Control"] = f"{'public' if public else 'private'}, max-age={A_MONTH}, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@page
@require_http_methods(["GET", "HEAD", "POST"])
def photos(request: HttpRequest, pk: int) -> HttpResponse:
    """They have no page of their own: who comes back to the address of the form sees the settings."""
    instrument = get_managed_instrument(access(request), pk)
    if request.method == "POST":
        file = request.FILES.get("file")
        if file is None:
            raise invalid("file", _("Choose a picture."), code="required")
        add_photo(instrument=instrument, by=person(request), file=file, alt=request.POST.get("alt", ""))
        messages.success(request, _("The photo is there."))
    return _shown(request, instrument)


@page
@require_POST
def change_photo(request: HttpRequest, pk: int, photo_pk: int) -> HttpResponse:
    """``do``: ``earlier``, ``later``, ``delete``; else the words that describe it are saved."""
    instrument = get_managed_instrument(access(request), pk)
    found, by = get_photo_of(instrument, photo_pk), person(request)
    what = request.POST.get("do", "")
    if what in ("earlier", "later"):
        move_photo(photo=found, by=by, earlier=what == "earlier")
    elif what == "delete":
        delete_photo(photo=found, by=by)
        messages.success(request, _("The photo is deleted."))
    else:
        describe_photo(photo=found, by=by, alt=request.POST.get("alt", ""))
        messages.success(request, _("Saved."))
    return _shown(request, instrument)


def _shown(request: HttpRequest, instrument: Instrument) -> HttpResponse:
    if not request.headers.get("HX-Request"):
        return redirect(f"{reverse('instruments:settings', args=[instrument.pk])}#photos")
    context = {"instrument": instrument, "photos": list(instrument.photos.all()), "part": True}
    return render(request, "instruments/_photos.html", context)
