"""What vouchers cover of charges: chosen for a charge, it follows the charge until that is invoiced.

Every caller has locked the charge. Locks: the family's uses, year accounts by id, vouchers by id. The row of the year
account is what keeps many bookings at many institutions within the cap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import NotFound, Refused, refuse
from backend.core.money import ZERO, add_up, format_amount, in_capitals
from invoices import voucher_rules
from invoices.actions.holding import settle_held
from invoices.models import Charge, ChargeState, Invoice, UseState, VoucherAccount, VoucherGrant, VoucherUse
from invoices.queries.covering import service_of
from invoices.voucher_rules import Cover, Room

_FIGURES = ("grant", "account", "state", "amount", "bonus", "limits")


@atomic_action
def cover_charge(*, source: str, source_uid: UUID, grant: VoucherGrant, declared: bool, by: User) -> VoucherUse:
    """Reserve a voucher for what was quoted or is to be invoiced (冻结), in place of another that was chosen before.

    `Refused` with every reason against it; also where nothing is left of the voucher or of the year's cap.
    """
    charge = Charge.objects.select_for_update(no_key=True).filter(source=source, source_uid=source_uid).first()
    if charge is None:
        raise NotFound
    _refuse_uncoverable(charge)
    wanted = VoucherGrant.objects.select_related("scheme", "enterprise").get(pk=grant.pk)
    reasons = voucher_rules.reasons_against(wanted, service_of(charge), declared=declared)
    if reasons:
        raise Refused(*reasons)
    _give_up(charge, by)
    account = year_account(wanted, charge.service_date.year)
    account, fresh = lock_room(account, wanted)
    share = voucher_rules.share_for(wanted.scheme.shares, wanted.enterprise_type, service_of(charge).mode)
    if share is None:
        raise NotFound  # has been refused above
    covered = voucher_rules.cover(
        base=charge.total, charged=charge.total, percent=share.percent, others=ZERO, room=room_of(fresh, account)
    )
    if covered.amount <= 0:
        raise refuse("nothing_left", _nothing(covered, charge))
    use = VoucherUse(
        charge=charge,
        root=charge,
        grant=fresh,
        account=account,
        percent=share.percent,
        host_percent=share.host_percent,
        quoted=covered.amount,
        amount=ZERO,
        declared_at=timezone.now(),
        declared_by=by,
    )
    _take(use, covered)
    use.save()
    settle_held(charge)
    _note(use, charge, "voucher.reserved", by.pk)
    return use


@atomic_action
def uncover_charge(*, source: str, source_uid: UUID, by: User) -> None:
    """Give the voucher back before the charge is invoiced. `Refused` afterwards."""
    charge = Charge.objects.select_for_update(no_key=True).filter(source=source, source_uid=source_uid).first()
    if charge is None:
        raise NotFound
    _refuse_uncoverable(charge)
    if not _give_up(charge, by):
        raise refuse("no_voucher", _("No voucher was chosen for this."))
    settle_held(charge)


def follow_charge(charge: Charge, by_id: int | None = None) -> None:
    """Bring what a voucher covers in line with a charge that was just written. Nothing without a voucher; one query.

    Less is owed: the rest is free again. More: as far as the scheme, the voucher and the year's cap allow.
    """
    root_id = charge.original_id or charge.pk
    uses = list(VoucherUse.objects.filter(root=root_id).select_for_update(no_key=True).order_by("pk"))
    if not uses:
        return
    own = next((use for use in uses if use.charge_id == charge.pk), None)
    if own is not None and own.state == UseState.REDEEMED:
        return
    others = [use for use in uses if use is not own and use.state != UseState.RELEASED]
    use = own or _successor(uses[0], charge)
    _adjust(use, charge, add_up(other.amount for other in others), by_id)


def _successor(first: VoucherUse, charge: Charge) -> VoucherUse:
    """A use of the same voucher for what corrects, credits or bills anew; not saved."""
    return VoucherUse(
        charge=charge,
        root_id=first.root_id,
        grant_id=first.grant_id,
        account_id=first.account_id,
        percent=first.percent,
        host_percent=first.host_percent,
        quoted=first.quoted,
        amount=ZERO,
        declared_at=first.declared_at,
        declared_by_id=first.declared_by_id,
    )


def _adjust(use: VoucherUse, charge: Charge, others: Decimal, by_id: int | None) -> None:
    grant = VoucherGrant.objects.select_related("scheme", "enterprise").get(pk=use.grant_id)
    account = VoucherAccount.objects.get(pk=use.account_id)
    moved = use.charge_id == use.root_id and account.year != charge.service_date.year
    wanted = year_account(grant, charge.service_date.year) if moved else account
    if moved:  # the old year's account and the new one's, by id
        locked = {row.pk: row for row in _lock_accounts({account.pk, wanted.pk})}
        account, wanted = locked[account.pk], locked[wanted.pk]
        fresh = _lock_grant(grant)
    else:
        account, fresh = lock_room(account, grant)
        wanted = account
    use.grant, use.account = fresh, account
    before = (use.state, use.amount)
    covered = _covered(use, charge, others, fresh, wanted)
    _put_back(use)
    use.account = wanted
    if charge.state == ChargeState.RESERVED:
        use.quoted = covered.amount
    _take(use, covered)
    use.state = UseState.RELEASED if charge.state == ChargeState.RELEASED else UseState.RESERVED
    if charge.state == ChargeState.INVOICED:
        use.state, use.redeemed_at = UseState.REDEEMED, timezone.now()
    created = use.pk is None
    use.save()
    if created or before != (use.state, use.amount):
        action = "voucher.released" if use.state == UseState.RELEASED else "voucher.adjusted"
        _note(use, charge, action, by_id, {"state": before[0], "amount": before[1]})


def _covered(use: VoucherUse, charge: Charge, others: Decimal, grant: VoucherGrant, account: VoucherAccount) -> Cover:
    if charge.state == ChargeState.RELEASED:
        return Cover(ZERO)
    against = next(voucher_rules.dated_reasons(grant, charge.service_date), None)
    if against is not None and use.charge_id == use.root_id:
        return Cover(ZERO, [against.code])
    room = room_of(grant, account)
    mine = use.amount if account.pk == use.account_id else ZERO
    year = None if room.year is None else room.year + mine
    return voucher_rules.cover(
        base=family_total(use.root_id),
        charged=charge.total,
        percent=use.percent,
        others=others,
        room=Room(room.grant + use.amount, year),
        most=voucher_rules.most_of(grant.scheme, charge.state, use.quoted),
    )


def family_total(root_id: int) -> Decimal:
    """What a charge and its successors come to; one that was released counts nothing."""
    family = Charge.objects.filter(Q(pk=root_id) | Q(original=root_id)).exclude(state=ChargeState.RELEASED)
    return family.aggregate(sum=Sum("total"))["sum"] or ZERO


# --- invoicing and crediting -----------------------------------------------------------------------------------------


def lock_uses(charges: Iterable[Charge]) -> list[VoucherUse]:
    """The uses of these charges, by the order of the charges on the document; with all that a document shows."""
    rows = VoucherUse.objects.filter(charge__in=[charge.pk for charge in charges]).exclude(amount=0)
    rows = rows.select_for_update(of=("self",), no_key=True)
    found = list(rows.select_related("grant__scheme", "charge").order_by("pk"))
    return sorted(found, key=lambda use: (use.charge.service_date, use.charge_id))


def set_off(invoice: Invoice, snapshot: dict[str, Any], uses: Sequence[VoucherUse]) -> None:
    """Write what vouchers cover into the invoice and its snapshot; neither is saved. Nothing without a use.

    `Refused` where that is more than the invoice comes to: then the customer would have to be paid.
    """
    if not uses:
        return
    amount = add_up(use.amount for use in uses)
    if amount > invoice.total:
        raise refuse(
            "voucher_above_total",
            _("Vouchers cover %(amount)s, which is more than the total of %(total)s.")
            % {"amount": format_amount(amount), "total": format_amount(invoice.total)},
            fix_text=_("Delete the draft: its charges wait for the next month and are set off then."),
        )
    own = invoice.total - amount
    words = in_capitals(own) if invoice.currency == "CNY" else ""
    snapshot["voucher"] = voucher_rules.voucher_block(uses, invoice.total, in_words=words)
    invoice.settled += amount


def redeem_uses(uses: Sequence[VoucherUse], by: User) -> None:
    """核销: what was reserved is now owed by the network. The charges stand on an issued invoice; no amount changes."""
    now = timezone.now()
    VoucherUse.objects.filter(pk__in=[use.pk for use in uses]).update(state=UseState.REDEEMED, redeemed_at=now)
    for use in uses:
        use.state, use.redeemed_at = UseState.REDEEMED, now
        _note(use, use.charge, "voucher.redeemed", by.pk)


def plan_return(credited: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """What vouchers get back when charges are credited: charge → amount, below zero where it had covered something.

    ``credited`` is the sum that is taken back of each charge, above zero. Locks uses, accounts and vouchers, so that
    `give_back` does exactly this.
    """
    uses = list(VoucherUse.objects.filter(charge__in=list(credited)).select_for_update(no_key=True).order_by("pk"))
    accounts = {row.pk: row for row in _lock_accounts({use.account_id for use in uses})}
    grants = {row.pk: row for row in _lock_grants({use.grant_id for use in uses})}
    families = {use.root_id: _family(use) for use in uses}
    charged = dict(Charge.objects.filter(pk__in=list(credited)).values_list("pk", "total"))
    back: dict[int, Decimal] = {}
    for use in uses:
        taken, family = credited[use.charge_id], families[use.root_id]
        if taken == charged[use.charge_id]:
            returned = -use.amount
        else:
            share = voucher_rules.share_of(family[0] - taken, use.percent)
            returned = max(-use.amount, min(ZERO, share - family[1]))
        if returned > 0:  # a correction that had lowered it is taken back: as far as there is room
            left = room_of(grants[use.grant_id], accounts[use.account_id])
            returned = max(ZERO, min(returned, left.grant, returned if left.year is None else left.year))
        family[0] -= taken
        family[1] += returned
        if returned:
            back[use.charge_id] = returned
    return back


def _family(use: VoucherUse) -> list[Decimal]:
    """What the family of a use costs and what vouchers cover of it."""
    family = VoucherUse.objects.filter(root=use.root_id).exclude(state=UseState.RELEASED)
    return [family_total(use.root_id), family.aggregate(sum=Sum("amount"))["sum"] or ZERO]


def give_back(mirror: Charge, credited: Charge, amount: Decimal, by_id: int) -> None:
    """What `plan_return` said, for the charge on a credit note that mirrors another."""
    first = VoucherUse.objects.get(charge=credited)
    account, grant = lock_room(VoucherAccount.objects.get(pk=first.account_id), first.grant)
    use = _successor(first, mirror)
    use.grant, use.account = grant, account
    _take(use, Cover(amount))
    use.state, use.redeemed_at = UseState.REDEEMED, timezone.now()
    use.save()
    _note(use, mirror, "voucher.given_back", by_id)


# --- the rows that hold the sums -------------------------------------------------------------------------------------


def year_account(grant: VoucherGrant, year: int) -> VoucherAccount:
    """Of the voucher's holder; made on first use. Not locked."""
    account, _created = VoucherAccount.objects.get_or_create(
        scheme=grant.scheme, holder=voucher_rules.holder_of(grant), year=year, defaults={"cap": grant.scheme.cap}
    )
    return account


def lock_room(account: VoucherAccount, grant: VoucherGrant) -> tuple[VoucherAccount, VoucherGrant]:
    """Both rows as they are now, locked in this order."""
    [locked] = _lock_accounts({account.pk})
    return locked, _lock_grant(grant)


def _lock_accounts(pks: Iterable[int]) -> list[VoucherAccount]:
    rows = VoucherAccount.objects.filter(pk__in=list(pks)).select_for_update(of=("self",), no_key=True)
    return list(rows.select_related("scheme").order_by("pk"))


def _lock_grants(pks: Iterable[int]) -> list[VoucherGrant]:
    rows = VoucherGrant.objects.filter(pk__in=list(pks)).select_for_update(of=("self",), no_key=True)
    return list(rows.select_related("scheme", "enterprise").order_by("pk"))


def _lock_grant(grant: VoucherGrant) -> VoucherGrant:
    [locked] = _lock_grants({grant.pk})
    return locked


def room_of(grant: VoucherGrant, account: VoucherAccount) -> Room:
    """Below zero where a cap was lowered under what is taken already."""
    cap = account.scheme.cap
    return Room((grant.amount or ZERO) - grant.used, None if cap is None else cap - account.used)


def _take(use: VoucherUse, covered: Cover) -> None:
    """Count it in both sums; ``use.grant`` and ``use.account`` are locked, ``use`` is not saved."""
    use.amount, use.limits = covered.amount, covered.limits
    use.bonus = voucher_rules.bonus_of(covered.amount, use.percent, use.host_percent)
    _count(use, covered.amount)


def _put_back(use: VoucherUse) -> None:
    _count(use, -use.amount)


def _count(use: VoucherUse, amount: Decimal) -> None:
    if not amount:
        return
    use.grant.used += amount
    use.account.used += amount
    if amount > 0:
        use.account.cap = use.account.scheme.cap
    use.grant.save(update_fields=["used"])
    use.account.save(update_fields=["used", "cap"])


def _give_up(charge: Charge, by: User) -> bool:
    use = VoucherUse.objects.select_for_update(no_key=True).filter(charge=charge).first()
    if use is None:
        return False
    use.account, use.grant = lock_room(VoucherAccount.objects.get(pk=use.account_id), use.grant)
    _put_back(use)
    _note(use, charge, "voucher.given_up", by.pk)
    use.delete()
    return True


def _refuse_uncoverable(charge: Charge) -> None:
    if charge.state == ChargeState.INVOICED:
        words = _("This stands on an issued invoice: its voucher cannot be changed any more.")
        raise refuse("charge_invoiced", words)
    if charge.state == ChargeState.RELEASED or charge.total <= 0:
        raise refuse("nothing_owed", _("Nothing is charged for this, so there is nothing to cover."))
    if charge.original_id is not None:
        words = _("This corrects an earlier charge and follows the voucher of that.")
        raise refuse("follows_another", words)


def _nothing(covered: Cover, charge: Charge) -> str:
    if covered.limits:
        return voucher_rules.limit_word(covered.limits[-1])
    return _("Nothing of %(total)s would be covered.") % {"total": charge.total}


def _note(
    use: VoucherUse, charge: Charge, action: str, by_id: int | None, before: dict[str, object] | None = None
) -> None:
    record(
        organisation_id=charge.institution_id,
        actor_id=by_id,
        action=action,
        object_type="voucher",
        object_id=use.grant.uid,
        before=before,
        after={"state": use.state, "amount": use.amount, "charge": str(charge.uid), "voucher": use.grant.number},
    )
