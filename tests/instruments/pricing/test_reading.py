"""Junk never gets further than the reader, and every problem is named with its place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import Invalid
from instruments.pricing.checks import check_price_list
from instruments.pricing.engine import price
from instruments.pricing.model import Due, Span
from instruments.pricing.published import published_table
from instruments.pricing.reader import exact
from instruments.pricing.reading import RULE_KEYS, parse_price_list
from instruments.pricing.records import read_record
from instruments.pricing.sentences import describe
from tests.instruments.pricing.building import SHANGHAI, price_list, record


def _problems(document: Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        parse_price_list(document)
    assert all(refusal.detail and refusal.fix_text for refusal in caught.value.refusals)
    return [refusal.field for refusal in caught.value.refusals]


def _rule(**given: Any) -> dict[str, Any]:
    return {"bands": {"b": [{}]}, "rules": [{"code": "r", "kind": "price", "rate": 1, **given}]}


@pytest.mark.parametrize("document", [None, 3, "text", [], {}, {"rules": None}, {"rules": {}}, {"rules": [3]}])
def test_no_price_list(document: Any) -> None:
    assert _problems(document)


def test_every_problem_is_told_at_once() -> None:
    document = {"places": 9, "rules": [{"code": "a", "kind": "gift", "rate": "x" * 501}, {"kind": "price", "rate": 1}]}

    assert _problems(document) == ["places", "rules[0].kind", "rules[0].rate", "rules[1].code"]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"code": "*"}, "rules[0].code"),
        ({"code": "-a"}, "rules[0].code"),
        ({"tags": [3]}, "rules[0].tags[0]"),
        ({"name": " "}, "rules[0].name"),
        ({"rate": None}, "rules[0]"),
        ({"rate": []}, "rules[0].rate"),
        ({"rate": True}, "rules[0].rate"),
        ({"rate": 10**15}, "rules[0].rate"),
        ({"rate": float("nan")}, "rules[0].rate"),
        ({"rate": Decimal("1e99999999")}, "rules[0].rate"),
        ({"rate": Decimal("1e-99999999")}, "rules[0].rate"),
        ({"required": "yes"}, "rules[0].required"),
        ({"account": "gift"}, "rules[0].account"),
        ({"table": "x"}, "rules[0].table"),
        ({"kind": "limit"}, "rules[0].limit"),
        ({"kind": "limit", "limit": "max", "rate": None, "tiers": [{"rate": 1}]}, "rules[0]"),
        ({"rate": None, "rows": [{"when": {}}]}, "rules[0]"),
        ({"rate": None, "tiers": [{"pct": 5}]}, "rules[0].tiers"),
        ({"tiers": [{"from": 0}]}, "rules[0].tiers[0]"),
        ({"tiers": [{"over": "x", "rate": 1}]}, "rules[0].tiers[0].over"),
        ({"pick": {"take": "best"}}, "rules[0].pick.take"),
        ({"scope": {"period": "moon"}}, "rules[0].scope.period"),
        ({"scope": {"period": {"unit": "rolling"}}}, "rules[0].scope.period.days"),
        ({"scope": {"period": {"unit": "week", "day": 8}}}, "rules[0].scope.period.day"),
        ({"scope": {"period": {"unit": "year", "month": 1.5}}}, "rules[0].scope.period.month"),
        ({"due": {"period": "moon"}}, "rules[0].due.period"),
        ({"qty": [{}]}, "rules[0].qty[0].of"),
        ({"qty": [{"of": "n", "step": 0}]}, "rules[0].qty[0].step"),
        ({"qty": [{"of": "n", "free": -1}]}, "rules[0].qty[0].free"),
        ({"qty": [{"of": "n", "dir": "left"}]}, "rules[0].qty[0].dir"),
        ({"qty": [{"of": "n", "band": "x"}]}, "rules[0].qty[0].band"),
        ({"qty": [{"of": "n", "band": 3}]}, "rules[0].qty[0].band"),
        ({"qty": [{"of": "n", "each": 1}]}, "rules[0].qty[0].each"),
        ({"qty": [{"history": {"per": 3}}]}, "rules[0].qty[0].history.per"),
        ({"when": []}, "rules[0].when"),
        ({"when": {"any": {}}}, "rules[0].when.any"),
        ({"when": {"start_in": "!x"}}, "rules[0].when.start_in"),
        ({"when": {"n": {"~": 3}}}, "rules[0].when.n"),
        ({"when": {"n": {}}}, "rules[0].when.n"),
        ({"when": {"n": [[]]}}, "rules[0].when.n[0]"),
        ({"as_if": {"n": []}}, "rules[0].as_if.n"),
    ],
)
def test_problem_in_a_rule(given: dict[str, Any], place: str) -> None:
    assert place in _problems(_rule(**given))


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"valid_from": "tomorrow"}, "valid_from"),
        ({"valid_from": "20260101"}, "valid_from"),
        ({"holidays": [3]}, "holidays[0]"),
        ({"currency": ""}, "currency"),
        ({"bands": {"x": 3}}, "bands.x"),
        ({"bands": {"x": [{"days": [0]}]}}, "bands.x[0].days[0]"),
        ({"bands": {"x": [{"from": "24:00"}]}}, "bands.x[0].from"),
        ({"bands": {"x": [{"to": "12:60"}]}}, "bands.x[0].to"),
        ({"bands": {"x": [{"season": ["02-30", "03-01"]}]}}, "bands.x[0].season"),
        ({"bands": {"x": [{"season": ["02-29"]}]}}, "bands.x[0].season"),
        ({"quantities": {"a": {"of": "b"}, "b": {"of": "a"}}}, "quantities.a"),
        ({"quantities": {"a": {"history": {"when": {"b": 1}}}, "b": {"of": ["x", "a"]}}}, "quantities.b"),
        ({"tables": {"t": 3}}, "tables.t"),
    ],
)
def test_problem_in_a_list(given: dict[str, Any], place: str) -> None:
    assert place in _problems({**_rule(), **given})


def test_absent_and_null_are_the_same() -> None:
    nulls = dict.fromkeys((key for key in RULE_KEYS if key not in ("code", "kind", "rate")), None)

    assert parse_price_list(_rule(**nulls)).rules == parse_price_list(_rule()).rules


def test_endless_nesting_is_refused() -> None:
    condition: dict[str, Any] = {}
    quantity: dict[str, Any] = {"of": "n"}
    for _depth in range(40):
        condition, quantity = {"not": condition}, {"of": quantity}

    assert _problems(_rule(when=condition))
    assert _problems(_rule(qty=[quantity]))
    assert _problems(_rule(qty=[{"history": {"sum": quantity}}]))
    assert _problems(_rule(when={"n": {">": quantity}}))


def test_due_is_a_period_or_a_remark() -> None:
    dues = ["month", "next_month", {"unit": "rolling", "days": 3}, "some day"]
    lists = [parse_price_list(_rule(due=due)) for due in dues]

    assert [found.rules[0].due for found in lists] == [
        Due(Span("month"), 1),
        Due(Span("month"), 1),
        Due(Span("rolling", days=3), 1),
        None,
    ]
    assert [note.code for note in lists[3].notes] == ["due_unknown"]


def test_tiers_are_ordered_with_a_remark() -> None:
    found = parse_price_list(_rule(rate=None, qty=["n"], tiers=[{"from": 5, "rate": 1}, {"from": 0, "rate": 2}]))

    assert [tier.bound for tier in found.rules[0].tiers] == [0, 5]
    assert [note.code for note in found.notes] == ["tiers_order"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0.1, Fraction(1, 10)),
        (3.2, Fraction(16, 5)),
        (0.08333333333333333, Fraction(1, 12)),
        (Decimal("0.3333333333333333"), Fraction(1, 3)),
        (Decimal("0.1234567890123456789"), Fraction("0.1234567890123456789")),
        (Decimal("0E-99999"), Fraction(0)),
        (7, Fraction(7)),
        (True, None),
        ("7", None),
        (float("inf"), None),
    ],
)
def test_numbers_are_exact(given: object, expected: Fraction | None) -> None:
    assert exact(given) == expected


@pytest.mark.parametrize(
    "raw",
    [
        3,
        {},
        {"at": "soon"},
        {"at": 3},
        {"at": "0001-01-01T00:00"},
        {"at": "2026-03-10T09:00", "n": 10**20},
        {"booked": 3},
        {"booked": [3]},
        {"booked": [["2026-03-10T09:00"]]},
        {"booked": [["2026-03-10T09:00", "2026-03-10T08:00"]]},
        {"booked": [["2026-03-10T09:00", "2066-03-10T08:00"]]},
    ],
)
def test_record_that_cannot_be_read(raw: Any) -> None:
    with pytest.raises(Invalid):
        price(price_list({"rate": 1}), [raw], tz=SHANGHAI)


@pytest.mark.parametrize("records", [3, {}, "text", [record(), record()]])
def test_records_that_cannot_be_read(records: Any) -> None:
    with pytest.raises(Invalid):
        price(price_list({"rate": 1}), records, tz=SHANGHAI)


def test_record_is_read_in_the_zone_of_the_instrument() -> None:
    found = read_record({"at": "2026-03-10T09:00", "booked": []}, tz=SHANGHAI)

    assert (found.at, found.id, found.start, found.booked) == (datetime(2026, 3, 10, 1, tzinfo=UTC), "r1", found.at, ())
    assert read_record(found, tz=SHANGHAI) is found
    aware = {"at": datetime(2026, 3, 10, 1, tzinfo=UTC), "day": date(2026, 3, 1), "list": ["a", 1, {}], "object": {}}
    assert read_record(aware, tz=SHANGHAI).attributes == {"event": "use", "day": "2026-03-01", "list": ("a", 1)}
    assert read_record(aware, tz=SHANGHAI).at == found.at


def test_moment_of_the_event_is_the_start_if_it_is_not_given() -> None:
    assert read_record({"used": [["2026-03-10T09:00", "2026-03-10T10:00"]]}, tz=SHANGHAI).at.hour == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=5)
    | st.sampled_from(
        ["booked", "n", "all", "b", "!b", "q", "month", "rolling", "max", "price", "percent", "*", "sum:r"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "of",
                    "history",
                    "unit",
                    "step",
                    "when",
                    "not",
                    "any",
                    "rate",
                    "from",
                    "pct",
                    "tiers",
                    "rows",
                    "adjust",
                    ">=",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
RULES = st.fixed_dictionaries(
    {"code": st.sampled_from(["r", "s", "t"]), "kind": st.sampled_from(["price", "percent", "limit"])},
    optional={key: JSON for key in RULE_KEYS if key not in ("code", "kind")},
)
LISTS = st.fixed_dictionaries(
    {"rules": st.lists(RULES, max_size=3) | JSON},
    optional={
        "bands": st.just({"b": [{"from": "22:00", "to": "06:00"}]}) | JSON,
        "quantities": st.dictionaries(st.sampled_from(["q", "n"]), JSON, max_size=2) | JSON,
        "tables": JSON,
        "places": JSON,
        "holidays": JSON,
        "valid_from": JSON,
    },
)


@given(JSON | LISTS, JSON)
def test_junk_is_invalid_or_a_price_list_that_works(document: Any, n: Any) -> None:
    records = [
        record(id=str(position), n=n, booked=[["2026-03-10T20:00", "2026-03-11T10:00"]]) for position in range(2)
    ]
    try:
        found = parse_price_list(document)
        price(found, records, tz=SHANGHAI).total()
    except Invalid:
        return
    describe(found)
    check_price_list(found)
    published_table(found, {})
