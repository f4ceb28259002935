"""What every test shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

# Playwright's synchronous API runs an event loop in the test's own thread; Django would refuse the ORM there.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import translation
from hypothesis import settings

from backend.core import constraints

settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Instead of pytest-django's, which migrates an empty database in each process."""
    from tests import database  # needs the apps

    with django_db_blocker.unblock():
        database.make_database()
    yield
    with django_db_blocker.unblock():
        database.drop_database()


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Sentences in tests are the English msgids, whatever test ran before."""
    with translation.override("en"):
        yield


@pytest.fixture
def committed(transactional_db: None) -> Iterator[None]:
    """Data that other connections see. The guards are dropped before the tables are emptied again."""
    yield
    constraints.drop_guards()
    cache.clear()


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """An enterprise, a lab and everybody who may or may not see what they did; made once for a module."""
    from tests.access.world import standing_world  # most tests need nothing of it

    with django_db_blocker.unblock(), standing_world() as made:
        yield made


@pytest.fixture
def api() -> type[ApiClient]:
    return ApiClient


class ApiClient(Client):
    """A client of the JSON API, signed in as a person: ``ApiClient(user).post_json("/bookings", {…})``."""

    def __init__(self, user: Any = None, **kwargs: Any) -> None:
        super().__init__(headers={"accept-language": "en"}, **kwargs)
        if user is not None:
            self.force_login(user)

    def get_api(self, path: str, **query: Any) -> Any:
        return self.get(f"/api/v1{path}", query)

    def post_api(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.post(f"/api/v1{path}", body or {}, content_type="application/json", headers=headers)

    def put_api(self, path: str, body: Any) -> Any:
        return self.put(f"/api/v1{path}", body, content_type="application/json")

    def patch_api(self, path: str, body: Any) -> Any:
        return self.patch(f"/api/v1{path}", body, content_type="application/json")
