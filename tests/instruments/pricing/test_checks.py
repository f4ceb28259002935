"""Mistakes that are found when a price list is saved."""

from __future__ import annotations

from typing import Any

import pytest

from instruments.pricing.checks import check_price_list
from tests.instruments.pricing.building import MONTH, price_list


def _found(*rules: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    refusals = check_price_list(price_list(*rules, **more))
    assert all(refusal.detail and refusal.fix_text for refusal in refusals)
    return [(refusal.code, refusal.field) for refusal in refusals]


def _pick(group: str, option: str, take: str = "first") -> dict[str, Any]:
    return {"rate": 1, "pick": {"group": group, "option": option, "take": take}}


def test_sound_list_has_no_mistakes() -> None:
    rules = [
        {
            "code": "a",
            "tags": ["t"],
            "qty": [{"of": "booked", "band": "peak", "count": True}],
            "rate": 1,
            "scope": MONTH,
        },
        {"code": "b", "kind": "percent", "on": ["*", "t", "-a"], "rate": "sum:a", "as_if": {"event": "use"}},
        {**_pick("g", "x"), "code": "x"},
        {**_pick("g", "y"), "code": "y"},
    ]

    assert _found(*rules, quantities={"q": {"history": {"amount": ["*", "-a"], "per": ["person"]}}}) == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"rate": 1, "colour": "red"}], ("unknown_field", "rules[0].colour")),
        ([], ("no_rules", "rules")),
        ([{"rate": 1, "code": "a"}, {"rate": 2, "code": "a"}], ("code_twice", "rules.a")),
        ([{"kind": "percent", "rate": 1}], ("on_below", "rules.r1.on")),
        ([{"kind": "percent", "rate": 1, "on": ["r2"]}, {"rate": 1}], ("on_below", "rules.r1.on")),
        ([{"rate": 1}, {"kind": "percent", "rate": 1, "on": ["-x"]}], ("on_unknown", "rules.r2.on")),
        ([{"rate": 1, "scope": {**MONTH, "on": ["x"]}}], ("on_unknown", "rules.r1.scope.on")),
        ([{"rate": 1, "scope": {"period": "month"}}], ("scope_party", "rules.r1.scope.per")),
        ([{"rate": 1, "as_if": {"event": "use"}}], ("as_if_kind", "rules.r1.as_if")),
        ([_pick("g", "a"), {"rate": 1}, _pick("g", "b")], ("group_split", "rules.r3.pick")),
        ([_pick("g", "a"), _pick("g", "b", "lowest")], ("group_take", "rules.r2.pick")),
        ([_pick("g", "a"), _pick("g", "a")], ("group_single", "rules.r2.pick")),
        ([{"tiers": [{"from": 1, "rate": 1}, {"from": 0, "rate": 1}]}], ("tiers_order", "rules[0].tiers")),
        ([{"tiers": [{"from": 1, "rate": 1}, {"from": 1, "rate": 2}]}], ("tiers_double", "rules.r1.tiers")),
        ([{"rows": [{"rate": 1}, {"rate": 2, "when": {"a": 1}}]}], ("row_unreachable", "rules.r1.rows[1]")),
        ([{"rate": 1, "when": {"sum:x": {">": 1}}}], ("on_unknown", "rules.r1")),
        ([{"rate": 1, "qty": [{"of": "n", "band": "peak"}]}], ("quantity", "rules.r1")),
        ([{"rate": 1, "qty": [{"of": "booked", "each": True}]}], ("quantity", "rules.r1")),
        (
            [{"rate": 1, "qty": [{"of": "booked", "each": True, "count": True, "band": "day"}]}],
            ("quantity", "rules.r1"),
        ),
        ([{"rate": 1, "qty": [{"of": "booked", "whole": True}]}], ("quantity", "rules.r1")),
        ([{"rate": 1, "qty": [{"of": "booked", "tolerance": 1}]}], ("quantity", "rules.r1")),
        ([{"rate": 1, "qty": [{"of": "booked", "min": 2, "max": 1}]}], ("quantity", "rules.r1")),
        ([{"rate": 1, "when": {"n": {">": {"of": "n", "band": "peak"}}}}], ("quantity", "rules.r1")),
        ([{"rate": 1, "when": {"any": [{"not": {"sum:x": 1}}]}}], ("on_unknown", "rules.r1")),
        ([{"rows": [{"rate": 1, "adjust": {"free": {"of": "n", "band": "day"}}}]}], ("quantity", "rules.r1")),
        (
            [{"rate": 1, "qty": [{"history": {"sum": {"of": "n", "band": "day"}, "per": ["p"]}}]}],
            ("quantity", "rules.r1"),
        ),
        ([{"tiers": [{"rate": "sum:x"}]}], ("on_unknown", "rules.r1")),
    ],
)
def test_mistake_is_found(rules: list[dict[str, Any]], expected: tuple[str, str]) -> None:
    assert _found(*rules) == [expected]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"bands": {"x": []}}, ("band_empty", "bands.x")),
        ({"tables": {"t": [{"rate": 1}, {"rate": 2}]}}, ("row_unreachable", "tables.t[1]")),
        ({"quantities": {"q": {"history": {"amount": ["x"]}}}}, ("on_unknown", "quantities.q")),
        ({"quantities": {"q": {"of": "n", "min": 2, "max": 1}}}, ("quantity", "quantities.q")),
    ],
)
def test_mistake_in_the_list_is_found(more: dict[str, Any], expected: tuple[str, str]) -> None:
    assert _found({"rate": 1}, **more) == [expected]


@pytest.mark.parametrize(
    ("earlier", "later", "shadowed"),
    [
        ({}, {"a": 1}, True),
        ({"a": 1}, {}, False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": [1, 2]}, {"a": 1}, True),
        ({"a": 1}, {"a": [1, 2]}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": []}, False),
        ({"a": 1}, {"not": {"a": 1}}, False),
        ({"not": {"a": 1}}, {"not": {"a": 1}}, True),
        ({"n": {"<": 48}}, {"n": {"<": 24}}, True),
        ({"n": {"<": 24}}, {"n": {"<": 48}}, False),
        ({"n": {"<=": 24}}, {"n": {"<": 24}}, True),
        ({"n": {"<": 24}}, {"n": {"<=": 24}}, False),
        ({"n": {">=": 3}}, {"n": {">": 3}}, True),
        ({"n": {">=": 3}}, {"n": {">=": 7}}, True),
        ({"n": {">=": 3}}, {"n": {"<": 7}}, False),
        ({"n": {">=": 3}}, {"n": 5}, True),
        ({"n": {">": 3}}, {"n": [4, 3]}, False),
        ({"n": {"<": 3}}, {"n": [1, 2]}, True),
        ({"n": {"<=": 3}}, {"n": "x"}, False),
        ({"n": {"!=": 3}}, {"n": 4}, True),
        ({"n": {"!=": 3}}, {"n": "x"}, False),
        ({"n": {"<": "m"}}, {"n": {"<": 3}}, False),
        ({"n": {"!=": 3}}, {"n": {"!=": 4}}, False),
        ({"n": []}, {"n": {"<": 3}}, False),
        ({"n": []}, {"n": 3}, False),
    ],
)
def test_row_that_is_never_reached(earlier: dict[str, Any], later: dict[str, Any], shadowed: bool) -> None:
    rows = [{"when": earlier, "rate": 1}, {"when": later, "rate": 2}]

    assert bool(_found({"rows": rows})) is shadowed
