"""Vouchers and the charges that they can cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from backend.accounts.models import Organisation
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden, Refusal, invalid
from backend.core.money import ZERO
from invoices import voucher_rules
from invoices.models import Charge, ChargeState, GrantState, Invoice, VoucherAccount, VoucherGrant, VoucherUse
from invoices.queries.scope import may_receive, visible_charges
from invoices.voucher_rules import Room, Service


def service_of(charge: Charge) -> Service:
    return Service(
        customer_id=charge.customer_id,
        institution=charge.institution,
        day=charge.service_date,
        currency=charge.currency,
        total=charge.total,
        mode=charge.service.get("mode", ""),
        category=charge.service.get("category", ""),
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """A voucher of the customer beside a service: what it would cover now, or why it does not."""

    grant: VoucherGrant
    amount: Decimal
    percent: Decimal
    limits: list[str]
    refusals: list[Refusal]

    @property
    def possible(self) -> bool:
        return not self.refusals

    @property
    def limit_words(self) -> list[str]:
        return [voucher_rules.limit_word(code) for code in self.limits]


def vouchers_of(customer_id: int) -> list[VoucherGrant]:
    """Granted and perhaps over; those that end first come first."""
    rows = VoucherGrant.objects.filter(enterprise=customer_id, state=GrantState.GRANTED)
    found = rows.select_related("scheme", "enterprise").order_by("pk")
    return sorted(found, key=lambda grant: (voucher_rules.last_day(grant) or date.max, grant.pk))


def offers_for(service: Service, *, declared: bool = True) -> list[Offer]:
    """All vouchers of the customer, those that cover most first; two queries, one where there are none."""
    grants = vouchers_of(service.customer_id)
    if not grants:
        return []
    accounts = {
        (row.scheme_id, row.holder): row.used
        for row in VoucherAccount.objects.filter(
            scheme__in={grant.scheme_id for grant in grants}, year=service.day.year
        )
    }
    offers = [_offer(grant, service, accounts, declared) for grant in grants]
    return sorted(offers, key=lambda offer: (not offer.possible, -offer.amount))


def offers_for_price(
    *,
    customer_id: int,
    institution: Organisation,
    day: date,
    currency: str,
    total: Decimal,
    mode: str,
    category: str,
) -> list[Offer]:
    """The same for what is only asked about yet."""
    return offers_for(Service(customer_id, institution, day, currency, total, mode, category))


def _offer(grant: VoucherGrant, service: Service, accounts: dict[tuple[int, str], Decimal], declared: bool) -> Offer:
    refusals = voucher_rules.reasons_against(grant, service, declared=declared)
    share = voucher_rules.share_for(grant.scheme.shares, grant.enterprise_type, service.mode)
    if refusals or share is None:
        return Offer(grant, ZERO, share.percent if share else ZERO, [], refusals)
    cap = grant.scheme.cap
    used = accounts.get((grant.scheme_id, voucher_rules.holder_of(grant)), ZERO)
    room = Room((grant.amount or ZERO) - grant.used, None if cap is None else cap - used)
    covered = voucher_rules.cover(
        base=service.total, charged=service.total, percent=share.percent, others=ZERO, room=room
    )
    if covered.amount <= 0 and service.total > 0:
        refusals = [Refusal("nothing_left", voucher_rules.limit_word((covered.limits or ["grant"])[-1]))]
    return Offer(grant, covered.amount, share.percent, covered.limits, refusals)


def offers_for_charge(charge: Charge) -> list[Offer]:
    """What is reserved for it already counts as free: it is what a choice replaces."""
    use = VoucherUse.objects.filter(charge=charge).first()
    offers = offers_for(service_of(charge))
    if use is None:
        return offers
    return [
        replace(offer, amount=use.amount, refusals=[], limits=use.limits) if offer.grant.pk == use.grant_id else offer
        for offer in offers
    ]


def get_charge_to_cover(access: Access, pk: int) -> Charge:
    """A charge that the caller may choose a voucher for: their own use, or their customer's.

    `Forbidden` for the institution's finance, which only reads it; `NotFound` for strangers.
    """
    rows = visible_charges(access).select_related("institution", "customer", "user", "project", "invoice")
    charge = one(rows.defer("invoice__snapshot"), pk)
    own = charge.user_id == access.user_id and access.has(charge.customer_id)
    if not own and not may_receive(access, charge.customer_id):
        raise Forbidden
    return charge


def can_cover(charge: Charge) -> bool:
    open_states = (ChargeState.RESERVED, ChargeState.FINAL)
    return charge.state in open_states and charge.original_id is None and charge.total > 0


def use_of(charge: Charge) -> VoucherUse | None:
    return VoucherUse.objects.filter(charge=charge).select_related("grant__scheme", "charge").first()


def uses_on(invoice: Invoice) -> list[VoucherUse]:
    """Of a draft: those that would be redeemed if it were issued now."""
    rows = VoucherUse.objects.filter(charge__invoice=invoice).exclude(amount=0)
    return list(rows.select_related("grant__scheme", "charge").order_by("charge__service_date", "charge_id"))


def find_voucher(access: Access, customer: Organisation, pk: int | None) -> VoucherGrant | None:
    """One of the customer's own, for its members; `Invalid` for any other. None where none is asked for."""
    if pk is None:
        return None
    rows = VoucherGrant.objects.filter(enterprise=customer).exclude(state=GrantState.APPLIED)
    found = rows.select_related("scheme", "enterprise").filter(pk=pk).first() if access.has(customer.pk) else None
    if found is None:
        raise invalid("voucher", _("Your organisation has no such voucher."), "foreign")
    return found


def uses_by_charge(charges: Sequence[Charge]) -> dict[int, VoucherUse]:
    rows = VoucherUse.objects.filter(charge__in=[charge.pk for charge in charges]).select_related("grant__scheme")
    return {use.charge_id: use for use in rows}
