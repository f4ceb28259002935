"""The order among requests."""

from __future__ import annotations

from typing import Any

from booking.rules.rank import may_displace, rank
from tests.booking.rules.making import instant, make_booking, make_policy

ORDER = [{"audience": "inside", "person.level": "A"}, {"audience": "inside"}]
RULE = {"kind": "priority", "order": ORDER, "displace": "start -3d"}


def make_request(name: str, made: str | None, **fields: Any) -> dict[str, Any]:
    return make_booking("2026-03-20 09:00", "2026-03-20 10:00", id=name, made=made, **fields)


OUTSIDE = make_request("outside", "2026-03-01 09:00", audience="outside")
INSIDE = make_request("inside", "2026-03-03 09:00", audience="inside")
EARLIER = make_request("earlier", "2026-03-02 09:00", audience="inside")
EXPERT = make_request("expert", None, audience="inside") | {"person.level": "A"}


def test_members_come_first_then_who_asked_first() -> None:
    policy = make_policy(RULE)

    found = rank(policy, [OUTSIDE, INSIDE, EXPERT, EARLIER], now=instant(policy, "2026-03-09 10:00"))

    assert [(each.id, each.place, each.classes) for each in found] == [
        ("expert", 1, (0,)),
        ("earlier", 2, (1,)),
        ("inside", 3, (1,)),
        ("outside", 4, (2,)),
    ]
    assert found[0].displaceable_until == instant(policy, "2026-03-17 09:00")


def test_without_priorities_who_asked_first() -> None:
    policy = make_policy({**RULE, "if": {"instrument": "J"}})

    found = rank(policy, [INSIDE, OUTSIDE], now=instant(policy, "2026-03-09 10:00"))

    assert [each.id for each in found] == ["outside", "inside"]
    assert found[0].displaceable_until is None


def test_better_class_displaces_until_the_moment() -> None:
    policy = make_policy(RULE)
    last, late = instant(policy, "2026-03-17 09:00"), instant(policy, "2026-03-17 09:01")

    assert may_displace(policy, INSIDE, OUTSIDE, now=last)
    assert not may_displace(policy, INSIDE, OUTSIDE, now=late)
    assert not may_displace(policy, INSIDE, EARLIER, now=last)
    assert not may_displace(make_policy({**RULE, "displace": "start"}), INSIDE, {**OUTSIDE, "start": None}, now=last)
