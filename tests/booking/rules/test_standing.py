"""Ladders: when their steps are reached, what follows, and whom it concerns."""

from __future__ import annotations

from typing import Any

import pytest

from booking.rules.model import Policy
from booking.rules.results import Consequence
from booking.rules.standing import standing
from tests.booking.rules.making import ask, codes, instant, make_booking, make_policy

SUSPEND = {"do": "suspend", "for": "1mo"}
REQUEST = make_booking("2026-06-10 09:00", "2026-06-10 10:00")


def make_event(at: str, name: str = "late", **fields: Any) -> dict[str, Any]:
    return {"name": name, "at": at, "person": "p", "group": "g", "instrument": "I", **fields}


def make_ladder(do: Any = SUSPEND, at: int = 3, **more: Any) -> Policy:
    step = {"at": at, "do": do, **({"repeat": more.pop("repeat")} if "repeat" in more else {})}
    return make_policy({"kind": "ladder", "id": "L", "count": ["late"], "steps": [step], **more})


def stands(
    policy: Policy, *events: dict[str, Any], now: str = "2026-06-01", since: str | None = "2000-01-01"
) -> list[str]:
    """The beginnings of all consequences."""
    found = standing(policy, events, now=instant(policy, now), since=instant(policy, since) if since else None)
    return [f"{each.start:%m-%d}" for each in found]


def only(policy: Policy, *events: dict[str, Any], now: str = "2026-03-10") -> Consequence:
    (found,) = standing(policy, events, now=instant(policy, now))
    return found


FOUR = [make_event(f"2026-0{month}-05 09:00") for month in range(1, 5)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["03-05"]),
        ({"repeat": True}, ["03-05", "04-05"]),
        ({"repeat": False}, ["03-05"]),
        ({"repeat": 2}, ["03-05"]),
        ({"at": 2, "repeat": 2}, ["02-05", "04-05"]),
        ({"at": 2, "restart": True}, ["02-05", "04-05"]),
        ({"window": "2mo"}, []),
        ({"window": "3mo"}, ["03-05", "04-05"]),
        ({"window": "year"}, ["03-05"]),
        ({"window": "quarter"}, ["03-05"]),
        ({"window": "ever"}, ["03-05"]),
        ({"count": {"late": 2}}, ["02-05"]),
        ({"count": {"*": 1.5}}, ["02-05"]),
        ({"count": {"*": 3, "late": 0}}, []),
        ({"count": "no_show"}, []),
        ({"if": {"instrument": "J"}}, []),
        ({"per": ["person", "room"]}, []),
    ],
)
def test_step_is_reached(more: dict[str, Any], expected: list[str]) -> None:
    assert stands(make_ladder(**more), *FOUR) == expected


def test_the_edge_of_a_window_is_outside() -> None:
    policy = make_ladder(at=2, window="1mo")

    assert stands(policy, make_event("2026-02-05 09:00"), make_event("2026-03-05 09:00")) == []
    assert stands(policy, make_event("2026-02-05 09:01"), make_event("2026-03-05 09:00")) == ["03-05"]


def test_events_of_the_future_do_not_count() -> None:
    assert stands(make_ladder(), *FOUR, now="2026-03-05 08:59") == []


def test_parties_are_counted_apart() -> None:
    others = [make_event(f"2026-0{month}-06 09:00", person="q") for month in (1, 2)]

    assert stands(make_ladder(at=5), *FOUR, *others) == []
    assert stands(make_ladder(at=5, per=["group"]), *FOUR, *others) == ["03-05"]


def test_several_steps_and_restart_after_the_last() -> None:
    steps = [{"at": 3, "do": ["deny", {"do": "tell", "whom": "head"}]}, {"at": 1, "do": "warn"}]
    policy = make_policy({"kind": "ladder", "count": ["late"], "steps": steps, "restart": True})

    found = standing(policy, FOUR, now=instant(policy, "2026-06-01"), since=instant(policy, "2026-01-01"))

    assert [(each.code, each.step) for each in found] == [("warn", 1), ("deny", 2), ("tell", 2), ("warn", 1)]
    assert found[2].values == {"whom": "head"}


def test_beginning_and_end() -> None:
    event = make_event("2026-03-06 09:10", start="2026-03-06 09:00")

    def times(**action: Any) -> tuple[str, str | None]:
        found = only(make_ladder({"do": "suspend", **action}, at=1), event, now="2026-03-06 10:00")
        return f"{found.start:%d %H:%M}", f"{found.until:%m-%d %H:%M}" if found.until else None

    assert times(**{"for": "3d"}) == ("06 09:10", "03-09 09:10")
    assert times(**{"for": "3d", "from": "start"}) == ("06 09:00", "03-09 09:00")
    assert times(**{"for": "3d", "whole_days": True}) == ("06 09:10", "03-09 00:00")
    assert times(**{"for": "1mo", "from": "at +1d @00:00"}) == ("07 00:00", "04-07 00:00")
    assert times(**{"for": "3d", "from": "end"}) == ("06 09:10", "03-09 09:10")
    assert times() == ("06 09:10", None)
    assert times(**{"for": "ever"}) == ("06 09:10", None)


def test_what_is_over_is_listed_only_on_request() -> None:
    policy = make_ladder()

    assert stands(policy, *FOUR, now="2026-04-05 08:59", since=None) == ["03-05"]
    assert stands(policy, *FOUR, now="2026-04-05 09:00", since=None) == []
    assert stands(policy, *FOUR, now="2026-06-01", since="2026-03-05 09:00") == ["03-05"]
    assert stands(policy, *FOUR, now="2026-06-01", since="2026-03-05 09:01") == []


def refused(
    policy: Policy, request: dict[str, Any] = REQUEST, *, act: str = "create", now: str = "2026-03-06"
) -> list[str]:
    return codes(ask(policy, request, act=act, now=now, events=FOUR))


def test_suspension_bars_booking_while_it_lasts() -> None:
    policy = make_ladder()

    assert refused(policy) == ["suspend"]
    assert refused(policy, act="cancel") == []
    assert refused(policy, {**REQUEST, "person": "q"}) == []
    assert refused(policy, now="2026-04-05 09:00") == []
    (entry,) = ask(policy, REQUEST, now="2026-03-06", events=FOUR).refuse
    assert (entry.until, entry.rule_id) == (instant(policy, "2026-04-05 09:00"), "L")
    assert entry.detail == "Suspended until 2026-04-05 09:00."


def test_suspension_that_begins_later_bars_the_slots_in_it() -> None:
    policy = make_ladder({**SUSPEND, "from": "at +1mo #1 @00:00"})

    assert refused(policy, make_booking("2026-04-10 09:00", "2026-04-10 10:00")) == ["suspend"]
    assert refused(policy, make_booking("2026-03-31 09:00", "2026-03-31 10:00")) == []
    assert refused(policy, REQUEST) == []
    assert refused(policy, make_booking()) == []


def test_suspension_may_be_for_the_same_instrument_or_a_condition() -> None:
    same = make_ladder({**SUSPEND, "same": "instrument"})
    night = make_ladder({**SUSPEND, "on": {"mode": "self"}, "act": ["train"]})

    assert refused(same) == ["suspend"]
    assert refused(same, {**REQUEST, "instrument": "J"}) == []
    assert refused(night) == []
    assert refused(night, act="train") == ["suspend"]
    assert refused(night, {**REQUEST, "mode": "sample"}, act="train") == []
    assert only(same, *FOUR[:3]).flat()["on"] == {"instrument": "I"}


def test_suspension_may_concern_the_whole_group() -> None:
    policy = make_ladder({**SUSPEND, "who": "group"})

    assert refused(policy, {**REQUEST, "person": "q"}) == ["suspend"]
    assert refused(policy, {**REQUEST, "group": "h"}) == []


def test_a_person_without_a_group_is_suspended_alone() -> None:
    policy = make_ladder({**SUSPEND, "who": "group"}, at=1)
    events = [make_event("2026-03-05 09:00", group=None)]

    assert only(policy, *events).party == {"person": "p"}


def test_deny_list_ends_when_it_is_lifted() -> None:
    policy = make_ladder({"do": "deny", "lift": "retrained"})
    (entry,) = ask(policy, REQUEST, now="2026-03-06", events=FOUR).refuse
    assert (entry.code, entry.until, entry.detail) == ("deny", None, "On the deny list until this is lifted.")

    def after(**lift: Any) -> list[str]:
        return codes(ask(policy, REQUEST, now="2026-03-08", events=[*FOUR, make_event("2026-03-07 09:00", **lift)]))

    assert after(name="lifted") == []
    assert after(name="retrained") == []
    assert after(name="lifted", rule="L") == []
    assert after(name="lifted", rule="other") == ["deny"]
    assert after(name="lifted", person="q") == ["deny"]
    assert after(name="praised") == ["deny"]


def test_deny_list_may_have_an_end() -> None:
    policy = make_ladder({"do": "deny", "for": "1y"})

    (entry,) = ask(policy, REQUEST, now="2026-03-06", events=FOUR).refuse

    assert entry.detail == "On the deny list until 2027-03-05 09:00."


def test_suspension_without_an_end_says_so() -> None:
    (entry,) = ask(make_ladder({"do": "suspend"}), REQUEST, now="2026-03-06", events=FOUR).refuse

    assert entry.detail == "Suspended until this is lifted."


def test_consequence_is_unique_by_ladder_step_and_event() -> None:
    policy = make_ladder(at=1, repeat=True)
    events = [make_event("2026-03-05 09:00", id=7), make_event("2026-03-06 09:00")]

    found = standing(policy, events, now=instant(policy, "2026-03-08"))

    assert [each.key for each in found] == [("L", 1, 7), ("L", 1, "2026-03-06 09:00")]
