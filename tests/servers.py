"""A real granian for tests that need real HTTP: on the test's own database, or on a site of its own."""

from __future__ import annotations

import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from backend.web.supervisor import Supervisor, web_command


def database_url() -> str:
    """The address of the database that this test run uses."""
    s = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{s['NAME']}"
    return f"postgres://{s['USER']}:{s['PASSWORD']}@{s['HOST'] or 'localhost'}:{s['PORT'] or 5432}/{s['NAME']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_web(supervisor: Supervisor, address: str, *, port: int, workers: int, threads: int) -> None:
    """Returns once it answers; ends everything if it does not."""
    supervisor.start(web_command(host="127.0.0.1", port=port, workers=workers, threads=threads))
    try:
        _wait(supervisor, address)
    except BaseException:
        supervisor.stop()
        raise


def _wait(supervisor: Supervisor, address: str) -> None:
    for _ in range(150):
        if supervisor.ended:
            raise RuntimeError("the web server ended by itself")
        try:
            urllib.request.urlopen(f"{address}/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"no answer from {address}")


@contextmanager
def granian(*, workers: int = 2, **environment: str) -> Iterator[str]:
    """Serve the application on the test's database; yields its address. Ends every process that it started."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    supervisor = Supervisor(
        {
            **os.environ,
            "DATABASE_URL": database_url(),
            "PORT": str(port),
            "SITE_URL": address,
            "SECRET_KEY": settings.SECRET_KEY,
            "LOG_LEVEL": "CRITICAL",
            **environment,
        }
    )
    start_web(supervisor, address, port=port, workers=workers, threads=8)
    try:
        yield address
    finally:
        supervisor.stop()
