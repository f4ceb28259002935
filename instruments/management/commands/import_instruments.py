"""``manage.py import_instruments FILE --institution CODE [--dry-run]``."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.accounts.models import Organisation, OrganisationKind
from backend.core.errors import Invalid
from instruments.actions.importing import import_instruments


class Command(BaseCommand):
    help = "Create and update the instruments of an institution from a CSV file; all rows or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV with a header, UTF-8 or GBK; columns: docs/data.md")
        parser.add_argument("--institution", required=True, metavar="CODE", help="code of the institution")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        institution = Organisation.objects.filter(
            kind=OrganisationKind.INSTITUTION, code=options["institution"]
        ).first()
        if institution is None:
            raise CommandError(f"There is no institution with the code {options['institution']}.")
        try:
            content = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        try:
            report = import_instruments(institution=institution, by=None, content=content, dry_run=options["dry_run"])
        except Invalid as error:
            for refusal in error.refusals:
                self.stderr.write(str(refusal.detail))
            raise CommandError(str(error.detail)) from error
        for note in report.notes:
            self.stdout.write(note)
        done = "would be " if options["dry_run"] else ""
        self.stdout.write(
            f"{len(report.created)} {done}created, {len(report.updated)} {done}updated, "
            f"{len(report.unchanged)} unchanged."
        )
