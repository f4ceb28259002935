"""What all routes share: shape errors, lists, rendering, the OpenAPI document."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from pydantic import Field, TypeAdapter, ValidationError

from backend.accounts.models import Organisation
from backend.core.api import SENTENCES, Document, In, Instant, Page, Renderer, _shape_problem, page_of
from booking.models import Status, UsageState
from booking.schemas import RESERVED, BookingFilter, Parameters, UsageFilter
from tests.conftest import ApiClient
from tests.factories import make_enterprise, make_institution, make_instrument, make_member


class Body(In):
    name: str


def test_input_refuses_unknown_fields() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Body.model_validate({"name": "a", "nmae": "b"})


def test_input_is_stripped() -> None:
    assert Body.model_validate({"name": "  a "}).name == "a"


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"offset": -1}])
def test_pages_have_limits(query: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Page.model_validate(query)


def test_a_page_of_rows_takes_two_queries(db: None, django_assert_num_queries: Any) -> None:
    for _ in range(5):
        make_institution()

    with django_assert_num_queries(2):
        page = page_of(Organisation.objects.order_by("pk"), Page(limit=2, offset=3), lambda row: {"code": row.code})

    assert page["count"] == 5
    assert len(page["items"]) == 2


def test_money_and_instants_are_rendered_exactly() -> None:
    data = {"amount": Decimal("1200.10"), "at": datetime(2026, 12, 1, 4, tzinfo=UTC), "name": "扫描电镜"}

    rendered = Renderer().render(None, data, response_status=200)  # type: ignore[arg-type]

    assert json.loads(rendered) == {"amount": "1200.10", "at": "2026-12-01T04:00:00Z", "name": "扫描电镜"}


def test_without_credentials_the_answer_is_401(db: None) -> None:
    response = ApiClient().get_api("/me")

    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()["code"] == "unauthenticated"


def test_the_document_is_served_and_declares_problems(db: None) -> None:
    document = Client().get("/api/v1/openapi.json").json()

    operation = document["paths"]["/api/v1/me"]["get"]
    assert document["info"]["title"] == "Yixiang 仪享"
    for status in ("401", "403", "404", "422", "429", "503"):
        assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
    assert "Problem" in document["components"]["schemas"]


def test_no_key_of_the_document_stands_twice(db: None) -> None:
    text = Client().get("/api/v1/openapi.json").content

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(pairs) == len(dict(pairs)), [key for key, _ in pairs]
        return dict(pairs)

    assert "openapi" in json.loads(text, object_pairs_hook=once)


def test_the_docs_page_is_served(db: None) -> None:
    assert Client().get("/api/v1/docs").status_code == 200


SLOT = {
    "instrument": 1,
    "start": "2026-12-01T09:00:00+08:00",
    "end": "2026-12-01T10:00:00+08:00",
    "mode": "self",
    "purpose": "x",
}


def refusals_of(**body: Any) -> list[tuple[str, str, str]]:
    response = ApiClient(make_member(make_enterprise())).post_api("/bookings", {**SLOT, **body})
    assert response.status_code == 422, response.content
    return [(each.get("field", ""), each["code"], each["detail"]) for each in response.json()["errors"]]


@pytest.mark.parametrize(
    ("body", "field", "code", "words"),
    [
        ({"start": "2026-12-01T09:00:00"}, "start", "timezone_aware", "offset"),
        ({"start": "soon"}, "start", "datetime_from_date_parsing", "such as"),
        ({"start": "0001-01-01T00:00:00+08:00"}, "start", "out_of_range", "too far"),
        ({"end": "9999-12-31T23:59:59-08:00"}, "end", "out_of_range", "too far"),
        ({"mode": "magic"}, "mode", "literal_error", "self, operator, sample"),
        ({"surplus": 1}, "surplus", "extra_forbidden", "no such field"),
        ({"surplus\ud800": 1}, "", "", ""),
        ({"purpose": ""}, "purpose", "string_too_short", "required"),
        ({"purpose": "x" * 201}, "purpose", "string_too_long", "200"),
        ({"purpose": "a\x00b"}, "purpose", "control_characters", "characters"),
        ({"purpose": "a\ud800b"}, "purpose", "string_unicode", "characters"),
        ({"purpose": 5}, "purpose", "string_type", "text"),
        ({"samples": "many"}, "samples", "int_parsing", "whole number"),
        ({"samples": -1}, "samples", "greater_than_equal", "at least 0"),
        ({"samples": 10**30}, "samples", "less_than_equal", "100000"),
        ({"instrument": 10**30}, "instrument", "less_than_equal", "at most"),
        ({"organisation": 10**30}, "organisation", "less_than_equal", "at most"),
        ({"project": -1}, "project", "greater_than_equal", "at least 1"),
        ({"parameters": []}, "parameters", "dict_type", "object"),
        ({"parameters": {"Bad Name": 1}}, "parameters.Bad Name", "parameter", "small letters"),
        ({"parameters": {"samples": 1}}, "parameters.samples", "parameter", "meaning of its own"),
        ({"parameters": {"hours": 10**30}}, "parameters.hours", "parameter", "1000000000"),
        ({"parameters": {f"p{n}": 1 for n in range(41)}}, "parameters", "too_long", "40 entries"),
    ],
)
def test_shape_errors_name_the_field_and_the_limit(
    db: None, body: dict[str, Any], field: str, code: str, words: str
) -> None:
    (found,) = refusals_of(**body)

    if field:
        assert found[:2] == (field, code)
    assert words in found[2]


def test_a_missing_field_and_a_body_that_is_no_object(db: None) -> None:
    client = ApiClient(make_member(make_enterprise()))

    missing = client.post_api("/bookings", {}).json()["errors"]
    listed = client.post("/api/v1/bookings", "[]", content_type="application/json").json()["errors"]
    absent = client.post("/api/v1/bookings", "", content_type="application/json").json()["errors"]

    assert {error["field"] for error in missing} == {"instrument", "start", "end", "mode", "purpose"}
    assert {error["detail"] for error in missing} == {"This is required."}
    assert [error["detail"] for error in listed + absent] == ["Please give a JSON object."] * 2


@pytest.mark.parametrize("body", ["{", '{"samples": NaN}', '{"samples": Infinity}', '{"samples": 1e999}', "\xff"])
def test_what_is_no_json_is_said_so(db: None, body: str) -> None:
    client = ApiClient(make_member(make_enterprise()))

    response = client.post("/api/v1/bookings", body.encode("latin-1"), content_type="application/json")

    assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "json_invalid")


def test_query_parameters_keep_their_own_names(db: None) -> None:
    instrument = make_instrument()
    client = ApiClient()

    window = client.get_api(f"/instruments/{instrument.pk}/availability", **{"from": "x"}).json()["errors"]
    listed = client.get_api("/instruments", mode=["self", "magic"], limit=1000).json()["errors"]

    assert [error["field"] for error in window] == ["from", "to"]
    assert {error["field"] for error in listed} == {"limit", "mode.1"}


def test_too_many_errors_are_cut(db: None) -> None:
    assert len(refusals_of(**{f"x{n}": 1 for n in range(500)})) == 100


@pytest.mark.parametrize("kind", sorted(SENTENCES))
def test_every_sentence_can_be_filled_in(kind: str) -> None:
    names = "max_length min_length pattern gt ge lt le multiple_of max_digits decimal_places whole_digits".split()
    context: dict[str, Any] = {**dict.fromkeys(names, 3), "expected": "'a', 'b' or 'c'"}

    refusal = _shape_problem({"type": kind, "loc": ("a",), "msg": "raw", "ctx": context})

    assert "raw" not in str(refusal.detail)
    assert "%" not in str(refusal.detail)


def test_words_of_our_own_validators_stay_and_unknown_kinds_are_plain() -> None:
    def detail(kind: str, **context: Any) -> str:
        return str(_shape_problem({"type": kind, "loc": (), "msg": "Ours.", "ctx": context}).detail)

    assert detail("value_error", error=ValueError("Said by us.")) == "Said by us."
    assert detail("of_our_own") == "Ours."
    assert detail("frozen_instance") == "This value is not possible here."


def test_sentences_are_made_in_the_reader_s_language() -> None:
    with translation.override("zh-hans"):
        refusal = _shape_problem({"type": "missing", "loc": ("a",), "msg": "Field required"})

    assert isinstance(refusal.detail, str)


class Measured(In):
    value: float
    small: float = Field(0, le=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Measured.model_validate({"value": value})


def test_an_address_may_lose_the_plus_of_an_offset() -> None:
    assert TypeAdapter(Instant).validate_python("2026-12-01T09:00:00 08:00").isoformat() == "2026-12-01T09:00:00+08:00"


@pytest.mark.parametrize("document", [{"a": [{"b": "\x00"}]}, {"a\x00": 1}, {"a": "\ud800"}])
def test_a_document_holds_no_control_characters(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="characters"):
        TypeAdapter(Document).validate_python(document)


def test_parameters_keep_their_kinds() -> None:
    given = {"hot": True, "gas_2": "argon", "n": 3, "depth": 0.5, "least": -(10**9)}

    assert TypeAdapter(Parameters).validate_python(given) == given
    assert TypeAdapter(Parameters).validate_python(given)["hot"] is True


@pytest.mark.parametrize(
    "given",
    [
        *({name: 1} for name in sorted(RESERVED)),
        *({name: 1} for name in ("", "A", "1a", "a b", "温度", "a" * 41, "a\n")),
        *({"a": value} for value in (None, [], {}, float("nan"), float("inf"), 10**9 + 1, 10**400, "x" * 101, "\x00")),
    ],
)
def test_parameters_refuse_the_rest(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Parameters).validate_python(given)


@pytest.mark.parametrize(("path", "possible"), [("/bookings", Status.values), ("/usage", UsageState.values)])
def test_an_unknown_status_is_told_the_possible_ones(db: None, path: str, possible: list[str]) -> None:
    client = ApiClient(make_member(make_enterprise()))

    refused = client.get_api(path, status=f"{possible[0]},foo")
    fine = [client.get_api(path, status=status).status_code for status in (*possible, ",".join(possible), "")]

    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {
            "code": "literal_error",
            "detail": f"Possible values: {', '.join(possible)}.",
            "field": "status",
            "params": {"expected": ", ".join(possible)},
        }
    ]
    assert set(fine) == {200}


@pytest.mark.parametrize("kind", [BookingFilter, UsageFilter])
def test_lists_take_only_sensible_instants_and_ids(kind: type[Page]) -> None:
    for given in ({"from": "0001-01-01T00:00:00Z"}, {"to": "9999-12-31T00:00:00Z"}, {"instrument": 10**30}):
        with pytest.raises(ValidationError):
            kind.model_validate(given)
