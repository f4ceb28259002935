"""A real site on a scratch database: granian with two workers and, when asked for, the queue's worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backend.web.supervisor import Supervisor, manage_command
from tests.servers import free_port, start_web

ROOT = Path(__file__).resolve().parent.parent.parent


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
        start_web(self._supervisor, self.url, port=self.port, workers=2, threads=4)
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
