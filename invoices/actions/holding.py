"""What a charge draws from a prepaid account: frozen while it is reserved, settled once it is final.

Each function lets exactly that stand which should, like the lines of the ledger; nothing is edited. The caller holds
the charge's lock; locks: the account.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from backend.core.errors import Refused
from backend.core.money import ZERO, add_up, format_amount
from invoices import rules
from invoices.actions.telling import tell_low
from invoices.models import Charge, ChargeState, EntryKind, Invoice, PrepaidAccount, PrepaidEntry, UseState, VoucherUse
from invoices.queries.means import Hold, too_low


def lock_account(pk: int) -> PrepaidAccount:
    rows = PrepaidAccount.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("institution", "customer").get(pk=pk)


def lock_accounts(institutions: Iterable[int], customer: int) -> None:
    """All of a customer at some institutions by id, where one transaction will draw on them several times."""
    rows = PrepaidAccount.objects.filter(institution__in=set(institutions), customer=customer)
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def freeze(charge: Charge, hold: Hold | None) -> None:
    """Let exactly the hold be frozen for a reserved charge, none without one.

    `Refused` where the account has less, unless as far as it goes is enough.
    """
    if charge.account_id is None and hold is None:
        return
    if charge.account_id is not None and (hold is None or hold.account_id != charge.account_id):
        _stand(charge, lock_account(charge.account_id), frozen=ZERO, prepaid=ZERO)
        _keep(charge, account_id=None)
    if hold is None:
        return
    if hold.account_id is None:
        if not hold.as_far_as:
            raise Refused(too_low(hold, charge.institution.name))
        return
    account = lock_account(hold.account_id)
    room = account.available + charge.frozen + charge.prepaid
    if hold.amount > room and not hold.as_far_as:
        there = Hold(hold.amount, hold.currency, account.pk, room)
        raise Refused(too_low(there, account.institution.name))
    _stand(charge, account, frozen=min(hold.amount, max(room, ZERO)), prepaid=ZERO)


def refreeze(charge: Charge) -> None:
    """What was charged is given back, and what had been frozen before is frozen again as far as there is some."""
    if charge.account_id is None:
        return
    account = lock_account(charge.account_id)
    freed = charge.prepaid_entries.filter(held__lt=0).order_by("-pk").values_list("held", flat=True).first()
    wanted = -(freed or ZERO)
    _stand(charge, account, frozen=min(wanted, account.available + charge.frozen + charge.prepaid), prepaid=ZERO)


def settle_held(charge: Charge) -> None:
    """Take what is owed from the account, also beyond what was frozen as far as there is some; release the rest.

    What vouchers cover is not taken. What a correction takes back returns to the account, at most what its family drew
    from it. The remainder is billed.
    """
    if charge.account_id is None or charge.state == ChargeState.RESERVED:
        return
    account = lock_account(charge.account_id)
    room = account.available + charge.frozen + charge.prepaid
    if charge.state == ChargeState.RELEASED or charge.total == 0:
        target = ZERO
    elif charge.total > 0:
        own = max(charge.total - _covered(charge), ZERO)
        target = own
    else:
        target = -min(-charge.total, _drawn_by_others(charge))
    _stand(charge, account, frozen=ZERO, prepaid=min(target, room))


def settle_on_invoice(invoice: Invoice, snapshot: dict[str, Any], charges: Sequence[Charge]) -> None:
    """Write what was settled from accounts into an invoice that is issued, and into its snapshot; neither is saved.

    Where credits make the invoice smaller than what was drawn for it, the excess returns to the accounts: never to be
    paid is less than nothing.
    """
    drawn = add_up(charge.prepaid for charge in charges)
    excess = drawn + invoice.settled - invoice.total
    for charge in charges:
        if excess <= 0:
            break
        returned = min(excess, charge.prepaid)
        if charge.account_id is not None and returned > 0:
            _stand(charge, lock_account(charge.account_id), frozen=ZERO, prepaid=charge.prepaid - returned)
            excess -= returned
    drawn = add_up(charge.prepaid for charge in charges)
    if drawn:
        invoice.settled += drawn
        snapshot["prepaid"] = format_amount(drawn)


def plan_prepaid_return(credited: Mapping[int, Decimal], vouchers: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """What returns to accounts when charges are credited: charge → amount, below zero.

    ``credited`` is the sum that is taken back of each charge, above zero; ``vouchers`` what goes back to vouchers of
    it, below zero. What the invoice itself still asks for is taken back first.
    """
    back: dict[int, Decimal] = {}
    for charge in Charge.objects.filter(pk__in=list(credited)).exclude(account=None).order_by("pk"):
        family = _family(charge)
        drawn = -(PrepaidEntry.objects.filter(charge__in=family).aggregate(sum=Sum("amount"))["sum"] or ZERO)
        owed = family.exclude(state=ChargeState.RELEASED).aggregate(sum=Sum("total"))["sum"] or ZERO
        covered = VoucherUse.objects.filter(charge__in=family).exclude(state=UseState.RELEASED)
        by_vouchers = (covered.aggregate(sum=Sum("amount"))["sum"] or ZERO) + vouchers.get(charge.pk, ZERO)
        left = max(owed - credited[charge.pk] - by_vouchers, ZERO)
        if drawn > left:
            back[charge.pk] = left - drawn
    return back


def return_mirrored(mirror: Charge) -> None:
    """The entry for it: the mirror has been written, and nothing of what is issued changes any more."""
    if mirror.account_id is not None and mirror.prepaid < 0:
        post_entry(lock_account(mirror.account_id), EntryKind.RETURN, amount=-mirror.prepaid, charge=mirror)


def _family(charge: Charge) -> QuerySet[Charge]:
    root = charge.original_id or charge.pk
    return Charge.objects.filter(Q(pk=root) | Q(original=root), account=charge.account_id)


def _drawn_by_others(charge: Charge) -> Decimal:
    entries = PrepaidEntry.objects.filter(charge__in=_family(charge).exclude(pk=charge.pk))
    return max(-(entries.aggregate(sum=Sum("amount"))["sum"] or ZERO), ZERO)


def _covered(charge: Charge) -> Decimal:
    uses = VoucherUse.objects.filter(charge=charge).exclude(state=UseState.RELEASED)
    return uses.values_list("amount", flat=True).first() or ZERO


def _stand(charge: Charge, account: PrepaidAccount, *, frozen: Decimal, prepaid: Decimal) -> None:
    """Post the difference between what stands and what should; the account is locked."""
    amount, held = charge.prepaid - prepaid, frozen - charge.frozen
    if amount == 0 and held == 0:
        return
    post_entry(account, _kind(amount, held), amount=amount, held=held, charge=charge)
    _keep(charge, account_id=account.pk, frozen=frozen, prepaid=prepaid)


def _kind(amount: Decimal, held: Decimal) -> EntryKind:
    if amount:
        return EntryKind.SETTLE if amount < 0 else EntryKind.RETURN
    return EntryKind.FREEZE if held > 0 else EntryKind.RELEASE


def _keep(charge: Charge, **values: object) -> None:
    for name, value in values.items():
        setattr(charge, name, value)
    Charge.objects.filter(pk=charge.pk).update(**values)


def post_entry(
    account: PrepaidAccount,
    kind: EntryKind,
    *,
    amount: Decimal = ZERO,
    held: Decimal = ZERO,
    charge: Charge | None = None,
    date: datetime.date | None = None,
    by_id: int | None = None,
    reverses: PrepaidEntry | None = None,
    reference: str = "",
    note: str = "",
) -> PrepaidEntry:
    """Append one movement and keep the sums beside it; the account is locked.

    The sums are changed by what the database holds, not by what was read: its check refuses what would go below zero
    even without the lock.
    """
    PrepaidAccount.objects.filter(pk=account.pk).update(balance=F("balance") + amount, frozen=F("frozen") + held)
    account.balance, account.frozen = account.balance + amount, account.frozen + held
    entry = PrepaidEntry.objects.create(
        account=account,
        kind=kind,
        amount=amount,
        held=held,
        balance_after=account.balance,
        frozen_after=account.frozen,
        charge=charge,
        date=date or rules.day_at(account.institution, timezone.now()),
        recorded_by_id=by_id,
        reverses=reverses,
        reference=reference,
        note=note,
    )
    tell_low(account)
    return entry
