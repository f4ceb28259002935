"""Sample orders: every step, who may, what rules say; each refusal at its boundary."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused, Stale
from backend.outbox.models import Message
from booking.actions import ordering, sampling
from booking.actions.policies import save_policy
from booking.models import SampleOrder
from booking.queries.sample_prices import offered_tests, questions
from booking.rules.samples import STEPS, Piece, runs_of
from instruments.models import PriceList
from invoices.models import Charge, ChargeState
from tests.booking.lab import NOW, codes
from tests.booking.samples import FROM, ITEMS, LEAD, PRICES, USE, Bench, S, charge_of, told
from tests.factories import at, make_member, make_price_list

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


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
    time = {"code": "time", "name": "Time", "kind": "price", "qty": ["booked"], "rate": 50, "when": {"mode": "self"}}
    bench = Bench(prices={**PRICES, "rules": [*PRICES["rules"], time]})
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
