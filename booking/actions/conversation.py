"""Messages between the customer and the laboratory about a booking, with files."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models import Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, NotFound, Refusal, refuse
from backend.core.text import has_control_characters
from booking.actions.transitions import customers, managers, tell
from booking.models import Attachment, Booking, Note, Side
from booking.rules.attachments import (
    MOST_BYTES,
    MOST_BYTES_ALTOGETHER,
    MOST_FILES,
    TYPES_IN_WORDS,
    media_type_of,
    safe_name,
)

MOST_TEXT = 5000
# How much of the text a mail repeats.
IN_MAIL = 1500
OPEN_AFTER_END = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class _Checked:
    file: File[Any]
    name: str
    media_type: str


def add_note(*, booking: Booking, by: User, side: Side, text: str = "", files: Sequence[File[Any]] = ()) -> Note:
    """Say something to the other side, who is told. Needs a text or a file; open until 90 days after the end.

    The files are written before the transaction begins, so that it stays short, and removed when it fails.
    """
    text = text.replace("\r\n", "\n").strip()
    checked = _check(text, files)
    stored: list[Attachment] = []
    try:
        for one in checked:
            stored.append(_store(one))  # noqa: PERF401  (what is written so far must be known when the next one fails)
        return _write(booking=booking, by=by, side=side, text=text, attachments=stored)
    except BaseException:
        for attachment in stored:
            default_storage.delete(attachment.content.name or "")
        raise


@atomic_action
def _write(*, booking: Booking, by: User, side: Side, text: str, attachments: Sequence[Attachment]) -> Note:
    related = ("instrument__institution", "organisation", "user", "made_by")
    # One message after the other, so that together they keep within what a booking may hold.
    rows = Booking.objects.select_for_update(of=("self",), no_key=True).select_related(*related)
    fresh = rows.filter(pk=booking.pk).first()
    if fresh is None:
        raise NotFound
    now = timezone.now()
    if not is_open(fresh):
        raise refuse(
            "conversation_closed", _("Messages about a booking end 90 days after it. Please call the laboratory.")
        )
    _require_room(fresh, attachments)
    note = Note.objects.create(booking=fresh, side=side, author=by, text=text, at=now)
    for attachment in attachments:
        attachment.note = note
    Attachment.objects.bulk_create(attachments)
    _tell_other_side(fresh, note, attachments)
    record(
        organisation_id=fresh.instrument.institution_id,
        actor_id=by.pk,
        action="note.create",
        object_type="note",
        object_id=note.pk,
        after={"booking": fresh.pk, "side": side, "files": [one.name for one in attachments]},
    )
    return note


def is_open(booking: Booking) -> bool:
    return timezone.now() < booking.end + OPEN_AFTER_END


def _check(text: str, files: Sequence[File[Any]]) -> list[_Checked]:
    """Everything that is wrong with a message, at once."""
    wrong: list[Refusal] = []
    if not text and not files:
        wrong.append(Refusal("empty", _("Please write something or attach a file."), field="text"))
    if len(text) > MOST_TEXT:
        wrong.append(Refusal("too_long", _("At most %(most)s characters.") % {"most": MOST_TEXT}, field="text"))
    if has_control_characters(text):
        words = _("The text contains characters that cannot be stored or shown.")
        wrong.append(Refusal("control_characters", words, field="text"))
    if len(files) > MOST_FILES:
        words = _("At most %(most)s files in one message.") % {"most": MOST_FILES}
        wrong.append(Refusal("too_many_files", words, field="files"))
    checked = [_check_file(file, wrong) for file in files[:MOST_FILES]]
    if wrong:
        raise Invalid(*wrong)
    return checked


def _check_file(file: File[Any], wrong: list[Refusal]) -> _Checked:
    name = safe_name(file.name or "")
    params = {"name": name}
    if not file.size:
        wrong.append(Refusal("empty_file", _("“%(name)s” is empty.") % params, field="files", params=params))
        return _Checked(file, name, "")
    if file.size > MOST_BYTES:
        words = _("“%(name)s” is larger than %(most)s.") % {**params, "most": filesizeformat(MOST_BYTES)}
        wrong.append(Refusal("file_too_large", words, field="files", params={**params, "most": MOST_BYTES}))
        return _Checked(file, name, "")
    media_type = media_type_of(file, name)
    if media_type is None:
        words = _("“%(name)s” is of a kind that is not accepted. Possible are %(types)s and measurement data.")
        fix = _("Pack it into a ZIP file, or save old Office documents in the new format.")
        words = words % {**params, "types": TYPES_IN_WORDS}
        wrong.append(Refusal("file_type", words, field="files", params=params, fix_text=fix))
    return _Checked(file, name, media_type or "")


def _store(checked: _Checked) -> Attachment:
    """The file under a name that says nothing; the row is not saved yet."""
    digest = hashlib.sha256()
    checked.file.seek(0)
    for chunk in checked.file.chunks():
        digest.update(chunk)
    attachment = Attachment(
        name=checked.name, media_type=checked.media_type, size=checked.file.size, sha256=digest.hexdigest()
    )
    attachment.content.save(secrets.token_hex(16), checked.file, save=False)
    return attachment


def _require_room(booking: Booking, attachments: Sequence[Attachment]) -> None:
    kept = Attachment.objects.filter(note__booking=booking).aggregate(total=Sum("size"))["total"] or 0
    if attachments and kept + sum(one.size for one in attachments) > MOST_BYTES_ALTOGETHER:
        words = _("The files of one booking take up %(most)s at most; %(left)s are left.")
        left = max(0, MOST_BYTES_ALTOGETHER - kept)
        raise refuse(
            "files_quota",
            words % {"most": filesizeformat(MOST_BYTES_ALTOGETHER), "left": filesizeformat(left)},
            params={"most": MOST_BYTES_ALTOGETHER, "left": left},
            fix_text=_("Send large data by other means, and its address here."),
        )


def _tell_other_side(booking: Booking, note: Note, attachments: Sequence[Attachment]) -> None:
    if note.side == Side.LAB:
        kind, readers = "booking_note", customers(booking) | _who_asked(booking)
    else:
        kind, readers = "booking_note_lab", managers(booking.instrument)
    cut = note.text if len(note.text) <= IN_MAIL else f"{note.text[:IN_MAIL]}…"
    tell(
        booking,
        kind,
        to=readers - {note.author_id},
        key=f"{kind}:{note.pk}",
        author=note.author.name,
        text=cut,
        files=[one.name for one in attachments],
    )


def _who_asked(booking: Booking) -> set[int]:
    """An administrator of the customer who wrote here, and still belongs to it."""
    authors = set(Note.objects.filter(booking=booking, side=Side.CUSTOMER).values_list("author_id", flat=True))
    own = {booking.user_id, booking.made_by_id}
    if authors <= own:
        return set()
    return authors & set(people_with(booking.organisation_id, Role.values))
