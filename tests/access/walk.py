"""Every operation of the URL conf and of the OpenAPI document, tried as somebody, and what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files import File
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.access.bodies import BODIES, OBJECTS, QUERIES
from tests.access.rights import ADMIN
from tests.access.world import ABSENT, World, undone

LOGINS = ("/account/login/", f"{ADMIN}login/")
# What differs between two answers that are the same to a reader.
_NOISE = re.compile(r'nonce="[^"]*"|name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": ?"\w+"|\b[0-9a-f]{32}\b')


@dataclass(frozen=True, order=True)
class Operation:
    route: str
    method: str

    def __str__(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def is_api(self) -> bool:
        return self.route.startswith("/api/")

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.route)

    @property
    def objects(self) -> dict[str, str]:
        """What each parameter names: a key of the world's ids, or after ``=`` itself."""
        known = max((one for one in OBJECTS if self.route.startswith(one)), key=len, default="")
        return OBJECTS.get(known, {})


def routes(patterns: Iterable[Any] | None = None, prefix: str = "/") -> Iterator[str]:
    """``/bookings/{pk}/`` and so on, of everything that has an address."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + _plain(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def _plain(pattern: str) -> str:
    pattern = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern)
    pattern = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", pattern)
    return pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z")


@cache
def documented() -> dict[Operation, dict[str, Any]]:
    """The operations of the OpenAPI document."""
    document = json.loads(Client().get("/api/v1/openapi.json").content)
    return {
        Operation(path, method.upper()): told
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    }


class Walk:
    """Sends requests as somebody; nothing that they write stays."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._client = Client(raise_request_exception=False, headers={"accept-language": "en"})
        self._sessions: dict[str, str] = {}
        self._usual: dict[tuple[Operation, str], Answer] = {}
        for role, user in world.people.items():
            client = Client()
            client.force_login(user)
            self._sessions[role] = client.cookies[settings.SESSION_COOKIE_NAME].value

    def operations(self) -> list[Operation]:
        """The API's by its document; of pages, each method that a route takes. Without Django's admin."""
        api = set(documented())
        # Below its root, where django-ninja says 404 by itself.
        known = {one.route for one in api} | {"/api/v1/"}
        pages = {route for route in routes() if route not in known and not route.startswith(ADMIN)}
        probes = (Operation(route, method) for route in pages for method in ("GET", "POST"))
        return sorted(api | {one for one in probes if self.usual(one, "homeless").status != 405})

    def usual(self, operation: Operation, role: str) -> Answer:
        """The usual request's answer, asked once."""
        if (operation, role) not in self._usual:
            self._usual[operation, role] = self.ask(operation, role)
        return self._usual[operation, role]

    def ask(
        self,
        operation: Operation,
        role: str,
        *,
        lost: bool = False,
        ids: dict[str, Any] | None = None,
        body: Any = None,
        query: dict[str, Any] | None = None,
    ) -> Answer:
        """``lost``: every object is one that does not exist. ``ids``, ``body``, ``query``: instead of the usual."""
        world = self.world
        path = self.path(operation, role, lost=lost, ids=ids or {})
        world.ids["home"] = world.home.get(role, ABSENT)
        world.ids["imember"] = world.people["imember"].pk
        if query is None:
            query = QUERIES.get(str(operation), lambda _: {})(world)
        if body is None:
            body = BODIES.get(str(operation), lambda _: {})(world)
        self._client.cookies = SimpleCookie()
        headers = {}
        if role in self._sessions:
            self._client.cookies[settings.SESSION_COOKIE_NAME] = self._sessions[role]
        elif role in world.secrets:
            headers["Authorization"] = f"Bearer {world.secrets[role]}"
        more: dict[str, Any] = {"query_params": query, "headers": headers}
        if operation.method != "GET":
            more["data"] = body
            if operation.is_api and not has_file(body):
                more["content_type"] = "application/json"
        with undone():
            response = getattr(self._client, operation.method.lower())(path, **more)
            return Answer(response, path)

    def path(self, operation: Operation, role: str, *, lost: bool, ids: dict[str, Any]) -> str:
        path = operation.route
        known = {**self.world.ids, **self.world.once.get(role, {})}
        for name in operation.parameters:
            assert name in operation.objects, (
                f"{operation}: say in OBJECTS of tests/access/bodies.py which object of the world {{{name}}} is"
            )
            kind = operation.objects[name]
            value = kind[1:] if kind.startswith("=") else known[kind]
            if lost and not kind.startswith("="):
                value = re.sub(r"\w", "0", value) if isinstance(value, str) else ABSENT
            path = path.replace(f"{{{name}}}", str(ids.get(name, value)))
        return path


def has_file(body: Any) -> bool:
    return isinstance(body, dict) and any(isinstance(value, File) for value in body.values())


class Answer:
    def __init__(self, response: Any, path: str) -> None:
        self.status: int = response.status_code
        self.location: str = response.headers.get("Location", "")
        content = b"".join(response.streaming_content) if response.streaming else response.content
        self.text: str = content.decode("utf-8", "replace")
        self._path = path

    @property
    def verdict(self) -> str:
        """``in``, ``403``, ``404``, ``sign-in`` or the unexpected status. In: a rule may still have refused."""
        if self.status == 401 or (self.status == 302 and self.location.startswith(LOGINS)):
            return "sign-in"
        return "in" if self.status < 400 or self.status in (409, 412, 422) else str(self.status)

    @property
    def seen(self) -> tuple[int, str, str]:
        """What a reader can tell apart, without the address that they asked for."""
        text, location = _NOISE.sub("", self.text), self.location
        for path in (self._path, quote(self._path), quote(self._path, safe="")):
            text, location = text.replace(path, ""), location.replace(path, "")
        return self.status, location, text
