"""The catalogue page and the pages on which instruments are managed."""

from __future__ import annotations

import io
import json
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from time_machine import travel

from backend.accounts.models import Role, User
from instruments.actions.indexing import reindex
from instruments.models import Category, Instrument, Occupancy, Technique
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


def client_of(user: User | None = None, **headers: str) -> Client:
    client = Client(headers={"accept-language": "en", **headers})
    if user is not None:
        client.force_login(user)
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


@travel(at(10), tick=False)
def test_catalogue_shows_a_card_with_the_next_free_time_as_a_button(db: None) -> None:
    instrument = make_instrument(name_en="Scanning electron microscope")

    answer = client_of().get("/instruments/")

    assert answer.status_code == 200
    assert "Scanning electron microscope" in text(answer)
    assert f'href="/instruments/{instrument.pk}/?start=2026-12-01T10%3A00%3A00%2B08%3A00"' in text(answer)
    assert "Price on request" in text(answer)


def test_catalogue_for_htmx_is_the_results_with_the_facets_beside_them(db: None) -> None:
    make_instrument(region="包头")

    whole = client_of().get("/instruments/?region=包头")
    part = client_of().get("/instruments/?region=包头", headers={"hx-request": "true", "hx-target": "results"})

    assert "<html" in text(whole)
    assert "<html" not in text(part)
    assert 'id="facets" hx-swap-oob="innerHTML"' in text(part)
    assert "HX-Target" in part["Vary"]


def test_catalogue_without_results_says_what_to_do(db: None) -> None:
    make_instrument()

    for query in ("q=😀", "q=xyzzy", "region=nowhere", "page=99&q=xyzzy"):
        assert "No instrument fits" in text(client_of().get(f"/instruments/?{query}"))


def test_catalogue_beyond_the_last_page_shows_the_first(db: None) -> None:
    make_instrument(name_en="Only one")

    assert "Only one" in text(client_of().get("/instruments/?page=99"))


@pytest.mark.parametrize(
    "query",
    [
        "region=%00",
        "category=" + "x" * 61,
        "&".join(f"region={n}" for n in range(51)),
    ],
)
def test_catalogue_refuses_addresses_that_nobody_was_offered(db: None, query: str) -> None:
    assert client_of().get(f"/instruments/?{query}").status_code == 422


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("q=a%00b", "Null characters are not allowed."),
        ("q=" + "x" * 201, "at most 200 characters"),
        ("sort=random", ""),
        ("day=yesterday", "Enter a valid date."),
        ("day=2000-01-01", "Choose a day from today on"),
        ("length=7", "Select a valid choice."),
        ("price_max=abc", "Enter a number."),
        ("price_max=-1", "greater than or equal to 0"),
        ("price_max=1e99", "no more than"),
    ],
)
def test_catalogue_ignores_what_cannot_be_read_and_says_so(db: None, query: str, sentence: str) -> None:
    make_instrument(name_en="Still shown")

    answer = client_of().get(f"/instruments/?{query}")

    assert answer.status_code == 200
    assert "Still shown" in text(answer)
    assert sentence in text(answer)


def test_cards_name_techniques_in_the_readers_language(db: None) -> None:
    instrument = make_instrument()
    instrument.techniques.add(Technique.objects.create(key="Xray", name="X射线衍射", name_en="X-ray diffraction"))

    assert ">X-ray diffraction</span>" in text(client_of().get("/instruments/"))
    assert ">X射线衍射</span>" in text(client_of(**{"accept-language": "zh-hans"}).get("/instruments/"))


def test_settings_page_wants_a_mode(db: None) -> None:
    institution = make_institution()
    client = client_of(make_manager(institution))
    Category.objects.get_or_create(pk="0101", defaults={"name": "c"})

    answer = client.post("/manage/instruments/new/", {"name": "a", "sharing": "external"})

    assert answer.status_code == 422
    assert "Choose at least one mode of use" in text(answer)


def test_special_days_address_leads_to_the_hours(db: None) -> None:
    instrument = make_instrument()

    answer = client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/special-days/")

    assert (answer.status_code, answer["Location"]) == (302, f"/manage/instruments/{instrument.pk}/hours/")


@pytest.mark.parametrize("query", ["institution=x", "mode=teleport", "institution=" + "9" * 40, "page=x", "page=-1"])
def test_catalogue_ignores_choices_that_do_not_exist(db: None, query: str) -> None:
    make_instrument()

    assert client_of().get(f"/instruments/?{query}").status_code == 200


@travel(at(10), tick=False)
def test_catalogue_by_day(db: None) -> None:
    free, taken = make_instrument(name_en="Free one"), make_instrument(name_en="Taken one")
    Occupancy.objects.create(instrument=taken, unit=1, start=at(0), end=at(24), kind="booking")

    answer = client_of().get("/instruments/?day=2026-12-01&length=240")

    assert free.name_en in text(answer)
    assert taken.name_en not in text(answer)


@pytest.mark.parametrize("query", ["", "?q=electron", "?day=2026-12-01", "?sort=earliest"])
@travel(at(6), tick=False)
def test_catalogue_needs_equally_many_queries_for_1_and_30(
    db: None, django_assert_max_num_queries: Any, query: str
) -> None:
    counts = []
    for count in (1, 29):
        for _n in range(count):
            make_instrument()
        reindex()
        with django_assert_max_num_queries(12) as seen:
            client_of().get(f"/instruments/{query}")
        counts.append(len(seen))

    assert counts[0] == counts[1]
    assert counts[0] == (11 if "?day" in query or "earliest" in query else 10)


MANAGE = ["/manage/instruments/", "/manage/instruments/new/"]
OF_ONE = ["", "hours/", "prices/", "prices/1.json"]


def test_managing_is_for_managers_of_the_institution(db: None) -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    pages = [f"/manage/instruments/{instrument.pk}/{page}" for page in OF_ONE]
    posts = [*pages[:3], f"{pages[0]}special-days/", f"{pages[0]}prices/import/"]
    manager, admin = make_manager(instrument.institution), make_member(instrument.institution, Role.ADMIN)
    members = [make_member(instrument.institution), make_member(make_enterprise(), Role.ADMIN)]
    foreign = make_manager(make_institution())

    for path in [*MANAGE, *pages]:
        assert client_of(manager).get(path).status_code == 200, path
        assert client_of(admin).get(path).status_code == 200, path
        assert client_of().get(path).status_code == 302, path
        for person in members:
            assert client_of(person).get(path).status_code == (404 if path == MANAGE[0] else 403), path
    for path in pages:
        assert client_of(foreign).get(path).status_code == 403, path
    for path in posts:
        assert client_of(foreign).post(path, {}).status_code == 403, path
        assert client_of().post(path, {}).status_code == 302, path


def test_list_shows_what_is_missing(db: None) -> None:
    institution = make_institution()
    ready = make_instrument(institution, name_en="Ready one")
    make_price_list(ready)
    make_instrument(institution, name_en="No hours", hours=False)
    make_instrument(institution, name_en="Samples only", hours=False, mode_self=False, mode_operator=False)
    client = client_of(make_manager(institution))

    def shown(query: str = "") -> list[bool]:
        page = text(client.get(f"/manage/instruments/{query}"))
        return [name in page for name in ("Ready one", "No hours", "Samples only")]

    assert shown() == [True, True, True]
    assert shown("?missing=hours") == [False, True, False]
    assert shown("?missing=prices") == [False, True, True]
    assert shown(f"?q={ready.local_no}") == [True, False, False]
    assert shown("?state=repair") == [False, False, False]
    assert shown("?q=a%00b&institution=x&missing=y&state=z&page=q") == [True, True, True]


def test_list_needs_equally_many_queries_for_1_and_30(db: None, django_assert_max_num_queries: Any) -> None:
    institution = make_institution()
    client = client_of(make_manager(institution))
    counts = []
    for count in (1, 29):
        for _n in range(count):
            make_instrument(institution)
        with django_assert_max_num_queries(10) as seen:
            client.get("/manage/instruments/")
        counts.append(len(seen))

    assert counts[0] == counts[1]


def details(**more: Any) -> dict[str, Any]:
    Category.objects.get_or_create(code="0101", defaults={"name": "电子光学仪器", "name_en": "Electron optics"})
    return {
        "local_no": "A-1", "name": "扫描电镜", "category": "0101", "source": "purchased", "condition": "normal",
        "sharing": "external", "mode_self": "on", "units": "8", "timezone": "Asia/Shanghai", "setup_minutes": "0",
        "cleaning_minutes": "0", "hold_hours": "24", "no_show_grace": "30", **more,
    }  # fmt: skip


def test_create_page_makes_an_instrument_and_leads_to_its_hours(db: None) -> None:
    institution = make_institution()
    client = client_of(make_manager(institution))
    sem = Technique.objects.create(key="SEM", name="扫描电镜", name_en="SEM")

    answer = client.post("/manage/instruments/new/", details(techniques=[sem.pk]))

    made = Instrument.objects.get()
    assert answer["Location"] == f"/manage/instruments/{made.pk}/hours/"
    assert (made.institution, made.units, made.modes, list(made.techniques.all())) == (institution, 8, ["self"], [sem])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 121},
        {"name": "a\x00b"},
        {"units": "0"},
        {"units": "101"},
        {"category": "9999"},
        {"worth": "NaN"},
        {"begin_date": "31.12.2024"},
        {"contact_email": "nobody"},
        {"techniques": ["999"]},
        {"condition": "on fire"},
        {"setup_minutes": "-1"},
        {"hold_hours": ""},
    ],
)
def test_create_page_marks_wrong_fields(db: None, wrong: dict[str, Any]) -> None:
    client = client_of(make_manager(make_institution()), **{"hx-request": "true"})

    answer = client.post("/manage/instruments/new/", details(**wrong))

    assert answer.status_code == 422
    assert "field-error" in text(answer)
    assert "<html" not in text(answer)
    assert not Instrument.objects.exists()


@pytest.mark.parametrize("wrong", [{"timezone": "Mars/Phobos"}, {"name": "a\x1bb"}, {"setup_minutes": "1441"}])
def test_create_page_tells_what_the_action_refuses(db: None, wrong: dict[str, Any]) -> None:
    client = client_of(make_manager(make_institution()), **{"hx-request": "true"})

    answer = client.post("/manage/instruments/new/", details(**wrong))

    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#problems")
    assert not Instrument.objects.exists()


def test_create_page_for_two_institutions_uses_the_chosen_one(db: None) -> None:
    one, two, foreign = make_institution(), make_institution(), make_institution()
    person = make_manager(one)
    make_manager(two, user=person)
    client = client_of(person)

    client.post("/manage/instruments/new/", details(institution=str(two.pk)))
    refused = client.post("/manage/instruments/new/", details(institution=str(foreign.pk)))

    assert Instrument.objects.get().institution == two
    assert refused.status_code == 404


def test_settings_page_saves_and_notices_a_faster_colleague(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))
    path = f"/manage/instruments/{instrument.pk}/"
    seen = instrument.updated_at.isoformat()

    first = client.post(path, details(name="first", seen=seen))
    second = client.post(path, details(name="second", seen=seen))

    assert (first.status_code, second.status_code) == (302, 412)
    instrument.refresh_from_db()
    assert (instrument.name, instrument.local_no, instrument.mode_operator) == ("first", "A-1", False)


def week(**more: Any) -> dict[str, Any]:
    return {"sets": "1", "opens-0-1": ["08:00", "13:00"], "closes-0-1": ["12:00", "17:00"], **more}


def test_hours_page_saves_several_windows_a_day(db: None) -> None:
    instrument = make_instrument()
    path = f"/manage/instruments/{instrument.pk}/hours/"

    answer = client_of(make_manager(instrument.institution)).post(
        path,
        week(
            **{"opens-0-7": "22:00", "closes-0-7": "24:00", "opens-0-3": "", "closes-0-3": "", "open_on_holidays": "on"}
        ),
    )

    assert answer.status_code == 302
    assert list(instrument.opening_hours.values_list("weekday", "opens", "closes")) == [
        (1, time(8), time(12)),
        (1, time(13), time(17)),
        (7, time(22), time(0)),
    ]
    instrument.refresh_from_db()
    assert instrument.open_on_holidays


def test_hours_page_shows_what_is_stored_in_parts(db: None) -> None:
    instrument = make_instrument()
    instrument.opening_hours.create(weekday=6, opens=time(9), closes=time(11), valid_from=date(2026, 7, 1))

    page = text(client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/hours/"))

    assert page.count('value="08:00"') == 7
    assert 'name="from-1" value="2026-07-01"' in page
    assert 'name="sets" value="2"' in page


@pytest.mark.parametrize(
    ("button", "expected"),
    [
        ("add-0-1", 'name="opens-0-1" value=""'),
        ("copy-0", 'name="opens-0-5" value="13:00"'),
        ("season", 'name="from-1" value=""'),
        ("remove-0-1-0", 'name="sets" value="1"'),
        ("drop-0", 'name="opens-0-1" value="13:00"'),
        ("nonsense-9-9-9", 'name="opens-0-1" value="13:00"'),
    ],
)
def test_hours_page_rearranges_without_saving(db: None, button: str, expected: str) -> None:
    instrument = make_instrument(hours=False)
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})

    answer = client.post(f"/manage/instruments/{instrument.pk}/hours/", week(do=button))

    assert answer.status_code == 200
    assert expected in text(answer)
    assert not instrument.opening_hours.exists()


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"opens-0-2": "08:00", "closes-0-2": ""}, "field-error"),
        ({"opens-0-2": "25:00", "closes-0-2": "26:00"}, "field-error"),
        ({"opens-0-2": "a\x00", "closes-0-2": "09:00"}, "field-error"),
        ({"from-0": "soon"}, "field-error"),
        ({"from-0": "9999-01-01"}, "field-error"),
        ({"opens-0-1": ["08:00", "09:00"], "closes-0-1": ["12:00", "10:00"]}, "overlap"),
        ({"from-0": "2026-02-01", "to-0": "2026-01-01"}, "before the first"),
    ],
)
def test_hours_page_names_what_is_wrong(db: None, wrong: dict[str, Any], where: str) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})

    answer = client.post(f"/manage/instruments/{instrument.pk}/hours/", week(**wrong))

    assert answer.status_code == 422
    assert where in text(answer)
    assert instrument.opening_hours.count() == 7


def test_hours_page_warns_of_bookings_left_outside(db: None) -> None:
    instrument = make_instrument(open_on_holidays=True)
    day = timezone.localdate() + timedelta(days=1)
    Occupancy.objects.create(instrument=instrument, unit=1, start=at(18, 0, day), end=at(19, 0, day), kind="booking")

    answer = client_of(make_manager(instrument.institution)).post(
        f"/manage/instruments/{instrument.pk}/hours/", week(open_on_holidays="on"), follow=True
    )

    assert "1 booking now lies outside the opening hours" in text(answer)


def test_special_days_page(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})
    path = f"/manage/instruments/{instrument.pk}/special-days/"
    rows = {
        "day": ["2026-12-24", "2026-12-25", ""],
        "opens": ["", "09:00", ""],
        "closes": ["", "12:00", ""],
        "note": ["检修", "", ""],
    }

    more = client.post(path, {**rows, "do": "add"})
    fewer = client.post(path, {**rows, "do": "remove-0"})
    wrong = client.post(path, {**rows, "day": ["2026-12-24", "", "2026-12-26"]})
    twice = client.post(path, {**rows, "day": ["2026-12-24", "2026-12-24", ""]})
    saved = client.post(path, rows)

    assert (text(more).count('name="day"'), text(fewer).count('name="day"')) == (4, 2)
    assert (wrong.status_code, twice.status_code, saved.status_code) == (422, 422, 200)
    assert saved["HX-Redirect"] == f"/manage/instruments/{instrument.pk}/hours/"
    assert list(instrument.special_days.values_list("day", "opens", "note")) == [
        (date(2026, 12, 24), None, "检修"),
        (date(2026, 12, 25), time(9), ""),
    ]


def test_prices_page_saves_a_version_from_the_form(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))
    path = f"/manage/instruments/{instrument.pk}/prices/"
    today = timezone.localdate()

    values = {
        "name": "收费标准",
        "valid_from": str(today),
        "clock": "booked",
        "self-enterprise": "300",
        "operator-enterprise": "400",
    }
    saved = client.post(path, values)
    page = client.get(path)

    assert saved["Location"] == path
    assert instrument.price_lists.get().document["name"] == "收费标准"
    assert 'value="300' in text(page)
    assert "机时费" in text(page) or "Machine time" in text(page)
    assert "version=1" in text(page)
    assert instrument.starting_prices.get().amount == 300


def test_prices_page_marks_what_is_wrong(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})
    path = f"/manage/instruments/{instrument.pk}/prices/"

    empty = client.post(path, {"name": "x", "valid_from": "2026-12-01", "clock": "booked"})
    wrong = client.post(path, {"name": "x", "valid_from": "2026-12-01", "clock": "booked", "self-internal": "-1"})

    assert (empty.status_code, wrong.status_code) == (422, 422)
    assert "Give at least one price for" in text(empty)
    assert not instrument.price_lists.exists()


def test_prices_page_says_when_the_form_cannot_tell_the_whole_list(db: None) -> None:
    instrument = make_instrument()
    make_price_list(instrument)

    page = client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/prices/")

    assert "says more than this form can" in text(page)


def test_prices_go_out_and_in_as_json(db: None) -> None:
    instrument, other = make_instrument(), make_instrument()
    make_price_list(instrument)
    out = client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/prices/1.json")
    client = client_of(make_manager(other.institution))
    path = f"/manage/instruments/{other.pk}/prices/import/"
    today = str(timezone.localdate())

    from_file = client.post(path, {"valid_from": today, "file": io.BytesIO(out.content)})
    from_text = client.post(path, {"valid_from": today, "text": json.dumps(SIMPLE_PRICES)})

    assert out["Content-Disposition"].startswith("attachment")
    assert (from_file.status_code, from_text.status_code) == (302, 302)
    assert [version.document["rules"] for version in other.price_lists.all()] == [SIMPLE_PRICES["rules"]] * 2


@pytest.mark.parametrize(
    "sent", [{"text": ""}, {"text": "[1]"}, {"text": "{"}, {"text": '{"rules": []}'}, {"text": '{"name": "\\u0000"}'}]
)
def test_prices_import_refuses_what_is_no_price_list(db: None, sent: dict[str, str]) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))

    answer = client.post(
        f"/manage/instruments/{instrument.pk}/prices/import/", {"valid_from": str(timezone.localdate()), **sent}
    )

    assert answer.status_code == 422
    assert not instrument.price_lists.exists()


def test_absent_versions_are_absent(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))

    assert client.get(f"/manage/instruments/{instrument.pk}/prices/7.json").status_code == 404
    assert client.get(f"/manage/instruments/{instrument.pk}/prices/?version=7").status_code == 200


@pytest.mark.parametrize("path", ["/operator/admin/instruments/technique/", "/operator/admin/instruments/category/"])
def test_operators_edit_reference_data_and_the_index_follows(db: None, path: str) -> None:
    technique = Technique.objects.create(key="SEM", name="扫描电镜", name_en="SEM")
    instrument = make_instrument(name="x", name_en="")
    instrument.techniques.add(technique)
    client = client_of(User.objects.create_superuser("root@example.org", "x", name="Root"))

    if "technique" in path:
        client.post(
            f"{path}{technique.pk}/change/", {"key": "SEM", "name": "新词汇", "name_en": "N", "aliases": '["新"]'}
        )
    else:
        client.post(f"{path}0101/change/", {"code": "0101", "parent": "", "name": "新词汇", "name_en": "N"})

    assert client.get(path).status_code == 200
    assert client.get("/api/v1/instruments", {"q": "新词汇"}).json()["count"] == 1
