"""Whether one condition always holds, or never does, where another holds: finds rows that are never reached."""

from __future__ import annotations

from fractions import Fraction

from instruments.pricing.model import Comparison, Condition, Not, Part


def always_includes(wider: Condition, narrower: Condition) -> bool:
    """True only if it is certain."""
    return all(any(_implies(given, part) for given in narrower.parts) for part in wider.parts)


def is_impossible(condition: Condition) -> bool:
    """Whether the parts contradict one another; True only if it is certain."""
    for part in condition.parts:
        if isinstance(part, Not) and always_includes(part.condition, condition):
            return True
        if isinstance(part, Comparison) and any(_excludes(part, other) for other in condition.parts):
            return True
    return False


def _excludes(one: Comparison, other: Part) -> bool:
    """Two lists of values for the same thing without a common one."""
    if not isinstance(other, Comparison) or one.ref != other.ref or one.op != "=" or other.op != "=":
        return False
    return not set(one.values) & set(other.values)


def _implies(given: Part, wanted: Part) -> bool:
    if given == wanted and not (isinstance(given, Comparison) and given.op == "="):
        return True  # lists of values are compared below, where true is not 1
    if not isinstance(given, Comparison) or not isinstance(wanted, Comparison) or given.ref != wanted.ref:
        return False
    if given.op == "=":
        return bool(given.values) and all(_satisfies(value, wanted) for value in given.values)
    return _bound_implies(given, wanted)


def _satisfies(value: object, wanted: Comparison) -> bool:
    """Whether an attribute of this value passes."""
    bound = wanted.values[0] if wanted.values else None
    if wanted.op == "=":
        return any(type(value) is type(other) and value == other for other in wanted.values)
    if wanted.op == "!=":
        return isinstance(value, str | Fraction) and type(value) is type(bound) and value != bound
    if not isinstance(value, Fraction) or not isinstance(bound, Fraction):
        return False
    return {">=": value >= bound, ">": value > bound, "<=": value <= bound, "<": value < bound}[wanted.op]


def _bound_implies(given: Comparison, wanted: Comparison) -> bool:
    """``< 24`` implies ``< 48`` and ``<= 24``."""
    inner, outer = given.values[0], wanted.values[0] if wanted.values else None
    if not isinstance(inner, Fraction) or not isinstance(outer, Fraction):
        return False
    if given.op[0] != wanted.op[0] or given.op[0] not in "<>":
        return False
    distance = outer - inner if given.op[0] == "<" else inner - outer
    return distance > 0 or (distance == 0 and (given.op == wanted.op or wanted.op.endswith("=")))
