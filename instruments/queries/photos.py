"""Where the pictures of instruments lie, and under which addresses they are shown."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.urls import reverse

from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import NotFound
from instruments.models import Instrument, InstrumentPhoto
from instruments.queries.rights import visible_instruments

LARGE, SMALL = "large", "small"
SIZES = (LARGE, SMALL)


def path_of(uid: UUID, size: str) -> str:
    """Below MEDIA_ROOT."""
    return f"instruments/{uid.hex[:2]}/{uid.hex}-{size}.jpg"


def address_of(uid: UUID, size: str = LARGE) -> str:
    return reverse("instruments:photo", args=[uid, size])


def first_photo() -> Subquery:
    """Annotates instruments with the ``uid`` of the picture that stands in the catalogue."""
    mine = InstrumentPhoto.objects.filter(instrument=OuterRef("pk")).order_by("position", "pk")
    return Subquery(mine.values("uid")[:1])


def told_photos(instrument: Instrument) -> list[dict[str, Any]]:
    """The contract's form; one query."""
    return [
        {
            "url": settings.SITE_URL + address_of(photo.uid),
            "thumbnail": settings.SITE_URL + address_of(photo.uid, SMALL),
            "alt": photo.alt,
            "width": photo.width,
            "height": photo.height,
        }
        for photo in instrument.photos.all()
    ]


def get_visible_photo(access: Access, uid: UUID) -> InstrumentPhoto:
    """With its instrument, if the person may see that; `NotFound` otherwise."""
    found = (
        InstrumentPhoto.objects.filter(uid=uid, instrument__in=visible_instruments(access).values("pk"))
        .select_related("instrument")
        .first()
    )
    if found is None:
        raise NotFound
    return found


def get_photo_of(instrument: Instrument, pk: int) -> InstrumentPhoto:
    return one(InstrumentPhoto.objects.filter(instrument=instrument), pk)
