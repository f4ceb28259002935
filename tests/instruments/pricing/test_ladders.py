"""Tiers as arithmetic."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from instruments.pricing.ladders import Step, all_at_one, cost, marginal

FIRST, SECOND = Step(Fraction(0), False, Fraction(10), Fraction(0)), Step(Fraction(5), False, Fraction(4), Fraction(7))
STEPS = (FIRST, SECOND)


def test_each_unit_costs_the_price_of_its_tier() -> None:
    assert cost(marginal(STEPS, Fraction(0), Fraction(4))) == 40
    assert cost(marginal(STEPS, Fraction(0), Fraction(5))) == 57
    assert cost(marginal(STEPS, Fraction(0), Fraction(8))) == 69
    assert cost(marginal(STEPS, Fraction(6), Fraction(8))) == 8


def test_all_units_cost_the_price_of_the_tier_reached() -> None:
    assert cost(all_at_one(STEPS, Fraction(4))) == 40
    assert cost(all_at_one(STEPS, Fraction(5))) == 27
    assert all_at_one(STEPS, Fraction(0)) == []


def test_over_is_reached_beyond_its_bound_only() -> None:
    over = (FIRST, Step(Fraction(5), True, Fraction(4), Fraction(7)))

    assert cost(all_at_one(over, Fraction(5))) == 50
    assert cost(marginal(over, Fraction(0), Fraction(5))) == 50
    assert cost(all_at_one(over, Fraction(6))) == 31


def test_below_the_first_tier_nothing_is_charged() -> None:
    assert cost(marginal([SECOND], Fraction(0), Fraction(4))) == 0
    assert cost(all_at_one([SECOND], Fraction(4))) == 0


@given(st.lists(st.fractions(0, 20), min_size=3, max_size=3))
def test_going_up_in_steps_costs_the_same(points: list[Fraction]) -> None:
    low, middle, high = points

    there = cost(marginal(STEPS, low, middle)) + cost(marginal(STEPS, middle, high))

    assert there == cost(marginal(STEPS, low, high))
    assert cost(marginal(STEPS, high, low)) == -cost(marginal(STEPS, low, high))
