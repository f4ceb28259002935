"""``python -m tests.bench``: query counts and times of the main pages at two sizes, as a Markdown table.

Each engine and size gets a scratch database and a process of its own. A page whose number of queries grows with the
rows, or that does not answer 200, makes the command fail.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://yixiang:yixiang@localhost:5432/yixiang")
ROWS = ("instruments", "organisations", "users", "bookings")
SIZES = {"small": (47, 400, 1000, 1000), "large": (5534, 8000, 10_000, 100_000)}
ENGINES = ("sqlite", "postgresql")
ANSWERS = (200, 201)
# Lists that happen to be empty at the smaller size save so many queries at most.
EMPTY = 3

Results = dict[str, dict[str, Any]]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: both")
    parser.add_argument("--size", choices=SIZES, action="append", help="default: both")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many rounds counts (3)")
    options = parser.parse_args(arguments)
    engines, sizes = options.engine or ENGINES, options.size or list(SIZES)
    found: dict[tuple[str, str], Results] = {}
    for engine in engines:
        for size in sizes:
            with scratch_database(engine) as url:
                found[engine, size] = measured(url, SIZES[size], options.rounds)
    print(table(found))
    faults = list(problems(found))
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


@contextmanager
def scratch_database(engine: str) -> Iterator[str]:
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.sqlite3"
        return
    import psycopg  # only needed here

    name = f"yixiang_bench_{os.getpid()}"
    with psycopg.connect(POSTGRES_URL, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]  # a name of our own
        try:
            yield urlsplit(POSTGRES_URL)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


def measured(url: str, rows: Sequence[int], rounds: int) -> Results:
    environment = {**os.environ, "DATABASE_URL": url, "LOG_LEVEL": "ERROR", "ALLOWED_HOSTS": "testserver"}
    numbers = [part for name, number in zip(ROWS, rows, strict=True) for part in (f"--{name}", str(number))]
    for command in (("manage.py", "prepare"), ("manage.py", "seed", *numbers, "--seed", "7"), ("-c", ANALYSE)):
        subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    command = [sys.executable, "-m", "tests.bench.measure", str(rounds)]
    told = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {row["name"]: row for row in map(json.loads, told.splitlines())}


# What the databases do by themselves after a while: look at their own rows. On SQLite, Django's connections do it.
ANALYSE = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
import django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
"""


def table(found: dict[tuple[str, str], Results]) -> str:
    """One line a page: per engine and size the queries, median and 95th percentile in milliseconds."""
    columns = list(found)
    head = ["", *(f"{engine}, {size}" for engine, size in columns)]
    lines = [head, ["---", *("---:" for _ in columns)]]
    for name in next(iter(found.values())):
        rows = [found[column][name] for column in columns]
        lines.append([name, *(f"{row['queries']} q · {row['median']:.0f} / {row['p95']:.0f}" for row in rows)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def problems(found: dict[tuple[str, str], Results]) -> Iterator[str]:
    for (engine, size), results in found.items():
        yield from (
            f"{engine}, {size}: {name} answers {row['status']}"
            for name, row in results.items()
            if row["status"] not in ANSWERS
        )
    for engine in dict.fromkeys(engine for engine, _size in found):
        sizes = [results for (other, _size), results in found.items() if other == engine]
        for name in sizes[0]:
            counts = [results[name]["queries"] for results in sizes]
            if max(counts) - min(counts) > EMPTY:
                yield f"{engine}: {name} needs {counts} queries"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
