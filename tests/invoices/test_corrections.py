"""Correcting what has been invoiced: nothing issued changes, the next statement carries the difference."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from backend.audit.models import Entry
from backend.core.errors import Refused
from invoices.actions.charges import release_charges
from invoices.actions.corrections import correct_charges
from invoices.actions.invoices import delete_draft, draft_invoice, issue_invoice
from invoices.models import Charge, ChargeState, Invoice
from invoices.queries.papers import printed_lines
from invoices.rules import Line, in_effect
from tests.factories import DAY, make_charge, make_institution, make_line, make_member

pytestmark = pytest.mark.django_db


def correct(charge: Charge, *lines: Line, uid: uuid.UUID | None = None, **more: Any) -> Charge:
    return correct_charges(
        source=charge.source,
        source_uid=charge.source_uid,
        correction_uid=uid or uuid.uuid4(),
        lines=lines,
        **{"differences": ["The time was corrected."], "service_date": DAY, "by_id": None, **more},
    )


def draft(charge: Charge) -> Invoice:
    by = make_member(charge.institution, "finance")
    return draft_invoice(
        institution_id=charge.institution_id, customer_id=charge.customer_id, period=f"{DAY:%Y-%m}", by=by
    )


def issue(charge: Charge) -> Invoice:
    return issue_invoice(invoice=draft(charge), by=make_member(charge.institution, "finance"))


def amounts(charge: Charge) -> list[str]:
    return [str(line.amount) for line in charge.lines.filter(stage="final").order_by("position")]


def printed(invoice: Invoice) -> list[str]:
    return [line["amount"] for line in invoice.snapshot["lines"]]


def test_before_it_is_invoiced_a_correction_settles_the_charge_itself() -> None:
    charge = make_charge(None, make_line("100.00"))

    again = correct(charge, make_line("80.00"))

    assert (again.pk, again.total, again.state) == (charge.pk, Decimal("80.00"), ChargeState.FINAL)
    assert again.differences == ["The time was corrected."]


def test_on_a_draft_a_correction_changes_what_the_draft_will_say() -> None:
    charge = make_charge(None, make_line("100.00"))
    standing = draft(charge)

    correct(charge, make_line("80.00"))

    assert Charge.objects.count() == 1
    assert [str(line.amount) for line in printed_lines(standing)] == ["80.00"]
    assert printed(issue_invoice(invoice=standing, by=make_member(charge.institution, "finance"))) == ["80.00"]


def test_an_invoiced_charge_stays_and_the_difference_is_a_charge_of_its_own() -> None:
    charge = make_charge(None, make_line("100.00"))
    issued = issue(charge)
    uid = uuid.uuid4()

    posted = correct(charge, make_line("150.00"), uid=uid, service_date=date(2026, 12, 3))

    assert (posted.source, posted.source_uid, posted.original) == ("correction", uid, charge)
    assert (posted.state, posted.total, posted.invoice) == (ChargeState.FINAL, Decimal("50.00"), None)
    assert (posted.subject, posted.customer, posted.user) == (charge.subject, charge.customer, charge.user)
    assert posted.service_date == date(2026, 12, 3)
    assert amounts(posted) == ["-100.00", "150.00"]
    assert posted.lines.get(position=1).corrects == charge.lines.get(stage="final")
    assert (amounts(charge), printed(Invoice.objects.get(pk=issued.pk))) == (["100.00"], ["100.00"])
    assert Entry.objects.filter(action="charge.correction_posted", object_id=str(posted.uid)).count() == 1


def test_the_next_statement_bills_the_difference() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)
    correct(charge, make_line("150.00"))

    second = issue(charge)

    assert (second.total, printed(second)) == (Decimal("50.00"), ["-100.00", "150.00"])
    assert [line.amount for line in second.lines.all()] == [Decimal("-100.00"), Decimal("150.00")]


def test_a_credit_is_set_off_against_what_else_is_owed() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)
    correct(charge, make_line("70.00"))
    make_charge(charge.customer, make_line("200.00"), institution=charge.institution)

    second = issue(charge)

    assert (second.total, printed(second)) == (Decimal("170.00"), ["-100.00", "70.00", "200.00"])


def test_a_credit_alone_is_not_drafted_and_waits() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)
    posted = correct(charge, make_line("70.00"))

    with pytest.raises(Refused) as raised:
        draft(charge)

    assert raised.value.refusals[0].code == "nothing_to_invoice"
    assert Charge.objects.billable().get() == posted


def test_a_draft_that_fell_below_zero_cannot_be_issued_but_deleted() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)
    posted = correct(charge, make_line("20.00"))
    other = make_charge(charge.customer, make_line("200.00"), institution=charge.institution)
    standing = draft(charge)
    correct(other, make_line("30.00"))
    by = make_member(charge.institution, "finance")

    with pytest.raises(Refused) as raised:
        issue_invoice(invoice=standing, by=by)
    delete_draft(invoice=standing, by=by)

    assert raised.value.refusals[0].code == "nothing_to_invoice"
    assert "wait for the next month" in str(raised.value.refusals[0].fix_text)
    assert set(Charge.objects.billable()) == {posted, other}


def test_a_chain_of_corrections_takes_back_only_what_stands() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)
    correct(charge, make_line("150.00"))
    issue(charge)

    third = correct(charge, make_line("60.00"))
    fourth = correct(charge, make_line("80.00"))

    assert (amounts(third), amounts(fourth)) == (["-150.00", "60.00"], ["-60.00", "80.00"])
    assert sum(one.total for one in Charge.objects.all()) == Decimal("80.00")


def test_corrections_that_cancel_each_other_on_one_statement_are_not_printed() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)
    correct(charge, make_line("150.00"))
    correct(charge, make_line("180.00"))

    second = issue(charge)

    assert (second.total, printed(second)) == (Decimal("80.00"), ["-100.00", "180.00"])


def test_the_same_correction_again_posts_nothing() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)
    uid = uuid.uuid4()

    first = correct(charge, make_line("150.00"), uid=uid)
    again = correct(charge, make_line("150.00"), uid=uid)

    assert (first, Charge.objects.count()) == (again, 2)


def test_an_equal_result_posts_nothing_and_returns_the_first_charge() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)

    same = correct(charge, make_line("100.00", why="in other words"))

    assert (same, Charge.objects.count()) == (charge, 1)


def test_nothing_left_to_pay_is_a_correction_too() -> None:
    charge = make_charge(None, make_line("100.00"))
    issue(charge)

    posted = correct(charge)

    assert (posted.total, amounts(posted)) == (Decimal("-100.00"), ["-100.00"])


def test_what_was_free_can_be_charged_later() -> None:
    institution = make_institution()
    free = make_charge(None, make_line("0.00"), institution=institution)
    make_charge(free.customer, make_line("10.00"), institution=institution)
    issue(free)

    posted = correct(free, make_line("40.00"))

    assert posted.total == Decimal("40.00")


def test_a_released_charge_is_charged_after_all() -> None:
    charge = make_charge(final=False)
    release_charges(source=charge.source, source_uid=charge.source_uid)

    assert correct(charge, make_line("40.00")).total == Decimal("40.00")


def test_correcting_what_was_never_quoted_is_refused() -> None:
    charge = make_charge()

    with pytest.raises(Refused) as raised:
        correct_charges(
            source="booking",
            source_uid=uuid.uuid4(),
            correction_uid=uuid.uuid4(),
            lines=[make_line()],
            differences=[],
            service_date=charge.service_date,
            by_id=None,
        )

    assert raised.value.refusals[0].code == "nothing_reserved"


@pytest.mark.parametrize(
    ("corrects", "stands"),
    [
        ({}, set()),
        ({1: None}, {1}),
        ({1: None, 2: 1, 3: None}, {2, 3}),
        ({1: None, 2: 1, 3: 2}, {1, 3}),  # the correction was taken back, so the first stands again
        ({1: None, 2: 1, 3: 2, 4: 3}, {2, 4}),
    ],
)
def test_what_is_taken_back_says_nothing(corrects: dict[int, int | None], stands: set[int]) -> None:
    assert in_effect(corrects) == stands
