"""Whether a condition holds for a record. An absent attribute is equal to null only, and compares with nothing."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Any

from instruments.pricing.facts import Facts
from instruments.pricing.model import AnyOf, Comparison, Condition, Not, Operand, Part, Quantity, Ref
from instruments.pricing.quantities import value_of
from instruments.pricing.records import Value

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


def holds(condition: Condition, facts: Facts) -> bool:
    return all(_part_holds(part, facts) for part in condition.parts)


def _part_holds(part: Part, facts: Facts) -> bool:
    if isinstance(part, Comparison):
        return _compares(part, facts)
    if isinstance(part, AnyOf):
        return any(holds(option, facts) for option in part.options)
    if isinstance(part, Not):
        return not holds(part.condition, facts)
    return facts.starts_in(part.band)


def _compares(test: Comparison, facts: Facts) -> bool:
    """A list as an attribute passes if one of its items does."""
    left = _left(test.ref, facts)
    if isinstance(left, tuple) and test.op != "!=":
        return any(_passes(test, item, facts) for item in left)
    return _passes(test, left, facts)


def _left(ref: Ref, facts: Facts) -> Value:
    if ref.kind == "date":
        return facts.day.isoformat()
    if ref.kind == "fact":
        return facts.attribute(ref.name)
    return value_of(ref, facts)


def _passes(test: Comparison, left: Value, facts: Facts) -> bool:
    if test.op == "=":
        return any(_equal(left, _right(value, left, facts), test.ref, facts) for value in test.values)
    right = _right(test.values[0], left, facts)
    if test.op == "!=":
        items = left if isinstance(left, tuple) else (left,)
        return not any(_equal(item, right, test.ref, facts) for item in items)
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return _ORDER[test.op](left, right)
    if isinstance(left, str) and isinstance(right, str) and _is_date(left) is _is_date(right):
        return _ORDER[test.op](left, right)
    return False


def _right(operand: Operand, left: Value, facts: Facts) -> Value:
    """A text may name an attribute where it could not be compared otherwise."""
    if isinstance(operand, Ref | Quantity):
        return value_of(operand, facts)
    if isinstance(operand, str) and _names_fact(operand, left):
        named = facts.attribute(operand)
        return operand if named is None else named
    return operand


def _names_fact(operand: str, left: Value) -> bool:
    """Numbers compare with numbers, and dates with dates."""
    return isinstance(left, Fraction) or (isinstance(left, str) and _is_date(left) and not _is_date(operand))


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _equal(left: Value, right: Value, ref: Ref, facts: Facts) -> bool:
    """Truth values equal truth values only; a clock that never ran equals null as well as 0."""
    if right is None and ref.kind == "clock":
        return not facts.clock(ref.name)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right
