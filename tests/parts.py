"""A pytest plugin of `python -m tests`: the last summary also tells how the parts before it went."""

from __future__ import annotations

import os
from typing import Any

VARIABLE = "TEST_PARTS"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    earlier = os.environ.get(VARIABLE, "")
    if earlier:
        terminalreporter.section("the parts before and those skipped")
        for line in earlier.splitlines():
            terminalreporter.write_line(line)
        terminalreporter.section("this part")
