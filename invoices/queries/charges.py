"""Charges with the lines that stand."""

from __future__ import annotations

from django.db.models import Prefetch

from invoices import rules
from invoices.models import (
    Charge,
    ChargeLine,
    ChargeQuerySet,
    ChargeState,
    Stage,
)


def with_lines(charges: ChargeQuerySet) -> ChargeQuerySet:
    lines = Prefetch("lines", ChargeLine.objects.order_by("stage", "position"))
    related = charges.select_related("institution", "customer", "user", "project", "invoice")
    related = related.select_related("voucher_use__grant__scheme")
    return related.defer("invoice__snapshot").prefetch_related(lines)


def standing_lines(charge: Charge) -> list[ChargeLine]:
    """Of a charge fetched `with_lines`: what is owed, or quoted while it is only reserved. No query.

    Of a correction also the lines that take back those of another charge.
    """
    stage = Stage.RESERVED if charge.state == ChargeState.RESERVED else Stage.FINAL
    return rules.without_pairs([line for line in charge.lines.all() if line.stage == stage])
