"""Every kind and parameter: accepted at the boundary, refused just past it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.booking.rules.making import WEEKDAY_PEAK, ask, codes, instant, make_booking, make_policy

Rule = dict[str, Any]
NIGHT = {"night": "daily 18:00-21:00; daily 21:00-24:00"}


def request(times: str, **fields: Any) -> dict[str, Any]:
    """``10 09:00-10:00`` in March 2026; an end before the start lies on the next day."""
    day, _, clocks = times.partition(" ")
    start, _, end = clocks.partition("-")
    last = int(day) + (end <= start)
    return make_booking(f"2026-03-{int(day):02} {start}", f"2026-03-{last:02} {end}", **fields)


CASES: list[tuple[Rule, dict[str, Any], dict[str, Any], str]] = [
    # rule, accepted, refused, code
    ({"kind": "length", "min": 30}, request("10 09:00-09:30"), request("10 09:00-09:29"), "too_short"),
    ({"kind": "length", "max": 180}, request("10 09:00-12:00"), request("10 09:00-12:01"), "too_long"),
    ({"kind": "length", "step": 15}, request("10 09:00-09:45"), request("10 09:00-09:40"), "step"),
    ({"kind": "length", "part": "peak", "max": 60}, request("10 17:00-22:00"), request("10 16:59-22:00"), "too_long"),
    ({"kind": "length", "part": "peak", "min": 60}, request("10 17:00-18:00"), request("10 17:30-19:00"), "too_short"),
    ({"kind": "length", "part": "peak", "min": 60}, request("10 18:00-18:10"), request("10 17:55-18:10"), "too_short"),
    ({"kind": "slots", "step": 30}, request("10 09:30-10:00"), request("10 09:15-10:00"), "start_grid"),
    (
        {"kind": "slots", "starts": ["09:00", "13:00"]},
        request("10 13:00-14:00"),
        request("10 12:00-14:00"),
        "start_grid",
    ),
    ({"kind": "slots", "bands": "night"}, request("10 18:00-21:00"), request("10 18:00-20:00"), "band"),
    ({"kind": "slots", "bands": "night"}, request("10 10:00-12:00"), request("10 17:00-21:00"), "band"),
    (
        {"kind": "slots", "bands": "night", "join": 1},
        request("10 21:00-00:00"),
        request("10 18:00-00:00"),
        "bands_joined",
    ),
    ({"kind": "slots", "bands": "night", "join": 2}, request("10 18:00-00:00"), request("10 18:00-23:00"), "band"),
    (
        {"kind": "deadline", "earliest": "start -1w Thu @12:00"},
        request("15 23:00-00:00"),
        request("16 00:00-01:00"),
        "too_early",
    ),
    ({"kind": "deadline", "latest": "start -24h"}, request("10 10:00-11:00"), request("10 09:59-11:00"), "too_late"),
    (
        {"kind": "deadline", "latest": "start -2d @24:00"},
        request("11 00:00-01:00"),
        request("10 23:59-01:00"),
        "too_late",
    ),
    ({"kind": "deadline", "latest": "start -4bh"}, request("10 09:00-10:00"), request("09 13:59-15:00"), "too_late"),
    ({"kind": "require", "that": {"inside": "peak"}}, request("10 09:00-18:00"), request("10 09:00-18:01"), "require"),
    ({"kind": "require", "that": {"touches": "peak"}}, request("10 17:59-19:00"), request("10 18:00-19:00"), "require"),
    (
        {"kind": "require", "that": {"starts_in": "peak"}},
        request("10 17:59-19:00"),
        request("10 18:00-19:00"),
        "require",
    ),
    ({"kind": "require", "that": {"ends_in": "peak"}}, request("10 07:00-18:00"), request("10 07:00-09:00"), "require"),
    (
        {"kind": "require", "that": {"touches": "Sat 09:00-17:00"}},
        request("14 16:59-18:00"),
        request("14 17:00-18:00"),
        "require",
    ),
    (
        {"kind": "require", "that": {"touches": ["peak", "night"]}},
        request("10 18:00-19:00"),
        request("14 07:00-08:00"),
        "require",
    ),
    (
        {"kind": "require", "that": {"made_after": "start -24h"}},
        request("10 09:59-11:00"),
        request("10 10:00-11:00"),
        "require",
    ),
    (
        {"kind": "require", "that": {"made_before": "start -24h"}},
        request("10 10:01-11:00"),
        request("10 10:00-11:00"),
        "require",
    ),
    (
        {"kind": "require", "that": {"hours": {"max": 2}}},
        request("10 09:00-11:00"),
        request("10 09:00-11:30"),
        "require",
    ),
]


@pytest.mark.parametrize(("rule", "accepted", "refused", "code"), CASES)
def test_boundary(rule: Rule, accepted: dict[str, Any], refused: dict[str, Any], code: str) -> None:
    policy = make_policy(rule, windows=WEEKDAY_PEAK | NIGHT)

    assert codes(ask(policy, accepted)) == []
    assert codes(ask(policy, refused)) == [code]


FIELD_CASES: list[tuple[Any, Any, Any]] = [
    # matcher of ``x``, accepted value, refused value
    ("a", "a", "b"),
    (["a", "b"], "b", "c"),
    (["a", None], None, "b"),
    (None, None, "a"),
    (True, True, 1),
    (1, 1, True),
    ({"min": 3}, 3, 2.9),
    ({"max": 3}, 3, 3.1),
    ({"min": 1, "max": 3}, 2, None),
    ({"max": 3}, 0, "many"),
    ({"max": 3}, 0, float("nan")),
    ({"not": "a"}, "b", "a"),
    ({"not": ["a", None]}, "b", None),
    ({"older": "3mo"}, "2025-12-09", "2025-12-10"),
    ({"older": "3mo"}, "2025-12-09 10:00", "2025-12-09 10:01"),
    ({"newer": "3mo"}, "2025-12-10", "2025-12-09"),
    ({"newer": "3mo"}, "2025-12-10", None),
    ({"older": "1d"}, "2026-03-08 10:00", "no date"),
    ("a", ["b", "a"], ["b", "c"]),
    ({"not": "a"}, ["b"], ["b", "a"]),
]


@pytest.mark.parametrize(("matcher", "accepted", "refused"), FIELD_CASES)
@pytest.mark.parametrize("name", ["x", "person.x"])
def test_field(name: str, matcher: Any, accepted: Any, refused: Any) -> None:
    policy = make_policy({"kind": "require", "that": {name: matcher}})

    assert codes(ask(policy, make_booking(x=accepted), facts={"person": {"x": accepted}})) == []
    assert codes(ask(policy, make_booking(x=refused), facts={"person": {"x": refused}})) == ["require"]


@pytest.mark.parametrize(
    ("that", "accepted", "refused"),
    [
        ({"any": [{"x": 1}, {"y": 1}]}, {"y": 1}, {"x": 2}),
        ({"unless": {"x": 1, "y": 1}}, {"x": 1}, {"x": 1, "y": 1}),
        ({"unfinished": True}, {"end": "2026-03-09 10:01"}, {"end": "2026-03-09 10:00"}),
        ({"unfinished": False}, {"finished": True}, {"end": "2026-03-09 11:00"}),
        ({"person.trained +0d": None}, {"x": 1}, {"person.trained +0d": 1}),
    ],
)
def test_combined_conditions(that: dict[str, Any], accepted: dict[str, Any], refused: dict[str, Any]) -> None:
    policy = make_policy({"kind": "require", "that": that})

    assert codes(ask(policy, accepted)) == []
    assert codes(ask(policy, refused)) == ["require"]


def test_now_in_a_window_says_when_it_opens() -> None:
    policy = make_policy({"kind": "require", "that": {"now_in": "peak"}}, windows=WEEKDAY_PEAK)

    assert codes(ask(policy, make_booking(), now="2026-03-09 17:59")) == []
    (entry,) = ask(policy, make_booking(), now="2026-03-09 18:00").refuse
    assert entry.until == instant(policy, "2026-03-10 09:00")


def test_first_case_decides_and_free_exempts() -> None:
    cases = [{"if": {"mode": "sample"}, "free": True}, {"if": {"x": 1}, "max": 60}, {"max": 30}]
    policy = make_policy({"kind": "length", "cases": cases})

    assert codes(ask(policy, request("10 09:00-17:00", mode="sample"))) == []
    assert codes(ask(policy, request("10 09:00-10:00", x=1))) == []
    assert codes(ask(policy, request("10 09:00-10:00"))) == ["too_long"]


def test_case_without_a_limit_has_none() -> None:
    policy = make_policy({"kind": "quota", "over": "day", "cases": [{"if": {"x": 1}, "max": 0}, {}]})

    assert codes(ask(policy, request("10 09:00-10:00", x=1))) == ["quota"]
    assert codes(ask(policy, request("10 09:00-10:00"))) == []


def test_act_and_age_of_a_fact_can_be_asked_for() -> None:
    trained = {"kind": "deadline", "latest": "person.trained +1y"}
    policy = make_policy({"kind": "require", "if": {"act": "change"}, "that": {"x": 1}}, trained)

    def refused(act: str, day: str) -> list[str]:
        return codes(ask(policy, make_booking(), act=act, facts={"person": {"trained": day}}))

    assert refused("create", "2025-03-10") == []
    assert refused("change", "2025-03-10") == ["require"]
    assert refused("create", "2025-03-09") == ["too_late"]


def test_every_failure_of_every_rule_is_reported() -> None:
    policy = make_policy(
        {"kind": "length", "min": 60, "step": 15},
        {"kind": "slots", "step": 30, "starts": "09:00"},
        {"kind": "deadline", "latest": "start -3d"},
    )

    found = codes(ask(policy, request("10 09:10-09:20")))

    assert found == ["too_short", "step", "start_grid", "start_grid", "too_late"]


def test_rule_applies_to_its_acts_only() -> None:
    policy = make_policy({"kind": "length", "max": 30, "act": "extend"})

    assert codes(ask(policy, request("10 09:00-10:00"))) == []
    assert codes(ask(policy, request("10 09:00-10:00"), act="extend")) == ["too_long"]


def test_outcome_may_be_approval_or_notice() -> None:
    approval = {"else": "approve:supervisor", "silence": "consent", "dates": {"at": "now +2wd", "reminder": "now +1wd"}}
    policy = make_policy(
        {"kind": "length", "max": 30, **approval}, {"kind": "slots", "step": 60, "else": "notice", "code": "grid"}
    )

    decision = ask(policy, request("10 09:30-10:30"))

    assert decision.allowed
    (entry,) = decision.approve
    assert (entry.code, entry.role, entry.silence) == ("too_long", "supervisor", "consent")
    assert entry.at == instant(policy, "2026-03-11 10:00")
    assert entry.values["reminder"] == instant(policy, "2026-03-10 10:00")
    assert [entry.code for entry in decision.notice] == ["grid"]


def test_date_of_silence_may_stand_beside_it() -> None:
    rule = {"kind": "length", "max": 30, "else": "approve", "silence": "refuse", "at": "start -1d"}

    (entry,) = ask(make_policy(rule), request("20 09:30-10:30")).approve

    assert (entry.role, f"{entry.at:%d %H:%M}") == ("manager", "19 09:30")


def test_limit_may_depend_on_a_fact() -> None:
    limit = {"base": 10, "fact": "group.members", "times": 7.5, "round": "down", "cap": 60}
    policy = make_policy({"kind": "length", "max": limit})

    def longest(members: int | None, minutes: int) -> list[str]:
        return codes(ask(policy, request(f"10 09:00-10:{minutes:02}"), facts={"group": {"members": members}}))

    assert longest(100, 0) == []
    assert longest(100, 1) == ["too_long"]
    assert codes(ask(policy, request("10 09:00-09:25"), facts={"group": {"members": 2}})) == []
    assert codes(ask(policy, request("10 09:00-09:33"), facts={"group": {"members": 3}})) == ["too_long"]
    assert codes(ask(policy, request("10 09:00-09:11"))) == ["too_long"]


@pytest.mark.parametrize(("rounding", "longest"), [("up", 33), ("nearest", 33), ("down", 32), (5, 35), (0, 33)])
def test_limit_is_rounded(rounding: str | int, longest: int) -> None:
    policy = make_policy({"kind": "length", "max": {"fact": "x", "times": 6.5, "round": rounding}})

    assert codes(ask(policy, request(f"10 09:00-09:{longest}", x=5))) == []
    assert codes(ask(policy, request(f"10 09:00-09:{longest + 1}", x=5))) == ["too_long"]


def test_length_is_elapsed_time() -> None:
    policy = make_policy({"kind": "length", "max": 120}, tz="Europe/Berlin")

    assert codes(ask(policy, make_booking("2026-03-29 01:00", "2026-03-29 04:00"))) == []
    assert codes(ask(policy, make_booking("2026-10-25 01:00", "2026-10-25 03:00"))) == ["too_long"]


def test_lead_of_24_hours_is_elapsed_and_of_one_day_wall_clock() -> None:
    spring = make_booking("2026-03-29 10:00", "2026-03-29 11:00")
    hours = make_policy({"kind": "deadline", "latest": "start -24h"}, tz="Europe/Berlin")
    days = make_policy({"kind": "deadline", "latest": "start -1d"}, tz="Europe/Berlin")

    assert codes(ask(hours, spring, now="2026-03-28 10:00")) == ["too_late"]
    assert codes(ask(days, spring, now="2026-03-28 10:00")) == []


def test_rule_about_the_slot_is_silent_without_one() -> None:
    policy = make_policy(
        {"kind": "length", "min": 30},
        {"kind": "slots", "step": 30},
        {"kind": "deadline", "latest": "start -3d", "earliest": "start -9d"},
        {"kind": "quota", "measure": "hours", "over": "overlap", "max": 0},
        {"kind": "quota", "over": "near 0min", "max": 1},
    )

    assert codes(ask(policy, make_booking(mode="sample"))) == []


def test_window_conditions_do_not_hold_without_a_slot() -> None:
    policy = make_policy(
        {"kind": "require", "that": {"inside": "always"}},
        {"kind": "require", "if": {"made_after": "start -24h"}, "that": {"x": 1}},
    )

    (entry,) = ask(policy, make_booking()).refuse

    assert (entry.code, entry.fix) == ("require", None)


def test_condition_on_bookings() -> None:
    quota = {"over": "week", "of": {"instrument": "prep"}, "min": 1}
    policy = make_policy({"kind": "require", "that": {"bookings": quota}, "code": "needs_prep"})
    prep = make_booking("2026-03-13 09:00", "2026-03-13 10:00", id=1) | {"instrument": "prep"}

    assert codes(ask(policy, request("10 09:00-10:00"))) == ["needs_prep"]
    assert codes(ask(policy, request("10 09:00-10:00"), bookings=[prep])) == []


def test_lapse_changes_facts_in_turn() -> None:
    policy = make_policy(
        {
            "kind": "lapse",
            "if": {"person.level": "A"},
            "since": "person.served",
            "after": "3mo",
            "set": ["person.level", "B"],
        },
        {
            "kind": "lapse",
            "if": {"person.level": "B"},
            "since": ["person.used", "person.trained"],
            "after": "1y",
            "set": ["person.level", None],
        },
        {"kind": "require", "that": {"person.level": ["A", "B"]}},
    )

    def refused(**facts: str) -> list[str]:
        return codes(ask(policy, make_booking(), facts={"person": {"level": "A", **facts}}))

    assert refused() == []
    assert refused(served="2025-12-10", used="2020-01-01") == []
    assert refused(served="2025-12-09", used="2020-01-01", trained="2026-01-01") == []
    assert refused(served="2025-12-09", used="2020-01-01") == ["require"]


def test_lapse_names_what_lapsed_and_when() -> None:
    policy = make_policy(
        {"kind": "lapse", "since": "person.used", "after": "3mo", "set": ["level", "none"]},
        {"kind": "lapse", "act": "train", "since": "person.used", "after": "1d", "set": ["level", "gone"]},
        {"kind": "require", "that": {"level": "A"}},
    )

    (entry,) = ask(policy, make_booking(level="A"), facts={"person": {"used": "2025-12-01"}}).refuse

    assert entry.values["is"] == {"level": "none"}
    assert entry.values["lapsed"] == {"level": instant(policy, "2026-03-01")}
    assert "level lapsed on 2026-03-01 00:00." in entry.detail
