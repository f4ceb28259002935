"""``manage.py prepare [--demo]``: what `make run`, `make worker` and `make demo` need before they start."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.web.seed.demo import is_demo, is_empty, load_demo, remove_demo

NOT_THE_DEMO = (
    "数据库中已有非演示数据。 The database holds data that is not the demo's. Give the demo one of its own:\n"
    "DATABASE_URL=sqlite:///var/demo.sqlite3 make demo"
)


class Command(BaseCommand):
    help = "Bring the database up to date: tables, guards, cache and schedule. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="load the demo data into an empty database")
        parser.add_argument("--reset", action="store_true", help="with --demo: remove the demo's database first")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["demo"] and options["reset"] and not remove_demo():
            raise CommandError(NOT_THE_DEMO)
        with _no_query_log():
            call_command("migrate", interactive=False, verbosity=0)
            call_command("createcachetable", verbosity=0)
            if not options["demo"] or is_demo():
                return
            if not is_empty():
                raise CommandError(NOT_THE_DEMO)
            load_demo(say=self.stdout.write)


@contextmanager
def _no_query_log() -> Iterator[None]:
    """With DEBUG Django keeps every statement, and asks SQLite once more for its text: a sixth of the time."""
    debug, settings.DEBUG = settings.DEBUG, False
    try:
        yield
    finally:
        settings.DEBUG = debug
