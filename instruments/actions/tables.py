"""Tables that people upload: kept until they are imported, so that what was previewed is what is imported."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.utils import timezone

from backend.accounts.models import Organisation, User
from backend.core.db import atomic_action
from instruments.actions.import_rows import Report, check_table
from instruments.actions.importing import import_as_seen
from instruments.models import InstrumentTable

KEPT = timedelta(days=1)


@atomic_action
def keep_table(*, institution: Organisation, by: User, name: str, content: bytes) -> InstrumentTable:
    """Store what was uploaded; `Invalid` where it is no table or its header is not understood."""
    check_table(content)
    InstrumentTable.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    InstrumentTable.objects.filter(institution=institution, by=by).delete()
    return InstrumentTable.objects.create(
        institution=institution,
        by=by,
        name="".join(sign for sign in name if sign.isprintable())[-200:] or "table",
        content=content,
        digest=hashlib.sha256(content).hexdigest(),
    )


@atomic_action
def import_table(*, table: InstrumentTable, by: User, seen: str) -> tuple[Report, bool]:
    """Import exactly what the preview ``seen`` told; otherwise nothing is done and the new preview is returned."""
    report, done = import_as_seen(institution=table.institution, by=by, content=bytes(table.content), seen=seen)
    if done:
        table.delete()
    return report, done


@atomic_action
def discard_table(*, table: InstrumentTable) -> None:
    table.delete()
