"""``python -m tests.bench [SIZE …]``: query counts and times of the pages that must not grow with the data.

Each size (number of instruments) gets a scratch database and a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SIZES = ("47", "5534")


def main(sizes: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            environment = {
                **os.environ,
                "DATABASE_URL": f"sqlite:///{folder}/{size}.sqlite3",
                "LOG_LEVEL": "ERROR",
                "ALLOWED_HOSTS": "testserver",
            }
            rows = ("--instruments", size, "--organisations", "400", "--users", "1000", "--bookings", "20000")
            for command in (("manage.py", "prepare"), ("manage.py", "seed", *rows), ("-m", "tests.bench.measure")):
                subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True)
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or SIZES))
