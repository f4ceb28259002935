"""The floor of coverage."""

from __future__ import annotations

from typing import Any

from tests.floor import PURE, shortfalls


def report(run: int = 95, **modules: dict[str, Any]) -> dict[str, Any]:
    whole = {"missing_lines": [], "missing_branches": []}
    files = {pattern.replace("*", "kinds"): whole for pattern in PURE}
    return {
        "totals": {"covered_lines": run, "num_statements": 100},
        "files": {**files, **{path: {**whole, **missing} for path, missing in modules.items()}},
    }


def test_a_report_above_the_floor_has_no_shortfall() -> None:
    other = {"booking/views/mine.py": {"missing_lines": [3], "missing_branches": [[3, 4]]}}

    assert list(shortfalls(report(90, **other))) == []


def test_too_few_lines_fall_short() -> None:
    assert list(shortfalls(report(89))) == ["89.0 % of all lines run, 90 % must"]


def test_a_branch_of_a_pure_module_falls_short() -> None:
    kinds = {"booking/rules/kinds/quota.py": {"missing_branches": [[7, 9]]}}

    assert list(shortfalls(report(**kinds))) == ["booking/rules/kinds/quota.py: no test runs lines –, branches 7→9"]


def test_a_pure_module_that_was_not_measured_falls_short() -> None:
    found = report()
    del found["files"]["backend/core/money.py"]

    assert list(shortfalls(found)) == ["backend/core/money.py: no such module was measured"]
