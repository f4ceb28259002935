"""Rounding half up, once; amounts in capitals."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.money import add_up, format_amount, in_capitals, round_half_up

fractions = st.fractions(min_value=-(10**12), max_value=10**12, max_denominator=10**6)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Fraction(1, 200), "0.01"),
        (Fraction(-1, 200), "-0.01"),
        (Fraction(1, 3), "0.33"),
        (Decimal("2.675"), "2.68"),
        (Decimal("-2.675"), "-2.68"),
        (Decimal("1.005"), "1.01"),
        (Fraction(-1, 1000), "0.00"),
        (10**30, "1000000000000000000000000000000.00"),
    ],
)
def test_a_half_goes_away_from_zero(value: Fraction | Decimal | int, expected: str) -> None:
    assert str(round_half_up(value)) == expected


@given(fractions, st.integers(0, 6))
def test_rounding_moves_at_most_half_a_unit(value: Fraction, places: int) -> None:
    rounded = Fraction(round_half_up(value, places))

    assert abs(rounded - value) <= Fraction(1, 2 * 10**places)


@given(fractions)
def test_rounding_is_symmetric_and_stable(value: Fraction) -> None:
    rounded = round_half_up(value)

    assert round_half_up(-value) == -rounded
    assert round_half_up(rounded) == rounded
    assert rounded.as_tuple().exponent == -2


@given(st.lists(st.integers(-(10**10), 10**10).map(lambda cents: Decimal(cents) / 100)))
def test_sums_keep_cents(amounts: list[Decimal]) -> None:
    assert add_up(amounts) * 100 == sum(int(amount * 100) for amount in amounts)


def test_sum_of_nothing_has_cents() -> None:
    assert str(add_up([])) == "0.00"


@pytest.mark.parametrize(("amount", "expected"), [("1200", "1200.00"), ("0.005", "0.01"), ("-3.1", "-3.10")])
def test_format_amount_has_two_decimals(amount: str, expected: str) -> None:
    assert format_amount(Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("6007.14", "人民币陆仟零柒元壹角肆分"),
        ("16409.02", "人民币壹万陆仟肆佰零玖元零贰分"),
        ("1409.50", "人民币壹仟肆佰零玖元伍角"),
        ("0.00", "人民币零元整"),
        ("100000.00", "人民币壹拾万元整"),
        ("-20.00", "人民币负贰拾元整"),
    ],
)
def test_amount_in_capitals(amount: str, expected: str) -> None:
    assert in_capitals(Decimal(amount)) == expected
