"""Every form and every body, one value at a time replaced by what nobody expects: an answer, never a failure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files import File
from django.db import connection

from backend.api import api
from tests.access.bodies import BODIES
from tests.access.walk import Operation, Walk, routes
from tests.access.world import World
from tests.test_repeating import ROLES

# Counting lines would only slow it: what it runs, others run too.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

ODD = ["a\0b", str(10**30), "1e400", "2027-03-28T02:30"]
ODD_JSON: list[Any] = ["a\0b", 10**30, "x" * 5000, -1, None, [], {"a": {"b": []}}]


@pytest.fixture(scope="module")
def walk(world: World) -> Walk:
    return Walk(world)


def operations() -> list[Operation]:
    known = api.get_openapi_schema()["paths"]
    found = {Operation(path, method.upper()) for path, methods in known.items() for method in methods}
    pages = {Operation(route, "POST") for route in routes() if not route.startswith("/api/")}
    return sorted(one for one in found | pages if str(one) in BODIES and one.method != "GET")


def odd_bodies(body: Any, values: list[Any]) -> Iterator[tuple[str, Any]]:
    """The body with each of its values replaced, however deep it lies."""
    if isinstance(body, dict):
        for name, inner in body.items():
            for path, other in odd_bodies(inner, values):
                yield f"{name}.{path}", {**body, name: other}
    elif isinstance(body, list) and body:
        for path, other in odd_bodies(body[0], values):
            yield f"0.{path}", [other, *body[1:]]
    if not isinstance(body, dict):
        yield from ((repr(value)[:20], value) for value in values)


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_odd_values_are_answered(walk: Walk, operation: Operation) -> None:
    walk.world.ids["imember"] = walk.world.people["imember"].pk
    role = next((one for one in ROLES if walk.ask(operation, one).status < 400), None)
    if role is None:
        pytest.skip("nobody of this world can do it")
    body = BODIES[str(operation)](walk.world)
    # What one engine stores and the other does not comes first.
    values = (ODD_JSON if operation.is_api else ODD)[: None if connection.vendor == "sqlite" else 2]
    # What is sent as a form, because of its files, consists of texts.
    as_form = isinstance(body, dict) and any(isinstance(value, File) for value in body.values())
    failed = []
    for path, other in odd_bodies(body, values):
        if (as_form or not operation.is_api) and not all(
            isinstance(value, str | int | list | File) for value in other.values()
        ):
            continue
        answer = walk.ask(operation, role, body=other)
        if answer.status >= 500:
            failed.append(f"{path}: {answer.status}")

    assert not failed
