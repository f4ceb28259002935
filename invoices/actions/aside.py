"""What a price list posts beside the invoice: lines on other accounts, and lines that fall due in a later period.

Called within the action that settles the charge: the charge is locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Sum

from backend.core.db import atomic_action
from backend.core.money import ZERO
from invoices.actions.charges import reserve_charges
from invoices.actions.corrections import correct_charges
from invoices.models import AsideLine, Charge
from invoices.rules import Line, as_posted, four_places

LATER = "later"


@atomic_action
def note_aside(*, source: str, source_uid: UUID, lines: Sequence[tuple[str, Line]]) -> None:
    """Let exactly these lines (account and line) stand beside a charge: the difference to what stands is posted."""
    charge = Charge.objects.get(source=source, source_uid=source_uid)
    rows = AsideLine.objects.filter(charge=charge).order_by().values("account", "code", "name", "unit")
    standing = {
        (row["account"], row["code"]): (row, row["amounts"], row["quantities"] or ZERO)
        for row in rows.annotate(amounts=Sum("amount"), quantities=Sum("quantity"))
    }
    posted = []
    for account, line in lines:
        _row, amount, quantity = standing.pop((account, line.code), (None, ZERO, ZERO))
        fresh = as_posted(line)
        counted = (four_places(fresh.quantity) or ZERO) - quantity
        posted.append((account, replace(fresh, amount=fresh.amount - amount, quantity=counted)))
    for (account, code), (row, amount, quantity) in standing.items():
        posted.append((account, Line(code, row["name"], -quantity, row["unit"], None, -amount)))
    AsideLine.objects.bulk_create(
        AsideLine(
            charge=charge, account=account, code=line.code, name=line.name, quantity=four_places(line.quantity),
            unit=line.unit, amount=line.amount, why=line.why,
        )
        for account, line in posted
        if line.amount or line.quantity
    )  # fmt: skip


@atomic_action
def post_later(
    *,
    source: str,
    source_uid: UUID,
    correction_uid: UUID,
    lines: Sequence[tuple[date, Line]],
    differences: Sequence[str],
    by_id: int | None,
) -> None:
    """Let exactly these lines fall due on their days, each day by a charge of its own that is invoiced then."""
    root = Charge.objects.get(source=source, source_uid=source_uid)
    days = sorted({day for day, _line in lines})
    known = Charge.objects.filter(source=LATER, source_uid__in=[_uid(root, n) for n in range(len(days) + 12)]).count()
    for number in range(max(len(days), known)):
        day = days[number] if number < len(days) else root.service_date
        wanted = [line for each, line in lines if each == day] if number < len(days) else []
        if number >= known:
            reserve_charges(
                **_described(root), service=root.service,
                source=LATER, source_uid=_uid(root, number), service_date=day, lines=wanted, by_id=by_id,
            )  # fmt: skip
        correct_charges(
            source=LATER,
            source_uid=_uid(root, number),
            correction_uid=uuid5(correction_uid, f"{LATER}-{number}"),
            lines=wanted,
            differences=differences,
            service_date=day,
            by_id=by_id,
        )


def _uid(root: Charge, number: int) -> UUID:
    return uuid5(root.uid, f"{LATER}-{number}")


def _described(root: Charge) -> dict[str, Any]:
    kept = ("institution_id", "customer_id", "project_id", "user_id", "subject", "price_list", "currency")
    return {name: getattr(root, name) for name in kept}
