"""Delivering results as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.files import File
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal
from backend.core.files import check_files, keep_files
from booking.actions.files import require_room
from booking.actions.order_steps import (
    lock_order,
    move_order,
    note_order,
    order_customers,
    require_other,
    require_step,
    tell_order,
)
from booking.models import OrderStatus, ResultFile, SampleOrder


def deliver_results(*, order: SampleOrder, by: User, files: Sequence[File[Any]]) -> list[ResultFile]:
    """Add files to the order. The customer is given them when it is done; what comes later, at once."""
    wrong: list[Refusal] = []
    if not files:
        wrong.append(Refusal("no_file", _("Please choose a file."), field="files"))
    checked = check_files(files, wrong)
    if wrong:
        raise Invalid(*wrong)
    return keep_files(checked, ResultFile, lambda rows: _write(order=order, by=by, rows=rows))


@atomic_action
def _write(*, order: SampleOrder, by: User, rows: list[ResultFile]) -> list[ResultFile]:
    order = lock_order(order)
    require_step(order, "deliver")
    require_other(order, by)
    require_room(order.results.aggregate(total=Sum("size"))["total"] or 0, rows)
    now = timezone.now()
    for row in rows:
        row.order, row.by, row.at = order, by, now
    ResultFile.objects.bulk_create(rows)
    names = [row.name for row in rows]
    before = move_order(order, "deliver", at=now)
    if order.status == OrderStatus.DONE:
        tell_order(order, "samples_results", to=order_customers(order), files=names)
    note_order(order, "deliver", by=by, before=before, files=names)
    return rows


@atomic_action
def withdraw_result(*, result: ResultFile, by: User) -> ResultFile:
    """Take a wrong file back, as long as nobody was given it."""
    order = lock_order(result.order)
    require_step(order, "withdraw_result")
    require_other(order, by)
    now = timezone.now()
    ResultFile.objects.filter(pk=result.pk).update(withdrawn_at=now)
    before = move_order(order, "withdraw_result", at=now)
    note_order(order, "withdraw_result", by=by, before=before, file=result.name)
    return result
