"""Correcting records of use: before verification, after it, and on the database's word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from backend.accounts.models import Role, User
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.correcting import amend_usage, preview_change
from booking.actions.using import finish_booking, record_usage, verify_usage
from booking.models import Usage, UsageState
from booking.queries.owed import owed_for
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge, ChargeState
from tests.booking.lab import TODAY, browser, html
from tests.booking.records import BY_USE, correct, make_lab, submitted, verified
from tests.factories import DAY, at, make_manager, make_member, make_price_list
from tests.parallel import at_once

pytestmark = pytest.mark.django_db


def amend(usage: Usage, by: User, **changes: Any) -> Usage:
    told = {name: getattr(usage, name) for name in ("start", "end", "samples", "parameters", "comment")}
    return amend_usage(usage=usage, by=by, **{**told, **changes})


# --- before verification --------------------------------------------------------------------------------------------


def test_amending_changes_the_record_that_waits(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    amend(usage, lab.manager, end=at(11), reason="typo")

    fresh = Usage.objects.get()
    assert (fresh.pk, fresh.end, fresh.state) == (usage.pk, at(11), UsageState.SUBMITTED)
    entry = Entry.objects.filter(action="usage.amend").get()
    assert (entry.reason, entry.actor_id) == ("typo", lab.manager.pk)
    assert entry.before["end"] != entry.after["end"]
    verify_usage(usage=fresh, by=lab.manager)
    assert Charge.objects.get().total == Decimal(200)


def test_amending_with_the_same_writes_nothing(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    amend(usage, lab.manager)

    assert not Entry.objects.filter(action="usage.amend").exists()


def test_a_verified_record_is_not_amended(clock: Any) -> None:
    lab = make_lab()

    with pytest.raises(Refused) as refused:
        amend(verified(lab, clock), lab.manager, end=at(11))

    assert refused.value.refusals[0].code == "wrong_status"


# --- after verification ---------------------------------------------------------------------------------------------


def test_a_correction_is_a_new_verified_record_that_prices_anew(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)

    new = correct(old, lab.manager, end=at(11))

    old.refresh_from_db()
    assert old.end == at(12)
    assert (new.corrects_id, new.state, new.verified_by, new.end) == (old.pk, UsageState.VERIFIED, lab.manager, at(11))
    assert new.source_ref == f"correction:{old.uid}"
    charge = Charge.objects.get()
    assert (charge.state, charge.total) == (ChargeState.FINAL, Decimal(200))
    assert charge.differences == [
        "Used 2 h instead of the booked 3 h.",
        "Time: 200.00 instead of 300.00.",
        "Corrected: The device log says so",
    ]
    entry = Entry.objects.filter(action="usage.correct").get()
    assert (entry.object_id, entry.reason) == (str(new.pk), "The device log says so")


def test_the_price_version_that_the_booking_kept_holds(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    dearer = {**BY_USE, "rules": [{**BY_USE["rules"][0], "rate": 900}]}  # type: ignore[dict-item]
    make_price_list(lab.instrument, dearer, valid_from=date(2026, 11, 30))

    correct(old, lab.manager, end=at(11))

    assert Charge.objects.get().total == Decimal(200)


def test_after_an_invoice_only_the_difference_is_charged(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    finance = make_member(lab.institution, Role.FINANCE)
    ids = {"institution_id": lab.institution.pk, "customer_id": lab.enterprise.pk}
    issue_invoice(invoice=draft_invoice(**ids, period="2026-12", by=finance), by=finance)

    new = correct(old, lab.manager, end=at(11))

    first, later = Charge.objects.order_by("pk")
    assert (first.state, first.total) == (ChargeState.INVOICED, Decimal(300))
    assert (later.state, later.total, later.original) == (ChargeState.FINAL, Decimal(-100), first)
    assert later.differences == [
        "Corrected: The device log says so",
        "Used 09:00–11:00 (2 h), not 09:00–12:00 (3 h).",
        "Time: 200.00 instead of 300.00.",
    ]
    assert owed_for([new])[new.pk].total == Decimal(200)
    assert "¥200.00" in html(browser(lab.engineer).get("/bookings/past/"))


def test_a_chain_grows_at_its_end_only(clock: Any) -> None:
    lab = make_lab()
    first = verified(lab, clock)
    second = correct(first, lab.manager, end=at(11))

    with pytest.raises(Refused) as refused:
        correct(first, lab.manager, end=at(10))
    third = correct(second, lab.manager, end=at(10))

    assert refused.value.refusals[0].code == "corrected_already"
    assert refused.value.refusals[0].params == {"newest": second.pk}
    assert Charge.objects.get().total == Decimal(100)
    assert owed_for([third])[third.pk].total == Decimal(100)
    assert Usage.objects.filter(corrected_by=None).get() == third


def test_a_use_without_booking_is_corrected_too(clock: Any) -> None:
    lab = make_lab()
    clock.move_to(at(21))
    first = record_usage(
        by=lab.manager, source_ref="device/1", instrument=lab.instrument, user=lab.engineer,
        organisation=lab.enterprise, start=at(9), end=at(12),
    )  # fmt: skip
    verify_usage(usage=first, by=lab.manager)
    first.refresh_from_db()

    second = correct(first, lab.manager, end=at(11))
    third = correct(second, lab.manager, end=at(13))

    charge = Charge.objects.get()
    assert (charge.source, charge.source_uid, charge.total) == ("usage", first.uid, Decimal(400))
    assert owed_for([third])[third.pk].first == charge
    assert Message.objects.filter(kind="usage_corrected", path=f"/usage/{third.pk}/").exists()


def test_the_customer_is_told_each_time_and_why(clock: Any) -> None:
    lab = make_lab()
    first = verified(lab, clock)

    second = correct(first, lab.manager, end=at(11))
    correct(second, lab.manager, end=at(10))

    told = Message.objects.filter(kind="usage_corrected", recipient=lab.engineer, channel="mail").order_by("pk")
    assert [(row.context["was"], row.context["total"]) for row in told] == [("300.00", "200.00"), ("200.00", "100.00")]
    assert told[0].context["reason"] == "The device log says so"


REFUSALS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no reason": ({"reason": "  "}, Invalid, "required"),
    "nothing different": ({}, Refused, "nothing_changed"),
    "seconds": ({"end": at(11) + timedelta(seconds=5)}, Invalid, "whole_minutes"),
    "reversed": ({"end": at(8)}, Invalid, "end_before_start"),
    "in the future": ({"end": at(23)}, Invalid, "in_future"),
    "far from the booking": (
        {"start": at(9, day=DAY - timedelta(days=3)), "end": at(10, day=DAY - timedelta(days=3))},
        Invalid,
        "far_from_booking",
    ),
    "an unknown parameter": ({"parameters": {"vacuum": 1}}, Refused, "unknown_parameter"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_correction_is_refused_with_a_reason_and_changes_nothing(clock: Any, case: str) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    changes, error, code = REFUSALS[case]

    with pytest.raises(error) as caught:
        correct(old, lab.manager, **changes)

    assert caught.value.refusals[0].code == code  # type: ignore[attr-defined]
    assert Usage.objects.count() == 1
    assert Charge.objects.get().total == Decimal(300)


def test_a_record_that_waits_is_not_corrected(clock: Any) -> None:
    lab = make_lab()

    with pytest.raises(Refused) as refused:
        correct(submitted(lab, clock), lab.manager, end=at(11))

    assert refused.value.refusals[0].code == "wrong_status"


def test_nobody_corrects_their_own_use(clock: Any) -> None:
    lab = make_lab()
    make_member(lab.enterprise, user=lab.manager)
    usage = verify_usage(usage=submitted(lab, clock, user=lab.manager), by=make_manager(lab.institution))

    with pytest.raises(Refused) as refused:
        correct(usage, lab.manager, end=at(11))

    assert refused.value.refusals[0].code == "own_use"


def test_the_preview_says_the_difference_and_writes_nothing(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    told = {name: getattr(old, name) for name in ("start", "samples", "parameters", "comment")}

    change = preview_change(usage=old, end=at(13), **told)

    assert (change.before, change.price.total, change.difference) == (Decimal(300), Decimal(400), Decimal(100))
    assert change.sentences[-1] == "Time: 400.00 instead of 300.00."
    assert Usage.objects.count() == 1


@pytest.mark.parametrize("reference", ["booking:x", "correction:x"])
def test_our_own_references_cannot_be_taken(clock: Any, reference: str) -> None:
    lab = make_lab()
    booking = lab.book()
    clock.move_to(at(21))

    with pytest.raises(Invalid) as invalid:
        finish_booking(booking=booking, by=lab.manager, source_ref=reference)

    assert invalid.value.refusals[0].code == "reserved"


# --- on the database's word -----------------------------------------------------------------------------------------


def update(**values: Any) -> Callable[[Usage], Any]:
    return lambda usage: Usage.objects.filter(pk=usage.pk).update(**values)


@pytest.mark.parametrize(
    "change",
    [
        update(end=at(20)),
        update(state=UsageState.SUBMITTED),
        update(samples=9),
        update(reason="other"),
        lambda usage: Usage.objects.filter(pk=usage.pk).delete(),
    ],
    ids=["end", "state", "samples", "reason", "delete"],
)
def test_correction_and_corrected_record_are_immutable(clock: Any, change: Callable[[Usage], Any]) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    new = correct(old, lab.manager, end=at(11))

    for usage in (new, old):
        with pytest.raises(IntegrityError), transaction.atomic():
            change(usage)


@pytest.mark.parallel
def test_of_parallel_corrections_one_wins(committed: None) -> None:
    with time_machine.travel(at(9, day=TODAY)) as clock:
        lab = make_lab()
        old = verified(lab, clock)

        outcome = at_once([partial(correct, old, lab.manager, end=at(10 + n % 2, 30)) for n in range(8)])

    assert len(outcome.results) == 1
    assert outcome.error_counts() == {"Refused": 7}
    assert Usage.objects.filter(corrects=old).count() == 1
    assert Charge.objects.get().total == owed_for(outcome.results)[outcome.results[0].pk].total


def test_a_second_correction_of_the_same_record_is_refused_by_the_database(clock: Any) -> None:
    """The lock's negative control: without it, the column is unique."""
    lab = make_lab()
    old = verified(lab, clock)
    correct(old, lab.manager, end=at(11))
    copy = {name: getattr(old, name) for name in ("instrument", "organisation", "user", "start", "end", "recorded_by")}

    with pytest.raises(IntegrityError), transaction.atomic():
        Usage.objects.create(**copy, source_ref="other", state=UsageState.VERIFIED, corrects=old)
