"""How far a list looks beyond one record: whose records, from which day to which, and what a month's end asks."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from instruments.pricing.engine import price
from instruments.pricing.reach import Reach, reach_of
from tests.instruments.pricing.building import MONTH, SHANGHAI, price_list, record

DAY = date(2026, 3, 18)  # a Wednesday


def reach(*rules: dict[str, Any], **more: Any) -> Reach:
    found = reach_of(price_list(*rules, **more))
    assert found is not None
    return found


def scoped(period: Any, **more: Any) -> dict[str, Any]:
    return {"rate": 1, "scope": {"per": ["person"], "period": period}, **more}


def counted(period: Any, *, previous: bool = False) -> dict[str, Any]:
    history: dict[str, Any] = {"per": ["group"], "period": period, "previous": previous}
    return {"rate": 1, "when": {"before": {">": 2}}, "quantities": {"before": {"history": history}}}


def of_history(period: Any, *, previous: bool = False) -> Reach:
    given = counted(period, previous=previous)
    return reach({"rate": 1, "when": given["when"]}, quantities=given["quantities"])


@pytest.mark.parametrize("rules", [[{"rate": 1}], [scoped("use")], [{"rate": 1, "when": {"event": "use"}}]])
def test_a_list_of_single_records_looks_nowhere(rules: list[dict[str, Any]]) -> None:
    assert reach_of(price_list(*rules)) is None


def test_it_is_worked_out_once_for_a_list() -> None:
    found = price_list(scoped("month"))

    assert reach_of(found) is reach_of(found)


def test_scopes_and_histories_name_their_parties() -> None:
    given = counted("month")
    found = reach(scoped("month"), {"rate": 1, "when": given["when"]}, quantities=given["quantities"])

    assert found.parties == {frozenset({"person"}), frozenset({"group"})}
    assert found.names == {"person", "group"}


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("day", DAY, DAY),
        ("week", date(2026, 3, 16), date(2026, 3, 22)),
        ("month", date(2026, 3, 1), date(2026, 3, 31)),
        ({"unit": "month", "day": 16}, date(2026, 3, 16), date(2026, 4, 15)),
        ("year", date(2026, 1, 1), date(2026, 12, 31)),
        ("ever", None, None),
        ({"unit": "rolling", "days": 30}, date(2026, 1, 17), date(2026, 4, 17)),
    ],
)
def test_the_days_are_those_of_the_period(period: Any, first: date | None, last: date | None) -> None:
    assert reach(scoped(period)).days(DAY) == (first, last)


def test_the_period_before_reaches_one_further_to_both_sides() -> None:
    assert of_history("month", previous=True).days(DAY) == (date(2026, 1, 1), date(2026, 4, 30))
    assert of_history({"unit": "rolling", "days": 10}, previous=True).days(DAY) == (date(2026, 2, 6), date(2026, 4, 7))


def test_several_days_and_periods_reach_as_far_as_the_widest() -> None:
    found = reach(scoped("day"), scoped("month", code="b"))

    assert found.days(DAY, date(2026, 5, 2)) == (date(2026, 3, 1), date(2026, 5, 31))
    assert reach(scoped("month"), scoped("ever", code="b")).days(DAY) == (None, None)


@pytest.mark.parametrize(
    "when",
    [
        {"event": "period_end"},
        {"event": ["use", "period_end"]},
        {"any": [{"event": "period_end"}, {"late": True}]},
        {"any": [{"event": "order"}, {"late": True}], "not": {"event": "period_end"}},
    ],
)
def test_rules_for_the_end_of_a_period_are_found(when: dict[str, Any]) -> None:
    assert reach({"rate": 1, "when": when, "scope": MONTH}).closing == ("person",)


def test_without_a_party_it_is_the_organisation_that_a_month_ends_for() -> None:
    end = {"rate": 1, "when": {"event": "period_end"}}

    assert reach(end).closing == ("organisation",)
    assert reach(end, scoped("month", code="b")).closing == ("person",)
    assert reach(scoped("month", when={"start_in": "night"})).closing is None


def test_a_record_is_priced_by_the_version_that_was_kept_for_it() -> None:
    old, new = price_list({"rate": 10}), price_list({"rate": 70})
    records = [record(id="a"), record(id="b")]

    kept = price([old, new], records, tz=SHANGHAI, under={"a": old, "b": new})
    assert [line.amount for line in kept.lines] == [Decimal("10.00"), Decimal("70.00")]
    partly = price([old, new], records, tz=SHANGHAI, under={"a": old})
    assert [line.amount for line in partly.lines] == [Decimal("10.00"), Decimal("70.00")]
