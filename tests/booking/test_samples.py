"""Sample orders: every step, who may, what it costs, what rules say; each refusal at its boundary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.utils import translation

from backend.accounts.models import User
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused, Stale
from backend.outbox.models import Channel, Message
from backend.outbox.queries.words import render
from backend.outbox.rules import ALWAYS, topic_of
from booking.actions import ordering, results, sampling, using
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.conversation import add_note
from booking.actions.policies import save_policy
from booking.actions.reminding import remind
from booking.models import Booking, OrderStatus, ResultFile, SampleOrder, Side
from booking.queries.no_show import due_no_shows
from booking.queries.sample_prices import offered_tests, questions
from booking.rules.samples import STEPS, Piece, runs_of
from instruments.models import PriceList
from invoices.models import Charge, ChargeState
from tests.booking.lab import NOW
from tests.booking.samples import FROM, ITEMS, LEAD, PRICES, USE, Bench
from tests.factories import at, make_member, make_price_list

pytestmark = pytest.mark.django_db
S = OrderStatus


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def codes(caught: Any) -> list[str]:
    return [one.code for one in caught.value.refusals]


def told(kind: str) -> set[int]:
    return set(Message.objects.filter(kind=kind, channel=Channel.IN_APP).values_list("recipient", flat=True))


def charge_of(order: SampleOrder) -> Charge:
    return Charge.objects.get(source="sample_order", source_uid=order.uid)


def acts_of(order: SampleOrder) -> list[str]:
    rows = Entry.objects.filter(object_type="sample_order", object_id=str(order.pk)).order_by("pk")
    return list(rows.values_list("action", flat=True))


# --- the machine -----------------------------------------------------------------------------------------------------

Act = Callable[[Bench, SampleOrder], object]
# Act → what does it, the message that it sends, and the state that it leads to (empty: the same).
ACTS: dict[str, tuple[Act, str, str]] = {
    "accept": (lambda b, o: sampling.accept_samples(order=o, by=b.manager), "samples_accepted", S.ACCEPTED),
    "reject": (
        lambda b, o: sampling.reject_samples(order=o, by=b.manager, reason="Too large"), "samples_rejected", S.REJECTED,
    ),
    "receive": (lambda b, o: sampling.receive_samples(order=o, by=b.manager), "samples_received", S.RECEIVED),
    "start": (lambda b, o: sampling.start_testing(order=o, by=b.manager), "samples_started", S.TESTING),
    "take_time": (
        lambda b, o: sampling.take_machine_time(order=o, by=b.manager, start=at(9), end=at(10)), "", "",
    ),
    "finish": (lambda b, o: sampling.finish_testing(order=o, by=b.manager), "samples_done", S.DONE),
    "cancel": (lambda b, o: ordering.cancel_samples(order=o, by=b.engineer), "samples_cancelled", S.CANCELLED),
    "cancel_by_lab": (
        lambda b, o: ordering.cancel_samples(order=o, by=b.manager, reason="Broken", by_lab=True),
        "samples_cancelled", S.CANCELLED,
    ),
    "return": (lambda b, o: sampling.give_samples_back(order=o, by=b.manager), "samples_returned", ""),
    "deliver": (lambda b, o: b.deliver(o), "", ""),
}  # fmt: skip
ALLOWED: dict[str, str] = {
    S.SUBMITTED: "accept reject cancel cancel_by_lab",
    S.ACCEPTED: "receive reject take_time cancel cancel_by_lab",
    S.RECEIVED: "start reject take_time cancel cancel_by_lab return deliver",
    S.TESTING: "finish take_time cancel_by_lab return deliver",
    S.DONE: "return deliver",
    S.REJECTED: "",
    S.CANCELLED: "",
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("state", S.values)
def test_each_act_is_possible_where_the_table_says_and_nowhere_else(
    state: str, act: str, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    bench = Bench()
    order = bench.at_state(state)
    do, kind, to = ACTS[act]
    before, messages = acts_of(order), Message.objects.count()

    if act in ALLOWED[state].split():
        do(bench, order)

        order.refresh_from_db()
        assert order.status == (to or state)
        assert acts_of(order)[len(before) :] == [f"samples.{act.removesuffix('_by_lab')}"]
        assert bool(kind) == (Message.objects.count() > messages) or (act, state) == ("deliver", S.DONE)
        assert not kind or told(kind)
    else:
        with pytest.raises(Refused) as caught:
            do(bench, order)

        # What was never received cannot go back, whatever else the state allows.
        wanted = "nothing_to_return" if act == "return" and state in STEPS["return"][0] else "wrong_status"
        assert codes(caught) == [wanted]
        order.refresh_from_db()
        assert (order.status, acts_of(order)) == (state, before)


@pytest.mark.parametrize("act", [name for name in ACTS if name not in ("take_time", "deliver")])
def test_who_saw_an_older_version_changes_nothing(act: str) -> None:
    bench = Bench()
    state = next(state for state, acts in ALLOWED.items() if act in acts.split())
    order = bench.at_state(state)
    functions: dict[str, Any] = {
        "accept": sampling.accept_samples, "reject": sampling.reject_samples, "receive": sampling.receive_samples,
        "start": sampling.start_testing, "finish": sampling.finish_testing, "return": sampling.give_samples_back,
        "cancel": ordering.cancel_samples, "cancel_by_lab": ordering.cancel_samples,
    }  # fmt: skip
    more: dict[str, Any] = {"reason": "x"} if act in ("reject", "cancel") else {}
    if act == "cancel_by_lab":
        more = {"reason": "x", "by_lab": True}
    by = bench.engineer if act == "cancel" else bench.manager

    with pytest.raises(Stale):
        functions[act](order=order, by=by, version=order.version - 1 if order.version > 1 else 99, **more)


# --- submitting ------------------------------------------------------------------------------------------------------


def test_submitting_reserves_the_price_and_tells_the_lab() -> None:
    bench = Bench()

    order = bench.submit(requirements="In argon", return_samples=True)

    # One run: set-up once, 5 samples, 5 × 4 points.
    assert order.quote["total"] == "900.00"
    assert [(line["code"], line["amount"]) for line in order.quote["lines"]] == [
        ("setup", "100.00"), ("sample", "400.00"), ("points", "400.00"),
    ]  # fmt: skip
    charge = charge_of(order)
    assert (charge.state, charge.total, charge.customer_id) == (ChargeState.RESERVED, 900, bench.enterprise.pk)
    assert told("samples_submitted") == {bench.manager.pk}
    assert acts_of(order) == ["samples.submit"]
    assert order.number == f"SY2611-{order.pk:05d}"


def test_samples_with_other_values_are_a_run_of_their_own() -> None:
    bench = Bench()
    items = [ITEMS[0], {**ITEMS[1], "parameters": {"points": 1}}]

    assert bench.submit(items).quote["total"] == "880.00"  # 2 × 100 + 5 × 80 + (12 + 2) × 20


def test_runs_join_equal_samples_and_split_tests_with_prices_of_their_own() -> None:
    pieces = [Piece("a", 2, ("SEM", "EDS")), Piece("b", 1, ("SEM",)), Piece("c", 0, ("XRD",))]

    assert [run.samples for run in runs_of(pieces, by_test=False)] == [3]
    assert [(run.samples, run.parameters["test"]) for run in runs_of(pieces, by_test=True)] == [(3, "SEM"), (2, "EDS")]


def by_test() -> dict[str, Any]:
    rows = [{"when": {"test": name}, "rate": rate} for name, rate in (("SEM", 200), ("EDS", 50))]
    rule = {
        "code": "test", "name": "Test", "kind": "price", "required": True, "when": USE, "qty": ["samples"],
        "rows": rows,
    }  # fmt: skip
    return {"name": "By test", "currency": "CNY", "rules": [rule]}


def test_tests_with_prices_are_chosen_and_charged_each() -> None:
    bench = Bench(prices=by_test())
    price_list = PriceList.objects.filter(instrument=bench.instrument).latest("version")

    assert offered_tests(price_list) == ("EDS", "SEM")
    assert bench.submit([{"name": "a", "quantity": 2, "tests": ["SEM", "EDS"]}]).quote["total"] == "500.00"

    for tests, code in ((["XRD"], "unknown_test"), ([], "no_test")):
        with pytest.raises(Refused) as caught:
            bench.submit([{"name": "a", "quantity": 2, "tests": tests}])
        assert codes(caught) == [code]


def test_only_what_concerns_samples_is_asked() -> None:
    other = {"code": "train", "name": "x", "kind": "price", "when": {"event": "training"}, "qty": ["people"], "rate": 9}
    bench = Bench(prices={**PRICES, "rules": [*PRICES["rules"], other]})
    price_list = PriceList.objects.filter(instrument=bench.instrument).latest("version")

    assert [one.name for one in questions(price_list)] == ["points"]


def test_without_a_price_for_samples_nothing_is_measured_for_nothing() -> None:
    bench = Bench()
    make_price_list(bench.instrument)  # by the hour only

    with pytest.raises(Refused) as caught:
        bench.submit()

    assert "no_price" in codes(caught)


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([], "no_items"),
        ([{"name": "x", "quantity": 1}] * 51, "too_many_items"),
    ],
)
def test_an_order_has_one_to_fifty_kinds_of_samples(items: Any, code: str) -> None:
    bench = Bench()
    bench.submit([{"name": "x", "quantity": 1}] * 50)

    with pytest.raises(Invalid) as caught:
        bench.submit(items)

    assert codes(caught) == [code]


def test_a_value_that_nobody_asked_for_is_refused_with_its_place() -> None:
    bench = Bench()

    with pytest.raises(Refused) as caught:
        bench.submit([ITEMS[0], {"name": "x", "quantity": 1, "parameters": {"gold": 1}}])

    (refusal,) = caught.value.refusals
    assert (refusal.code, refusal.field) == ("unknown_parameter", "items.1.parameters.gold")


def test_all_that_speaks_against_an_order_is_said_at_once() -> None:
    bench = Bench(mode_sample=False, condition="repair")

    with pytest.raises(Refused) as caught:
        bench.submit(wished_on=NOW.date() - timedelta(days=1))

    assert codes(caught) == ["out_of_order", "mode_not_offered", "past"]
    assert not SampleOrder.objects.exists()
    assert not Charge.objects.exists()


# --- rules -----------------------------------------------------------------------------------------------------------


def test_seven_days_ahead_are_counted_from_the_wished_date() -> None:
    bench = Bench()
    save_policy(instrument=bench.instrument, document=LEAD, by=bench.manager, valid_from=FROM)

    assert bench.submit(wished_on=date(2026, 12, 1)).pk
    with pytest.raises(Refused) as caught:
        bench.submit(wished_on=date(2026, 11, 30))

    (refusal,) = caught.value.refusals
    assert refusal.code == "too_late"
    assert refusal.fix is not None
    assert refusal.fix.date() == date(2026, 12, 1)
    # Where no date is wished the lab names one, so there is no lead to keep; lengths say nothing of samples.
    assert bench.submit().pk


QUOTA = {
    "rules": [
        {
            "id": "open", "kind": "quota", "topic": "quota", "if": {"mode": "sample"}, "measure": "count",
            "over": "open", "max": 2, "per": ["organisation"],
        }
    ]
}  # fmt: skip


def test_quotas_count_orders_among_orders() -> None:
    bench = Bench()
    save_policy(instrument=bench.instrument, document=QUOTA, by=bench.manager, valid_from=FROM)
    bench.book()
    first = bench.submit()
    bench.submit()

    with pytest.raises(Refused) as caught:
        bench.submit()
    assert codes(caught) == ["quota"]

    ordering.cancel_samples(order=first, by=bench.engineer)
    assert bench.submit().pk


def approval(role: str) -> dict[str, Any]:
    rule = {
        "id": "approval", "kind": "require", "topic": "approval", "that": {"audience": "internal"},
        "else": f"approve:{role}",
    }  # fmt: skip
    return {"rules": [rule]}


def test_the_lab_accepts_for_its_own_roles() -> None:
    bench = Bench()
    save_policy(instrument=bench.instrument, document=approval("manager"), by=bench.manager, valid_from=FROM)
    order = bench.submit()

    assert order.approval_roles == ["manager"]
    assert sampling.accept_samples(order=order, by=bench.manager).status == S.ACCEPTED


def test_another_role_must_agree_before_the_lab_accepts() -> None:
    bench = Bench()
    save_policy(instrument=bench.instrument, document=approval("finance"), by=bench.manager, valid_from=FROM)
    finance = make_member(bench.institution, "finance")
    order = bench.submit()
    with pytest.raises(Refused) as caught:
        sampling.accept_samples(order=order, by=bench.manager)
    assert codes(caught) == ["needs_approval"]

    order = ordering.agree_to_samples(order=order, by=finance)

    assert [one["role"] for one in order.agreed] == ["finance"]
    assert sampling.accept_samples(order=order, by=bench.manager).status == S.ACCEPTED


def test_nobody_decides_about_an_order_of_their_own() -> None:
    bench = Bench()
    both = make_member(bench.enterprise, user=bench.manager)
    order = bench.submit()

    with pytest.raises(Refused) as caught:
        sampling.accept_samples(order=order, by=both)

    assert codes(caught) == ["own_order"]


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
