"""Whatever people write stays text: on every page and in every table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test import Client

from tests.access.walk import Operation, Walk
from tests.access.world import World

# Counting lines would only slow it: what it runs, others run too.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

# It would close an attribute and open an element; at the head of a cell a spreadsheet would run it.
TAG = "<i a=1>"
HOSTILE = f"='\">{TAG}"
# What people write, by model.
TEXTS = {
    "accounts.User": ["name", "phone"],
    "accounts.Organisation": ["name", "name_en", "address", "contact_name"],
    "accounts.Group": ["name"],
    "accounts.Project": ["name"],
    "accounts.Agreement": ["audience"],
    "instruments.Instrument": ["name", "name_en", "model", "address", "contact_name", "contact_phone", "description"],
    "instruments.InstrumentGroup": ["name", "name_en"],
    "instruments.Outage": ["reason"],
    "booking.Booking": ["purpose", "notes", "reason"],
    "booking.Series": ["purpose", "notes"],
    "booking.Bundle": ["purpose"],
    "booking.Wait": ["purpose", "notes"],
    "booking.Course": ["name", "name_en", "description", "level"],
    "booking.TrainingSession": ["place", "trainer", "reason"],
    "booking.TrainingRequest": ["note", "reason"],
    "booking.Qualification": ["level", "reason"],
    "booking.SampleOrder": ["purpose", "requirements", "reason", "report"],
    "booking.SampleItem": ["name", "notes", "storage", "condition"],
    "booking.Violation": ["reason"],
    "booking.Appeal": ["reason", "answer"],
    "booking.Feed": ["name"],
}
ROLES = ("eadmin", "manager", "finance", "operator")


def text_fields(model: type[models.Model], names: list[str], end: str) -> dict[str, str]:
    there = {field.name: field for field in model._meta.concrete_fields}
    return {name: (HOSTILE + end)[: there[name].max_length or 99] for name in names if name in there}


@pytest.fixture(scope="module")
def walk(world: World) -> Walk:
    for label, names in TEXTS.items():
        model = apps.get_model(label)
        for row in model._base_manager.all():
            # Some names are there once only.
            fields = text_fields(model, names, str(row.pk))
            assert fields, f"{label} has none of {names}"
            model._base_manager.filter(pk=row.pk).update(**fields)
    walk = Walk(world)
    member = Client()
    member.force_login(world.people["member"])
    for kind, pk in (("bookings", "confirmed"), ("sample-orders", "new_order")):
        # Messages never change, so they are written.
        file = SimpleUploadedFile(f"{TAG}.csv", b"a,b\n1,2\n")
        path = f"/api/v1/{kind}/{world.ids[pk]}/files"
        assert member.post(path, {"text": HOSTILE, "files": file}).status_code == 201
    return walk


def pages(walk: Walk) -> Iterator[Operation]:
    return (one for one in walk.operations() if one.method == "GET")


@pytest.mark.parametrize("role", ROLES)
def test_nothing_that_is_written_becomes_part_of_a_page(walk: Walk, role: str) -> None:
    wrong, met = [], 0
    for operation in pages(walk):
        if operation.is_api or "xlsx" in walk.path(operation, role, lost=False, ids={}):
            continue
        answer = walk.ask(operation, role)
        if answer.status != 200:
            continue
        met += "&lt;i a=1&gt;" in answer.text
        if operation.route.endswith(("csv/", "{form}/", ".csv", ".{form}")):
            cells = [cell for row in csv.reader(io.StringIO(answer.text, newline="")) for cell in row]
            wrong += [f"{operation}: {cell}" for cell in cells if cell.startswith("=")]
        elif TAG in answer.text and "<html" in answer.text:
            wrong.append(str(operation))

    assert not wrong
    assert met > 5
