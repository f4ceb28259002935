"""Categories and techniques: data that comes with the product and may be replaced by a newer version."""

from __future__ import annotations

import csv
from pathlib import Path

from backend.core.db import atomic_action
from instruments.models import Category, Technique

DATA = Path(__file__).resolve().parent.parent / "data"

# The national coding's word for "none of these".
UNKNOWN = "990000"


@atomic_action
def load_reference_data() -> tuple[int, int]:
    """Categories and techniques of `instruments/data`, created or brought up to date; how many of each.

    Repeating it changes nothing; what an operator added stays.
    """
    categories = [
        Category(code=row["code"], parent_id=row["parent"] or None, name=row["name_zh"], name_en=row["name_en"])
        for row in _rows("categories.csv")
    ]
    # Parents have shorter codes than their children.
    categories.sort(key=lambda category: len(category.code))
    Category.objects.bulk_create(
        categories, update_conflicts=True, unique_fields=["code"], update_fields=["parent", "name", "name_en"]
    )
    techniques = [
        Technique(key=row["key"], name=row["name_zh"], name_en=row["name_en"], aliases=row["aliases"].split(";"))
        for row in _rows("techniques.csv")
    ]
    Technique.objects.bulk_create(
        techniques, update_conflicts=True, unique_fields=["key"], update_fields=["name", "name_en", "aliases"]
    )
    return len(categories), len(techniques)


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
