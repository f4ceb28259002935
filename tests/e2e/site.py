"""A real site on a scratch database: granian with two workers and, when asked for, the queue's worker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from backend.web.supervisor import Supervisor, manage_command, web_command

ROOT = Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Site:
    """Use as a context: leaving it ends every process."""

    def __init__(self, folder: Path, *, database_url: str = "", demo: bool = True, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.mail = folder / "mail"
        self._demo = demo
        clean = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
        self.environment = {
            **clean,
            "DATABASE_URL": database_url or f"sqlite:///{folder}/site.sqlite3",
            "MEDIA_ROOT": str(folder / "media"),
            "EMAIL_URL": f"filemail:///{self.mail}",
            "SITE_URL": self.url,
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "LOG_LEVEL": "WARNING",
            # Pages load the files that collectstatic put there.
            "DEBUG": "off",
            **environment,
        }
        self._supervisor = Supervisor(self.environment)

    def __enter__(self) -> Site:
        self.manage("collectstatic", "--noinput", "--verbosity", "0")
        self.manage("prepare", *(["--demo"] if self._demo else []))
        self._supervisor.start(web_command(host="127.0.0.1", port=self.port, workers=2, threads=4))
        try:
            self._wait()
        except BaseException:
            self._supervisor.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop()

    def manage(self, *arguments: str) -> str:
        """Output of a command on the site's database."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start_worker(self) -> None:
        self._supervisor.start(manage_command("qcluster"))

    def _wait(self) -> None:
        for _ in range(150):
            if self._supervisor.ended:
                raise RuntimeError("the web server ended by itself")
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise TimeoutError("the web server does not answer")
