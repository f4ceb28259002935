"""Vouchers of the test world: applied for, granted, redeemed, about to be paid out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from booking.models import Booking
from invoices.actions.covering import cover_charge
from invoices.actions.invoice_files import add_invoice_files
from invoices.actions.voucher_grants import apply_for_voucher, grant_voucher
from invoices.actions.voucher_payouts import prepare_payout
from invoices.actions.voucher_schemes import save_scheme
from invoices.models import Charge, Invoice, UseState, VoucherAccount, VoucherGrant, VoucherUse

if TYPE_CHECKING:
    from tests.access.world import World

# A right credit code; the walk registers with others.
USCC = "91110000MA0000001L"


def of_vouchers(world: World) -> None:
    admin, operator = world.people["eadmin"], world.people["operator"]
    charge = Charge.objects.select_related("customer", "institution").get(pk=world.ids["charge"])
    charge.customer.uscc = USCC
    charge.customer.save(update_fields=["uscc"])
    values = {"code": "walk", "name": "Walk", "valid_from": date(2026, 1, 1), "shares": [{"percent": "50"}]}
    scheme = save_scheme(scheme=None, values=values, network_id=world.home["operator"], by=operator)
    asked = {"enterprise_type": "micro", "requested": Decimal("9.00"), "purpose": "Hidden claim", "declared": True}
    grants = []
    for _number in range(2):
        grants.append(
            apply_for_voucher(
                scheme=scheme, enterprise=charge.customer, values=asked, by=admin,
                files=[SimpleUploadedFile("hidden-claim.csv", b"a,b\n1,2\n")],
            )
        )  # fmt: skip
        if len(grants) == 1:
            grant_voucher(grant=grants[0], amount=Decimal("90.00"), by=operator)
    granted, applied = grants
    other = save_scheme(
        scheme=None, values={**values, "code": "walk-2"}, network_id=world.home["operator"], by=operator
    )
    elsewhere = VoucherGrant.objects.create(
        scheme=other, enterprise=charge.customer, state="granted", enterprise_type="micro", requested=9, amount=9,
        purpose="Hidden claim", applied_at=timezone.now(), applied_by=admin,
    )  # fmt: skip
    drafted = Charge.objects.filter(invoice=world.ids["draft"]).earliest("pk")
    use = _redeemed(granted, charge)
    _redeemed(elsewhere, drafted)
    invoice = Invoice.objects.get(pk=world.ids["issued"])
    [paper] = add_invoice_files(
        invoice=invoice, kind="fapiao", files=[SimpleUploadedFile("hidden-fapiao.csv", b"a,b\n1,2\n")],
        by=world.people["finance"],
    )  # fmt: skip
    coverable, covered = (
        Charge.objects.get(source="booking", source_uid=Booking.objects.get(pk=world.ids[name]).uid)
        for name in ("confirmed", "requested")
    )
    cover_charge(
        source=covered.source, source_uid=covered.source_uid, grant=granted, declared=True, by=world.people["member"]
    )
    world.ids |= {
        "coverable": coverable.pk,
        "covered": covered.pk,
        "scheme": scheme.pk,
        "granted": granted.pk,
        "applied": applied.pk,
        "grant_file": granted.files.get().pk,
        "voucher_use": use.pk,
        "open_scheme": other.pk,
        "payout": prepare_payout(institution=charge.institution, scheme=scheme, by=operator).pk,
        "paper": paper.pk,
    }
    # Operators check what they pay.
    world.private[str(invoice.number)] |= {"operator"}
    world.private |= {
        "Hidden claim": {"efinance", "eadmin", "operator"},
        "hidden-claim.csv": {"efinance", "eadmin", "operator"},
        "hidden-fapiao.csv": {"finance", "iadmin", "efinance", "eadmin", "operator"},
    }


def _redeemed(grant: VoucherGrant, charge: Charge) -> VoucherUse:
    """As if its invoice had been issued with it."""
    account = VoucherAccount.objects.create(scheme=grant.scheme, holder=USCC, year=2026, used=1)
    return VoucherUse.objects.create(
        charge=charge, root=charge, grant=grant, account=account, state=UseState.REDEEMED, percent=50, quoted=1,
        amount=1, declared_at=timezone.now(), declared_by_id=grant.applied_by_id, redeemed_at=timezone.now(),
    )  # fmt: skip
