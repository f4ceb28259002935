"""Ten thousand random lists and bills against a computation of their own: equal to the cent, line by line."""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import pytest

from instruments.pricing.checks import check_price_list
from instruments.pricing.engine import price
from instruments.pricing.lines import Pricing
from instruments.pricing.model import PriceList
from instruments.pricing.reading import parse_price_list
from invoices.rules import Line, reversal, split_tax, total_of
from tests.instruments.pricing.building import SHANGHAI
from tests.instruments.pricing.oracle import Case, amounts_of, make_case, make_uses

CASES = 10_000
# As many bills under each list.
BILLS = 4
SEED = 20260323


@pytest.fixture
def untraced() -> Iterator[None]:
    """Other tests run each line of the engine; to note it ten thousand times more would take minutes."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def bill(case: Case, rules: PriceList) -> Pricing:
    return price(rules, [use.as_record() for use in case.uses], tz=SHANGHAI)


def by_use_and_code(pricing: Pricing) -> dict[tuple[str, str], Fraction]:
    found: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for line in pricing.lines:
        found[line.record, line.code] += Fraction(line.amount)
    return {key: amount for key, amount in found.items() if amount}


@pytest.mark.usefixtures("untraced")
def test_ten_thousand_random_bills_are_what_an_independent_computation_says() -> None:
    for number in range(CASES):
        rng = random.Random(f"{SEED}-{number}")
        if number % BILLS == 0:
            case = make_case(rng)
            rules = parse_price_list(case.as_list())
        case.uses = make_uses(rng)
        pricing = bill(case, rules)
        expected = {
            (str(use.number), code): amount
            for use, money in zip(case.uses, amounts_of(case), strict=True)
            for code, amount in money.items()
            if amount
        }

        assert by_use_and_code(pricing) == expected, f"case {number} of seed {SEED}: {case}"
        total = pricing.total()
        assert Fraction(total) == sum(expected.values(), Fraction(0)), f"case {number} of seed {SEED}: {case}"
        _parts_add_up(pricing, total, rng)
        _credit_note_nets_to_zero(pricing, total)


def _parts_add_up(pricing: Pricing, total: Decimal, rng: random.Random) -> None:
    """Whatever way the lines are dealt out to invoices, together they are the same money."""
    parts: list[list[Decimal]] = [[], [], []]
    for line in pricing.lines:
        rng.choice(parts).append(line.amount)
    assert sum((sum(part, Decimal(0)) for part in parts), Decimal(0)) == total


def _credit_note_nets_to_zero(pricing: Pricing, total: Decimal) -> None:
    lines = [
        Line(line.code, line.name, line.quantity, line.unit, line.unit_price, line.amount) for line in pricing.lines
    ]
    back = [reversal(line) for line in lines]
    assert total_of([*lines, *back]) == 0
    assert all((a.quantity or 0) + (b.quantity or 0) == 0 for a, b in zip(lines, back, strict=True))
    for included in (True, False):
        whole, taken = (split_tax(amount, Decimal(6), included=included) for amount in (total, -total))
        assert [a + b for a, b in zip(whole, taken, strict=True)] == [0] * len(whole)


def test_the_lists_of_the_random_cases_can_be_saved() -> None:
    rng = random.Random(SEED)
    for _number in range(25):
        assert not check_price_list(parse_price_list(make_case(rng).as_list()))
