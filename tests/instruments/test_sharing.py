"""Who finds, sees and books an instrument, by its sharing and its condition: everywhere the same."""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import travel

from backend.accounts.models import User
from backend.accounts.queries import access_of
from instruments.models import Instrument, Technique
from instruments.queries.catalogue import FACETS, Filters, find_instruments, narrowed
from instruments.queries.facets import facets
from instruments.queries.rights import visible_instruments
from instruments.queries.viewers import Viewer
from tests.factories import at, make_enterprise, make_institution, make_instrument, make_manager, make_member
from tests.instruments.clients import client_of, text


@pytest.fixture
def people(db: None) -> dict[str, User | None]:
    institution = make_institution(name="Home")
    return {
        "visitor": None,
        "customer": make_member(make_enterprise()),
        "neighbour": make_manager(make_institution()),
        "member": make_member(institution),
        "manager": make_manager(institution),
    }


def make_here(people: dict[str, User | None], **fields: Any) -> Instrument:
    member = people["member"]
    assert member is not None
    return make_instrument(next(iter(access_of(member).organisations.values())), **fields)


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"sharing": "external"}, {"visitor", "customer", "neighbour", "member", "manager"}),
        ({"sharing": "external", "condition": "repair"}, {"visitor", "customer", "neighbour", "member", "manager"}),
        ({"sharing": "external", "condition": "scrap"}, {"manager"}),
        ({"sharing": "internal"}, {"member", "manager"}),
        ({"sharing": "internal", "condition": "scrap"}, {"manager"}),
        ({"sharing": "none"}, {"manager"}),
    ],
)
@travel(at(6), tick=False)
def test_who_sees_it_on_every_page_and_by_every_address(
    people: dict[str, User | None], api: Any, fields: dict[str, str], who: set[str]
) -> None:
    instrument = make_here(people, name_en="The one", **fields)
    pk, day = instrument.pk, {"from": "2026-12-01T00:00:00Z", "to": "2026-12-02T00:00:00Z"}

    for name, person in people.items():
        seen, expected = client_of(person), 200 if name in who else 404
        api_ = api(person)
        assert ("The one" in text(seen.get("/instruments/"))) is (name in who), name
        assert api_.get_api("/instruments").json()["count"] == (name in who), name
        assert seen.get(f"/instruments/{pk}/").status_code == expected, name
        assert seen.get(f"/instruments/{pk}/events/", {"start": day["from"], "end": day["to"]}).status_code == expected
        assert api_.get_api(f"/instruments/{pk}").status_code == expected, name
        assert api_.get_api(f"/instruments/{pk}/availability", **day).status_code == expected, name
        assert api_.get_api("/availability", instruments=pk, **day).status_code == expected, name


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sharing": "external"}, {"customer": 200, "member": 200}),
        ({"sharing": "external", "condition": "repair"}, {"customer": 409, "member": 409}),
        ({"sharing": "internal"}, {"customer": 404, "member": 200}),
        ({"sharing": "none"}, {"customer": 404, "member": 404}),
        ({"sharing": "external", "condition": "scrap"}, {"customer": 404, "member": 404}),
    ],
)
@travel(at(6), tick=False)
def test_who_books_it(
    people: dict[str, User | None], api: Any, fields: dict[str, str], expected: dict[str, int]
) -> None:
    instrument = make_here(people, **fields)
    wish = {"instrument": instrument.pk, "start": at(9).isoformat(), "end": at(10).isoformat(), "mode": "operator"}

    for name, status in expected.items():
        asked = api(people[name]).post_api("/bookings/check", wish)
        booked = api(people[name]).post_api("/bookings", {**wish, "purpose": "test"})
        if status == 404:
            assert (asked.status_code, booked.status_code) == (404, 404), name
            continue
        codes = {refusal["code"] for refusal in asked.json()["refusals"]}
        assert ("out_of_order" in codes) is (status == 409), name
        if status == 409:
            assert booked.status_code == 409
            assert "out_of_order" in {error["code"] for error in booked.json()["errors"]}


@travel(at(6), tick=False)
def test_what_is_under_repair_is_shown_but_has_no_free_time(db: None, api: Any) -> None:
    instrument = make_instrument(condition="repair")

    card = text(client_of().get("/instruments/"))
    free = api().get_api(
        f"/instruments/{instrument.pk}/availability", **{"from": at(0).isoformat(), "to": at(24).isoformat()}
    )

    assert "Under repair" in card
    assert "Cannot be booked at the moment" in card
    assert api().get_api("/instruments").json()["items"][0]["next_free"] is None
    assert free.json()["free"] == []
    assert "out of order" in text(client_of().get(f"/instruments/{instrument.pk}/"))


def test_only_managers_read_funds_and_customs(people: dict[str, User | None], api: Any) -> None:
    instrument = make_here(
        people, funds="secret fund", declaration_no="D-1", regulations="Sign first", postcode="010020"
    )

    for name, person in people.items():
        told = api(person).get_api(f"/instruments/{instrument.pk}").json()
        page = text(client_of(person).get(f"/instruments/{instrument.pk}/"))
        assert (told["regulations"], told["postcode"]) == ("Sign first", "010020")
        assert "Sign first" in page
        assert "secret fund" not in page
        if name == "manager":
            assert told["for_managers"] == {
                "funds": "secret fund", "customs_supervised": False, "declaration_no": "D-1", "declaration_date": None,
            }  # fmt: skip
        else:
            assert told["for_managers"] is None, name


def _fill() -> None:
    places = [("包头", "external", "normal"), ("包头", "internal", "repair"), ("赤峰", "external", "repair"),
              ("赤峰", "external", "normal"), ("赤峰", "none", "scrap")]  # fmt: skip
    technique = Technique.objects.create(key="SEM", name="扫描电镜", name_en="SEM")
    for n, (region, sharing, condition) in enumerate(places * 2):
        institution = make_institution() if n in (0, 5) else Instrument.objects.latest("pk").institution
        made = make_instrument(
            institution,
            region=region,
            sharing=sharing,
            condition=condition,
            mode_self=n % 2 == 0,
            mode_sample=n % 3 == 0,
        )
        if n % 2:
            made.techniques.add(technique)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"status": ("repair",)},
        {"sharing": ("internal", "none")},
        {"region": ("赤峰",), "status": ("normal", "repair")},
        {"technique": ("SEM",), "mode": ("sample",), "sharing": ("external",)},
        {"category": ("0101",), "region": ("包头",), "mode": ("self", "operator")},
    ],
)
@travel(at(6), tick=False)
def test_each_facet_counts_what_choosing_it_would_leave(db: None, chosen: dict[str, tuple[str, ...]]) -> None:
    _fill()
    manager = make_manager(Instrument.objects.earliest("pk").institution)
    viewer, filters = Viewer(access_of(manager)), Filters(**chosen)

    told = facets(viewer, filters, find_instruments(viewer, filters, limit=5))

    everything = visible_instruments(viewer.access)
    for name in FACETS:
        others = narrowed(everything, filters, without=name)
        for option in told[name]:
            value: Any = int(option.value) if name == "institution" else option.value
            left = narrowed(others, Filters(**{name: (value,)}))
            assert option.number == left.count(), (name, option)
    if not chosen:
        assert [option.value for option in told["status"]] == ["normal", "repair", "scrap"]
        assert [option.value for option in told["sharing"]] == ["external", "internal", "none"]


def test_facets_that_offer_no_choice_are_left_out(db: None) -> None:
    make_instrument()

    page = text(client_of().get("/instruments/"))

    assert 'id="facet-mode"' in page
    assert 'id="facet-status"' not in page
    assert 'id="facet-sharing"' not in page
    assert 'id="facet-status"' in text(client_of().get("/instruments/?status=repair"))


def test_condition_and_sharing_filter_in_the_address_and_the_api(people: dict[str, User | None], api: Any) -> None:
    make_here(people, name_en="Broken one", condition="repair")
    make_here(people, name_en="Inside one", sharing="internal")
    member = people["member"]

    broken = text(client_of(member).get("/instruments/?status=repair"))
    inside = api(member).get_api("/instruments", sharing="internal").json()["items"]

    assert "Broken one" in broken
    assert "Inside one" not in broken
    assert [item["name_en"] for item in inside] == ["Inside one"]
    assert api(member).get_api("/instruments", status="melted").status_code == 422
