"""What the network pays institutions for redeemed vouchers (兑付). Locks: uses by id, payout, audit head."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import atomic_action, read_anew
from backend.core.errors import Refused, invalid, refuse
from backend.core.money import add_up, format_amount
from backend.outbox.actions import post
from invoices.models import PayoutState, VoucherPayout, VoucherPayoutLine, VoucherScheme, VoucherUse
from invoices.queries.payouts import unpaid_uses

MOST_LINES = 5000


@atomic_action
def prepare_payout(*, institution: Organisation, scheme: VoucherScheme, by: User) -> VoucherPayout:
    """Gather all that is due to an institution under a scheme; what was paid and credited since is taken off.

    `Refused` where nothing is due, the sum is below zero, or a batch waits to be paid already.
    """
    uses = list(unpaid_uses(institution.pk, scheme.pk).select_for_update(of=("self",), no_key=True)[:MOST_LINES])
    if VoucherPayout.objects.filter(institution=institution, scheme=scheme, state=PayoutState.PREPARED).exists():
        raise _waiting()
    if not uses:
        raise refuse("nothing_due", _("Nothing is due to this institution under this scheme."))
    total = add_up(due_of(use) for use in uses)
    if total < 0:
        words = _("More was paid than is due. It is set off against what is redeemed next.")
        raise refuse("below_zero", words, params={"total": format_amount(total)})
    try:
        with transaction.atomic():
            payout = VoucherPayout.objects.create(institution=institution, scheme=scheme, total=total, created_by=by)
    except IntegrityError:
        raise _waiting() from None
    VoucherPayoutLine.objects.bulk_create(VoucherPayoutLine(payout=payout, use=use, amount=due_of(use)) for use in uses)
    _note(payout, "voucher.payout_prepared", by, lines=len(uses))
    return payout


@atomic_action
def mark_paid(*, payout: VoucherPayout, paid_on: date, reference: str, by: User) -> VoucherPayout:
    """The transfer was made: its day and the bank's reference. The institution's finance is told. Cannot be undone."""
    reference = reference.strip()
    if not reference or len(reference) > 100:
        raise invalid("reference", _("Give the bank's reference of the transfer, at most 100 characters."))
    if paid_on > timezone.localdate():
        raise invalid("paid_on", _("A transfer cannot lie in the future."), "in_future")
    lines = list(payout.lines.order_by("use_id"))
    uses = VoucherUse.objects.select_for_update(no_key=True).filter(pk__in=[line.use_id for line in lines])
    by_pk = {use.pk: use for use in uses.order_by("pk")}
    fresh = _locked(payout)
    fresh.state, fresh.paid_on, fresh.reference, fresh.paid_by = PayoutState.PAID, paid_on, reference, by
    fresh.save()
    for line in lines:
        use = by_pk[line.use_id]
        use.paid_out += line.amount
        use.save(update_fields=["paid_out"])
    post(
        key=f"voucher-paid-out-{fresh.uid}",
        kind="voucher_paid_out",
        recipients=people_with(fresh.institution_id, (Role.FINANCE,)),
        context={
            "number": fresh.number,
            "scheme": fresh.scheme.name,
            "scheme_en": fresh.scheme.name_en or fresh.scheme.name,
            "total": format_amount(fresh.total),
            "currency": fresh.scheme.currency,
            "reference": reference,
            "date": str(paid_on),
        },
        path=f"/vouchers/payouts/{fresh.pk}/",
    )
    _note(fresh, "voucher.paid_out", by, reference=reference, paid_on=paid_on)
    return fresh


@atomic_action
def drop_payout(*, payout: VoucherPayout, by: User) -> None:
    """Give a batch up that was not paid: what it held is due again."""
    fresh = _locked(payout)
    _note(fresh, "voucher.payout_dropped", by)
    fresh.lines.all().delete()
    VoucherPayout.objects.filter(pk=fresh.pk, state=PayoutState.PREPARED).delete()


def due_of(use: VoucherUse) -> Decimal:
    return use.amount + use.bonus - use.paid_out


def _locked(payout: VoucherPayout) -> VoucherPayout:
    rows = VoucherPayout.objects.select_for_update(of=("self",), no_key=True).select_related("scheme", "institution")
    fresh = read_anew(rows, payout)
    if fresh.state != PayoutState.PREPARED:
        raise refuse("paid_already", _("This batch was paid on %(day)s.") % {"day": fresh.paid_on})
    return fresh


def _waiting() -> Refused:
    words = _("A batch for this institution and scheme waits to be paid. Mark it as paid, or give it up.")
    return refuse("batch_waits", words)


def _note(payout: VoucherPayout, action: str, by: User, **after: object) -> None:
    record(
        organisation_id=payout.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="voucher_payout",
        object_id=payout.uid,
        after={"batch": payout.number, "total": payout.total, **after},
    )
