"""``python -m tests``: the whole suite on SQLite and on PostgreSQL, and what drives a browser.

Parts that cannot run are skipped and named in the last summary; TEST_REQUIRE=postgresql,browser makes that a
failure. Arguments go to pytest; without any, the first part also fails where coverage is below its floor
(`tests.floor`). The first part that fails is the last one, so that its summary is the last line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests import parts
from tests.e2e.browser import chromium

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://yixiang:yixiang@localhost:5432/yixiang")
SQLITE_URL = f"sqlite:///{ROOT}/var/db.sqlite3"
# Tests that open many connections have the machine to themselves.
TOGETHER, ALONE, BROWSER = "not e2e and not parallel", "parallel and not e2e", "e2e"


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


def plan() -> list[Part]:
    no_server = postgresql_obstacle()
    no_browser = "" if chromium() else "no Chromium; install it or name it in CHROMIUM"
    return [
        Part("SQLite", TOGETHER, SQLITE_URL, processes=2, covered=True),
        Part("SQLite, many connections", ALONE, SQLITE_URL),
        Part("PostgreSQL", TOGETHER, POSTGRES_URL, processes=2, obstacle=no_server),
        Part("PostgreSQL, many connections", ALONE, POSTGRES_URL, obstacle=no_server),
        Part("browser", BROWSER, SQLITE_URL, obstacle=no_browser),
    ]


def run(part: Part, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and summary of one pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", part.marks, "-p", "tests.parts", *arguments]
    command += ["-n", str(part.processes), "--dist", "loadfile"] if part.processes else []
    command += ["-p", "tests.floor", "--cov", "--cov-report="] if part.covered and not arguments else []
    command += ["--color=yes"] if sys.stdout.isatty() else []
    print(f"\n== {part.name}", flush=True)
    summary = ""
    with subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            summary = line.strip() or summary
    return process.returncode, summary


def main(arguments: Sequence[str]) -> int:
    required = os.environ.get("TEST_REQUIRE", "")
    todo = plan()
    done = [f"{part.name}: SKIPPED, {part.obstacle}" for part in todo if part.obstacle]
    lacking = [part for part in todo if part.obstacle and part.name.split(",")[0].lower() in required]
    if lacking:
        print("\n".join(f"{part.name} is required, but: {part.obstacle}" for part in lacking), file=sys.stderr)
        return 1
    for part in (part for part in todo if not part.obstacle):
        environment = {**os.environ, "DATABASE_URL": part.database, parts.VARIABLE: "\n".join(done)}
        code, summary = run(part, arguments, environment)
        # 5: no test of this part was chosen by the arguments.
        if code not in (0, 5):
            return code
        done.append(f"{part.name}: {summary}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
