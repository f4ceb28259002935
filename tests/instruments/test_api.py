"""`/api/v1/instruments`, availability and price lists over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from time_machine import travel

from backend.accounts.models import Role
from instruments.actions.indexing import reindex
from instruments.models import Category, Instrument, Occupancy, StartingPrice, Technique
from instruments.queries import detail
from instruments.queries.detail import tell_policy
from tests.factories import (
    SIMPLE_PRICES,
    at,
    make_enterprise,
    make_institution,
    make_instrument,
    make_manager,
    make_member,
    make_price_list,
)

WINDOW = {"from": "2026-12-01T00:00:00+08:00", "to": "2026-12-02T00:00:00+08:00"}
BAD_TEXTS = ["a\x00b", "\x1b", "x" * 20_001]


def fields(answer: Any) -> set[str]:
    assert answer.status_code == 422, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    return {error.get("field", "") for error in answer.json()["errors"]}


@travel(at(10), tick=False)
def test_list_is_public_and_has_the_contracts_fields(db: None, api: Any) -> None:
    instrument = make_instrument(
        name="扫描电镜", name_en="SEM", model="SU8220", manufacturer="Hitachi", region="包头", units=8
    )
    instrument.techniques.add(Technique.objects.create(key="SEM", name="扫描电镜", name_en="SEM"))
    StartingPrice.objects.create(instrument=instrument, audience="enterprise", amount=180, unit="hour")

    answer = api().get_api("/instruments")

    assert answer.json() == {
        "count": 1,
        "how": "all",
        "items": [
            {
                "id": instrument.pk,
                "local_no": instrument.local_no,
                "name": "扫描电镜",
                "name_en": "SEM",
                "manufacturer": "Hitachi",
                "model": "SU8220",
                "category": {"code": "0101", "name": "Electron optics"},
                "techniques": ["SEM"],
                "institution": {"id": instrument.institution_id, "name": instrument.institution.name},
                "region": "包头",
                "modes": ["self", "operator"],
                "units": 8,
                "status": "normal",
                "timezone": "Asia/Shanghai",
                "photo": None,
                "price_from": {"amount": "180.00", "currency": "CNY", "unit": "hour"},
                "next_free": "2026-12-01T10:00:00+08:00",
            }
        ],
    }


def test_list_filters_sorts_and_pages(db: None, api: Any) -> None:
    for name in ("c", "a", "b"):
        make_instrument(name=name, region="包头" if name != "c" else "赤峰")
    reindex()

    answer = api().get_api("/instruments", region=["包头"], sort="name", limit=1, offset=1, mode=["self", "sample"])

    assert (answer.json()["count"], answer.json()["items"][0]["name"]) == (2, "b")
    assert api().get_api("/instruments", q="electron").json()["count"] == 3


def test_list_gives_304_to_who_knows_it(db: None, api: Any) -> None:
    instrument = make_instrument()
    for path in ("/instruments", f"/instruments/{instrument.pk}"):
        first = api().get_api(path)

        again = api().get(f"/api/v1{path}", headers={"if-none-match": first["ETag"]})
        Instrument.objects.filter(pk=instrument.pk).update(model=path)
        changed = api().get(f"/api/v1{path}", headers={"if-none-match": first["ETag"]})

        assert (again.status_code, again.content, changed.status_code) == (304, b"", 200)
        assert "Authorization" in first["Vary"]


@pytest.mark.parametrize(
    "query",
    [
        {"q": "a\x00b"},
        {"q": "x" * 201},
        {"region": "\x00"},
        {"category": "x" * 7},
        {"technique": "\x1b"},
        {"institution": "0"},
        {"institution": str(10**30)},
        {"mode": "teleport"},
        {"sort": "random"},
        {"price_max": "NaN"},
        {"price_max": "-1"},
        {"limit": "0"},
        {"limit": "201"},
        {"offset": "-1"},
        {"duration_minutes": "0"},
        {"free_from": "2026-12-01T10:00:00"},
        {"free_from": "0001-01-01T00:00:00Z"},
        {"free_to": "9999-12-31T23:59:59Z"},
        {"free_from": "2026-12-02T00:00:00Z", "free_to": "2026-12-01T00:00:00Z"},
        {"free_from": "2026-12-01T00:00:00Z", "free_to": "2027-12-01T00:00:00Z"},
    ],
)
def test_list_refuses_what_it_cannot_read(db: None, api: Any, query: dict[str, str]) -> None:
    make_instrument()

    named = {field.split(".")[0] for field in fields(api().get_api("/instruments", **query))}

    assert named & set(query)


@pytest.mark.parametrize("q", ["😀", "' OR 1=1 --", '"', "a AND", "(((", "{name}:x", "*"])
def test_list_takes_any_words(db: None, api: Any, q: str) -> None:
    make_instrument()

    assert api().get_api("/instruments", q=q).status_code == 200


def test_list_takes_an_unescaped_plus_in_an_offset(db: None, api: Any) -> None:
    query = "free_from=2026-12-01T00:00:00+08:00&free_to=2026-12-02T00:00:00+08:00"

    assert api().get(f"/api/v1/instruments?{query}").status_code == 200


@pytest.mark.parametrize("path", ["/instruments", "/instruments?q=electron"])
def test_list_needs_equally_many_queries_for_1_and_30(
    db: None, api: Any, django_assert_num_queries: Any, path: str
) -> None:
    for count in (1, 29):
        for _n in range(count):
            make_instrument()
        reindex()
        with django_assert_num_queries(9):
            assert api().get(f"/api/v1{path}").json()["count"] == (count if count == 1 else 30)


def test_detail_tells_more(db: None, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detail, "_policy", [])
    instrument = make_instrument(technical="1 nm", contact_name="王工", setup_minutes=30)
    make_price_list(instrument)
    tell_policy(lambda one: [f"Rules of {one.pk}."])

    answer = api().get_api(f"/instruments/{instrument.pk}").json()

    assert answer["specifications"] == "1 nm"
    assert answer["opening_hours"][0] == {
        "weekday": 1, "opens": "08:00", "closes": "20:00", "valid_from": None, "valid_to": None
    }  # fmt: skip
    assert answer["price_list"]["version"] == 1
    assert (answer["price_list"]["rows"][0]["price"], answer["price_list"]["rows"][0]["unit"]) == ("100", "hour")
    assert answer["policy"] == [f"Rules of {instrument.pk}."]
    assert answer["contact"]["name"] == "王工"


def test_hidden_instruments_are_absent_for_strangers(db: None, api: Any) -> None:
    instrument = make_instrument(sharing="none")
    paths = [f"/instruments/{instrument.pk}", f"/instruments/{instrument.pk}/availability"]

    for user in (None, make_member(make_enterprise()), make_manager(make_institution())):
        for path in [*paths, f"/instruments/{10**25}", "/instruments/0"]:
            assert api(user).get_api(path, **WINDOW).status_code == 404
        many = api(user).get_api("/availability", instruments=str(instrument.pk), **WINDOW)
        assert many.status_code == 404
    assert api(make_manager(instrument.institution)).get_api(paths[0]).status_code == 200


def test_availability_of_one_and_of_many(db: None, api: Any) -> None:
    one, two = make_instrument(), make_instrument(units=8)
    Occupancy.objects.create(instrument=one, unit=1, start=at(8), end=at(19), kind="booking")

    single = api().get_api(f"/instruments/{one.pk}/availability", **WINDOW).json()
    many = api().get_api("/availability", instruments=f"{two.pk},{one.pk},{two.pk}", **WINDOW).json()

    free = {"start": "2026-12-01T19:00:00+08:00", "end": "2026-12-01T20:00:00+08:00", "units": 1}
    assert (single["free"], single["from"], single["to"]) == ([free], WINDOW["from"], WINDOW["to"])
    assert [(row["instrument"], row["free"][0]["units"]) for row in many] == [(two.pk, 8), (one.pk, 1)]
    assert many[1] == single


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-12-01T00:00:00Z"},
        {"from": "yesterday", "to": "2026-12-02T00:00:00Z"},
        {"from": "2026-12-02T00:00:00Z", "to": "2026-12-02T00:00:00Z"},
        {"from": "2026-12-01T00:00:00Z", "to": "2027-03-04T00:00:00Z"},
        {"from": "2026-12-01T00:00:00", "to": "2026-12-02T00:00:00"},
        {"from": "1900-12-01T00:00:00Z", "to": "1900-12-02T00:00:00Z"},
    ],
)
def test_availability_refuses_other_windows(db: None, api: Any, query: dict[str, str]) -> None:
    instrument = make_instrument()

    assert fields(api().get_api(f"/instruments/{instrument.pk}/availability", **query))


@pytest.mark.parametrize("ids", ["", "1,,2", "a", "1;2", ",".join(str(n) for n in range(1, 202)), "9" * 30])
def test_availability_of_many_refuses_other_lists(db: None, api: Any, ids: str) -> None:
    assert fields(api().get_api("/availability", instruments=ids, **WINDOW)) == {"instruments"}


def body(**more: Any) -> dict[str, Any]:
    Category.objects.get_or_create(code="0101", defaults={"name": "电子光学仪器", "name_en": "Electron optics"})
    return {"local_no": "A-1", "name": "扫描电镜", "category": "0101", "modes": ["self"], **more}


def test_manager_creates_and_changes(db: None, api: Any) -> None:
    institution = make_institution()
    client = api(make_manager(institution))
    Technique.objects.create(key="SEM", name="扫描电镜", name_en="SEM", aliases=["电镜"])

    made = client.post_api("/instruments", body(units=8, techniques=["SEM"], worth="123.45"))
    changed = client.patch_api(
        f"/instruments/{made.json()['id']}", {"name": "新名", "modes": ["sample"], "worth": None}
    )

    assert (made.status_code, made.json()["units"], made.json()["techniques"]) == (201, 8, ["SEM"])
    assert (changed.status_code, changed.json()["name"], changed.json()["modes"]) == (200, "新名", ["sample"])
    instrument = Instrument.objects.get()
    assert (instrument.worth, instrument.units, instrument.local_no) == (None, 8, "A-1")
    assert api().get_api("/instruments", q="电镜").json()["count"] == 1


@pytest.mark.parametrize("roles", [(Role.MEMBER,), (Role.FINANCE,)])
def test_others_neither_create_nor_change(db: None, api: Any, roles: tuple[str, ...]) -> None:
    institution = make_institution()
    instrument = make_instrument(institution)
    people = [make_member(institution, *roles), make_member(make_enterprise(), Role.ADMIN)]

    for person in people:
        client = api(person)
        assert client.post_api("/instruments", body()).status_code == 403
        assert client.post_api("/instruments", body(institution=institution.pk)).status_code == 403
        assert client.patch_api(f"/instruments/{instrument.pk}", {"name": "x"}).status_code == 403
    foreign = api(make_manager(make_institution()))
    assert foreign.post_api("/instruments", body(institution=institution.pk)).status_code == 404
    assert foreign.patch_api(f"/instruments/{instrument.pk}", {"name": "x"}).status_code == 403
    assert foreign.patch_api(f"/instruments/{10**25}", {"name": "x"}).status_code == 404
    assert api().post_api("/instruments", body()).status_code == 401
    assert api().patch_api(f"/instruments/{instrument.pk}", {}).status_code == 401
    assert Instrument.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        *(({name: text}, name) for name in ("name", "technical", "contact_email", "region") for text in BAD_TEXTS),
        ({"name": ""}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"local_no": "   "}, "local_no"),
        ({"category": "9999"}, "category"),
        ({"techniques": ["warp"]}, "techniques"),
        ({"managers": [10**9]}, "managers"),
        ({"units": 0}, "units"),
        ({"units": 101}, "units"),
        ({"units": "eight"}, "units"),
        ({"worth": "NaN"}, "worth"),
        ({"worth": 10**15}, "worth"),
        ({"begin_date": "2024-02-30"}, "begin_date"),
        ({"timezone": "Mars/Phobos"}, "timezone"),
        ({"modes": ["teleport"]}, "modes.0"),
        ({"colour": "red"}, "colour"),
        ({"status": "on fire"}, "status"),
    ],
)
def test_bad_input_is_named(db: None, api: Any, wrong: dict[str, Any], field: str) -> None:
    client = api(make_manager(make_institution()))

    assert field in fields(client.post_api("/instruments", body(**wrong)))
    assert not Instrument.objects.exists()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{} {}"])
def test_broken_json_is_refused(db: None, api: Any, raw: bytes) -> None:
    client = api(make_manager(make_institution()))

    answer = client.post("/api/v1/instruments", raw, content_type="application/json")

    assert answer.status_code == 422


def test_a_taken_number_is_named(db: None, api: Any) -> None:
    institution = make_institution()
    make_instrument(institution, local_no="A-1")

    answer = api(make_manager(institution)).post_api("/instruments", body())

    assert answer.json()["errors"][0]["code"] == "local_no_taken"


@travel(at(10), tick=False)
def test_price_list_round_trip(db: None, api: Any) -> None:
    instrument = make_instrument()
    client = api(make_manager(instrument.institution))
    path = f"/instruments/{instrument.pk}/price-list"
    assert client.get_api(path).status_code == 404

    made = client.put_api(path, SIMPLE_PRICES)
    known = client.get_api(path).json()
    again = client.put_api(path, known | {"valid_from": "2027-01-01"})

    assert (made.status_code, made.json()["version"], made.json()["valid_from"]) == (200, 1, "2026-12-01")
    assert (known["rules"], known["currency"]) == (SIMPLE_PRICES["rules"], "CNY")
    assert (again.json()["version"], again.json()["valid_from"]) == (2, "2027-01-01")
    assert client.get_api(path).json()["version"] == 1
    assert api().get_api("/instruments").json()["items"][0]["price_from"]["amount"] == "100.00"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"rules": []},
        {"rules": [{"code": "a"}]},
        {"name": "a\x00", "rules": SIMPLE_PRICES["rules"]},
        {**SIMPLE_PRICES, "valid_from": "soon"},
        {**SIMPLE_PRICES, "valid_from": "9999-12-31"},
        {"rules": [{"code": "tax", "name": "Tax", "kind": "percent", "on": ["nothing"], "rate": 6}]},
    ],
)
def test_price_list_is_checked(db: None, api: Any, document: dict[str, Any]) -> None:
    instrument = make_instrument()

    answer = api(make_manager(instrument.institution)).put_api(f"/instruments/{instrument.pk}/price-list", document)

    assert fields(answer)
    assert not instrument.price_lists.exists()


def test_price_list_in_the_past_is_refused(db: None, api: Any) -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    client = api(make_manager(instrument.institution))

    answer = client.put_api(f"/instruments/{instrument.pk}/price-list", {**SIMPLE_PRICES, "valid_from": "2026-01-01"})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "in_the_past")


def test_price_list_is_for_managers_only(db: None, api: Any) -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    path = f"/instruments/{instrument.pk}/price-list"

    for user in (make_member(instrument.institution), make_manager(make_institution()), make_member(make_enterprise())):
        assert api(user).get_api(path).status_code == 403
        assert api(user).put_api(path, SIMPLE_PRICES).status_code == 403
    assert api().get_api(path).status_code == 401
    assert instrument.price_lists.count() == 1


def test_openapi_describes_the_lists(db: None, api: Any) -> None:
    document = json.loads(api().get("/api/v1/openapi.json").content)

    paths = document["paths"]
    shape = paths["/api/v1/instruments"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert shape["$ref"].endswith("InstrumentPage")
    names = {parameter["name"] for parameter in paths["/api/v1/instruments"]["get"]["parameters"]}
    assert {"q", "category", "technique", "institution", "region", "mode", "free_from", "free_to", "sort"} <= names
    window = {p["name"] for p in paths["/api/v1/instruments/{pk}/availability"]["get"]["parameters"]}
    assert {"from", "to"} <= window


def test_durations_of_free_time_are_asked_in_minutes(db: None, api: Any) -> None:
    make_instrument()
    day = at(0) + timedelta(days=400)
    window = {"free_from": day.isoformat(), "free_to": (day + timedelta(days=1)).isoformat()}

    with travel(day - timedelta(days=1), tick=False):
        assert api().get_api("/instruments", **window, duration_minutes=720).json()["count"] == 1
        assert api().get_api("/instruments", **window, duration_minutes=721).json()["count"] == 0


def test_change_with_an_old_version_is_refused_and_the_record_is_told(db: None, api: Any) -> None:
    instrument = make_instrument()
    client, path = api(make_manager(instrument.institution)), f"/instruments/{instrument.pk}"
    body = {"version": 1, "kind": "special", "subjects": ["化学"], "run_hours": "1600.5", "customs_supervised": True}

    changed = client.patch_api(path, body).json()
    stale = client.patch_api(path, {"version": 1, "fee": "late"})

    assert (changed["version"], changed["kind"], changed["subjects"]) == (2, "special", ["化学"])
    assert (changed["run_hours"], changed["for_managers"]["customs_supervised"]) == ("1600.5", True)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert stale.json()["errors"][0]["params"]["fields"] == ["kind", "subjects", "run_hours", "customs_supervised"]
    assert client.patch_api(path, {"version": 2, "run_hours": None}).json()["run_hours"] is None
