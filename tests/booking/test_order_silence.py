"""Silence about a sample order: consent or refusal from the moment that the rules name."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from time_machine import TimeMachineFixture

from backend.outbox.models import Message
from booking.actions import ordering, sampling
from booking.actions.order_silence import consent_by_silence
from booking.actions.policies import save_policy
from booking.models import OrderStatus, SampleOrder
from invoices.models import Charge, ChargeState
from tests.booking.lab import NOW, browser, html
from tests.booking.samples import Bench
from tests.factories import make_member

pytestmark = pytest.mark.django_db
# The rules give two days.
DUE = NOW + timedelta(days=2)


@pytest.fixture(autouse=True)
def clock(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW, tick=False)


def make_bench(silence: str, role: str = "finance") -> Bench:
    bench = Bench()
    said = {"else": f"approve:{role}", **({"silence": silence, "at": "made +2d"} if silence else {})}
    rule: dict[str, Any] = {"id": "finance", "kind": "require", "that": {"audience": "internal"}, **said}
    save_policy(instrument=bench.instrument, document={"rules": [rule]}, by=bench.manager, valid_from=date(2026, 1, 1))
    return bench


def fresh() -> SampleOrder:
    return SampleOrder.objects.get()


def test_silence_is_consent_from_the_moment_on(time_machine: TimeMachineFixture) -> None:
    bench = make_bench("consent")
    bench.submit()
    time_machine.move_to(DUE - timedelta(seconds=1), tick=False)
    assert consent_by_silence() == 0
    assert fresh().agreed == []

    time_machine.move_to(DUE, tick=False)
    assert consent_by_silence() == 1
    assert consent_by_silence() == 0

    assert [one["role"] for one in fresh().agreed] == ["finance"]
    assert sampling.accept_samples(order=fresh(), by=bench.manager).status == OrderStatus.ACCEPTED
    page = html(browser(bench.engineer).get(f"/samples/{fresh().pk}/"))
    assert "nobody answered in time" in page


def test_silence_is_refusal_where_the_rules_say_so(time_machine: TimeMachineFixture) -> None:
    bench = make_bench("refuse")
    order = bench.submit()
    time_machine.move_to(DUE, tick=False)

    assert consent_by_silence() == 1

    assert (fresh().status, fresh().reason) == (
        OrderStatus.REJECTED,
        "Nobody agreed in time, which the rules take for a refusal.",
    )
    assert Charge.objects.get(source_uid=order.uid).state == ChargeState.RELEASED
    assert Message.objects.filter(kind="samples_rejected", recipient=bench.engineer).exists()


def test_an_answer_ends_the_waiting(time_machine: TimeMachineFixture) -> None:
    bench = make_bench("refuse")
    finance = make_member(bench.institution, "finance")
    ordering.agree_to_samples(order=bench.submit(), by=finance)
    time_machine.move_to(DUE, tick=False)

    assert consent_by_silence() == 0

    assert (fresh().status, fresh().answer_by) == (OrderStatus.SUBMITTED, None)


def test_without_a_word_about_silence_it_waits(time_machine: TimeMachineFixture) -> None:
    bench = make_bench("")
    bench.submit()
    time_machine.move_to(DUE + timedelta(days=30), tick=False)

    assert consent_by_silence() == 0
    assert fresh().status == OrderStatus.SUBMITTED


def test_the_check_says_what_silence_means() -> None:
    bench = make_bench("consent")
    body = {"instrument": bench.instrument.pk, "items": [{"name": "Foil", "quantity": 1, "parameters": {"points": 1}}]}

    answer = browser(bench.engineer).post("/api/v1/sample-orders/check", body, content_type="application/json")

    assert answer.status_code == 200, answer.content
    assert answer.json()["approval"]["silence"] == "consent"
    assert answer.json()["approval"]["at"].startswith("2026-11-26")
