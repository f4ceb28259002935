"""Messages between the customer and the laboratory about a booking or about samples, with files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.files import File
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, NotFound, Refusal, refuse
from backend.core.files import Checked, check_files, keep_files
from backend.core.text import has_control_characters
from booking.actions.files import require_room
from booking.actions.order_steps import tell_order
from booking.actions.transitions import managers, tell
from booking.models import OPEN_ORDERS, Attachment, Booking, Note, SampleOrder, Side

# What people write to each other about.
Topic = Booking | SampleOrder

MOST_TEXT = 5000
# How much of the text a mail repeats.
IN_MAIL = 1500
OPEN_AFTER_END = timedelta(days=90)


def add_note(*, booking: Topic, by: User, side: Side, text: str = "", files: Sequence[File[Any]] = ()) -> Note:
    """Say something to the other side, who is told. Needs a text or a file; open until 90 days after the end.

    ``booking`` may also be a sample order. The files are written before the transaction begins, and removed when it
    fails.
    """
    text = text.replace("\r\n", "\n").strip()
    checked = _check(text, files)

    def write(rows: list[Attachment]) -> Note:
        return _write(about=booking, by=by, side=side, text=text, attachments=rows)

    return keep_files(checked, Attachment, write)


@atomic_action
def _write(*, about: Topic, by: User, side: Side, text: str, attachments: Sequence[Attachment]) -> Note:
    fresh = _locked(about)
    now = timezone.now()
    if not is_open(fresh):
        raise refuse(
            "conversation_closed", _("Messages about a booking end 90 days after it. Please call the laboratory.")
        )
    kept = Attachment.objects.filter(**{f"note__{link}": one for link, one in _link(fresh).items()})
    require_room(kept.aggregate(total=Sum("size"))["total"] or 0, attachments)
    note = Note.objects.create(**_link(fresh), side=side, author=by, text=text, at=now)
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
        after={**{name: one.pk for name, one in _link(fresh).items()}, "side": side}
        | {"files": [one.name for one in attachments]},
    )
    return note


def _locked(about: Topic) -> Topic:
    """One message after the other, so that together they keep within what may be held."""
    related = ("instrument__institution", "organisation", "user", "made_by")
    rows = type(about).objects.select_for_update(of=("self",), no_key=True).select_related(*related)
    fresh: Topic | None = rows.filter(pk=about.pk).first()
    if fresh is None:
        raise NotFound
    return fresh


def _link(about: Topic) -> dict[str, Topic]:
    return {"order" if isinstance(about, SampleOrder) else "booking": about}


def is_open(about: Topic) -> bool:
    if isinstance(about, Booking):
        return timezone.now() < about.end + OPEN_AFTER_END
    return about.status in OPEN_ORDERS or timezone.now() < about.changed_at + OPEN_AFTER_END


def _check(text: str, files: Sequence[File[Any]]) -> list[Checked]:
    """Everything that is wrong with a message, at once."""
    wrong: list[Refusal] = []
    if not text and not files:
        wrong.append(Refusal("empty", _("Please write something or attach a file."), field="text"))
    if len(text) > MOST_TEXT:
        wrong.append(Refusal("too_long", _("At most %(most)s characters.") % {"most": MOST_TEXT}, field="text"))
    if has_control_characters(text):
        words = _("The text contains characters that cannot be stored or shown.")
        wrong.append(Refusal("control_characters", words, field="text"))
    checked = check_files(files, wrong)
    if wrong:
        raise Invalid(*wrong)
    return checked


def _tell_other_side(about: Topic, note: Note, attachments: Sequence[Attachment]) -> None:
    to = {about.user_id, about.made_by_id} | _who_asked(about) if note.side == Side.LAB else managers(about.instrument)
    to -= {note.author_id}
    cut = note.text if len(note.text) <= IN_MAIL else f"{note.text[:IN_MAIL]}…"
    said: dict[str, Any] = {"author": note.author.name, "text": cut, "files": [one.name for one in attachments]}
    if isinstance(about, SampleOrder):
        kind = "samples_note" if note.side == Side.LAB else "samples_note_lab"
        tell_order(about, kind, to=to, key=f"{kind}:{note.pk}", **said)
    else:
        kind = "booking_note" if note.side == Side.LAB else "booking_note_lab"
        tell(about, kind, to=to, key=f"{kind}:{note.pk}", **said)


def _who_asked(about: Topic) -> set[int]:
    """An administrator of the customer who wrote here, and still belongs to it."""
    authors = set(Note.objects.filter(**_link(about), side=Side.CUSTOMER).values_list("author_id", flat=True))
    own = {about.user_id, about.made_by_id}
    if authors <= own:
        return set()
    return authors & set(people_with(about.organisation_id, Role.values))
