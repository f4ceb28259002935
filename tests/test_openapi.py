"""The served OpenAPI document: one that tools can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from ninja import Schema


def no_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"duplicate keys among {names}"
    return dict(pairs)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


@pytest.fixture
def document(db: None) -> Any:
    return json.loads(Client().get("/api/v1/openapi.json").content, object_pairs_hook=no_repetition)


def test_no_key_stands_twice(document: Any) -> None:
    refused = document["paths"]["/api/v1/invoices/draft"]["post"]["responses"]["409"]

    assert refused["description"] != ""


def test_every_reference_resolves(document: Any) -> None:
    found = set(references(document))

    assert found
    for reference in found:
        target = document
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]


def test_parameters_say_what_they_may_be(document: Any) -> None:
    slot = document["components"]["schemas"]["Slot"]["properties"]["parameters"]

    assert slot["maxProperties"] == 40
    assert [kind["type"] for kind in slot["additionalProperties"]["anyOf"]] == ["boolean", "number", "string"]


def test_no_two_shapes_share_a_name() -> None:
    """The document knows them by name alone; equal ones may."""
    shapes: dict[str, set[str]] = {}
    waiting: list[type[Schema]] = [Schema]
    while waiting:
        for shape in waiting.pop().__subclasses__():
            waiting.append(shape)
            if shape.__module__.split(".")[0] in ("backend", "booking", "instruments", "invoices"):
                shapes.setdefault(shape.__name__, set()).add(str(sorted(map(str, shape.model_fields.items()))))

    assert [name for name, found in shapes.items() if len(found) > 1] == []
