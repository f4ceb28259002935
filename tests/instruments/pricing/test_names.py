"""Which facts a price list asks for."""

from __future__ import annotations

from typing import Any

import pytest

from instruments.pricing.names import fact_names
from tests.instruments.pricing.building import price_list


@pytest.mark.parametrize(
    ("rule", "more", "names"),
    [
        ({"rate": 5}, {}, set()),
        ({"qty": ["points"], "rate": 5}, {}, {"points"}),
        ({"when": {"audience": "a", "any": [{"stage": 1}, {"gas": 2}]}, "rate": 5}, {}, {"audience", "stage", "gas"}),
        ({"qty": ["n"], "rate": 5}, {"quantities": {"n": {"of": "pieces", "min": 2}}}, {"pieces"}),
        ({"rows": [{"when": {"not": {"mode": "self"}}, "rate": 1}, {"rate": 2}]}, {}, {"mode"}),
    ],
)  # fmt: skip
def test_facts_of_conditions_quantities_and_rows(rule: dict[str, Any], more: dict[str, Any], names: set[str]) -> None:
    assert fact_names(price_list(rule, **more)) == names
