"""``manage.py verify_audit [--organisation CODE]``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.audit.actions import faults
from backend.audit.models import Entry, Head


class Command(BaseCommand):
    help = "Check every hash chain of the audit record; exit code 1 and one line for each fault."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", metavar="CODE", help="only this organisation's chain")

    def handle(self, *args: Any, **options: Any) -> None:
        code = options["organisation"]
        heads = Head.objects.filter(organisation__code=code) if code else Head.objects.all()
        ids = list(heads.values_list("organisation_id", flat=True))
        if code and not ids:
            raise CommandError(f"No acts are recorded for the organisation {code}.")
        found = list(faults(organisation_id=ids[0] if code else None))
        for fault in found:
            self.stdout.write(fault)
        if found:
            raise CommandError(f"{len(found)} faults: the audit record was tampered with.")
        count = Entry.objects.filter(organisation_id__in=ids).count()
        self.stdout.write(f"{len(ids)} chains with {count} entries are unbroken.")
