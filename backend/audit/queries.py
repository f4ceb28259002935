"""Reading the audit record."""

from __future__ import annotations

from typing import Any

from backend.audit.models import Entry


def entries_of(object_type: str, object_id: object) -> list[dict[str, Any]]:
    """Every act on one object, oldest first, for its history; one query.

    The reader's right to see the object is the caller's to check.
    """
    rows = Entry.objects.filter(object_type=object_type, object_id=str(object_id)).select_related("actor")
    return [
        {
            "at": entry.at,
            "action": entry.action,
            "by": {"id": entry.actor.pk, "name": str(entry.actor)} if entry.actor else None,
            "before": entry.before,
            "after": entry.after,
            "reason": entry.reason,
        }
        for entry in rows.order_by("at", "id")
    ]
