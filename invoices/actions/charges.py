"""The only writers of the ledger.

A charge action called from another app comes after that app's own locks: it locks the charge and ends at
the audit head.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.audit.actions import Act, record_all
from backend.core.db import atomic_action
from backend.core.errors import refuse
from backend.core.money import ZERO
from backend.core.prepared import insert, insert_all
from invoices.actions.covering import follow_charge
from invoices.actions.holding import freeze, refreeze, settle_held
from invoices.models import Charge, ChargeLine, ChargeState, Stage
from invoices.queries.means import Hold
from invoices.rules import Line, as_posted, four_places, reversal, total_of

SETTLED = (ChargeState.FINAL, ChargeState.INVOICED)


@atomic_action
def reserve_charges(
    *,
    source: str,
    source_uid: UUID,
    institution_id: int,
    customer_id: int,
    project_id: int | None,
    user_id: int,
    subject: str,
    service_date: date,
    price_list: str,
    currency: str,
    lines: Sequence[Line],
    service: Mapping[str, Any] | None = None,
    hold: Hold | None = None,
    by_id: int | None = None,
) -> Charge:
    """Note what a thing will cost: its source is charged once, however often this is called.

    Called again while it is reserved, it takes the old lines back by lines that point to them and posts the new ones;
    equal lines change nothing. `Refused` once it is final, invoiced or released, and where a prepaid account has less
    than the ``hold``. ``by_id`` is who acts if not ``user_id``, ``service`` what vouchers ask about the use.
    """
    described = {"subject": subject[:200], "service_date": service_date, "price_list": price_list[:100]}
    charge, created = Charge.objects.get_or_create(
        source=source,
        source_uid=source_uid,
        defaults={
            **described,
            "institution_id": institution_id,
            "customer_id": customer_id,
            "project_id": project_id,
            "user_id": user_id,
            "currency": currency,
            "service": dict(service or {}),
            **dict.fromkeys(("reserved_total", "total"), ZERO),
        },
    )
    if not created:
        charge = Charge.objects.select_for_update(no_key=True).get(pk=charge.pk)
        if charge.state != ChargeState.RESERVED:
            raise refuse("charge_not_reserved", _("This has been charged already; its quote cannot change any more."))
    before = figures(charge)
    changed = _quote(charge, lines, {**described, "project_id": project_id, "user_id": user_id})
    if not created:
        follow_charge(charge, by_id or user_id)
    freeze(charge, hold)
    if created or changed:
        record_charge(charge, "charge.reserved", {} if created else before, by_id or user_id)
    return charge


def _quote(charge: Charge, lines: Sequence[Line], fields: Mapping[str, Any]) -> bool:
    """Write the lines, their sum and the fields; whether the lines have changed."""
    changed = post_lines(charge, Stage.RESERVED, lines)
    for name, value in fields.items():
        setattr(charge, name, value)
    charge.reserved_total = charge.total = total_of([as_posted(line) for line in lines])
    charge.save(update_fields=[*fields, "reserved_total", "total"])
    return changed


def open_charge(
    *,
    source: str,
    source_uid: UUID,
    institution_id: int,
    customer_id: int,
    project_id: int | None,
    user_id: int,
    subject: str,
    service_date: date,
    price_list: str,
    currency: str,
    lines: Sequence[Line],
    service: Mapping[str, Any] | None = None,
    hold: Hold | None = None,
    by_id: int | None = None,
) -> Act:
    """`reserve_charges` for what was made in this transaction and has no charge yet; two queries.

    Returns the act for the institution's audit chain: the caller records it together with its own.
    """
    posted = [as_posted(line) for line in lines]
    total = total_of(posted)
    charge = insert(
        Charge(
            source=source,
            source_uid=source_uid,
            institution_id=institution_id,
            customer_id=customer_id,
            project_id=project_id,
            user_id=user_id,
            subject=subject[:200],
            service_date=service_date,
            price_list=price_list[:100],
            currency=currency,
            service=dict(service or {}),
            reserved_total=total,
            total=total,
        )
    )
    rows = (posted_line(charge, Stage.RESERVED, position, line) for position, line in enumerate(posted, 1))
    insert_all(rows, numbered=False)
    freeze(charge, hold)
    return act_of(charge, "charge.reserved", {}, by_id or user_id)


@atomic_action
def finalise_charges(
    *,
    source: str,
    source_uid: UUID,
    lines: Sequence[Line],
    differences: Sequence[str],
    service_date: date | None = None,
    by_id: int | None = None,
) -> Charge:
    """Post what is owed in the end; ``differences`` say in sentences why it is not what was quoted.

    May be called again until the charge is invoiced, e.g. when a use is corrected; the same lines again
    change nothing. `Refused` if nothing was reserved for the source or it stands on an issued invoice.
    """
    charge = lock_source(source, source_uid)
    if charge is None:
        raise refuse("nothing_reserved", _("Nothing has been quoted for this, so it cannot be charged."))
    return settle(charge, lines, list(differences), service_date or charge.service_date, by_id)


@atomic_action
def release_charges(
    *, source: str, source_uid: UUID, lines: Sequence[Line] = (), by_id: int | None = None
) -> Charge | None:
    """Nothing is owed any more, or only ``lines`` (late cancellation, no-show). None if nothing was reserved."""
    charge = lock_source(source, source_uid)
    if charge is None:
        return None
    if lines:
        return settle(charge, lines, [_("Cancelled or not used: only the fee for that is due.")], None, by_id)
    if charge.state == ChargeState.RELEASED:
        return charge
    _refuse_if_invoiced(charge)
    before = figures(charge)
    post_lines(charge, Stage.FINAL, ())
    charge.state, charge.total, charge.invoice = ChargeState.RELEASED, ZERO, None
    charge.differences, charge.finalised_at = [], timezone.now()
    charge.save(update_fields=["state", "total", "invoice", "differences", "finalised_at"])
    follow_charge(charge, by_id)
    settle_held(charge)
    record_charge(charge, "charge.released", before, by_id)
    return charge


@atomic_action
def reopen_charges(*, source: str, source_uid: UUID, by_id: int | None = None) -> Charge | None:
    """The thing takes place after all: what was posted at its end is taken back and the quote is reserved again.

    `Refused` once it stands on an issued invoice. None if nothing was reserved.
    """
    charge = lock_source(source, source_uid)
    if charge is None or charge.state == ChargeState.RESERVED:
        return charge
    _refuse_if_invoiced(charge)
    before = figures(charge)
    post_lines(charge, Stage.FINAL, ())
    charge.state, charge.total, charge.invoice = ChargeState.RESERVED, charge.reserved_total, None
    charge.differences, charge.finalised_at = [], None
    charge.save(update_fields=["state", "total", "invoice", "differences", "finalised_at"])
    follow_charge(charge, by_id)
    refreeze(charge)
    record_charge(charge, "charge.reopened", before, by_id)
    return charge


def settle(
    charge: Charge, lines: Sequence[Line], differences: list[str], service_date: date | None, by_id: int | None
) -> Charge:
    day = service_date or charge.service_date
    told = (charge.differences, charge.service_date) == (differences, day)
    if charge.state in SETTLED and told and same_lines(_standing(charge, Stage.FINAL), lines):
        return charge
    _refuse_if_invoiced(charge)
    before = figures(charge)
    post_lines(charge, Stage.FINAL, lines)
    charge.total = total_of([as_posted(line) for line in lines])
    charge.state, charge.differences, charge.service_date = ChargeState.FINAL, differences, day
    charge.finalised_at = timezone.now()
    charge.save(update_fields=["total", "state", "differences", "service_date", "finalised_at"])
    follow_charge(charge, by_id)
    settle_held(charge)
    record_charge(charge, "charge.finalised", before, by_id)
    return charge


def lock_source(source: str, source_uid: UUID) -> Charge | None:
    return Charge.objects.select_for_update(no_key=True).filter(source=source, source_uid=source_uid).first()


def _refuse_if_invoiced(charge: Charge) -> None:
    if charge.state == ChargeState.INVOICED:
        raise refuse(
            "charge_invoiced", _("This stands on an issued invoice; it can only be corrected by a credit note.")
        )


def _standing(charge: Charge, stage: Stage) -> list[ChargeLine]:
    """The lines that the charge itself has not taken back; what a later charge takes back stands here still."""
    mine = charge.lines.filter(stage=stage, corrects=None).exclude(corrections__charge=charge)
    return list(mine.order_by("position"))


def as_line(row: ChargeLine) -> Line:
    return Line(row.code, row.name, row.quantity, row.unit, row.unit_price, row.amount, row.why)


def same_lines(standing: Iterable[ChargeLine], lines: Sequence[Line]) -> bool:
    return [as_line(row) for row in standing] == [as_posted(line) for line in lines]


def post_lines(charge: Charge, stage: Stage, lines: Sequence[Line]) -> bool:
    """Let exactly ``lines`` stand at a stage: take back what stands, then post. False if they stand already."""
    standing = _standing(charge, stage)
    if same_lines(standing, lines):
        return False
    rows = [(reversal(as_line(old)), old) for old in standing] + [(line, None) for line in lines]
    write_lines(charge, stage, rows)
    return True


def write_lines(charge: Charge, stage: Stage, rows: Sequence[tuple[Line, ChargeLine | None]]) -> None:
    """Append lines, each with the one that it takes back."""
    first = charge.lines.filter(stage=stage).count() + 1
    ChargeLine.objects.bulk_create(
        posted_line(charge, stage, position, as_posted(line), corrects=old)
        for position, (line, old) in enumerate(rows, first)
    )


def posted_line(
    charge: Charge, stage: Stage, position: int, line: Line, *, corrects: ChargeLine | None = None
) -> ChargeLine:
    """The row of a line that is `as_posted`; not saved."""
    return ChargeLine(
        charge=charge,
        stage=stage,
        position=position,
        corrects=corrects,
        code=line.code,
        name=line.name,
        quantity=four_places(line.quantity),
        unit=line.unit,
        unit_price=four_places(line.unit_price),
        amount=line.amount,
        why=line.why,
    )


def figures(charge: Charge) -> dict[str, object]:
    drawn = {"frozen": charge.frozen, "prepaid": charge.prepaid} if charge.account_id else {}
    return {"state": charge.state, "total": charge.total, "service_date": charge.service_date, **drawn}


def record_charge(charge: Charge, action: str, before: dict[str, object], by_id: int | None) -> None:
    record_all(organisation_id=charge.institution_id, acts=[act_of(charge, action, before, by_id)])


def act_of(charge: Charge, action: str, before: dict[str, object], by_id: int | None) -> Act:
    return Act(
        actor_id=by_id,
        action=action,
        object_type="charge",
        object_id=charge.uid,
        before=before,
        after={**figures(charge), "differences": charge.differences},
    )
