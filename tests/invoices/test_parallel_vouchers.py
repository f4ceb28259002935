"""The cap of a year under parallel bookings at many institutions, on connections of their own."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from backend.accounts.models import Role
from invoices.actions import covering
from invoices.actions.charges import finalise_charges
from invoices.actions.voucher_payouts import prepare_payout
from invoices.models import Charge, VoucherAccount, VoucherGrant, VoucherPayout, VoucherUse
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member
from tests.invoices.vouchers import choose, make_grant, make_scheme, quote, sums_agree
from tests.parallel import at_once

pytestmark = [pytest.mark.parallel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]

CAP = Decimal("1000.00")


def quoted(n: int, grants: list[VoucherGrant]) -> list[tuple[Charge, VoucherGrant]]:
    """Charges of 100.00 at five institutions, half of which is covered."""
    institutions = [make_institution() for _ in range(5)]
    enterprise = grants[0].enterprise
    user = make_member(enterprise)
    return [
        (
            make_charge(enterprise, make_line("100.00"), institution=institutions[i % 5], final=False, user=user),
            grants[i % len(grants)],
        )
        for i in range(n)
    ]


def test_fifty_parallel_reservations_never_exceed_the_cap() -> None:
    scheme, enterprise = make_scheme(cap=CAP), make_enterprise()
    grants = [make_grant(scheme, enterprise) for _ in range(2)]
    wanted = quoted(50, grants)

    outcome = at_once([lambda pair=pair: choose(*pair) for pair in wanted])

    # 20 × 50.00 fill the cap; the others are told that nothing is left.
    assert len(outcome.results) == 20
    assert outcome.error_counts() == {"Refused": 30}
    assert VoucherAccount.objects.get().used == CAP
    assert sums_agree()


def test_without_the_accounts_lock_the_cap_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: what each has read before all of them write, and the test above would fail."""
    scheme, enterprise = make_scheme(cap=Decimal("100.00")), make_enterprise()
    grant = make_grant(scheme, enterprise)
    wanted = quoted(8, [grant])
    seen = covering.year_account(grant, 2026)
    all_have_read = threading.Barrier(8)

    def stale(account: VoucherAccount, _grant: VoucherGrant) -> tuple[VoucherAccount, VoucherGrant]:
        fresh = VoucherGrant.objects.select_related("scheme", "enterprise").get(pk=grant.pk)
        return VoucherAccount(pk=seen.pk, scheme=scheme, holder=seen.holder, year=2026, cap=seen.cap, used=0), fresh

    def late(charge: Charge) -> VoucherUse:
        all_have_read.wait(30)
        return choose(charge, grant)

    monkeypatch.setattr(covering, "lock_room", stale)
    outcome = at_once([lambda charge=charge: late(charge) for charge, _grant in wanted])

    assert len(outcome.results) == 8
    assert sum(use.amount for use in VoucherUse.objects.all()) > Decimal("100.00")


def test_final_amounts_and_new_bookings_share_what_is_left() -> None:
    grant = make_grant(make_scheme(cap=CAP))
    standing = quoted(10, [grant])
    for pair in standing:
        choose(*pair)
    more = quoted(20, [grant])

    def grow(charge: Charge) -> Charge:
        return finalise_charges(
            source=charge.source, source_uid=charge.source_uid, lines=[make_line("200.00")], differences=[]
        )

    calls = [lambda charge=charge: grow(charge) for charge, _grant in standing]
    outcome = at_once([*calls, *(lambda pair=pair: choose(*pair) for pair in more)])

    assert set(outcome.error_counts()) <= {"Refused"}
    assert VoucherAccount.objects.get().used == CAP
    assert sums_agree()


def test_one_batch_holds_a_use_once() -> None:
    institution, by = make_institution(), make_member(make_institution(kind="network"), Role.OPERATOR)
    grant = make_grant()
    charge = quote(grant, institution=institution)
    use = choose(charge, grant)
    VoucherUse.objects.filter(pk=use.pk).update(state="redeemed", redeemed_at=use.declared_at)

    outcome = at_once([lambda: prepare_payout(institution=institution, scheme=grant.scheme, by=by)] * 8)

    assert len(outcome.results) == 1
    assert outcome.error_counts() == {"Refused": 7}
    assert VoucherPayout.objects.get().lines.count() == 1
