"""A pytest plugin beside pytest-cov: the session fails where fewer lines or branches run than the floor wants.

``-p tests.floor --cov``. The decisions and the arithmetic (`PURE`) run in every branch, everything else in nine lines
of ten.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

import pytest
from coverage import Coverage

PURE = (
    "booking/rules/*.py",
    "instruments/pricing/*.py",
    "instruments/rules.py",
    "backend/core/periods.py",
    "backend/core/money.py",
)
LINES = 90
FAULTS = pytest.StashKey[list[str]]()


def shortfalls(report: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each module below the floor, given coverage's JSON report."""
    totals = report["totals"]
    run = 100 * totals["covered_lines"] / totals["num_statements"]
    if run < LINES:
        yield f"{run:.1f} % of all lines run, {LINES} % must"
    for pattern in PURE:
        if not any(fnmatch(path, pattern) for path in report["files"]):
            yield f"{pattern}: no such module was measured"
    for path, module in report["files"].items():
        if any(fnmatch(path, pattern) for pattern in PURE) and (module["missing_lines"] or module["missing_branches"]):
            branches = ", ".join(f"{first}→{last}" for first, last in module["missing_branches"])
            lines = ", ".join(map(str, module["missing_lines"]))
            yield f"{path}: no test runs lines {lines or '–'}, branches {branches or '–'}"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After pytest-cov has gathered what its processes saw; what failed anyway is not judged."""
    if hasattr(session.config, "workerinput") or exitstatus != pytest.ExitCode.OK:
        return
    faults = list(shortfalls(_report()))
    session.config.stash[FAULTS] = faults
    if faults:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _report() -> Mapping[str, Any]:
    measured = Coverage()
    measured.load()
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        measured.json_report(outfile=file.name)
        found: dict[str, Any] = json.load(file)
    return found


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    faults = config.stash.get(FAULTS, None)
    if faults is None:
        return
    terminalreporter.section("below the floor of coverage" if faults else "coverage is above its floor")
    for line in faults:
        terminalreporter.write_line(line, red=True)
