"""Corrections of what stands on an issued invoice: nothing issued changes, the difference is a charge of its own.

A *family* is a charge and its successors (``original``): corrections, mirrors on credit notes, new bills. What is
owed for the thing that happened are the lines of the family that nothing in effect takes back.
Locks: the first charge of the family; audit head.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.core.db import atomic_action
from backend.core.errors import refuse
from backend.core.money import ZERO
from invoices.actions.charges import as_line, lock_source, record_charge, settle, write_lines
from invoices.actions.covering import follow_charge
from invoices.actions.holding import settle_held
from invoices.models import Charge, ChargeLine, ChargeState, Stage
from invoices.rules import Line, as_posted, in_effect, reversal, total_of

CORRECTION = "correction"


@atomic_action
def correct_charges(
    *,
    source: str,
    source_uid: UUID,
    correction_uid: UUID,
    lines: Sequence[Line],
    differences: Sequence[str],
    service_date: date,
    by_id: int | None,
) -> Charge:
    """Let exactly ``lines`` be owed for a source, whether or not it has been invoiced. Returns what holds the result.

    Until the charge stands on an issued invoice (also while it is on a draft) this is `finalise_charges`. Afterwards
    a new final charge is posted, once for each ``correction_uid``: its lines take back what stands, earlier
    corrections included, and post the new ones; the next statement bills or credits its total. If the same is owed
    as before, nothing is posted and the first charge is returned. `Refused` if nothing was reserved for the source.
    """
    root = lock_source(source, source_uid)
    if root is None:
        raise refuse("nothing_reserved", _("Nothing has been quoted for this, so it cannot be charged."))
    if root.state != ChargeState.INVOICED:
        return settle(root, lines, list(differences), service_date, by_id)
    earlier = Charge.objects.filter(source=CORRECTION, source_uid=correction_uid, original=root).first()
    if earlier is not None:
        return earlier
    posted = post_difference(
        root,
        lines,
        source=CORRECTION,
        source_uid=correction_uid,
        differences=differences,
        service_date=service_date,
        by_id=by_id,
    )
    return posted or root


def family_standing(root: Charge) -> list[ChargeLine]:
    """The final lines that are owed in the whole family of its first charge, in the order of posting."""
    family = Q(charge=root) | Q(charge__original=root)
    lines = list(ChargeLine.objects.filter(family, stage=Stage.FINAL).order_by("pk"))
    stand = in_effect({line.pk: line.corrects_id for line in lines})
    return [line for line in lines if line.corrects_id is None and line.pk in stand]


def post_difference(
    root: Charge,
    lines: Sequence[Line],
    *,
    source: str,
    source_uid: UUID,
    differences: Sequence[str],
    service_date: date,
    by_id: int | None,
) -> Charge | None:
    """A new final charge that makes ``lines`` the ones that are owed; None if they are owed already.

    The family's first charge is locked.
    """
    standing = family_standing(root)
    if _results(as_line(row) for row in standing) == _results(as_posted(line) for line in lines):
        return None
    rows = [(reversal(as_line(old)), old) for old in standing] + [(line, None) for line in lines]
    return _post(root, rows, source, source_uid, differences, service_date, by_id)


def post_new(
    root: Charge,
    lines: Sequence[Line],
    *,
    source: str,
    source_uid: UUID,
    differences: Sequence[str],
    service_date: date,
    by_id: int | None,
) -> Charge:
    """A new final charge of the family with exactly these lines, beside what stands. Its first charge is locked."""
    return _post(root, [(line, None) for line in lines], source, source_uid, differences, service_date, by_id)


def _post(
    root: Charge,
    rows: Sequence[tuple[Line, ChargeLine | None]],
    source: str,
    source_uid: UUID,
    differences: Sequence[str],
    service_date: date,
    by_id: int | None,
) -> Charge:
    charge = Charge.objects.create(
        **described(root),
        source=source,
        source_uid=source_uid,
        service_date=service_date,
        state=ChargeState.FINAL,
        reserved_total=ZERO,
        total=total_of([as_posted(line) for line, _old in rows]),
        differences=list(differences),
        finalised_at=timezone.now(),
        original=root,
    )
    write_lines(charge, Stage.FINAL, rows)
    follow_charge(charge, by_id)
    settle_held(charge)
    record_charge(charge, f"charge.{source}_posted", {}, by_id)
    return charge


def described(root: Charge) -> dict[str, object]:
    kept = ("institution_id", "customer_id", "project_id", "user_id", "subject", "price_list", "currency", "account_id")
    return {name: getattr(root, name) for name in kept}


def _results(lines: Iterable[Line]) -> list[tuple[object, ...]]:
    """What is owed, without the words for it: another wording alone is no reason for a correction."""
    return [(line.code, line.quantity, line.unit, line.unit_price, line.amount) for line in lines]
