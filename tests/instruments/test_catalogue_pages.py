"""The catalogue page, and the reference data that it is sorted by."""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import travel

from backend.accounts.models import User
from instruments.actions.indexing import reindex
from instruments.models import Occupancy, Technique
from tests.factories import (
    at,
    make_instrument,
)
from tests.instruments.clients import client_of, text


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
    assert counts[0] == (12 if "?day" in query or "earliest" in query else 11)


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
