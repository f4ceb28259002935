"""What vouchers cover of charges, from the quote to the credit note."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

import pytest
import time_machine
from django.db import DatabaseError, transaction

from backend.core.errors import Refused
from invoices.actions.charges import release_charges, reopen_charges
from invoices.actions.corrections import correct_charges
from invoices.actions.covering import uncover_charge
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.actions.payments import record_payment
from invoices.models import Charge, Invoice, UseState, VoucherAccount, VoucherUse
from invoices.queries.ageing import ageing_of
from tests.factories import at, make_charge, make_enterprise, make_institution, make_line
from tests.invoices.vouchers import (
    choose,
    covered,
    finalise,
    finance_for,
    make_grant,
    make_scheme,
    quote,
    requote,
    sums_agree,
)

pytestmark = pytest.mark.django_db


def codes(refused: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {reason.code for reason in refused.value.refusals}


def issued(charge: Charge) -> Invoice:
    by = finance_for(charge.institution)
    draft = draft_invoice(institution_id=charge.institution_id, customer_id=charge.customer_id, period="2026-12", by=by)
    return issue_invoice(invoice=draft, by=by)


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(at(9, day=date(2026, 12, 20)), tick=False):
        yield


def test_a_voucher_reserves_its_share_of_the_quote() -> None:
    grant = make_grant()
    charge = quote(grant, "999.99")

    use = choose(charge, grant)

    assert (use.amount, use.quoted, use.state) == (Decimal("500.00"), Decimal("500.00"), UseState.RESERVED)
    assert sums_agree()


def test_it_covers_no_more_than_is_left_of_it() -> None:
    grant = make_grant(amount="300.00")

    use = choose(quote(grant, "1000.00"), grant)

    assert (use.amount, use.limits) == (Decimal("300.00"), ["grant"])
    with pytest.raises(Refused) as refused:
        choose(quote(grant, "1000.00"), grant)
    assert codes(refused) == {"nothing_left"}


def test_the_years_cap_holds_at_all_institutions_and_for_all_vouchers_of_a_holder() -> None:
    scheme, enterprise = make_scheme(cap=Decimal("700.00")), make_enterprise()
    first, second = make_grant(scheme, enterprise), make_grant(scheme, enterprise)

    assert choose(quote(first, "1000.00"), first).amount == Decimal("500.00")
    assert choose(quote(second, "1000.00"), second).amount == Decimal("200.00")
    with pytest.raises(Refused) as refused:
        choose(quote(second, "1000.00"), second)
    assert codes(refused) == {"nothing_left"}
    # The next year has an account of its own.
    later = quote(first, "1000.00", service_date=date(2027, 1, 1))
    assert choose(later, first).amount == Decimal("500.00")
    assert sums_agree()


def test_enterprises_of_one_controller_share_a_cap_where_the_scheme_says_so() -> None:
    scheme = make_scheme(cap=Decimal("600.00"), cap_by="controller")
    mother = make_grant(scheme, make_enterprise(uscc="91350100M000100Y43"))
    daughter = make_grant(scheme, controller="91350100M000100Y43")

    assert choose(quote(mother, "1000.00"), mother).amount == Decimal("500.00")
    assert choose(quote(daughter, "1000.00"), daughter).amount == Decimal("100.00")
    assert VoucherAccount.objects.count() == 1


def test_the_database_itself_holds_the_cap() -> None:
    grant = make_grant(make_scheme(cap=Decimal("700.00")))
    account = choose(quote(grant), grant).account

    with pytest.raises(DatabaseError), transaction.atomic():
        VoucherAccount.objects.filter(pk=account.pk).update(used=Decimal("700.01"))
    assert VoucherAccount.objects.filter(pk=account.pk).update(used=Decimal("700.00")) == 1


@pytest.mark.parametrize(("final", "amount", "left"), [("800.00", "400.00", "600.00"), ("1200.00", "600.00", "400.00")])
def test_the_reservation_follows_the_final_amount(final: str, amount: str, left: str) -> None:
    grant = make_grant(amount="1000.00")
    charge = quote(grant, "1000.00")
    choose(charge, grant)

    finalise(charge, final)

    grant.refresh_from_db()
    assert (covered(charge), grant.amount - grant.used) == (Decimal(amount), Decimal(left))
    assert sums_agree()


def test_a_scheme_may_hold_it_at_what_was_reserved() -> None:
    grant = make_grant(make_scheme(when_higher="reserved"))
    charge = quote(grant, "1000.00")
    choose(charge, grant)

    # A new quote is reserved anew; only the final amount is held at it.
    requote(charge, "1200.00")
    assert covered(charge) == Decimal("600.00")
    finalise(charge, "2000.00")
    assert covered(charge) == Decimal("600.00")
    finalise(charge, "1000.00")
    assert covered(charge) == Decimal("500.00")


def test_a_higher_final_amount_takes_only_what_is_free() -> None:
    grant = make_grant(amount="550.00")
    charge = quote(grant, "1000.00")
    choose(charge, grant)

    finalise(charge, "2000.00")

    use = VoucherUse.objects.get()
    assert (use.amount, use.limits) == (Decimal("550.00"), ["grant"])


def test_cancelling_frees_it_and_a_reopened_booking_has_it_again() -> None:
    grant = make_grant()
    charge = quote(grant, "1000.00")
    choose(charge, grant)
    source = {"source": charge.source, "source_uid": charge.source_uid}

    release_charges(**source)
    grant.refresh_from_db()
    assert (VoucherUse.objects.get().state, grant.used) == (UseState.RELEASED, 0)

    reopen_charges(**source)
    assert (VoucherUse.objects.get().state, covered(charge)) == (UseState.RESERVED, Decimal("500.00"))
    # A fee for a late cancellation is a cost like another.
    release_charges(**source, lines=[make_line("100.00")])
    assert covered(charge) == Decimal("50.00")
    assert sums_agree()


def test_a_service_that_moves_counts_in_the_other_year_or_is_not_covered_any_more() -> None:
    grant = make_grant(make_scheme(cap=Decimal("500.00"), valid_to=date(2027, 6, 30)))
    charge = quote(grant, "1000.00")
    choose(charge, grant)

    requote(charge, "1000.00", service_date=date(2027, 1, 4))
    by_year = dict(VoucherAccount.objects.values_list("year", "used"))
    assert by_year == {2026: Decimal(0), 2027: Decimal("500.00")}

    requote(charge, "1000.00", service_date=date(2027, 7, 1))
    use = VoucherUse.objects.get()
    assert (use.amount, use.limits) == (0, ["outside_scheme"])
    assert sums_agree()


def test_it_can_be_given_back_until_it_is_invoiced() -> None:
    grant = make_grant()
    charge = quote(grant)
    choose(charge, grant)
    source = {"source": charge.source, "source_uid": charge.source_uid, "by": charge.user}

    uncover_charge(**source)

    grant.refresh_from_db()
    assert (VoucherUse.objects.count(), grant.used) == (0, 0)
    with pytest.raises(Refused) as refused:
        uncover_charge(**source)
    assert codes(refused) == {"no_voucher"}
    finalise(charge, "1000.00")
    issued(charge)
    with pytest.raises(Refused) as refused:
        choose(charge, grant)
    assert codes(refused) == {"charge_invoiced"}


def test_another_voucher_takes_the_place_of_the_first() -> None:
    enterprise = make_enterprise()
    small, large = make_grant(enterprise=enterprise, amount="100.00"), make_grant(enterprise=enterprise)
    charge = quote(small)
    choose(charge, small)

    choose(charge, large)

    assert [(use.grant_id, use.amount) for use in VoucherUse.objects.all()] == [(large.pk, Decimal("500.00"))]
    assert sums_agree()


# --- on invoices -----------------------------------------------------------------------------------------------------


def invoiced(amount: str = "1000.00", **fields: object) -> tuple[Invoice, VoucherUse]:
    grant = make_grant(**fields)  # type: ignore[arg-type]
    charge = quote(grant, amount)
    choose(charge, grant)
    finalise(charge, amount)
    return issued(charge), VoucherUse.objects.get(charge=charge)


def test_issuing_redeems_it_and_leaves_the_customer_their_own_part() -> None:
    invoice, use = invoiced("1000.10")

    assert use.state == UseState.REDEEMED
    assert (invoice.total, invoice.settled, invoice.balance) == (
        Decimal("1000.10"), Decimal("500.05"), Decimal("500.05"),
    )  # fmt: skip
    block = invoice.snapshot["voucher"]
    assert (block["amount"], block["own"]) == ("500.05", "500.05")
    assert block["own_in_capitals"] == "人民币伍佰元零伍分"
    assert [(one["number"], one["percent"], one["amount"]) for one in block["uses"]] == [
        (use.grant.number, "50", "500.05")
    ]


def test_the_customer_pays_their_own_part_and_not_a_cent_more() -> None:
    invoice, _use = invoiced("1000.00")
    by = finance_for(invoice.institution)
    paying = {"invoice": invoice, "date": date(2026, 12, 20), "by": by}

    [row] = ageing_of(invoice.institution).rows
    assert row.total == Decimal("500.00")
    with pytest.raises(Refused) as refused:
        record_payment(**paying, amount=Decimal("500.01"), reference="too much")
    assert codes(refused) == {"more_than_owed"}
    record_payment(**paying, amount=Decimal("500.00"), reference="exact")

    invoice.refresh_from_db()
    assert invoice.balance == 0
    assert Invoice.objects.shown_as("paid", date(2026, 12, 20)).get() == invoice
    assert not Invoice.objects.owing().exists()
    assert ageing_of(invoice.institution).rows == []


def test_what_was_redeemed_never_changes() -> None:
    _invoice, use = invoiced()

    for change in ({"amount": Decimal("1.00")}, {"state": UseState.RELEASED}, {"percent": Decimal(1)}):
        with pytest.raises(DatabaseError), transaction.atomic():
            VoucherUse.objects.filter(pk=use.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        VoucherUse.objects.filter(pk=use.pk).delete()


def test_an_invoice_without_a_voucher_says_nothing_of_one() -> None:
    charge = make_charge()

    invoice = issued(charge)

    assert "voucher" not in invoice.snapshot
    assert (invoice.settled, invoice.balance) == (0, invoice.total)


def test_a_lower_amount_after_the_invoice_takes_the_vouchers_part_back_on_the_next() -> None:
    invoice, use = invoiced("1000.00")
    root = use.charge
    correct_charges(
        source=root.source, source_uid=root.source_uid, correction_uid=uuid.uuid4(), lines=[make_line("900.00")],
        differences=[], service_date=root.service_date, by_id=None,
    )  # fmt: skip
    other = make_charge(root.customer, make_line("300.00"), institution=root.institution)

    after = issued(other)

    # 300.00 more and 100.00 less: the customer had paid 500.00 of 1000.00 and owes 450.00 of 900.00 and the 300.00.
    assert (after.total, after.settled, after.balance) == (Decimal("200.00"), Decimal("-50.00"), Decimal("250.00"))
    assert invoice.balance + after.balance == Decimal("750.00")
    assert sums_agree()
    by = finance_for(after.institution)
    record_payment(invoice=after, amount=Decimal("250.00"), date=date(2026, 12, 20), reference="all", by=by)
    after.refresh_from_db()
    assert after.balance == 0


def test_a_credit_note_gives_the_voucher_back() -> None:
    invoice, use = invoiced("1000.00")
    by = finance_for(invoice.institution)

    note = credit_invoice(invoice=invoice, reason="Wrong customer", by=by)

    grant = use.grant
    grant.refresh_from_db()
    assert grant.used == 0
    mirror = VoucherUse.objects.exclude(pk=use.pk).get()
    assert (mirror.amount, mirror.state) == (Decimal("-500.00"), UseState.REDEEMED)
    assert note.snapshot["voucher"]["amount"] == "-500.00"
    assert (note.total, note.settled) == (Decimal("-1000.00"), Decimal("-500.00"))
    assert sums_agree()


def test_what_is_billed_anew_is_covered_anew() -> None:
    invoice, use = invoiced("1000.00")
    by = finance_for(invoice.institution)
    credit_invoice(invoice=invoice, reason="Wrong address", by=by, rebill=True)

    again = issued(use.charge)

    assert (again.total, again.settled) == (Decimal("1000.00"), Decimal("500.00"))
    use.grant.refresh_from_db()
    assert use.grant.used == Decimal("500.00")
    assert sums_agree()


# --- why not ---------------------------------------------------------------------------------------------------------


def test_every_reason_against_a_voucher_is_told_at_once() -> None:
    scheme = make_scheme(
        region="山东省", local_only=True, currency="USD", categories=["05"], valid_to=date(2026, 11, 30),
        shares=[{"types": ["tech"], "modes": ["sample"], "percent": "40"}],
    )  # fmt: skip
    grant = make_grant(scheme, controller="91350100M000100Y43", state="revoked")
    charge = quote(grant, institution=make_institution(uscc="91350100M000100Y43", region="呼和浩特"))

    with pytest.raises(Refused) as refused:
        choose(charge, grant, declared=False)

    assert codes(refused) == {
        *("outside_scheme", "not_granted", "other_currency", "outside_region", "not_eligible", "no_share"),
        *("related_party", "not_declared"),
    }


def test_the_last_day_of_a_voucher_is_covered_and_the_next_is_not() -> None:
    grant = make_grant(expires_on=date(2026, 12, 10))

    assert choose(quote(grant, service_date=date(2026, 12, 10)), grant).amount == Decimal("500.00")
    with pytest.raises(Refused) as refused:
        choose(quote(grant, service_date=date(2026, 12, 11)), grant)
    assert codes(refused) == {"voucher_expired"}


def test_a_voucher_of_others_covers_nothing() -> None:
    foreign = make_grant()
    charge = make_charge(final=False)

    with pytest.raises(Refused) as refused:
        choose(charge, foreign)

    assert codes(refused) == {"not_yours"}


def test_a_declared_related_institution_is_excluded() -> None:
    institution = make_institution(uscc="9115010022MQ4W4X10")
    grant = make_grant(related=["9115010022MQ4W4X10"])

    with pytest.raises(Refused) as refused:
        choose(quote(grant, institution=institution), grant)

    assert codes(refused) == {"related_party"}
    assert choose(quote(grant, institution=make_institution()), grant).amount == Decimal("500.00")
