"""Pictures of instruments: made anew from what was uploaded, without what the camera wrote into them."""

from __future__ import annotations

import io
from functools import partial
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Invalid, invalid
from backend.core.text import has_control_characters
from instruments.actions.noting import record_instrument
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument, InstrumentPhoto
from instruments.queries.photos import LARGE, SMALL, path_of

LARGEST_UPLOAD = 10 * 1024 * 1024
MOST_PHOTOS = 12
# A phone's camera makes 50 million points at most; more is an attack on our memory. Cameras write JPEG, which is read
# smaller than it is; other formats are unpacked whole, several times.
MOST_POINTS = {"JPEG": 60_000_000}
MOST_POINTS_WHOLE = 25_000_000
SIZES = {LARGE: 2000, SMALL: 480}
FORMATS = ("JPEG", "PNG", "WEBP")


def add_photo(*, instrument: Instrument, by: User, file: UploadedFile[Any], alt: str = "") -> InstrumentPhoto:
    """Append a picture; `Invalid` for what is no JPEG, PNG or WebP, too large, or one too many.

    It is made and written before the transaction begins, which would else last seconds; removed if that fails.
    """
    pictures, width, height = _made_anew(file)
    photo = InstrumentPhoto(alt=_checked(alt), width=width, height=height)
    try:
        for size, content in pictures.items():
            default_storage.save(path_of(photo.uid, size), ContentFile(content))
        return _append(photo=photo, instrument=instrument, by=by)
    except BaseException:
        for size in pictures:
            default_storage.delete(path_of(photo.uid, size))
        raise


@atomic_action
def _append(*, photo: InstrumentPhoto, instrument: Instrument, by: User) -> InstrumentPhoto:
    photo.instrument = lock_instruments([instrument.pk])[instrument.pk]
    photos = InstrumentPhoto.objects.filter(instrument=instrument)
    if photos.count() >= MOST_PHOTOS:
        text = _("An instrument has at most %(limit)s photos. Delete one first.") % {"limit": MOST_PHOTOS}
        raise invalid("file", text, code="too_many")
    last = photos.aggregate(last=Max("position"))["last"]
    photo.position = 0 if last is None else last + 1
    photo.save(force_insert=True)
    told = {"photo": str(photo.uid), "alt": photo.alt}
    record_instrument(photo.instrument, by, "instrument.photo_add", after=told)
    return photo


@atomic_action
def describe_photo(*, photo: InstrumentPhoto, by: User, alt: str) -> InstrumentPhoto:
    """Say what it shows, for those who cannot see it."""
    instrument = lock_instruments([photo.instrument_id])[photo.instrument_id]
    before, photo.alt = photo.alt, _checked(alt)
    if photo.alt != before:
        photo.save(update_fields=["alt"])
        told = {"photo": str(photo.uid)}
        record_instrument(
            instrument, by, "instrument.photo_describe", told | {"alt": before}, told | {"alt": photo.alt}
        )
    return photo


@atomic_action
def move_photo(*, photo: InstrumentPhoto, by: User, earlier: bool) -> list[UUID]:
    """One place to the front or to the back; the new order. The first picture stands in the catalogue."""
    instrument = lock_instruments([photo.instrument_id])[photo.instrument_id]
    photos = list(InstrumentPhoto.objects.filter(instrument=instrument))
    before = [one.uid for one in photos]
    place = before.index(photo.uid)
    other = max(0, place - 1) if earlier else min(len(photos) - 1, place + 1)
    photos[place], photos[other] = photos[other], photos[place]
    after = [one.uid for one in photos]
    if after != before:
        for position, one in enumerate(photos):
            one.position = position
        InstrumentPhoto.objects.bulk_update(photos, ["position"])
        record_instrument(instrument, by, "instrument.photo_order", {"photos": before}, {"photos": after})
    return after


@atomic_action
def delete_photo(*, photo: InstrumentPhoto, by: User) -> None:
    """The files go once the row is gone for good."""
    instrument = lock_instruments([photo.instrument_id])[photo.instrument_id]
    paths = [path_of(photo.uid, size) for size in SIZES]
    told = {"photo": str(photo.uid), "alt": photo.alt}
    photo.delete()
    for path in paths:
        transaction.on_commit(partial(default_storage.delete, path), robust=True)
    record_instrument(instrument, by, "instrument.photo_delete", before=told)


def _made_anew(file: UploadedFile[Any]) -> tuple[dict[str, bytes], int, int]:
    """JPEG in each size, and width and height of the largest."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # a large library that few requests need

    if (file.size or 0) > LARGEST_UPLOAD:
        raise invalid("file", _("The picture is larger than 10 MB."), code="too_large")
    refused = invalid("file", _("This is not a picture in JPEG, PNG or WebP."), code="not_a_picture")
    try:
        with Image.open(file, formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_POINTS.get(str(opened.format), MOST_POINTS_WHOLE):
                raise _too_many_points()
            opened.draft("RGB", (SIZES[LARGE], SIZES[LARGE]))
            upright = ImageOps.exif_transpose(opened)
            flat = Image.new("RGB", upright.size, "white")
            flat.paste(upright, mask=_mask(upright))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise refused from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_points() from error
    out: dict[str, bytes] = {}
    width = height = 0
    for size, longest in SIZES.items():
        picture = flat.copy()
        picture.thumbnail((longest, longest))
        width, height = (picture.width, picture.height) if size == LARGE else (width, height)
        written = io.BytesIO()
        picture.save(written, "JPEG", quality=85, optimize=True, progressive=True)
        out[size] = written.getvalue()
    return out, width, height


def _too_many_points() -> Invalid:
    return invalid("file", _("The picture has too many points. Make it smaller."), code="too_large")


def _mask(picture: Any) -> Any:
    """Where it is opaque; None where it is everywhere."""
    return picture.convert("RGBA").getchannel("A") if "A" in picture.mode or "transparency" in picture.info else None


def _checked(alt: str) -> str:
    alt = alt.strip()
    if len(alt) > 120 or has_control_characters(alt):
        raise invalid("alt", _("At most 120 plain characters."))
    return alt
