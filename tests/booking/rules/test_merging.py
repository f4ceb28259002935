"""Layers: network, institution, group of instruments, instrument."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backend.core.errors import Invalid
from booking.rules.layers import merge_layers, parse_policy
from tests.booking.rules.making import ask, codes, make_booking

REQUEST = make_booking("2026-03-10 09:00", "2026-03-10 10:00")


def make_rule(most: int, **more: Any) -> dict[str, Any]:
    return {"kind": "length", "max": most, **more}


def test_same_id_replaces_in_place_and_the_rest_adds() -> None:
    network = {"rules": [make_rule(30, id="a"), make_rule(40, id="b")]}
    own = {"rules": [make_rule(90, id="a"), make_rule(50)]}

    policy = merge_layers([network, own])

    assert [(rule.id, rule.layer) for rule in policy.rules] == [("a", 1), ("b", 0), ("length-3", 1)]
    assert codes(ask(policy, REQUEST)) == ["too_long", "too_long"]


def test_off_removes() -> None:
    policy = merge_layers([{"rules": [make_rule(30, id="a")]}, {"rules": [{"id": "a", "off": True}]}])

    assert policy.rules == ()


def test_rule_that_is_not_off_stays() -> None:
    assert len(parse_policy({"rules": [make_rule(30, off=False)]}).rules) == 1


def test_an_events_name_is_no_identity() -> None:
    event = {"kind": "event", "on": "checkin", "name": "late", "after": "start"}

    assert len(merge_layers([{"rules": [event]}, {"rules": [event]}]).rules) == 2


def test_windows_are_replaced_and_days_add_up() -> None:
    institution = {
        "windows": {"open": "workday 09:00-17:00"},
        "rules": [{"kind": "require", "that": {"inside": "open"}}],
        "holidays": ["2026-03-10"],
    }
    instrument = {"windows": {"open": "workday 07:00-12:00"}, "holidays": ["2026-03-11"], "week_start": 6}

    policy = merge_layers([institution, instrument])

    assert codes(ask(policy, make_booking("2026-03-12 07:00", "2026-03-12 08:00"))) == []
    assert codes(ask(policy, make_booking("2026-03-12 13:00", "2026-03-12 14:00"))) == ["require"]
    assert [policy.calendar.is_holiday(datetime(2026, 3, day).date()) for day in (10, 11, 12)] == [True, True, False]
    assert policy.calendar.week_start == 6


def test_zone_is_the_last_that_any_layer_gives() -> None:
    assert merge_layers([{"tz": "UTC"}, {"tz": "Asia/Shanghai"}, {}]).calendar.zone.key == "Asia/Shanghai"
    assert merge_layers([{}], tz="Asia/Tokyo").calendar.zone.key == "Asia/Tokyo"


def test_business_hours_can_be_redefined() -> None:
    policy = parse_policy({"windows": {"business": "Mon 10:00-11:00"}})

    assert policy.business.holds(datetime(2026, 3, 9, 10, 30, tzinfo=UTC))
    assert not policy.business.holds(datetime(2026, 3, 10, 10, 30, tzinfo=UTC))


def test_paths_name_the_layer() -> None:
    with pytest.raises(Invalid) as caught:
        merge_layers([{}, {"rules": [{"kind": "length", "max": "x"}]}])

    assert caught.value.refusals[0].field == "layers[1].rules[0].max"
