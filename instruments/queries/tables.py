"""Tables that somebody uploaded: only they see them, and only while they may import."""

from __future__ import annotations

from backend.accounts.queries import Access
from backend.core.db import one
from instruments.models import InstrumentTable
from instruments.queries.rights import importable


def get_table(access: Access, pk: int) -> InstrumentTable:
    rows = InstrumentTable.objects.filter(by=access.user_id, institution__in=importable(access))
    return one(rows.select_related("institution"), pk)
