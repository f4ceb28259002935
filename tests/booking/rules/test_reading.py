"""Documents that are wrong: every problem with its path, and never another exception."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import Invalid
from booking.rules.facts import needs
from booking.rules.layers import merge_layers, parse_policy
from booking.rules.model import Policy
from booking.rules.sentences import describe
from tests.booking.rules.making import ask, make_booking

FILES = sorted((Path(__file__).parents[2] / "data" / "rulebook" / "policies").glob("*.json"))
GOOD = [policy for file in FILES for policy in json.loads(file.read_text(encoding="utf-8"))["policies"].values()]
LENGTH = {"kind": "length", "max": 60}


def problems(document: Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        parse_policy(document)
    return [refusal.field for refusal in caught.value.refusals]


def rule_problems(rule: Any) -> list[str]:
    return problems({"rules": [rule]})


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ([], [""]),
        ({1: 2}, [""]),
        ({"rulez": []}, ["rulez"]),
        ({"tz": "Europe"}, ["tz"]),
        ({"tz": "Mars/Olympus"}, ["tz"]),
        ({"tz": 3}, ["tz"]),
        ({"week_start": "someday"}, ["week_start"]),
        ({"week_start": 7}, ["week_start"]),
        ({"week_start": []}, ["week_start"]),
        ({"holidays": "2026-05-01"}, ["holidays"]),
        ({"holidays": ["2026-05-01", "May"], "workdays": ["05-01..2026-05-02"]}, ["holidays[1]", "workdays[0]"]),
        (
            {"windows": {"w": "Mon 9-17", "always": "Mon", " ": "Mon", "v": 3}},
            ["windows.w", "windows.always", "windows. ", "windows.v"],
        ),
        ({"windows": {"w": ["Mon 09:00-10:00", "Tue"], "v": [""]}}, ["windows.v", "windows.v[0]"]),
        ({"rules": {}}, ["rules"]),
        ({"rules": [LENGTH] * 1001}, ["rules"]),
        ({"rules": [{**LENGTH, "id": "a"}, {**LENGTH, "id": "a"}]}, ["rules[1]"]),
        ({"rules": [LENGTH, {**LENGTH, "id": "length-1"}]}, ["rules"]),
    ],
)
def test_problem_of_the_document_is_found(document: Any, paths: list[str]) -> None:
    assert sorted(set(problems(document))) == sorted(set(paths))


@pytest.mark.parametrize(
    ("rule", "paths"),
    [
        (3, ["", ""]),
        ({}, [""]),
        ({"kind": "lenght"}, [".kind"]),
        ({"kind": ["length"]}, [".kind"]),
        ({"kind": "length"}, [""]),
        ({"kind": "length", "maks": 3}, [".maks"]),
        ({**LENGTH, "off": "yes"}, [".off"]),
        ({"kind": "length", "max": "3"}, [".max"]),
        ({"kind": "length", "max": True}, [".max"]),
        ({"kind": "length", "max": -1}, [".max"]),
        ({"kind": "length", "max": 10**400}, [".max"]),
        ({"kind": "length", "max": float("nan")}, [".max"]),
        ({"kind": "length", "min": 5, "max": 3}, [".min"]),
        ({"kind": "length", "step": 0}, [".step"]),
        ({"kind": "length", "max": {"base": 3}}, [".max"]),
        ({"kind": "length", "max": {"fact": "x", "round": "upp", "times": "2"}}, [".max.round", ".max.times"]),
        ({**LENGTH, "part": "pique"}, [".part"]),
        ({**LENGTH, "part": ""}, [".part"]),
        ({**LENGTH, "cases": []}, [".cases"]),
        ({**LENGTH, "cases": [{"maks": 1}]}, [".cases[0].maks"]),
        ({**LENGTH, "if": []}, [".if"]),
        ({**LENGTH, "if": {"": 1}}, [".if."]),
        ({**LENGTH, "if": {"x": [[]]}}, [".if.x[0]"]),
        ({**LENGTH, "if": {"x": {}}}, [".if.x"]),
        ({**LENGTH, "if": {"x": {"min": 3, "max": 2}}}, [".if.x"]),
        ({**LENGTH, "if": {"x": {"min": 3, "most": 2}}}, [".if.x.most"]),
        ({**LENGTH, "if": {"x": {"older": "3 moons"}}}, [".if.x.older"]),
        ({**LENGTH, "if": {"made_after": "yesterday"}}, [".if.made_after"]),
        ({**LENGTH, "if": {"unfinished": "yes"}}, [".if.unfinished"]),
        ({**LENGTH, "if": {"any": []}}, [".if.any"]),
        ({**LENGTH, "if": {"bookings": {"max": 3}}}, [".if.bookings"]),
        ({**LENGTH, "if": {"bookings": {"max": 3, "over": "day", "mux": 1}}}, [".if.bookings.mux"]),
        ({**LENGTH, "free": 1}, [".free"]),
        ({**LENGTH, "else": "perhaps"}, [".else"]),
        ({**LENGTH, "else": "approve:"}, [".else"]),
        ({**LENGTH, "silence": "consent"}, [".silence"]),
        ({**LENGTH, "else": "approve", "silence": "maybe"}, [".silence"]),
        ({**LENGTH, "dates": {"at": "soon"}}, [".dates.at"]),
        ({**LENGTH, "act": [1]}, [".act[0]"]),
        ({**LENGTH, "topic": "x" * 2001}, [".topic"]),
        ({"kind": "slots", "starts": ["9", "09:00"]}, [".starts[0]"]),
        ({"kind": "slots", "step": 30, "join": 2}, [".join"]),
        ({"kind": "slots", "bands": "always", "join": 1.5}, [".join"]),
        ({"kind": "deadline", "latest": "start -3q"}, [".latest"]),
        ({"kind": "quota", "over": "fortnight", "max": 3}, [".over"]),
        ({"kind": "quota", "over": "0d", "max": 3}, [".over"]),
        ({"kind": "quota", "over": "week", "max": 3, "measure": "hour"}, [".measure"]),
        ({"kind": "quota", "over": "week", "max": 3, "of": {"bookings": {"over": "day", "max": 1}}}, [".of"]),
        ({"kind": "lapse", "since": "x", "after": "3mo", "set": ["x"]}, [".set"]),
        ({"kind": "event", "on": 3, "name": "late"}, [".on"]),
        ({"kind": "event", "on": "checkin", "with": 3}, [".with"]),
        ({"kind": "priority", "order": {}}, [".order"]),
    ],
)
def test_problem_of_a_rule_is_found(rule: Any, paths: list[str]) -> None:
    assert sorted(set(rule_problems(rule))) == sorted({f"rules[0]{path}" for path in paths})


@pytest.mark.parametrize(
    ("step", "paths"),
    [
        ({"at": 1}, [""]),
        ({"do": "warn"}, [""]),
        ({"at": 1, "do": "banish"}, [".do"]),
        ({"at": 1, "do": {"for": "3d"}}, [".do"]),
        ({"at": 1, "do": [{"do": "suspend", "fore": "3d"}]}, [".do[0].fore"]),
        ({"at": 1, "do": {"do": "suspend", "for": 3}}, [".do.for"]),
        ({"at": 1, "do": {"do": "suspend", "from": "noon"}}, [".do.from"]),
        ({"at": 1, "do": "warn", "repeat": 0}, [".repeat"]),
        ({"at": 1, "do": "warn", "and": 0}, [".and"]),
    ],
)
def test_problem_of_a_step_is_found(step: Any, paths: list[str]) -> None:
    found = rule_problems({"kind": "ladder", "count": "late", "steps": [step]})

    assert sorted(set(found)) == sorted({f"rules[0].steps[0]{path}" for path in paths})


@pytest.mark.parametrize("window", ["open", "12 moons", 3])
def test_window_of_a_ladder(window: Any) -> None:
    rule = {"kind": "ladder", "count": "late", "steps": [{"at": 1, "do": "warn"}], "window": window}

    assert rule_problems(rule) == ["rules[0].window"]


def test_problem_says_what_to_do() -> None:
    with pytest.raises(Invalid) as caught:
        parse_policy({"rules": [{"kind": "deadline", "latest": "start -3q"}, {**LENGTH, "mox": 1}]})

    assert [str(refusal.detail) for refusal in caught.value.refusals] == [
        "This is no moment. Write it like start -24h or start -3d @24:00.",
        "Unknown entry. Allowed here: act, at, cases, code, dates, else, fix, free, id, if, kind, max, min, name, "
        "off, part, silence, step, topic.",
    ]


def test_shared_parameter_of_several_cases_complains_once() -> None:
    assert rule_problems({"kind": "length", "max": "3", "min": 1, "cases": [{}, {"if": {"x": 1}}]}) == ["rules[0].max"]


def test_deep_nesting_is_refused() -> None:
    condition: dict[str, Any] = {"x": 1}
    for _ in range(2000):
        condition = {"unless": condition}

    (path,) = rule_problems({**LENGTH, "if": condition})

    assert path.count("unless") == 10


def test_remarks_are_allowed_everywhere() -> None:
    rule = {**LENGTH, "note": "why", "cases": [{"note": "this one"}]}

    assert len(parse_policy({"note": "ours", "rules": [rule]}).rules) == 1


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
words = st.sampled_from(
    [
        "rules",
        "kind",
        "if",
        "cases",
        "max",
        "over",
        "week",
        "length",
        "quota",
        "start -3d",
        "ladder",
        "steps",
        "do",
        "at",
    ]
)
junk = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)


REQUEST = make_booking("2026-03-10 09:00", "2026-03-11 10:00", id=1, made="2026-03-01 09:00")
EVENTS = [{"name": name, "at": "2026-03-05 09:00", "person": "p"} for name in ("late", "no_show", "")]


def parses_or_complains(document: Any) -> None:
    """And what parses can be used."""
    with suppress(Invalid):
        use(parse_policy(document))


def use(policy: Policy) -> None:
    describe(policy)
    for act in ("create", "change", "cancel"):
        needs(policy, act)
        ask(policy, REQUEST, act=act, bookings=[{**REQUEST, "id": 2}, REQUEST, make_booking()], events=EVENTS)


@given(junk)
def test_junk_never_raises_anything_else(document: Any) -> None:
    parses_or_complains(document)
    parses_or_complains({"rules": [document], "windows": {"w": document}, "holidays": document, "tz": document})


@given(st.sampled_from(GOOD), st.data())
def test_a_good_policy_with_junk_inside_never_raises_anything_else(policy: Any, data: st.DataObject) -> None:
    spoilt = copy.deepcopy(policy)
    here = spoilt
    while isinstance(here, (dict, list)) and here:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()):
            here[key] = data.draw(junk)
            break
        here = here[key]

    parses_or_complains(spoilt)


@given(st.lists(junk, max_size=3))
def test_junk_layers_never_raise_anything_else(documents: list[Any]) -> None:
    with suppress(Invalid):
        merge_layers(documents)
