"""Schemes, vouchers and charges that they cover."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone

from backend.accounts.models import Organisation, Role, User
from invoices.actions.charges import finalise_charges, reserve_charges
from invoices.actions.covering import cover_charge
from invoices.actions.voucher_schemes import save_scheme
from invoices.models import Charge, GrantState, VoucherAccount, VoucherGrant, VoucherScheme, VoucherUse
from tests.factories import DAY, make_charge, make_enterprise, make_institution, make_line, make_member, make_user

_numbers = itertools.count(1)
# Right credit codes.
CODES = ("91350100M000100Y43", "9115010022MQ4W4X10")

HALF = [{"types": [], "modes": [], "percent": "50", "host_percent": "0"}]


def make_scheme(**fields: Any) -> VoucherScheme:
    """Half of everything, without a cap, for the year 2026 and on."""
    values = {
        "code": f"scheme-{next(_numbers)}",
        "name": "创新券",
        "name_en": "Innovation voucher",
        "valid_from": date(2026, 1, 1),
        "shares": HALF,
        **fields,
    }
    network = Organisation.objects.filter(kind="network").first() or make_institution(kind="network")
    return save_scheme(scheme=None, values=values, network_id=network.pk, by=make_user())


def make_grant(
    scheme: VoucherScheme | None = None, enterprise: Organisation | None = None, amount: str = "10000.00", **fields: Any
) -> VoucherGrant:
    enterprise = enterprise or make_enterprise()
    return VoucherGrant.objects.create(
        **{
            "scheme": scheme or make_scheme(),
            "enterprise": enterprise,
            "state": GrantState.GRANTED,
            "enterprise_type": "micro",
            "requested": Decimal(amount),
            "amount": Decimal(amount),
            "purpose": "Failure analysis",
            "applied_at": timezone.now(),
            "applied_by": make_user(),
            **fields,
        }
    )


def quote(grant: VoucherGrant, amount: str = "1000.00", **fields: Any) -> Charge:
    """A charge of the voucher's enterprise that is only quoted yet."""
    return make_charge(grant.enterprise, make_line(amount), final=False, **fields)


def choose(charge: Charge, grant: VoucherGrant, *, declared: bool = True) -> VoucherUse:
    return cover_charge(
        source=charge.source, source_uid=charge.source_uid, grant=grant, declared=declared, by=charge.user
    )


def covered(charge: Charge) -> Decimal:
    use = VoucherUse.objects.filter(charge=charge).first()
    return use.amount if use else Decimal("0.00")


def finalise(charge: Charge, *amounts: str, **fields: Any) -> Charge:
    return finalise_charges(
        source=charge.source, source_uid=charge.source_uid, lines=[make_line(one) for one in amounts], differences=[],
        **fields,
    )  # fmt: skip


def requote(charge: Charge, amount: str, **fields: Any) -> Charge:
    kept = ("institution_id", "customer_id", "project_id", "user_id", "subject", "price_list", "currency")
    return reserve_charges(
        source=charge.source,
        source_uid=charge.source_uid,
        lines=[make_line(amount)],
        **{**{name: getattr(charge, name) for name in kept}, "service_date": charge.service_date, **fields},
    )


def sums_agree() -> bool:
    """Whether vouchers and year accounts hold exactly what their uses come to: the oracle of these tests."""
    uses = list(VoucherUse.objects.all())
    for row in (*VoucherGrant.objects.all(), *VoucherAccount.objects.all()):
        link = "grant_id" if isinstance(row, VoucherGrant) else "account_id"
        if row.used != sum((use.amount for use in uses if getattr(use, link) == row.pk), Decimal(0)):
            return False
    return True


def finance_for(institution: Organisation) -> User:
    return make_member(institution, Role.FINANCE)


__all__ = ["CODES", "DAY", "HALF"]
