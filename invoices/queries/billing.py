"""How organisations want to bill and to be billed."""

from __future__ import annotations

import base64
from typing import Any

from backend.core.errors import NotFound
from invoices.models import BillingSettings, Logo


def billing_of(organisation_id: int) -> BillingSettings:
    """The defaults, not saved, where nothing was chosen."""
    found = BillingSettings.objects.filter(organisation=organisation_id).first()
    return found or BillingSettings(organisation_id=organisation_id)


def logo_of(institution_id: int) -> Logo:
    """`NotFound` without one."""
    chosen = BillingSettings.objects.filter(organisation=institution_id).values("logo")
    found = Logo.objects.filter(pk__in=chosen, institution=institution_id).first()
    if found is None:
        raise NotFound
    return found


def logo_as_data(sha256: str) -> str:
    """The picture as an address that a document may load; empty without one. Its digest says that it is the same."""
    found = Logo.objects.filter(sha256=sha256).first() if sha256 else None
    if found is None:
        return ""
    return "data:image/png;base64," + base64.b64encode(bytes(found.content)).decode()


def with_logo(snapshot: dict[str, Any], institution_id: int) -> dict[str, Any]:
    """Names the logo of the day by its digest."""
    digest = BillingSettings.objects.filter(organisation=institution_id).values_list("logo__sha256", flat=True).first()
    return {**snapshot, "institution": {**snapshot["institution"], "logo": digest}} if digest else snapshot
