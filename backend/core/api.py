"""What all API routers share: errors as problem documents, lists in pages, fast rendering."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, cast, get_args

import msgspec
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from ninja import NinjaAPI, Query, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError, ValidationErrorContext
from ninja.errors import Throttled as NinjaThrottled
from ninja.parser import Parser as JsonParser
from ninja.renderers import BaseRenderer
from ninja.signature.details import is_pydantic_model
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ErrorType

from backend.core.errors import Invalid, Refusal, Text, Throttled, Unauthenticated, YixiangError, invalid
from backend.core.http import as_known, not_json, problem_response
from backend.core.text import has_control_characters, has_line_breaks

MAX_LIMIT = 200
MOST_PROBLEMS = 100
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")


def plain_text(text: str) -> str:
    if has_control_characters(text):
        words = _("The text contains characters that cannot be stored or shown.")
        raise PydanticCustomError("control_characters", "{words}", {"words": words})
    return text


def plain_throughout(value: Any) -> Any:
    """The same for every text of a free JSON document, keys included, however deep."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            plain_text(part)
        elif isinstance(part, Mapping):
            left += [*map(str, part), *part.values()]
        elif isinstance(part, list):
            left += part
    return value


def _with_plus(value: Any) -> Any:
    """An unescaped ``+08:00`` in an address arrives with a space."""
    return _LOST_PLUS.sub("+", value) if isinstance(value, str) else value


def _too_far() -> PydanticCustomError:
    return PydanticCustomError("out_of_range", "{words}", {"words": _("This date is too far away.")})


def _in_our_times(value: datetime) -> datetime:
    if not FIRST <= value <= LAST:
        raise _too_far()
    return value


def _day_of_our_times(value: date) -> date:
    if not FIRST.date() <= value <= LAST.date():
        raise _too_far()
    return value


def one_line(text: str) -> str:
    """What becomes a name, a subject or a cell: no line breaks either."""
    if has_line_breaks(plain_text(text)):
        raise PydanticCustomError("line_break", "{words}", {"words": _("Please write this on one line.")})
    return text


# After the length, whose message would else speak of items.
PLAIN = AfterValidator(plain_text)
LINE = AfterValidator(one_line)
Instant = Annotated[AwareDatetime, BeforeValidator(_with_plus), AfterValidator(_in_our_times)]
Day = Annotated[date, AfterValidator(_day_of_our_times)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Document = Annotated[dict[str, Any], AfterValidator(plain_throughout)]


class In(Schema):
    """Base of every input: unknown fields are an error, text is stripped, numbers are finite."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Else true would be one sample."""
        if isinstance(value, bool) and _numeric(cls.model_fields[str(info.field_name)].annotation):
            raise PydanticCustomError("float_type", "{words}", {"words": str(_NUMBER)})
        return value


def _numeric(annotation: Any) -> bool:
    return annotation in (int, float, Decimal) or any(_numeric(part) for part in get_args(annotation))


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


class Parser(JsonParser):
    """Only what JSON knows: Python's own reading would also take NaN, Infinity and what overflows to it."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        kind = request.content_type or "application/json"
        if kind != "application/json" and not kind.endswith("+json"):
            raise not_json()
        body = json.loads(request.body, parse_constant=_finite, parse_float=_finite, object_pairs_hook=_each_once)
        return cast("dict[str, Any]", body)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of the same body would understand a field that is there twice differently."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise invalid(twice[:100], _("This field is there twice."), "duplicate")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


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
        case HttpError() if isinstance(exception.__cause__, YixiangError):
            return exception.__cause__  # what our own parser said
        case HttpError() if exception.status_code == 400:
            return Invalid(Refusal("json_invalid", str(SENTENCES["json_invalid"])))
        case HttpError():
            error = YixiangError(detail=str(exception))
            error.status = exception.status_code
            return error
    return None


_WHOLE = gettext_lazy("Please give a whole number.")
_NUMBER = gettext_lazy("Please give a number.")
_TEXT = gettext_lazy("Please give a text.")
_LIST = gettext_lazy("Please give a list.")
_OBJECT = gettext_lazy("Please give a JSON object.")
_YES_NO = gettext_lazy("Please give true or false.")
_DATE = gettext_lazy("Please give a date, such as 2026-12-01.")
_TIME = gettext_lazy("Please give a time, such as 09:30.")
_INSTANT = gettext_lazy("Please give date and time with their offset, such as 2026-12-01T09:00:00+08:00.")
_CHOICE = gettext_lazy("Possible values: %(expected)s.")
_UNKNOWN = gettext_lazy("This value is not possible here.")
_REQUIRED = gettext_lazy("This is required.")

# By pydantic's name of the error, with pydantic's names of the limits.
SENTENCES: dict[str, Text] = {
    "missing": _REQUIRED,
    "none_required": gettext_lazy("This must be left out."),
    "extra_forbidden": gettext_lazy("There is no such field here."),
    "json_invalid": gettext_lazy("The body is not valid JSON."),
    "string_type": _TEXT,
    "string_unicode": gettext_lazy("The text contains characters that cannot be stored or shown."),
    "string_too_long": gettext_lazy("At most %(max_length)s characters."),
    "string_too_short": gettext_lazy("At least %(min_length)s characters."),
    "string_pattern_mismatch": gettext_lazy("This does not have the expected form: %(pattern)s"),
    "too_long": gettext_lazy("At most %(max_length)s entries."),
    "too_short": gettext_lazy("At least %(min_length)s entries."),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _WHOLE),
    "int_parsing_size": gettext_lazy("This number is too large."),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), _NUMBER),
    "finite_number": gettext_lazy("Please give a finite number."),
    "greater_than": gettext_lazy("This must be more than %(gt)s."),
    "greater_than_equal": gettext_lazy("This must be at least %(ge)s."),
    "less_than": gettext_lazy("This must be less than %(lt)s."),
    "less_than_equal": gettext_lazy("This must be at most %(le)s."),
    "multiple_of": gettext_lazy("This must be a multiple of %(multiple_of)s."),
    "decimal_max_digits": gettext_lazy("At most %(max_digits)s digits."),
    "decimal_max_places": gettext_lazy("At most %(decimal_places)s decimal places."),
    "decimal_whole_digits": gettext_lazy("At most %(whole_digits)s digits before the point."),
    **dict.fromkeys(("literal_error", "enum"), _CHOICE),
    **dict.fromkeys(("bool_type", "bool_parsing"), _YES_NO),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "iterable_type"), _LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), _OBJECT),
    "timezone_aware": gettext_lazy("The offset from UTC is missing: Z, or one such as +08:00."),
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_from_date_parsing"), _INSTANT),
    "datetime_object_invalid": _INSTANT,
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), _DATE),
    **dict.fromkeys(("time_type", "time_parsing"), _TIME),
}
_PYDANTICS = frozenset(get_args(ErrorType))


def shape_errors(contexts: Iterable[ValidationErrorContext[Any]]) -> list[dict[str, Any]]:
    """pydantic's errors under the names that the caller used, without those of our functions' parameters."""
    return [
        {**error, "loc": _outer_path(context.model, error["loc"])}
        for context in contexts
        for error in context.pydantic_validation_error.errors(include_url=False, include_input=False)
    ]


def _outer_path(model: Any, loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """``("slot", "start")`` → ``("start",)`` where ``slot`` is the whole body or a group of parameters."""
    first = loc[0] if loc else ""
    if model.__ninja_param_source__ == "body":
        ours = first == getattr(model, "__read_from_single_attr__", None)
    else:
        field = model.model_fields.get(first)
        ours = field is not None and is_pydantic_model(field.annotation)
    return loc[1:] if ours else loc


def _shape_problems(errors: Iterable[Mapping[str, Any]]) -> list[Refusal]:
    return [_shape_problem(error) for error in list(errors)[:MOST_PROBLEMS]]


def _shape_problem(error: Mapping[str, Any]) -> Refusal:
    # "[key]" is how pydantic says that a mapping's key is wrong, which comes right before it.
    path = ".".join(str(part)[:100] for part in error.get("loc", ()) if part != "[key]")
    field = path.encode("utf-8", "replace").decode()
    kind, context = str(error.get("type", "invalid")), dict(error.get("ctx") or {})
    if kind in ("literal_error", "enum"):
        expected = str(context["expected"])
        context["expected"] = ", ".join(re.findall(r"'([^']*)'", expected)) or expected.replace(" or ", ", ")
    params = {name: value for name, value in context.items() if name not in ("error", "words")}
    return Refusal(kind, _sentence(kind, context, str(error.get("msg", "")), field), field=field, params=params)


def _sentence(kind: str, context: Mapping[str, Any], message: str, field: str) -> str:
    if kind == "value_error" and "error" in context:
        return str(context["error"])
    if kind == "missing" and not field:
        return str(_OBJECT)
    if kind == "string_too_short" and context.get("min_length") == 1:
        return str(_REQUIRED)
    if kind in SENTENCES:
        return str(SENTENCES[kind]) % context
    # What our own validators say is a sentence already.
    return str(_UNKNOWN) if kind in _PYDANTICS else message


def declare_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Write the errors that any operation may answer into an OpenAPI document.

    django-ninja declares responses as ``application/json``; ours are ``application/problem+json``.
    """
    document.setdefault("components", {}).setdefault("schemas", {}).update(_problem_schemas())
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for methods in document.get("paths", {}).values():
        for method, operation in methods.items():
            # An operation's own additions may be keyed by number: in JSON the same key would then stand there twice.
            operation["responses"] = {str(status): told for status, told in operation["responses"].items()}
            for status, reason in _declared(method, "requestBody" in operation):
                operation["responses"].setdefault(status, {"description": reason, "content": content})
    return document


def declare_key(document: dict[str, Any], *, unless: tuple[str, ...]) -> dict[str, Any]:
    """That every POST, unless its path ends so, may name a key so that sending it twice does it once."""
    told = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "maxLength": 200},
        "description": "The same request with the same key within 48 hours is answered with the stored reply",
    }
    for path, methods in document.get("paths", {}).items():
        if "post" in methods and not path.endswith(unless):
            methods["post"].setdefault("parameters", []).append(told)
    return document


def _declared(method: str, has_body: bool) -> Iterable[tuple[str, str]]:
    yield "422", "The input has the wrong shape"
    yield "429", "Too many requests; see Retry-After"
    yield "503", "Busy; see Retry-After"
    yield "404", "Absent, or not yours"
    yield "401", "No valid credentials"
    yield "403", "Your role lacks this operation"
    if method.upper() not in ("GET", "HEAD"):
        yield "409", "Refused by rules, a conflict or the object's state"
        yield "412", "Changed since you read it"
    if has_body:
        yield "413", "More than can be sent at once"
        yield "415", "The body is not JSON"


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), "Problem": schema}


__all__ = [
    "LINE",
    "PLAIN",
    "Day",
    "Document",
    "Id",
    "In",
    "Instant",
    "Page",
    "Parser",
    "Problem",
    "Query",
    "Renderer",
    "declare_key",
    "declare_problems",
    "install_error_handlers",
    "page_of",
    "plain_throughout",
    "shape_errors",
]
