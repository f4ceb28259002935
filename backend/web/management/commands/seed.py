"""``manage.py seed --instruments N --organisations N --users N --bookings N --seed N``."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.web.seed.bulk import seed


class Command(BaseCommand):
    help = "Add many plain example rows, the same for the same numbers, for trying things at size."

    def add_arguments(self, parser: CommandParser) -> None:
        for name, default in (("organisations", 100), ("users", 200), ("instruments", 100), ("bookings", 0)):
            parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="begin of the random numbers")

    def handle(self, *args: Any, **options: Any) -> None:
        numbers = {name: options[name] for name in ("organisations", "users", "instruments", "bookings")}
        if min(numbers.values()) < 0:
            raise CommandError("Numbers begin at 0.")
        began = time.monotonic()
        made = seed(**numbers, seed=options["seed"])
        told = ", ".join(f"{count} {name}" for name, count in made.items())
        self.stdout.write(f"{told} in {time.monotonic() - began:.1f} s.")
