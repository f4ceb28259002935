"""``manage.py serve``: the web server in the foreground."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from backend.web.supervisor import port_is_free, web_command


class Command(BaseCommand):
    help = "Serve the pages and the API with granian on PORT."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--workers", type=int, default=2, help="processes")
        parser.add_argument("--threads", type=int, default=4, help="requests that one process answers at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        if not port_is_free(host, port):
            raise CommandError(_("Port %(port)s is taken. Choose another: PORT=8001 make run") % {"port": port})
        self.stdout.write(f"{settings.SITE_URL}  ({host}:{port})")
        self.stdout.flush()
        command = web_command(host=host, port=port, workers=options["workers"], threads=options["threads"])
        os.execv(command[0], command)  # noqa: S606  (granian takes this process's place and its signals)
