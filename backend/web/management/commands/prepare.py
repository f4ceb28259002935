"""``manage.py prepare [--demo]``: what `make run`, `make worker` and `make demo` need before they start."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.web.seed.demo import is_empty, is_demo, load_demo


class Command(BaseCommand):
    help = "Bring the database up to date: tables, guards, cache and schedule. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="load the demo data into an empty database")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        if not options["demo"] or is_demo():
            return
        if not is_empty():
            raise CommandError(
                "DATABASE_URL holds data that is not the demo's. Give the demo a database of its own, for example "
                "DATABASE_URL=sqlite:///var/demo.sqlite3 make demo"
            )
        load_demo(say=self.stdout.write)
