"""A request that is sent twice: with an Idempotency-Key it acts once, and is answered alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from backend.accounts.models import IdempotencyKey
from backend.api import NEVER_STORED, api
from tests.access.bodies import BODIES
from tests.access.walk import Operation, Walk, has_file
from tests.access.world import World, undone
from tests.test_access import NEVER_DONE
from tests.test_bad_input_api import state

# Counting lines would only slow it: what it runs, others run too.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

ROLES = ("member", "eadmin", "manager", "finance", "iadmin", "operator", "colleague", "imember")


@pytest.fixture(scope="module")
def walk(world: World) -> Walk:
    return Walk(world)


POSTS = [Operation(path, "POST") for path, methods in api.get_openapi_schema()["paths"].items() if "post" in methods]


def send(walk: Walk, operation: Operation, role: str, key: str) -> Any:
    client = Client(raise_request_exception=False, headers={"accept-language": "en", "idempotency-key": key})
    client.force_login(walk.world.people[role])
    body = BODIES.get(str(operation), lambda _: {})(walk.world)
    more = {} if has_file(body) else {"content_type": "application/json"}
    return client.post(walk.path(operation, role, lost=False, ids={}), body, **more)


def without_keys() -> dict[str, Any]:
    return {name: value for name, value in state().items() if "dempotency" not in name}


@pytest.mark.parametrize("operation", POSTS, ids=str)
def test_every_post_acts_once_for_a_key(walk: Walk, operation: Operation) -> None:
    walk.world.ids["imember"] = walk.world.people["imember"].pk
    for role in ROLES:
        with undone():
            first = send(walk, operation, role, "k1")
            if first.status_code >= 300:
                continue
            before = without_keys()
            again = send(walk, operation, role, "k1")
            stored = IdempotencyKey.objects.filter(key="k1").count()
            assert stored == (not operation.route.endswith(NEVER_STORED))
            if stored:
                assert (again.status_code, again.content) == (first.status_code, first.content)
                assert without_keys() == before
            return
    assert f"POST {operation.route}" in NEVER_DONE, "nobody could send it"


def test_the_same_file_again_is_the_same_request_and_another_is_not(walk: Walk) -> None:
    operation = Operation("/api/v1/bookings/{pk}/files", "POST")
    client = Client(headers={"idempotency-key": "f", "accept-language": "en"})
    client.force_login(walk.world.people["member"])
    with undone():
        answers = [
            client.post(
                walk.path(operation, "member", lost=False, ids={}), {"files": SimpleUploadedFile("a.csv", text)}
            )
            for text in (b"a,b\n1,2\n", b"a,b\n1,2\n", b"a,b\n1,3\n")
        ]

    assert [answer.status_code for answer in answers] == [201, 201, 422]
    assert answers[0].json() == answers[1].json()


def test_a_key_of_one_address_says_nothing_about_another(walk: Walk) -> None:
    """Nor does that of one person about another's."""
    body = {"reason": "Walk"}
    with undone():
        answers = []
        for role, path in (("member", "confirmed"), ("member", "soon"), ("eadmin", "confirmed")):
            client = Client(headers={"idempotency-key": "same"})
            client.force_login(walk.world.people[role])
            where = f"/api/v1/bookings/{walk.world.ids[path]}/cancel"
            answers.append(client.post(where, body, content_type="application/json").status_code)

    assert answers == [200, 200, 409]
