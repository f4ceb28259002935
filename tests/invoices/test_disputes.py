"""Disputes: who may raise one, how long, what each decision posts, and that nothing disputed is invoiced."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction

from backend.accounts.models import Role
from backend.accounts.queries import access_of
from backend.audit.actions import faults
from backend.core.errors import Forbidden, Invalid, NotFound, Refused
from backend.outbox.models import Message
from backend.outbox.queries.words import render
from invoices.actions.disputes import add_reply, decide_dispute, open_dispute, withdraw_dispute
from invoices.actions.invoices import issue_invoice
from invoices.models import Charge, ChargeLine, Dispute, DisputeNote, DisputeSide, MoneyTerms
from invoices.queries.desk import billable
from invoices.queries.disputes import (
    disputable,
    get_disputable_charge,
    get_disputed_charge,
    get_visible_dispute,
    lines_in_question,
)
from tests.factories import make_enterprise, make_institution, make_line, make_member
from tests.invoices.ledger import Ledger, code_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def dispute(charge: Charge, reason: str = "We left at noon.", **more: object) -> Dispute:
    return open_dispute(charge=charge, reason=reason, by=charge.user, **more)  # type: ignore[arg-type]


def decide(ledger: Ledger, found: Dispute, decision: str, amount: str | None = None) -> Charge:
    owed = Decimal(amount) if amount else None
    decide_dispute(dispute=found, decision=decision, reason="Checked the log.", by=ledger.finance, amount=owed)
    return Charge.objects.get(pk=found.charge_id)


def final(charge: Charge) -> list[tuple[str, str, bool]]:
    rows = ChargeLine.objects.filter(charge=charge, stage="final").order_by("position")
    return [(row.name, str(row.amount), row.corrects_id is not None) for row in rows]


def test_what_is_disputed_is_not_drafted_until_it_is_decided(ledger: Ledger) -> None:
    charge = ledger.charge("100.00")
    found = dispute(charge)

    with pytest.raises(Refused) as raised:
        ledger.draft()
    assert code_of(raised) == "nothing_to_invoice"
    assert billable(ledger.institution.pk, "2026-12") == []

    decide(ledger, found, "uphold")
    assert ledger.issue().total == Decimal("100.00")


def test_a_draft_loses_what_is_disputed(ledger: Ledger) -> None:
    charge, other = ledger.charge("100.00"), ledger.charge("30.00")
    draft = ledger.draft()

    dispute(charge)

    assert list(draft.charges.all()) == [other]
    assert issue_invoice(invoice=draft, by=ledger.finance).total == Decimal("30.00")


def test_a_whole_charge_is_adjusted_by_lines_that_take_the_old_back(ledger: Ledger) -> None:
    charge = decide(ledger, dispute(ledger.charge("100.00")), "adjust", "60.00")

    assert (charge.total, charge.state, charge.disputed) == (Decimal("60.00"), "final", False)
    assert final(charge) == [
        ("机时费", "100.00", False),
        ("机时费", "-100.00", True),
        ("机时费", "100.00", False),
        ("Adjustment after a dispute", "-40.00", False),
    ]
    assert charge.differences[-1] == "After a dispute: Checked the log."
    assert [line["amount"] for line in ledger.issue().snapshot["lines"]] == ["100.00", "-40.00"]


def test_one_line_is_adjusted_and_the_others_stand(ledger: Ledger) -> None:
    charge = ledger.charge("100.00", "20.00")
    first = lines_in_question(charge)[0]

    charge = decide(ledger, dispute(charge, line=first.pk), "adjust", "99.99")

    assert charge.total == Decimal("119.99")
    assert [line["amount"] for line in ledger.issue().snapshot["lines"]] == ["20.00", "99.99"]


def test_waived_a_charge_is_released_and_a_line_taken_back(ledger: Ledger) -> None:
    whole, part = ledger.charge("100.00"), ledger.charge("50.00", "7.00")
    line = lines_in_question(part)[0]

    whole = decide(ledger, dispute(whole), "waive")
    part = decide(ledger, dispute(part, line=line.pk), "waive")

    assert (whole.state, whole.total, final(whole)[-1]) == ("released", Decimal("0.00"), ("机时费", "-100.00", True))
    assert (part.state, part.total) == ("final", Decimal("7.00"))
    assert ledger.issue().total == Decimal("7.00")


def test_withdrawn_the_charge_stands(ledger: Ledger) -> None:
    charge = ledger.charge()
    found = dispute(charge)

    withdraw_dispute(dispute=found, by=charge.user)

    found.refresh_from_db()
    assert (found.state, found.after) == ("withdrawn", Decimal("100.00"))
    assert ledger.issue().total == Decimal("100.00")


def test_the_window_ends_with_its_last_day_on_the_institutions_calendar(ledger: Ledger) -> None:
    MoneyTerms.objects.create(institution=ledger.institution, dispute_days=3)
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        first, second = ledger.charge(), ledger.charge()
    last = datetime(2026, 3, 4, 15, 59, tzinfo=UTC)

    with time_machine.travel(last, tick=False):
        assert disputable(access_of(first.user), [first]) == {first.pk: last.date()}
        dispute(first)
    with time_machine.travel(last.replace(hour=16, minute=0), tick=False):
        assert disputable(access_of(second.user), [second]) == {}
        with pytest.raises(Refused) as raised:
            dispute(second)

    assert code_of(raised) == "dispute_too_late"
    assert "2026-03-04" in str(raised.value.detail)


def test_what_cannot_be_disputed(ledger: Ledger) -> None:
    reserved = ledger.charge(final=False)
    issued = ledger.issued().charges.get()
    twice = ledger.charge()
    dispute(twice)
    codes = []

    for charge in (reserved, issued, twice):
        with pytest.raises(Refused) as raised:
            dispute(charge)
        codes.append(code_of(raised))

    assert codes == ["not_final", "charge_invoiced", "already_disputed"]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001, "a\x00b"])
def test_a_dispute_needs_a_reason_that_can_be_read(ledger: Ledger, reason: str) -> None:
    with pytest.raises(Invalid) as raised:
        dispute(ledger.charge(), reason)

    assert raised.value.refusals[0].field == "reason"
    assert Dispute.objects.count() == 0


def test_a_foreign_line_is_not_taken(ledger: Ledger) -> None:
    line = lines_in_question(ledger.charge())[0]

    with pytest.raises(Invalid):
        dispute(ledger.charge(), line=line.pk)


@pytest.mark.parametrize("amount", ["0.00", "100.00", "-1.00", "50.001", None])
def test_an_adjusted_amount_lies_below_what_is_disputed(ledger: Ledger, amount: str | None) -> None:
    found = dispute(ledger.charge("100.00"))

    with pytest.raises(Invalid) as raised:
        decide(ledger, found, "adjust", amount)

    assert raised.value.refusals[0].field == "amount"
    assert Dispute.objects.get().state == "open"


def test_closed_nothing_more_is_said_or_decided(ledger: Ledger) -> None:
    charge = ledger.charge()
    found = dispute(charge)
    decide(ledger, found, "uphold")

    for call in (
        lambda: decide(ledger, found, "waive"),
        lambda: withdraw_dispute(dispute=found, by=charge.user),
        lambda: add_reply(dispute=found, text="But", by=charge.user, side=DisputeSide.CUSTOMER),
    ):
        with pytest.raises(Refused) as raised:
            call()
        assert code_of(raised) == "dispute_closed"
    with pytest.raises(DatabaseError), transaction.atomic():
        Dispute.objects.filter(pk=found.pk).update(after=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        Charge.objects.filter(pk=ledger.issued().charges.first().pk).update(disputed=True)  # type: ignore[union-attr]


def test_upheld_it_may_be_disputed_again_within_the_window_by_one_open_dispute(ledger: Ledger) -> None:
    charge = ledger.charge()
    decide(ledger, dispute(charge), "uphold")

    dispute(charge)

    assert [one.state for one in charge.disputes.order_by("pk")] == ["upheld", "open"]


def test_nobody_decides_their_own_dispute(ledger: Ledger) -> None:
    charge = ledger.charge()
    found = dispute(charge)

    with pytest.raises(Refused) as raised:
        decide_dispute(dispute=found, decision="waive", reason="Mine", by=charge.user)

    assert code_of(raised) == "own_dispute"


def test_both_sides_talk_with_files_and_each_hears_the_other(
    ledger: Ledger, settings: object, tmp_path: object
) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    manager = make_member(ledger.institution, Role.MANAGER)
    charge = ledger.charge()
    photo = SimpleUploadedFile("log.csv", b"start,end\n9,12\n")

    found = dispute(charge, files=[photo])
    add_reply(dispute=found, text="Your badge left at two.", by=manager, side=DisputeSide.INSTITUTION)
    add_reply(dispute=found, text="So it was.", by=charge.user, side=DisputeSide.CUSTOMER)
    decide(ledger, found, "adjust", "80.00")

    notes = list(DisputeNote.objects.all())
    assert [(note.side, [file.name for file in note.files.all()]) for note in notes] == [
        ("customer", ["log.csv"]),
        ("institution", []),
        ("customer", []),
    ]
    told = [(m.kind, m.recipient) for m in Message.objects.filter(channel="mail").order_by("pk") if "disp" in m.kind]
    assert ("dispute_opened", manager) in told
    assert ("dispute_reply", charge.user) in told
    assert ("dispute_reply", manager) in told
    assert ("dispute_decided", charge.user) in told
    subject, body = render(Message.objects.get(kind="dispute_decided", channel="mail", recipient=charge.user))
    assert "80.00" in body
    assert "Checked the log." in body
    assert charge.subject in subject
    assert list(faults(organisation_id=ledger.institution.pk)) == []


def test_who_sees_raises_and_decides(ledger: Ledger) -> None:
    charge = ledger.charge()
    customer = charge.customer
    admin, payer, colleague = (make_member(customer, role) for role in (Role.ADMIN, Role.FINANCE, Role.MEMBER))
    manager, guest = make_member(ledger.institution, Role.MANAGER), make_member(ledger.institution, Role.MEMBER)
    chosen = make_member(ledger.institution, Role.MANAGER, all_instruments=False)
    strangers = (make_member(make_enterprise(), Role.ADMIN), make_member(make_institution(), Role.FINANCE))
    found = dispute(charge)

    for user in (charge.user, admin, payer):
        assert get_disputable_charge(access_of(user), charge.pk) == charge
        assert get_visible_dispute(access_of(user), found.pk) == found
        with pytest.raises(Forbidden):
            get_disputed_charge(access_of(user), charge.pk)
    for user in (ledger.finance, manager):
        assert get_disputed_charge(access_of(user), charge.pk) == charge
        with pytest.raises(Forbidden):
            get_disputable_charge(access_of(user), charge.pk)
    for user in (colleague, guest, chosen, *strangers):
        for get in (get_disputable_charge, get_disputed_charge):
            with pytest.raises(NotFound):
                get(access_of(user), charge.pk)
        with pytest.raises(NotFound):
            get_visible_dispute(access_of(user), found.pk)


def test_a_correction_that_is_waived_lets_the_first_charge_stand(ledger: Ledger) -> None:
    from invoices.actions.corrections import correct_charges  # beside its only use

    charge = ledger.issued("100.00").charges.get()
    posted = correct_charges(
        source=charge.source, source_uid=charge.source_uid, correction_uid=charge.uid, lines=[make_line("150.00")],
        differences=[], service_date=charge.service_date, by_id=None,
    )  # fmt: skip

    decided = decide(ledger, dispute(posted), "waive")

    assert (decided.total, decided.state) == (Decimal("0.00"), "released")
    with pytest.raises(Refused):
        ledger.draft()
