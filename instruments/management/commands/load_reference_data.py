"""``manage.py load_reference_data``: the categories and techniques that come with the product."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from instruments.actions.reference import load_reference_data


class Command(BaseCommand):
    help = "Create the categories and techniques, or bring them up to date. Repeating it changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        categories, techniques = load_reference_data()
        self.stdout.write(f"{categories} categories, {techniques} techniques.")
