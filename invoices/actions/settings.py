"""How an institution's exports are filled: saved by its finance. Locks: the institution, audit head."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Stale
from invoices.books.mapping import read_mapping
from invoices.fapiao.filling import read_filling
from invoices.models import BookKind, BookSetting

_READERS = {BookKind.FAPIAO: read_filling, BookKind.ACCOUNTS: read_mapping}


@atomic_action
def save_setting(
    *, institution: Organisation, kind: BookKind, content: dict[str, Any], by: User, version: int | None = None
) -> BookSetting:
    """Replace what was saved. `Invalid` names every fault; `Stale` if it is not ``version`` any more (0: not saved)."""
    Organisation.objects.select_for_update(no_key=True).get(pk=institution.pk)
    _READERS[kind](content)
    found = BookSetting.objects.filter(institution=institution, kind=kind).first()
    before = found.content if found else {}
    if version is not None and version != (found.version if found else 0):
        raise Stale(detail=_("Somebody else saved these settings meanwhile. Load them again."))
    if found is None:
        found = BookSetting.objects.create(institution=institution, kind=kind, content=content, changed_by=by)
    elif before != content:
        found.content, found.version, found.changed_by = content, found.version + 1, by
        found.save(update_fields=["content", "version", "changed_by", "changed_at"])
    else:
        return found
    record(
        organisation_id=institution.pk,
        actor_id=by.pk,
        action="book_setting.saved",
        object_type="book_setting",
        object_id=f"{institution.pk}-{kind}",
        before={"content": before},
        after={"content": content, "version": found.version},
    )
    return found
