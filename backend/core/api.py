"""What all API routers share: errors as problem documents, lists in pages, fast rendering."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Query, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.errors import Throttled as NinjaThrottled
from ninja.renderers import BaseRenderer
from pydantic import ConfigDict, Field

from backend.core.errors import Forbidden, Invalid, Refusal, Throttled, Unauthenticated, YixiangError
from backend.core.http import as_known, problem_response

MAX_LIMIT = 200


class In(Schema):
    """Base of every input: unknown fields are an error, text is stripped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class ProblemEntry(Schema):
    code: str
    detail: str
    field: str | None = None
    params: dict[str, Any] | None = None
    until: str | None = None
    fix: str | None = None
    fix_text: str | None = None


class Problem(Schema):
    """RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemEntry]


class Page(Schema):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=1_000_000)


class Renderer(BaseRenderer):
    """JSON by msgspec; money stays text, instants keep their offset."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return msgspec.json.encode(data, enc_hook=_encode)


def _encode(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def page_of(rows: QuerySet[Any, Any], page: Page, shape: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """``{items, count}``: two queries."""
    return {
        "items": [shape(row) for row in rows[page.offset : page.offset + page.limit]],
        "count": rows.count(),
    }


def install_error_handlers(api: NinjaAPI) -> None:
    """Every error of a route leaves as a problem document."""

    def known(request: HttpRequest, exception: Any) -> HttpResponse:
        error = as_known(exception) or _from_ninja(exception)
        if error is None:
            raise exception
        return problem_response(error)

    # ninja asks the handler of the nearest class, and brings its own for its own errors.
    for kind in (Exception, YixiangError, AuthenticationError, ValidationError, HttpError, NinjaThrottled):
        api.add_exception_handler(kind, known)


def _from_ninja(exception: Exception) -> YixiangError | None:
    match exception:
        case NinjaThrottled():
            return Throttled(int(exception.wait or 60))
        case AuthenticationError():
            return Unauthenticated()
        case ValidationError():
            return Invalid(*_shape_problems(exception.errors))
        case HttpError():
            error = (
                Invalid(detail=str(exception)) if exception.status_code == 400 else YixiangError(detail=str(exception))
            )
            error.status = 422 if exception.status_code == 400 else exception.status_code
            return error
    return None


def _shape_problems(errors: Iterable[Mapping[str, Any]]) -> list[Refusal]:
    out = []
    for error in errors:
        # ("body", "payload", "start") → start: the reader knows the field, not our parameter's name.
        path = [
            str(part) for part in error.get("loc", ()) if part not in ("body", "query", "path", "payload", "filters")
        ]
        out.append(Refusal(str(error.get("type", "invalid")), str(error.get("msg", "")), field=".".join(path)))
    return out


def declare_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Write the errors that any operation may answer into an OpenAPI document.

    django-ninja declares responses as ``application/json``; ours are ``application/problem+json``.
    """
    document.setdefault("components", {}).setdefault("schemas", {}).update(_problem_schemas())
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for methods in document.get("paths", {}).values():
        for method, operation in methods.items():
            for status, reason in _declared(method):
                operation["responses"].setdefault(status, {"description": reason, "content": content})
    return document


def _declared(method: str) -> Iterable[tuple[str, str]]:
    yield "422", "The input has the wrong shape"
    yield "429", "Too many requests; see Retry-After"
    yield "503", "Busy; see Retry-After"
    yield "404", "Absent, or not yours"
    yield "401", "No valid credentials"
    yield "403", "Your role lacks this operation"
    if method.upper() not in ("GET", "HEAD"):
        yield "409", "Refused by rules, a conflict or the object's state"
        yield "412", "Changed since you read it"


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), "Problem": schema}


def require(condition: object, error: type[YixiangError] = Forbidden) -> None:
    """Raise unless the condition holds."""
    if not condition:
        raise error


__all__ = [
    "In",
    "Page",
    "Problem",
    "Query",
    "Renderer",
    "declare_problems",
    "install_error_handlers",
    "page_of",
    "require",
]
