"""Processes started together end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.web.supervisor import Supervisor, port_is_free

ROOT = Path(__file__).resolve().parent.parent.parent
# A child that has a child of its own; both note their ids.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "a").write(f"{os.getpid()} {child.pid} ")
time.sleep(60)
"""
# Refuses to end when asked to.
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)
# The supervisor as `make demo` runs it: in the foreground until a signal comes.
FOREGROUND = """
import os, sys
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "backend.settings"
from backend.web.supervisor import Supervisor
with Supervisor(os.environ) as supervisor:
    for _ in range(2):
        supervisor.start([sys.executable, "-c", sys.argv[2], sys.argv[1]])
    sys.exit(supervisor.wait())
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def pids_in(path: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = path.read_text().split() if path.exists() else []
        if len(found) == count:
            return [int(pid) for pid in found]
        time.sleep(0.05)
    raise TimeoutError(path)


pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes by /proc")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_children_and_grandchildren(number: signal.Signals, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    process = subprocess.Popen([sys.executable, "-c", FOREGROUND, str(note), FAMILY], cwd=ROOT)
    pids = pids_in(note, 4)

    process.send_signal(number)

    assert process.wait(timeout=20) == 0
    assert [pid for pid in pids if alive(pid)] == []


def hears_sigint() -> None:
    """Whoever runs the tests in the background has SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(not os.path.exists("/usr/bin/make"), reason="needs make")
def test_make_interrupted_alone_ends_everything(tmp_path: Path) -> None:
    note, makefile, program = tmp_path / "pids", tmp_path / "Makefile", tmp_path / "foreground.py"
    family = tmp_path / "family.py"
    family.write_text(FAMILY)
    program.write_text(FOREGROUND.replace('"-c", sys.argv[2], sys.argv[1]', f'"{family}", "{note}"'))
    makefile.write_text(f"demo:\n\t@exec {sys.executable} {program}\n")
    process = subprocess.Popen(
        ["make", "-f", str(makefile), "demo"], cwd=ROOT, stderr=subprocess.DEVNULL, preexec_fn=hears_sigint
    )
    pids = pids_in(note, 4)

    process.send_signal(signal.SIGINT)

    process.wait(timeout=20)
    assert [pid for pid in pids if alive(pid)] == []


def test_when_one_ends_by_itself_all_end() -> None:
    supervisor = Supervisor(os.environ)
    supervisor.start([sys.executable, "-c", "import time; time.sleep(60)"])
    supervisor.start([sys.executable, "-c", ""])

    assert supervisor.wait() == 1
    supervisor.stop()


def test_what_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.web.supervisor.GRACE_SECONDS", 0.3)
    supervisor = Supervisor(os.environ)
    process = supervisor.start([sys.executable, "-c", STUBBORN])
    time.sleep(0.5)

    supervisor.stop()

    assert process.returncode == -signal.SIGKILL


def test_a_port_in_use_is_noticed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert not port_is_free("127.0.0.1", port)

    assert port_is_free("127.0.0.1", port)


def test_demo_says_that_the_port_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {**os.environ, "PORT": str(port), "DATABASE_URL": f"sqlite:///{tmp_path}/x.sqlite3"}

        result = subprocess.run(
            [sys.executable, "manage.py", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
        )

    assert result.returncode != 0
    assert f"Port {port} is taken" in result.stderr
    assert not (tmp_path / "x.sqlite3").exists()
