"""What it means when those who must agree to a sample order say nothing until the day that the rules name."""

from __future__ import annotations

import logging

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.core.db import atomic_action
from booking.actions.order_steps import SOURCE, lock_order, move_order, note_order, order_customers, tell_order
from booking.actions.transitions import managers
from booking.models import OrderStatus, SampleOrder
from invoices.actions.charges import release_charges

log = logging.getLogger(__name__)


@atomic_action
def end_silence(*, order: SampleOrder) -> bool:
    """The roles that said nothing agree, or the order is rejected, as the rules have it; False where they answered."""
    order = lock_order(order)
    now = timezone.now()
    given = {one["role"] for one in order.agreed}
    silent = [role for role in order.approval_roles if role not in given]
    if order.status != OrderStatus.SUBMITTED or order.answer_by is None or order.answer_by > now or not silent:
        SampleOrder.objects.filter(pk=order.pk, answer_by__lte=now).update(answer_by=None)
        return False
    if order.silence == "consent":
        said = [{"role": role, "by": "", "at": now.isoformat()} for role in silent]
        before = move_order(order, "agree", at=now, agreed=[*order.agreed, *said], answer_by=None)
        note_order(order, "agree", by=None, before=before, roles=silent)
        return True
    with translation.override(order.user.language):
        reason = _("Nobody agreed in time, which the rules take for a refusal.")
    before = move_order(order, "reject", at=now, closed_at=now, reason=reason, answer_by=None)
    release_charges(source=SOURCE, source_uid=order.uid)
    tell_order(order, "samples_rejected", to=order_customers(order) | managers(order.instrument))
    note_order(order, "reject", by=None, before=before, reason=reason)
    return True


def consent_by_silence() -> int:
    """Every minute; how many orders went on or ended."""
    due = SampleOrder.objects.filter(status=OrderStatus.SUBMITTED, answer_by__lte=timezone.now())
    done = 0
    for order in list(due.order_by("answer_by")[:500]):
        try:
            done += end_silence(order=order)
        except Exception:
            log.exception("the silence about sample order %s could not be ended", order.pk)
    return done
