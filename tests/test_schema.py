"""The API against its own OpenAPI document, in each role: generated requests, and what may never come of them.

SCHEMA_EXAMPLES=200 asks longer; without it each operation is asked a few times in each role.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.accounts.actions import create_token
from backend.api import api
from backend.wsgi import application
from tests.access.walk import Operation
from tests.access.world import World, undone

pytestmark = [
    pytest.mark.django_db,
    # Most of the time is spent on making requests up; what they run, others run too.
    pytest.mark.no_cover,
    # schemathesis leaves a streamed file open until it is collected.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# What PostgreSQL alone could get wrong, the queries, shows in a few roles.
FEW = ("member", "manager", "iadmin")
EVERYBODY = ("visitor", "member", "eadmin", "manager", "finance", "iadmin", "operator")
ROLES = EVERYBODY if connection.vendor == "sqlite" else FEW
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", 0)) or (3 if connection.vendor == "sqlite" else 1)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
DOCUMENT = api.get_openapi_schema()
SCHEMA = schemathesis.openapi.from_dict(dict(DOCUMENT), config=SchemathesisConfig())
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]
# Which object of the world an input names, where it is not the parameter of an address.
NAMED = {
    "instrument": "instrument", "instruments": "instrument", "organisation": "enterprise", "enterprise": "enterprise",
    "institution": "institution", "project": "project", "booking": "confirmed", "on_behalf_of": "colleague",
}  # fmt: skip


@pytest.fixture(scope="module")
def tokens(world: World) -> dict[str, str]:
    return {role: create_token(user=world.people[role], name="Schema")[1] for role in ROLES if role in world.people}


@pytest.fixture(scope="module", autouse=True)
def _one_connection() -> Iterator[None]:
    """A request ends by closing the connection; here its transaction must last, as with Django's own test client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def fill_in(case: Any, data: st.DataObject, world: World) -> None:
    """Mostly objects that exist: a request that names nobody's booking is told 404 and nothing else."""
    operation = Operation(case.operation.path, case.method)
    for name in case.path_parameters or {}:
        kind = operation.objects.get(name, "=")
        if not kind.startswith("=") and data.draw(st.integers(0, 3)):
            case.path_parameters[name] = world.ids[kind]
    for values in (case.query, case.body):
        if isinstance(values, dict):
            for name in set(values) & set(NAMED):
                if data.draw(st.booleans()):
                    values[name] = world.ids[NAMED[name]]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_the_api_is_what_its_document_says(world: World, tokens: dict[str, str], operation: Any, role: str) -> None:
    headers = {"Authorization": f"Bearer {tokens[role]}"} if role in tokens else {}

    @settings(max_examples=2 * EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from((GenerationMode.POSITIVE, GenerationMode.NEGATIVE)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if mode == GenerationMode.POSITIVE:  # the other is wrong on purpose and must stay so
            fill_in(case, data, world)
        with undone():
            response = case.call(app=application, headers=headers)
        case.validate_response(response, checks=CHECKS)

    ask()


def test_every_parameter_of_an_address_names_an_object() -> None:
    """So that requests reach further than 404."""
    unnamed = {
        f"{one.route} {{{name}}}"
        for one in (Operation(operation.path, operation.method.upper()) for operation in OPERATIONS)
        for name in one.parameters
        if name not in one.objects
    }

    assert unnamed == set()
