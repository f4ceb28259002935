"""Measures the database of DATABASE_URL: ``python -m tests.bench.measure [ROUNDS]``, one JSON object a line.

Each page is asked in process, warm: the first answer does not count. Of several rounds the best median counts,
so that what else the machine does weighs less.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import django

REPEAT = 15


def timed(act: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Median and 95th percentile of the best round, in milliseconds."""
    best = (float("inf"), float("inf"))
    for _round in range(rounds):
        times = []
        for _ in range(getattr(act, "times", REPEAT)):
            began = time.perf_counter()
            act()
            times.append((time.perf_counter() - began) * 1000)
        best = min(best, (statistics.median(times), statistics.quantiles(times, n=20)[-1]))
    return best


def main(rounds: int) -> None:
    django.setup()
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.bench.pages import measures

    for name, act in measures():
        act()
        with CaptureQueriesContext(connection) as queries:
            status = act().status_code
        count = len(queries)  # the next request empties the log
        median, p95 = timed(act, rounds)
        found = {"name": name, "status": status, "queries": count, "median": round(median, 1), "p95": round(p95, 1)}
        print(json.dumps(found, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
