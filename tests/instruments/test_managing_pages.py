"""The list of managed instruments, creating and changing one."""

from __future__ import annotations

from typing import Any

import pytest

from backend.accounts.models import Role
from instruments.models import Category, Instrument
from instruments.queries.plain_words import in_plain_words
from tests.factories import (
    make_enterprise,
    make_institution,
    make_instrument,
    make_manager,
    make_member,
    make_price_list,
)
from tests.instruments.clients import client_of, text


def test_settings_page_wants_a_mode(db: None) -> None:
    institution = make_institution()
    client = client_of(make_manager(institution))
    Category.objects.get_or_create(pk="0101", defaults={"name": "c"})

    answer = client.post("/manage/instruments/new/", {"name": "a", "sharing": "external"})

    assert answer.status_code == 422
    assert "Choose at least one mode of use" in text(answer)


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
        "local_no": "A-1", "name": "扫描电镜", "category": "0101", "sharing": "external", "mode_self": "on",
        "units": "8", **more,
    }  # fmt: skip


def test_create_page_makes_an_instrument_and_leads_to_its_hours(db: None) -> None:
    institution = make_institution()
    client = client_of(make_manager(institution))

    answer = client.post("/manage/instruments/new/", details(fee="not asked here"))

    made = Instrument.objects.get()
    assert answer["Location"] == f"/manage/instruments/{made.pk}/hours/"
    assert (made.institution, made.units, made.modes, made.fee) == (institution, 8, ["self"], "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 121},
        {"name": "a\x00b"},
        {"name": "a\x1bb"},
        {"units": "0"},
        {"units": "101"},
        {"category": "9999"},
        {"sharing": "galaxy"},
    ],
)
def test_create_page_marks_wrong_fields(db: None, wrong: dict[str, Any]) -> None:
    client = client_of(make_manager(make_institution()), **{"hx-request": "true"})

    answer = client.post("/manage/instruments/new/", details(**wrong))

    assert answer.status_code == 422
    assert "field-error" in text(answer)
    assert "<html" not in text(answer)
    assert not Instrument.objects.exists()


def test_create_page_tells_what_the_action_refuses(db: None) -> None:
    institution = make_institution()
    make_instrument(institution, local_no="A-1")
    client = client_of(make_manager(institution), **{"hx-request": "true"})

    answer = client.post("/manage/instruments/new/", details())

    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#problems")
    assert "Another instrument of the institution has this number." in text(answer)
    assert Instrument.objects.count() == 1


def test_create_page_for_two_institutions_uses_the_chosen_one(db: None) -> None:
    one, two, foreign = make_institution(), make_institution(), make_institution()
    person = make_manager(one)
    make_manager(two, user=person)
    client = client_of(person)

    client.post("/manage/instruments/new/", details(institution=str(two.pk)))
    refused = client.post("/manage/instruments/new/", details(institution=str(foreign.pk)))

    assert Instrument.objects.get().institution == two
    assert refused.status_code == 404


SECTIONS = {
    "basic": {
        "name": "新名称", "local_no": "A-1", "category": "0101", "kind": "special", "source": "donated",
        "worth": "12.5", "begin_date": "2020-05-31",
        "belongs_type": "centre", "belongs_name": "分析中心", "subjects": "化学；材料科学",
    },
    "technical": {"function": "看得很小", "technical": "1 nm"},
    "service": {
        "sharing": "internal", "condition": "repair", "mode_sample": "on", "units": "2", "requirement": "干燥",
        "regulations": "须签协议", "fee": "见价目表", "service_url": "https://lab.example/book", "run_hours": "1600.5",
        "service_hours": "400",
    },
    "booking": {
        "setup_minutes": "10", "cleaning_minutes": "20", "hold_hours": "48", "offer_minutes": "60", "check_in": "on",
        "no_show_grace": "15", "timezone": "Asia/Urumqi",
    },
    "place": {
        "department": "平台", "region": "包头", "province": "内蒙古自治区", "city": "包头市", "county": "昆都仑区",
        "street": "钢铁大街", "address": "1 号楼", "postcode": "014010", "contact_name": "王", "contact_phone": "0472",
        "contact_email": "w@example.org",
    },
    "customs": {
        "funds": "专项", "customs_supervised": "on", "declaration_no": "0101", "declaration_date": "2020-01-02",
    },
}  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_opens_in_place_and_saves_only_itself(db: None, section: str) -> None:
    instrument = make_instrument(fee="old", funds="old", function="old")
    client = client_of(make_manager(instrument.institution))
    path = f"/manage/instruments/{instrument.pk}/?section={section}"

    opened = client.get(path, headers={"hx-request": "true"})
    saved = client.post(path, {**SECTIONS[section], "version": "1"})

    assert text(opened).count("<form") == 1
    assert "<html" not in text(opened)
    assert saved.status_code == 302
    instrument.refresh_from_db()
    assert instrument.version == 2
    other = {"service": "fee", "customs": "funds", "technical": "function"}
    kept = {name for name in other.values() if getattr(instrument, name) == "old"}
    assert kept == set(other.values()) - {other.get(section)}
    page = text(client.get(f"/manage/instruments/{instrument.pk}/"))
    shown = {"basic": "化学, 材料科学", "technical": "看得很小", "service": "须签协议", "booking": "Asia/Urumqi",
             "place": "昆都仑区", "customs": "专项"}  # fmt: skip
    assert shown[section] in page


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        ("basic", {"worth": "NaN"}),
        ("basic", {"worth": "-1"}),
        ("basic", {"begin_date": "31.12.2024"}),
        ("basic", {"techniques": ["999"]}),
        ("basic", {"kind": "odd"}),
        ("service", {"condition": "on fire"}),
        ("service", {"mode_sample": ""}),
        ("service", {"service_url": "javascript:alert(1)"}),
        ("service", {"run_hours": "1e99"}),
        ("booking", {"setup_minutes": "-1"}),
        ("booking", {"hold_hours": ""}),
        ("booking", {"offer_minutes": "4"}),
        ("booking", {"offer_minutes": "2881"}),
        ("place", {"contact_email": "nobody"}),
        ("place", {"postcode": "12"}),
        ("customs", {"declaration_date": "soon"}),
    ],
)
def test_sections_mark_wrong_fields(db: None, section: str, wrong: dict[str, Any]) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})

    answer = client.post(f"/manage/instruments/{instrument.pk}/?section={section}", SECTIONS[section] | wrong)

    assert answer.status_code == 422
    assert "field-error" in text(answer)
    instrument.refresh_from_db()
    assert instrument.version == 1


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        ("booking", {"timezone": "Mars/Phobos"}),
        ("booking", {"setup_minutes": "1441"}),
        ("service", {"service_hours": "2000"}),
        ("basic", {"begin_date": "2999-01-01"}),
        ("basic", {"subjects": "；".join("abcdefghijk")}),
    ],
)
def test_sections_tell_what_the_action_refuses(db: None, section: str, wrong: dict[str, Any]) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})

    answer = client.post(f"/manage/instruments/{instrument.pk}/?section={section}", SECTIONS[section] | wrong)

    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#problems")


def test_settings_page_notices_a_faster_colleague_and_names_the_fields(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))
    path = f"/manage/instruments/{instrument.pk}/?section="

    first = client.post(f"{path}technical", SECTIONS["technical"] | {"version": "1"})
    second = client.post(f"{path}customs", SECTIONS["customs"] | {"version": "1"})

    assert (first.status_code, second.status_code) == (302, 412)
    assert "Somebody changed this instrument meanwhile: specifications, functions." in text(second)
    instrument.refresh_from_db()
    assert (instrument.function, instrument.funds) == ("看得很小", "")


def test_settings_page_without_a_section_takes_no_form(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))

    assert client.post(f"/manage/instruments/{instrument.pk}/", SECTIONS["basic"]).status_code == 404
    assert client.post(f"/manage/instruments/{instrument.pk}/?section=nonsense", {}).status_code == 404


def test_settings_page_begins_with_plain_words(db: None) -> None:
    instrument = make_instrument(units=3, setup_minutes=10, check_in=True)
    instrument.opening_hours.filter(weekday__in=[3, 7]).delete()

    page = text(client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/"))

    assert "Everybody finds this instrument in the catalogue." in page
    assert "It is used like this: Self-operated, Operator-assisted · 3 units side by side." in page
    assert "Open Mon–Tue 08:00–20:00; Thu–Sat 08:00–20:00; closed on public holidays." in page
    assert "10 minutes before and 0 minutes after each booking are kept free." in page
    assert "A request holds its time for 24 hours." in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"condition": "scrap"}, "To be scrapped: only managers see this instrument"),
        ({"condition": "repair"}, "It is under repair and cannot be booked."),
        ({"sharing": "internal"}, "Only members of the institution find this instrument."),
        ({"sharing": "none"}, "Only its managers see this instrument."),
        ({"mode_self": False, "mode_operator": False}, "No mode of use is chosen, so nobody can book it."),
        ({"hours": False}, "It has no opening hours yet, so no time can be booked."),
        ({"open_on_holidays": True}, "on public holidays too"),
    ],
)
def test_plain_words_follow_the_settings(db: None, fields: dict[str, Any], sentence: str) -> None:
    assert sentence in " ".join(in_plain_words(make_instrument(**fields)))
