"""Files that people send: checked by their content, kept under names that say nothing."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models import Model
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from backend.core.attachments import MOST_BYTES, MOST_FILES, TYPES_IN_WORDS, media_type_of, safe_name
from backend.core.errors import Refusal

T = TypeVar("T")

# A row with ``name``, ``media_type``, ``size``, ``sha256`` and the field ``content`` for the file itself.
Stored = TypeVar("Stored", bound=Model)


@dataclass(frozen=True, slots=True)
class Checked:
    file: File[Any]
    name: str
    media_type: str


def check_files(files: Sequence[File[Any]], wrong: list[Refusal]) -> list[Checked]:
    """Adds to ``wrong`` all that speaks against the files."""
    if len(files) > MOST_FILES:
        words = _("At most %(most)s files in one message.") % {"most": MOST_FILES}
        wrong.append(Refusal("too_many_files", words, field="files"))
    return [_check_file(file, wrong) for file in files[:MOST_FILES]]


def _check_file(file: File[Any], wrong: list[Refusal]) -> Checked:
    name = safe_name(file.name or "")
    params = {"name": name}
    if not file.size:
        wrong.append(Refusal("empty_file", _("“%(name)s” is empty.") % params, field="files", params=params))
        return Checked(file, name, "")
    if file.size > MOST_BYTES:
        words = _("“%(name)s” is larger than %(most)s.") % {**params, "most": filesizeformat(MOST_BYTES)}
        wrong.append(Refusal("file_too_large", words, field="files", params={**params, "most": MOST_BYTES}))
        return Checked(file, name, "")
    media_type = media_type_of(file, name)
    if media_type is None:
        words = _("“%(name)s” is of a kind that is not accepted. Possible are %(types)s and measurement data.")
        fix = _("Pack it into a ZIP file, or save old Office documents in the new format.")
        words = words % {**params, "types": TYPES_IN_WORDS}
        wrong.append(Refusal("file_type", words, field="files", params=params, fix_text=fix))
    return Checked(file, name, media_type or "")


def keep_files(checked: Sequence[Checked], model: type[Stored], write: Callable[[list[Stored]], T]) -> T:
    """Write the files before the transaction of ``write``, so that it stays short; removed when it fails."""
    stored: list[Stored] = []
    try:
        for one in checked:
            stored.append(_store(one, model))  # noqa: PERF401  (what is written must be known when the next one fails)
        return write(stored)
    except BaseException:
        for row in stored:
            default_storage.delete(row.content.name or "")  # type: ignore[attr-defined]
        raise


def _store(checked: Checked, model: type[Stored]) -> Stored:
    """The file under a name that says nothing; the row is not saved yet."""
    digest = hashlib.sha256()
    checked.file.seek(0)
    for chunk in checked.file.chunks():
        digest.update(chunk)
    row: Any = model(
        name=checked.name, media_type=checked.media_type, size=checked.file.size, sha256=digest.hexdigest()
    )
    row.content.save(secrets.token_hex(16), checked.file, save=False)
    return cast(Stored, row)
