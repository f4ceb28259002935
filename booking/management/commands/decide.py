"""``manage.py decide FILE.json``: tries a policy file's worked examples. Writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from backend.core.errors import Invalid
from booking.rules.examples import check_examples


class Command(BaseCommand):
    help = "Decides the examples of a policy file and says which come out as expected."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a JSON file with policies and examples")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 with one sentence for a file that cannot be used; wrong examples are only reported."""
        document = _read(Path(options["file"]))
        try:
            results = check_examples(document)
        except Invalid as error:
            raise CommandError(_in_one_line(error)) from error
        for result in results:
            self.stdout.write(result.line)
        self.stdout.write(f"{sum(result.right for result in results)} of {len(results)} right")


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(_("The file cannot be read: %(name)s.") % {"name": path}) from error
    except (ValueError, RecursionError) as error:
        raise CommandError(_("The file is not valid JSON: %(name)s.") % {"name": path}) from error


def _in_one_line(error: Invalid) -> str:
    problems = "; ".join(f"{each.field}: {each.detail}" if each.field else str(each.detail) for each in error.refusals)
    return problems if problems == error.detail else f"{error.detail} {problems}"
