"""``manage.py demo [--reset]``: a lively network in the foreground, web and worker together."""

import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.web.seed.accounts import ACCOUNTS, PASSWORD
from backend.web.supervisor import Supervisor, manage_command, port_is_free, web_command

START_SECONDS = 60


class Command(BaseCommand):
    help = "Load the demo data if there is none, serve web and worker, end both on Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reset", action="store_true", help="begin anew: remove the demo's database first")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = os.environ.get("HOST", "127.0.0.1"), settings.PORT
        if settings.PRODUCTION:
            raise CommandError("SITE_URL is that of a real site (https://…). The demo does not touch it.")
        if not port_is_free(host, port):
            raise CommandError(
                f"端口 {port} 已被占用，请换一个：PORT={port + 1} make demo\n"
                f"Port {port} is taken. Choose another: PORT={port + 1} make demo"
            )
        with Supervisor({"LOG_LEVEL": "WARNING", **os.environ, "DEMO": "on"}) as supervisor:
            status = self._run(supervisor, host, port, reset=options["reset"])
        if status:
            raise CommandError("The demo ended by itself; the reason stands above.")
        self.stdout.write("\n已停止。 Stopped.")

    def _run(self, supervisor: Supervisor, host: str, port: int, *, reset: bool) -> int:
        # A process of its own decides what to load, so that Ctrl-C ends even that cleanly.
        status = supervisor.run(manage_command("prepare", "--demo", *(["--reset"] if reset else [])))
        if supervisor.asked_to_stop:
            return 0
        if status:
            return status
        supervisor.start(web_command(host=host, port=port, workers=2, threads=4))
        supervisor.start(manage_command("qcluster"))
        if self._answers(supervisor, port):
            self._welcome()
        return supervisor.wait()

    def _answers(self, supervisor: Supervisor, port: int) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not supervisor.asked_to_stop and not supervisor.ended:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                    return True
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        return False

    def _welcome(self) -> None:
        site = settings.SITE_URL
        lines = [
            "",
            "仪享已启动，按 Ctrl-C 停止。  Yixiang is running; Ctrl-C ends it.",
            "",
            f"  首页 Home           {site}/",
            f"  接口 API            {site}/api/v1/docs",
            f"  邮件 Mail           {_short(settings.VAR_DIR / 'mail')}",
            "",
            f"  密码 Password       {PASSWORD}",
            *(f"  {account.email:<24}{account.role_zh} {account.role_en}" for account in ACCOUNTS),
            "",
            "重新开始 Begin anew: make demo RESET=1",
            "",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _short(path: Path) -> str:
    return str(path.relative_to(settings.BASE_DIR)) if path.is_relative_to(settings.BASE_DIR) else str(path)
