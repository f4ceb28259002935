"""What is suggested while somebody types, and the counts beside a search, by the API and on the page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from instruments.actions.indexing import reindex
from instruments.actions.reference import load_reference_data
from instruments.models import SearchWord, Sharing, StartingPrice, Technique
from instruments.queries.spelling import distance, nearest
from tests.factories import make_institution, make_instrument


@pytest.fixture
def known(db: None) -> None:
    load_reference_data()
    far = make_institution(region="呼伦贝尔")
    for name, maker, region in (("激光拉曼光谱仪", "Renishaw", "包头"), ("气相色谱仪", "Agilent", "呼和浩特")):
        make_instrument(name=name, name_en="", manufacturer=maker, region=region)
    hidden = make_instrument(far, name="拉曼内部仪", name_en="", sharing=Sharing.INTERNAL)
    hidden.techniques.add(Technique.objects.get(key="Raman"))
    reindex()


def labels(api: Any, q: str, **headers: str) -> list[tuple[str, str]]:
    answer = api().get_api("/instruments/suggestions", q=q)
    assert answer.status_code == 200
    return [(one["kind"], one["words"]) for one in answer.json()]


def test_suggestions_are_techniques_makers_and_public_names(known: None, api: Any) -> None:
    assert labels(api, "拉曼") == [("technique", "Raman spectroscopy"), ("instrument", "激光拉曼光谱仪")]
    assert labels(api, "lm")[0] == ("technique", "Raman spectroscopy")
    assert ("maker", "Agilent") in labels(api, "安捷")
    assert labels(api, "") == labels(api, "！") == []


def test_suggestions_cannot_be_longer_than_a_search(known: None, api: Any) -> None:
    assert api().get_api("/instruments/suggestions", q="x" * 200).status_code == 200
    assert api().get_api("/instruments/suggestions", q="x" * 201).status_code == 422


def test_what_was_meant_is_found_and_said(known: None, api: Any) -> None:
    found = api().get_api("/instruments", q="Renishav").json()

    assert (found["how"], found["count"]) == ("near", 1)
    pieces = {each["field"]: each["pieces"] for each in found["items"][0]["highlights"]}
    assert pieces["manufacturer"] == [{"text": "Renishaw", "hit": True}]
    assert api().get_api("/instruments", q="拉曼").json()["how"] == "all"
    assert api().get_api("/instruments", q="掃描 拉曼 xyzzy").json()["how"] == "any"


def test_an_instrument_without_technique_is_found_by_what_its_name_tells(known: None, api: Any) -> None:
    assert [one["name"] for one in api().get_api("/instruments", q="Raman").json()["items"]] == ["激光拉曼光谱仪"]


def test_highlights_are_only_there_with_words(known: None, api: Any) -> None:
    assert "highlights" not in api().get_api("/instruments").json()["items"][0]


def test_nearest_region_comes_first(known: None, api: Any) -> None:
    def order(near: str) -> list[str]:
        return [one["region"] for one in api().get_api("/instruments", sort="near", near=near).json()["items"]]

    assert order("包头") == ["包头", "呼和浩特"]
    assert order("乌兰察布") == ["呼和浩特", "包头"]


def test_facets_count_like_the_search(known: None, api: Any) -> None:
    for number, each in enumerate(api().get_api("/instruments").json()["items"]):
        StartingPrice.objects.create(instrument_id=each["id"], audience="enterprise", amount=100 + number, unit="hour")

    counted = api().get_api("/instruments/facets", price_max="100").json()

    assert [(one["value"], one["number"]) for one in counted["price_max"]] == [("100", 1), ("200", 2)]
    assert [one["number"] for one in counted["region"]] == [1]
    assert api().get_api("/instruments", price_max="100").json()["count"] == 1
    assert api().get_api("/instruments", price_max="101").json()["count"] == 2


def test_the_page_marks_what_was_meant_and_escapes_it(known: None) -> None:
    make_instrument(name="<i>拉曼</i>", name_en="")
    reindex()

    page = Client(headers={"accept-language": "en"}).get("/instruments/", {"q": "拉曼"}).content.decode()

    assert "激光<mark>拉曼</mark>光谱仪" in page
    assert "&lt;i&gt;<mark>拉曼</mark>&lt;/i&gt;" in page
    assert 'data-suggest="/api/v1/instruments/suggestions"' in page


def test_writing_the_index_anew_forgets_words(known: None) -> None:
    SearchWord.objects.create(word="obsolete")

    reindex()

    assert not SearchWord.objects.filter(word="obsolete").exists()
    assert SearchWord.objects.filter(word="renishaw").exists()


@pytest.mark.parametrize(
    ("word", "known", "far"),
    [
        ("spectometer", "spectrometer", 1), ("malvren", "malvern", 1), ("spectom", "spectrometer", 1),
        ("rheo", "rheometer", 0), ("agilant", "agilent", 1), ("xxxxxxx", "agilent", 3),
    ],
)  # fmt: skip
def test_distance_counts_slips_up_to_the_limit(word: str, known: str, far: int) -> None:
    assert distance(word, known, 2) == far


def test_a_short_word_is_forgiven_one_slip_and_a_long_one_two() -> None:
    assert nearest("brucker", ["bruker"]) == ["bruker"]
    assert nearest("brucxer", ["bruker"]) == []
    assert nearest("calorimitre", ["calorimeter"]) == ["calorimeter"]
    assert nearest("zalorimitre", ["calorimeter"]) == []
    assert nearest("bruk", ["bruker", "brurker"]) == []
