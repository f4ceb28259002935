"""Sample orders while they are measured and after: what they cost in the end, machine time, results, messages."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.utils import translation

from backend.accounts.models import User
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from backend.outbox.queries.words import render
from backend.outbox.rules import ALWAYS, topic_of
from booking.actions import ordering, results, sampling, using
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.conversation import add_note
from booking.actions.policies import save_policy
from booking.actions.reminding import remind
from booking.models import Booking, ResultFile, Side
from booking.queries.no_show import due_no_shows
from invoices.models import Charge, ChargeState
from tests.booking.lab import NOW, codes
from tests.booking.samples import FROM, LEAD, Bench, S, charge_of, told
from tests.factories import at

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


# --- what it costs in the end ----------------------------------------------------------------------------------------


def test_done_as_ordered_is_charged_as_quoted() -> None:
    order = Bench().at_state(S.DONE)

    charge = charge_of(order)
    assert (charge.state, charge.total, charge.differences) == (ChargeState.FINAL, 900, [])


def test_what_was_really_tested_is_charged_and_each_difference_named() -> None:
    bench = Bench()
    order = bench.at_state(S.TESTING)
    first, second = order.items.all()

    sampling.finish_testing(
        order=order, by=bench.manager, items={first.pk: {"quantity": 2}, second.pk: {"parameters": {"points": 1}}}
    )

    charge = charge_of(order)
    assert charge.total == 100 + 2 * 80 + 2 * 4 * 20 + 100 + 2 * 80 + 2 * 20
    assert charge.differences[:2] == [
        "“LFP powder”: 2 tested instead of 3.", "“Copper foil”: other tests or values than ordered.",
    ]  # fmt: skip
    assert "Test: 320.00 instead of 400.00." in charge.differences


def test_what_did_not_arrive_was_not_tested() -> None:
    bench = Bench()
    order = bench.at_state(S.ACCEPTED)
    first, _second = order.items.all()
    order = sampling.receive_samples(
        order=order, by=bench.manager, items={first.pk: {"quantity": 1, "condition": "one bag torn"}}
    )
    said = Message.objects.filter(kind="samples_received", recipient=bench.engineer).first()
    assert said is not None
    assert said.context["remarks"] == ["“LFP powder”: 1 arrived instead of 3.", "LFP powder: one bag torn"]

    order = sampling.start_testing(order=order, by=bench.manager)
    sampling.finish_testing(order=order, by=bench.manager)

    assert [item.tested_quantity for item in order.items.all()] == [1, 2]
    assert charge_of(order).total == 100 + 3 * 80 + 3 * 4 * 20


def test_items_of_another_order_are_no_items() -> None:
    bench = Bench()
    other = bench.submit().items.first()
    assert other is not None
    order = bench.at_state(S.ACCEPTED)

    with pytest.raises(Invalid) as caught:
        sampling.receive_samples(order=order, by=bench.manager, items={other.pk: {"quantity": 1}})

    assert codes(caught) == ["foreign"]


@pytest.mark.parametrize(("state", "fee"), [(S.SUBMITTED, "0.00"), (S.ACCEPTED, "0.00"), (S.RECEIVED, "200.00")])
def test_cancelling_is_free_until_the_samples_are_there(state: str, fee: str) -> None:
    bench = Bench()
    order = bench.at_state(state)

    ordering.cancel_samples(order=order, by=bench.engineer)

    charge = charge_of(order)
    assert charge.total == Decimal(fee)
    assert charge.state == (ChargeState.RELEASED if fee == "0.00" else ChargeState.FINAL)


def test_the_lab_cancels_for_nothing_and_says_why() -> None:
    bench = Bench()
    order = bench.at_state(S.TESTING)
    with pytest.raises(Invalid) as caught:
        ordering.cancel_samples(order=order, by=bench.manager, by_lab=True)
    assert codes(caught) == ["reason_needed"]

    ordering.cancel_samples(order=order, by=bench.manager, by_lab=True, reason="Furnace broken")

    assert (charge_of(order).state, charge_of(order).total) == (ChargeState.RELEASED, 0)


def test_rejecting_releases_the_charge_and_needs_a_reason() -> None:
    bench = Bench()
    order = bench.submit()
    with pytest.raises(Invalid):
        sampling.reject_samples(order=order, by=bench.manager, reason=" ")

    sampling.reject_samples(order=order, by=bench.manager, reason="Radioactive")

    assert charge_of(order).state == ChargeState.RELEASED


def test_samples_that_were_received_go_back_once() -> None:
    bench = Bench()
    order = bench.at_state(S.DONE)
    first, second = order.items.all()

    order = sampling.give_samples_back(order=order, by=bench.manager, items=[first.pk])
    order = sampling.give_samples_back(order=order, by=bench.manager)

    assert all(item.returned_at for item in order.items.all())
    with pytest.raises(Refused) as caught:
        sampling.give_samples_back(order=order, by=bench.manager, items=[second.pk])
    assert codes(caught) == ["nothing_to_return"]


# --- machine time ----------------------------------------------------------------------------------------------------


def test_machine_time_for_samples_is_on_the_calendar_and_costs_nothing_more(clock: Any) -> None:
    bench = Bench()
    save_policy(instrument=bench.instrument, document=LEAD, by=bench.manager, valid_from=FROM)
    order = bench.at_state(S.RECEIVED)

    booking = sampling.take_machine_time(order=order, by=bench.manager, start=at(9), end=at(9, 30))

    assert (booking.order, booking.mode, booking.status, booking.quote["total"]) == (
        order,
        "sample",
        "confirmed",
        "0.00",
    )
    assert told("booking_confirmed") == set()
    with pytest.raises(Refused) as caught:
        bench.book()
    assert "taken" in codes(caught)

    clock.move_to(at(10))
    usage = using.finish_booking(booking=booking, by=bench.manager)
    using.verify_usage(usage=usage, by=bench.manager)
    assert Charge.objects.get(source="booking", source_uid=booking.uid).total == 0


def test_machine_time_that_is_taken_is_refused() -> None:
    bench = Bench()
    bench.book()
    order = bench.at_state(S.RECEIVED)

    with pytest.raises(Refused) as caught:
        sampling.take_machine_time(order=order, by=bench.manager, start=at(9), end=at(10))

    assert codes(caught) == ["taken"]
    assert not Booking.objects.filter(order=order).exists()


# --- results and messages --------------------------------------------------------------------------------------------


def test_files_are_checked_like_those_of_messages(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    bench = Bench()
    order = bench.at_state(S.TESTING)
    [SimpleUploadedFile("x.exe", b"MZ\0\0"), SimpleUploadedFile("e.csv", b"")]

    with pytest.raises(Invalid) as caught:
        results.deliver_results(
            order=order,
            by=bench.manager,
            files=[SimpleUploadedFile("x.exe", b"MZ\0\0"), SimpleUploadedFile("e.csv", b"")],
        )
    assert codes(caught) == ["file_type", "empty_file"]
    with pytest.raises(Invalid):
        results.deliver_results(order=order, by=bench.manager, files=[])
    assert not list(tmp_path.rglob("*.*"))
    assert not ResultFile.objects.exists()

    (file,) = bench.deliver(order)
    assert (file.media_type, file.size, len(file.sha256)) == ("text/csv", 8, 64)


def test_a_wrong_file_is_withdrawn_until_the_order_is_done(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    bench = Bench()
    order = bench.at_state(S.TESTING)
    (wrong,), (right,) = bench.deliver(order, "wrong.csv"), bench.deliver(order, "right.csv")

    results.withdraw_result(result=wrong, by=bench.manager)
    order.refresh_from_db()
    sampling.finish_testing(order=order, by=bench.manager)

    said = Message.objects.filter(kind="samples_done").first()
    assert said is not None
    assert said.context["files"] == ["right.csv"]
    with pytest.raises(Refused):
        results.withdraw_result(result=right, by=bench.manager)


def test_a_delivered_file_never_changes(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    bench = Bench()
    (file,) = bench.deliver(bench.at_state(S.TESTING))

    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        ResultFile.objects.filter(pk=file.pk).update(name="other")


def test_what_is_written_about_an_order_reaches_the_other_side(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    bench = Bench()
    order = bench.submit()

    add_note(booking=order, by=bench.engineer, side=Side.CUSTOMER, text="Is argon needed?")
    add_note(booking=order, by=bench.manager, side=Side.LAB, text="No.", files=[SimpleUploadedFile("a.csv", b"a\n1\n")])

    assert told("samples_note_lab") == {bench.manager.pk}
    assert told("samples_note") == {bench.engineer.pk}
    assert [note.text for note in order.conversation.all()] == ["Is argon needed?", "No."]


def test_messages_about_an_order_end_ninety_days_after_it(clock: Any) -> None:
    bench = Bench()
    order = bench.at_state(S.REJECTED)
    clock.move_to(NOW + timedelta(days=90))

    with pytest.raises(Refused) as caught:
        add_note(booking=order, by=bench.engineer, side=Side.CUSTOMER, text="Why?")

    assert codes(caught) == ["conversation_closed"]


def test_a_stranger_to_the_lab_gets_no_message() -> None:
    bench = Bench()
    order = bench.submit()
    bench.engineer.memberships.update(ended_at=NOW)

    sampling.accept_samples(order=order, by=bench.manager)

    assert told("samples_accepted") == {bench.boss.pk}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_message_says_which_order_in_the_readers_language(language: str, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    bench = Bench()
    User.objects.update(language=language)
    for user in (bench.engineer, bench.manager):
        user.refresh_from_db()
    order = bench.at_state(S.TESTING)
    bench.deliver(order)
    order.refresh_from_db()
    sampling.finish_testing(order=order, by=bench.manager, report="Pure")
    bench.deliver(order)
    sampling.give_samples_back(order=order, by=bench.manager)
    add_note(booking=order, by=bench.manager, side=Side.LAB, text="Done & dusted")
    add_note(booking=order, by=bench.engineer, side=Side.CUSTOMER, text="Thanks")
    bench.at_state(S.REJECTED)
    ordering.cancel_samples(order=bench.at_state(S.RECEIVED), by=bench.engineer)
    ordering.cancel_samples(order=bench.submit(), by=bench.manager, by_lab=True, reason="Leak")

    sent = list(Message.objects.filter(kind__startswith="samples_").select_related("recipient"))

    assert {one.kind for one in sent} == {
        f"samples_{name}"
        for name in "submitted accepted received started done results returned rejected cancelled note note_lab".split()
    }
    for message in sent:
        with translation.override(language):
            subject, body = render(message)
        assert "SY2611-" in subject
        assert (bench.instrument.name_en if language == "en" else bench.instrument.name) in subject
        assert "&amp;" not in subject + body
        assert topic_of(message.kind) != ALWAYS


def test_time_of_samples_is_the_labs_own(clock: Any) -> None:
    """The customer cannot change it, is not awaited or reminded, and it counts against none of their quotas."""
    bench = Bench(check_in=True)
    one = {"id": "one", "kind": "quota", "topic": "quota", "measure": "count", "over": "open", "max": 1}
    save_policy(instrument=bench.instrument, document={"rules": [one]}, by=bench.manager, valid_from=FROM)
    order = bench.at_state(S.RECEIVED)
    booking = sampling.take_machine_time(order=order, by=bench.manager, start=at(9), end=at(10))

    assert bench.book(11, 12).pk
    for change in (
        lambda: cancel_booking(booking=booking, by=bench.engineer),
        lambda: reschedule_booking(booking=booking, by=bench.engineer, start=at(14), end=at(15)),
    ):
        with pytest.raises(Refused) as caught:
            change()
        assert "time_of_samples" in codes(caught)
    clock.move_to(at(8))
    remind()
    assert not Message.objects.filter(kind="booking_reminder", path=f"/bookings/{booking.pk}/").exists()
    clock.move_to(at(9, 45))
    assert booking not in due_no_shows(at(9, 45))
    assert cancel_booking(booking=booking, by=bench.manager, by_lab=True, reason="Not needed").status == "cancelled"
