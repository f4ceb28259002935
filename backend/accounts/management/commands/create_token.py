"""``manage.py create_token --user EMAIL --name NAME [--days N] [--read-only]``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.accounts.actions import create_token
from backend.accounts.models import User


class Command(BaseCommand):
    help = "Create an API token; it is printed once, on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, metavar="EMAIL")
        parser.add_argument("--name", required=True)
        parser.add_argument("--days", type=int, help="days until it expires; never if absent")
        parser.add_argument("--read-only", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["user"].lower()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {options['user']}.")
        if options["days"] is not None and options["days"] < 1:
            raise CommandError("--days must be at least 1.")
        _, secret = create_token(user=user, name=options["name"], days=options["days"], read_only=options["read_only"])
        self.stdout.write(secret)
