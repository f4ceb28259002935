"""``python -m tests``: the whole suite on SQLite and on PostgreSQL, and what drives a browser.

Parts that cannot run are skipped and named in the last summary; TEST_REQUIRE=postgresql,browser makes that a
failure. Arguments go to pytest; without any, the first part also fails where coverage is below its floor
(`tests.floor`). The first part that fails is the last one, so that its summary is the last line.

The tests with many connections mostly wait for one another: those of both engines run side by side.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests import parts
from tests.e2e.browser import chromium

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://yixiang:yixiang@localhost:5432/yixiang")
SQLITE_URL = f"sqlite:///{ROOT}/var/db.sqlite3"
TOGETHER, PARALLEL, BROWSER = "not e2e and not parallel", "parallel and not e2e", "e2e"
# 5: no test of this part was chosen by the arguments.
GOOD = (0, 5)


@dataclass(frozen=True)
class Part:
    name: str
    marks: str
    database: str
    processes: int = 0
    # Why it cannot run; empty if it can.
    obstacle: str = ""
    # Whether all tests together must keep the floor of coverage.
    covered: bool = False


def postgresql_obstacle() -> str:
    import psycopg  # only needed here

    try:
        psycopg.connect(POSTGRES_URL, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        if os.geteuid() == 0 and os.path.exists("/usr/bin/pg_ctlcluster") and not _asked.get("started"):
            _asked["started"] = True
            subprocess.run([f"{ROOT}/.ci/postgresql"], check=False)
            return postgresql_obstacle()
        return f"no server at {POSTGRES_URL.rpartition('@')[2]}: {str(error).splitlines()[0]}"
    return ""


_asked: dict[str, bool] = {}


def plan() -> list[list[Part]]:
    """In this order; those of one list run side by side."""
    no_server = postgresql_obstacle()
    no_browser = "" if chromium() else "no Chromium; install it or name it in CHROMIUM"
    return [
        [Part("SQLite", TOGETHER, SQLITE_URL, processes=2, covered=True)],
        [Part("PostgreSQL", TOGETHER, POSTGRES_URL, processes=2, obstacle=no_server)],
        [
            Part("SQLite, many connections", PARALLEL, SQLITE_URL),
            Part("PostgreSQL, many connections", PARALLEL, POSTGRES_URL, obstacle=no_server),
        ],
        [Part("browser", BROWSER, SQLITE_URL, obstacle=no_browser)],
    ]


def show(line: str) -> None:
    print(line, end="", flush=True)


def run_beside(step: Sequence[Part], arguments: Sequence[str], done: Sequence[str]) -> list[tuple[Part, int, str]]:
    """Part, exit code and summary of each. Of several the output comes when all have ended, of one that failed last."""
    if len(step) < 2:
        return [(part, *run(part, arguments, done, show)) for part in step]
    print(f"\n== {' and '.join(part.name for part in step)}, side by side", flush=True)
    told: list[list[str]] = [[] for _part in step]
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda part, lines: run(part, arguments, done, lines.append), step, told))
    order = sorted(range(len(step)), key=lambda at: ended[at][0] not in GOOD)
    for at in order:
        show("".join(told[at]))
    return [(step[at], *ended[at]) for at in order]


def run(part: Part, arguments: Sequence[str], done: Sequence[str], tell: Callable[[str], object]) -> tuple[int, str]:
    """Exit code and summary of one pytest."""
    environment = {**os.environ, "DATABASE_URL": part.database, parts.VARIABLE: "\n".join(done)}
    command = [sys.executable, "-m", "pytest", "-q", "-m", part.marks, "-p", "tests.parts", *arguments]
    command += ["-n", str(part.processes), "--dist", "loadfile"] if part.processes else []
    command += ["-p", "tests.floor", "--cov", "--cov-report="] if part.covered and not arguments else []
    command += ["--color=yes"] if sys.stdout.isatty() else []
    tell(f"\n== {part.name}\n")
    summary = ""
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tell(line)
            summary = line.strip() or summary
    return process.returncode, summary


def main(arguments: Sequence[str]) -> int:
    required = os.environ.get("TEST_REQUIRE", "")
    todo = plan()
    barred = [part for step in todo for part in step if part.obstacle]
    done = [f"{part.name}: SKIPPED, {part.obstacle}" for part in barred]
    lacking = [part for part in barred if part.name.split(",")[0].lower() in required]
    if lacking:
        print("\n".join(f"{part.name} is required, but: {part.obstacle}" for part in lacking), file=sys.stderr)
        return 1
    for step in todo:
        ended = run_beside([part for part in step if not part.obstacle], arguments, done)
        if ended and ended[-1][1] not in GOOD:
            return ended[-1][1]
        done += [f"{part.name}: {summary}" for part, _code, summary in ended]
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
