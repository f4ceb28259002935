"""Keeps several processes running in the foreground, and ends them all together."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from django.conf import settings

GRACE_SECONDS = 15.0


def web_command(*, host: str, port: int, workers: int, threads: int) -> list[str]:
    """granian with the WSGI application; each worker answers as many requests at once as it has threads."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)),
        *("--workers", str(workers), "--blocking-threads", str(threads), "--respawn-failed-workers"),
        *("--workers-kill-timeout", "10", "--log-level", "warning", "--working-dir", str(settings.BASE_DIR)),
        "backend.wsgi:application",
    ]


def manage_command(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def port_is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As granian does: a port whose last connections are still fading is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class Supervisor:
    """Starts commands, each as the leader of its own process group, so that a terminal's Ctrl-C reaches only us."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._signal: int | None = None
        self._parent = os.getppid()

    def __enter__(self) -> Supervisor:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    @property
    def asked_to_stop(self) -> bool:
        return self._signal is not None or self._make_was_interrupted()

    @property
    def ended(self) -> bool:
        """Whether one of the processes ended by itself."""
        return any(process.poll() is not None for process in self._processes)

    def run(self, command: Sequence[str]) -> int:
        """One command to its end; a request to stop ends it early."""
        process = self.start(command)
        while process.poll() is None and not self.asked_to_stop:
            time.sleep(0.05)
        if process.poll() is None:
            self.stop()
        else:
            self._processes.remove(process)
        return process.returncode

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, env=self._environment, start_new_session=True)  # noqa: S603  (our own)
        self._processes.append(process)
        return process

    def wait(self) -> int:
        """Until asked to stop (0) or until one of the processes ends by itself (1)."""
        while not self.asked_to_stop:
            if self.ended:
                return 1
            time.sleep(0.2)
        return 0

    def stop(self) -> None:
        """End everything: first the leaders, who end their own children; then what they left; then by force.

        The queue's cluster hangs when its workers are told to end at the same time as itself.
        """
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(process.poll() is None for process in self._processes):
            time.sleep(0.05)
        self._signal_groups(signal.SIGTERM)
        deadline = time.monotonic() + min(GRACE_SECONDS, 3)
        while time.monotonic() < deadline and self._living_groups():
            time.sleep(0.05)
        self._signal_groups(signal.SIGKILL)
        for process in self._processes:
            process.wait()
        self._processes.clear()

    def _signal_groups(self, number: int) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)

    def _living_groups(self) -> bool:
        for process in self._processes:
            process.poll()  # reaps the leader: a zombie keeps its group alive
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, 0)
                return True
        return False

    def _make_was_interrupted(self) -> bool:
        """GNU make, interrupted alone (``kill -INT``), waits for us without telling us; it blocks SIGINT meanwhile."""
        if "MAKELEVEL" not in os.environ:
            return False
        if os.getppid() != self._parent:
            return True
        try:
            status = Path(f"/proc/{self._parent}/status").read_text()
        except OSError:  # no /proc: not Linux
            return False
        blocked = next((line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")), "0")
        return bool(int(blocked, 16) & 1 << (signal.SIGINT - 1))
