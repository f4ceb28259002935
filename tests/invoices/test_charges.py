"""Reserving, finalising, releasing: posted once, never edited."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from backend.audit.actions import faults
from backend.audit.models import Entry
from backend.core.errors import Refused
from invoices.actions.charges import finalise_charges, release_charges, reserve_charges
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge, ChargeState, Stage
from tests.factories import DAY, make_charge, make_enterprise, make_institution, make_line, make_member

pytestmark = pytest.mark.django_db


def source(charge: Charge) -> dict[str, Any]:
    return {"source": charge.source, "source_uid": charge.source_uid}


def amounts(charge: Charge, stage: Stage) -> list[str]:
    return [str(line.amount) for line in charge.lines.filter(stage=stage).order_by("position")]


def reserve_again(charge: Charge, *lines: Any, **changes: Any) -> Charge:
    kept = {
        name: getattr(charge, name)
        for name in (
            "institution_id",
            "customer_id",
            "project_id",
            "user_id",
            "subject",
            "service_date",
            "price_list",
            "currency",
        )
    }
    return reserve_charges(**source(charge), **{**kept, **changes}, lines=lines)


def test_reserving_notes_the_quote() -> None:
    charge = make_charge(None, make_line("100.00"), make_line("20.50", code="startup"), final=False)

    assert (charge.state, charge.total, charge.reserved_total) == ("reserved", Decimal("120.50"), Decimal("120.50"))
    assert amounts(charge, Stage.RESERVED) == ["100.00", "20.50"]


def test_reserving_again_takes_the_old_lines_back() -> None:
    charge = make_charge(None, make_line("100.00"), final=False)

    again = reserve_again(charge, make_line("150.00"), service_date=date(2026, 12, 5), subject="X")

    old, back, new = charge.lines.order_by("position")
    assert (again.pk, again.total, again.subject) == (charge.pk, Decimal("150.00"), "X")
    assert (old.amount, back.amount, new.amount) == (Decimal("100.00"), Decimal("-100.00"), Decimal("150.00"))
    assert (back.corrects_id, new.corrects_id) == (old.pk, None)
    assert Charge.objects.get().service_date == date(2026, 12, 5)


def test_reserving_the_same_again_changes_nothing() -> None:
    charge = make_charge(None, make_line("100.00"), final=False)

    reserve_again(charge, make_line("100.00"))

    assert charge.lines.count() == 1
    assert Entry.objects.filter(action="charge.reserved").count() == 1


def test_a_third_quote_takes_only_the_second_back() -> None:
    charge = make_charge(None, make_line("100.00"), final=False)

    reserve_again(charge, make_line("150.00"))
    reserve_again(charge, make_line("80.00"))

    assert amounts(charge, Stage.RESERVED) == ["100.00", "-100.00", "150.00", "-150.00", "80.00"]


def test_finalising_posts_what_is_owed_beside_the_quote() -> None:
    charge = make_charge(None, make_line("100.00"), final=False)

    final = finalise_charges(**source(charge), lines=[make_line("125.00")], differences=["Half an hour longer."])

    assert (final.state, final.total, final.reserved_total) == ("final", Decimal("125.00"), Decimal("100.00"))
    assert final.differences == ["Half an hour longer."]
    assert amounts(charge, Stage.FINAL) == ["125.00"]
    assert final.finalised_at is not None


def test_finalising_twice_is_finalising_once() -> None:
    charge = make_charge(None, make_line("100.00"))

    finalise_charges(**source(charge), lines=[make_line("100.00")], differences=[])

    assert amounts(charge, Stage.FINAL) == ["100.00"]
    assert Entry.objects.filter(action="charge.finalised").count() == 1


def test_a_corrected_use_corrects_the_lines() -> None:
    charge = make_charge(None, make_line("100.00"))

    again = finalise_charges(**source(charge), lines=[make_line("90.00")], differences=["Shorter."], service_date=DAY)

    assert (again.total, amounts(charge, Stage.FINAL)) == (Decimal("90.00"), ["100.00", "-100.00", "90.00"])


def test_finalising_an_invoiced_charge_is_refused_unless_nothing_changes() -> None:
    charge = invoiced()

    finalise_charges(**source(charge), lines=[make_line("100.00")], differences=[])
    with pytest.raises(Refused) as raised:
        finalise_charges(**source(charge), lines=[make_line("90.00")], differences=[])

    assert raised.value.refusals[0].code == "charge_invoiced"


def test_finalising_what_was_never_quoted_is_refused() -> None:
    with pytest.raises(Refused) as raised:
        finalise_charges(source="booking", source_uid=uuid.uuid4(), lines=[make_line()], differences=[])

    assert raised.value.refusals[0].code == "nothing_reserved"


def test_reserving_what_is_final_is_refused() -> None:
    charge = make_charge()

    with pytest.raises(Refused) as raised:
        reserve_again(charge, make_line("1.00"))

    assert raised.value.refusals[0].code == "charge_not_reserved"
    assert charge.lines.count() == 2


def test_a_cancelled_booking_owes_nothing() -> None:
    charge = make_charge(final=False)

    released = release_charges(**source(charge))
    again = release_charges(**source(charge))

    assert released is not None
    assert (released.state, released.total) == (ChargeState.RELEASED, Decimal("0.00"))
    assert again == released
    assert Entry.objects.filter(action="charge.released").count() == 1


def test_a_late_cancellation_owes_its_fee() -> None:
    charge = make_charge(final=False)

    fee = release_charges(**source(charge), lines=[make_line("50.00", code="late")])

    assert fee is not None
    assert (fee.state, fee.total, len(fee.differences)) == (ChargeState.FINAL, Decimal("50.00"), 1)


def test_releasing_what_was_never_quoted_does_nothing() -> None:
    assert release_charges(source="booking", source_uid=uuid.uuid4()) is None


def test_releasing_an_invoiced_charge_is_refused() -> None:
    charge = invoiced()

    with pytest.raises(Refused):
        release_charges(**source(charge))


def test_a_released_charge_leaves_the_draft() -> None:
    charge = make_charge()
    draft_for(charge)

    released = release_charges(**source(charge))

    assert released is not None
    assert (released.invoice, amounts(charge, Stage.FINAL)) == (None, ["100.00", "-100.00"])


def test_a_no_show_that_was_none_can_be_charged_after_all() -> None:
    charge = make_charge(final=False)
    release_charges(**source(charge))

    final = finalise_charges(**source(charge), lines=[make_line("70.00")], differences=["It took place."])

    assert (final.state, final.total) == (ChargeState.FINAL, Decimal("70.00"))


def test_no_line_at_all_costs_nothing() -> None:
    charge = make_charge(final=False)

    final = finalise_charges(**source(charge), lines=[], differences=["Free of charge."])

    assert (final.state, final.total) == (ChargeState.FINAL, Decimal("0.00"))


def test_every_act_is_in_the_institutions_chain() -> None:
    institution, by = make_institution(), make_member(make_enterprise())
    charge = make_charge(institution=institution, final=False)
    finalise_charges(**source(charge), lines=[make_line()], differences=[], by_id=by.pk)

    entries = Entry.objects.filter(organisation=institution).order_by("sequence")

    assert [(e.action, e.actor_id) for e in entries] == [
        ("charge.reserved", charge.user_id),
        ("charge.finalised", by.pk),
    ]
    assert list(faults(organisation_id=institution.pk)) == []


def test_who_acts_is_noted_though_another_uses() -> None:
    """A lab that books, verifies or cancels for a customer is the actor; without ``by_id`` the user or nobody is."""
    customer = make_enterprise()
    institution, user, lab = make_institution(), make_member(customer), make_member(customer)
    known = {"institution": institution, "user": user}
    kept, dropped = (make_charge(customer, final=False, by_id=lab.pk, **known) for _ in range(2))
    reserve_again(kept, make_line("70.00"), by_id=lab.pk)
    finalise_charges(**source(kept), lines=[make_line()], differences=[], by_id=lab.pk)
    release_charges(**source(kept), lines=[make_line("5.00")], by_id=lab.pk)
    release_charges(**source(dropped), by_id=lab.pk)
    make_charge(customer, **known)

    entries = Entry.objects.filter(organisation=institution).order_by("sequence")

    assert [(entry.action, entry.actor_id) for entry in entries] == [
        *[("charge.reserved", lab.pk)] * 3,
        *[("charge.finalised", lab.pk)] * 2,
        ("charge.released", lab.pk),
        ("charge.reserved", user.pk),
        ("charge.finalised", None),
    ]


@pytest.mark.parametrize("change", [{"amount": Decimal(1)}, {"why": "x"}, {"name": "x"}, {"corrects_id": 1}])
def test_the_database_refuses_to_change_a_line(change: dict[str, Any]) -> None:
    line = make_charge().lines.get(stage=Stage.FINAL)

    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        type(line).objects.filter(pk=line.pk).update(**change)
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        type(line).objects.filter(pk=line.pk)._raw_delete("default")


def test_the_database_refuses_a_second_charge_for_one_source() -> None:
    charge = make_charge()
    charge.pk, charge.uid = None, uuid.uuid4()

    with pytest.raises(DatabaseError), transaction.atomic():
        charge.save(force_insert=True)


def draft_for(charge: Charge) -> Any:
    return draft_invoice(
        institution_id=charge.institution_id, customer_id=charge.customer_id, period="2026-12", by=charge.user
    )


def invoiced() -> Charge:
    charge = make_charge()
    issue_invoice(invoice=draft_for(charge), by=charge.user)
    charge.refresh_from_db()
    assert charge.state == ChargeState.INVOICED
    return charge
