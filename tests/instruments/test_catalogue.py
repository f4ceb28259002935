"""The catalogue list: who sees what, filters, order, facets, constant queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from time_machine import travel

from backend.accounts.models import Agreement, Organisation, Role
from backend.accounts.queries import access_of
from instruments.actions.indexing import reindex
from instruments.models import (
    Category,
    Condition,
    Instrument,
    Occupancy,
    OpeningHours,
    Sharing,
    SpecialDay,
    StartingPrice,
    Technique,
)
from instruments.queries import free
from instruments.queries.catalogue import Filters, find_instruments
from instruments.queries.facets import Option, facets
from instruments.queries.free import bookables, first_free
from instruments.queries.viewers import Viewer, viewer_of
from tests.factories import at, make_enterprise, make_institution, make_instrument, make_member

# The day before the Tuesday of the factories, 10:10 in Shanghai.
NOW = at(10, 10, date(2026, 11, 30))


def names(viewer: Viewer | None = None, **filters: Any) -> list[str]:
    found = find_instruments(viewer or Viewer(), Filters(**filters), limit=50)
    assert found.count == len(found.items)
    return [item["name"] for item in found.items]


def counted(filters: Filters) -> dict[str, list[Option]]:
    return facets(Viewer(), filters, find_instruments(Viewer(), filters, limit=1))


def make_prices(instrument: Instrument, **amounts: int) -> None:
    for audience, amount in amounts.items():
        StartingPrice.objects.create(instrument=instrument, audience=audience, amount=amount, unit="hour")


def test_visitor_sees_only_what_is_open_to_all(db: None) -> None:
    make_instrument(name="open")
    make_instrument(name="inside", sharing=Sharing.INTERNAL)
    make_instrument(name="closed", sharing=Sharing.NONE)
    make_instrument(name="scrap", condition=Condition.SCRAP)

    assert names() == ["open"]


def test_member_sees_what_the_own_institution_shares_inside(db: None) -> None:
    institution = make_institution()
    make_instrument(institution, name="inside", sharing=Sharing.INTERNAL)
    make_instrument(institution, name="closed", sharing=Sharing.NONE)
    make_instrument(name="inside elsewhere", sharing=Sharing.INTERNAL)
    member = make_member(institution)

    assert names(Viewer(access_of(member))) == ["inside"]


def test_manager_sees_all_of_the_own_institution(db: None) -> None:
    institution = make_institution()
    make_instrument(institution, name="closed", sharing=Sharing.NONE)
    make_instrument(name="closed elsewhere", sharing=Sharing.NONE)
    manager = make_member(institution, Role.MANAGER)

    assert names(Viewer(access_of(manager))) == ["closed"]


def test_category_includes_those_below(db: None) -> None:
    upper = Category.objects.create(code="01", name="分析仪器", name_en="Analytical")
    Category.objects.create(code="0102", name="质谱仪器", name_en="Mass spectrometry", parent=upper)
    other = Category.objects.create(code="02", name="物理", name_en="Physical")
    make_instrument(name="a", category_id="0102")
    make_instrument(name="b", category=upper)
    make_instrument(name="c", category=other)

    assert names(category=("01",)) == ["a", "b"]
    assert names(category=("0102",)) == ["a"]
    assert names(category=("0102", "02")) == ["a", "c"]
    assert names(category=("99",)) == []


def test_filters_narrow_together(db: None) -> None:
    here = make_institution(region="包头")
    sem = Technique.objects.create(key="SEM", name="扫描电镜", name_en="SEM")
    make_instrument(here, name="a", region="包头").techniques.add(sem)
    make_instrument(here, name="b", region="包头", mode_self=False, mode_operator=False, mode_sample=True)
    make_instrument(name="c", region="赤峰").techniques.add(sem)

    assert names(technique=("SEM",)) == ["a", "c"]
    assert names(technique=("SEM",), region=("包头",)) == ["a"]
    assert names(mode=("sample",)) == ["b"]
    assert names(mode=("sample", "self")) == ["a", "b", "c"]
    assert names(institution=(here.pk,)) == ["a", "b"]
    assert names(institution=(here.pk,), mode=("self",)) == ["a"]


def test_price_is_that_of_the_viewers_audience(db: None) -> None:
    own, other = make_institution(), make_institution()
    customer = make_enterprise()
    for institution in (own, other):
        make_prices(make_instrument(institution), internal=1, academic=2, enterprise=3, partner=4)
    Agreement.objects.create(
        institution=other, customer=customer, number="1", audience="partner", valid_from=date(2020, 1, 1)
    )

    def prices(viewer: Viewer) -> dict[int, Decimal]:
        items = find_instruments(viewer, Filters(), limit=50).items
        return {item["institution"]["id"]: item["price_from"]["amount"] for item in items}

    assert prices(Viewer()) == {own.pk: 3, other.pk: 3}
    assert prices(viewer_of(access_of(make_member(own)), own)) == {own.pk: 1, other.pk: 2}
    assert prices(viewer_of(access_of(make_member(customer)), customer)) == {own.pk: 3, other.pk: 4}


def test_price_is_missing_where_the_audience_has_none(db: None) -> None:
    make_prices(make_instrument(), internal=1)

    assert find_instruments(Viewer(), Filters(), limit=1).items[0]["price_from"] is None


def test_price_max_and_sort_by_price(db: None) -> None:
    for name, amount in (("a", 300), ("b", 100), ("c", 200)):
        make_prices(make_instrument(name=name), enterprise=amount)
    make_instrument(name="none")

    assert names(sort="price") == ["b", "c", "a", "none"]
    assert names(sort="price", price_max=Decimal(200)) == ["b", "c"]


@travel(NOW, tick=False)
def test_next_free_starts_at_a_half_hour_with_a_free_hour_behind_it(db: None) -> None:
    instrument = make_instrument(setup_minutes=30)
    Occupancy.objects.create(
        instrument=instrument, unit=1, start=at(11, 0, NOW.date()), end=at(13, 0, NOW.date()), kind="booking"
    )

    item = find_instruments(Viewer(), Filters(), limit=1).items[0]

    # 10:30 has no hour before 11:00; what ends at 13:00 needs the set-up of the next behind it.
    assert item["next_free"].isoformat() == "2026-11-30T13:30:00+08:00"


@travel(NOW, tick=False)
def test_next_free_is_that_of_any_unit(db: None) -> None:
    instrument = make_instrument(units=8)
    for unit in range(1, 8):
        Occupancy.objects.create(
            instrument=instrument, unit=unit, start=at(0, 0, NOW.date()), end=at(20, 0), kind="booking"
        )

    item = find_instruments(Viewer(), Filters(), limit=1).items[0]

    assert item["next_free"].isoformat() == "2026-11-30T10:30:00+08:00"
    assert item["units"] == 8


@pytest.mark.parametrize(
    "fields",
    [
        {"hours": False},
        {"condition": Condition.REPAIR},
        {"mode_self": False, "mode_operator": False, "mode_sample": True},
    ],
)
def test_next_free_is_missing_where_no_slot_can_be_booked(db: None, fields: dict[str, Any]) -> None:
    make_instrument(**fields)

    assert find_instruments(Viewer(), Filters(), limit=1).items[0]["next_free"] is None


@travel(NOW, tick=False)
def test_earliest_sorts_by_the_first_free_hour_and_puts_the_others_last(db: None) -> None:
    make_instrument(name="a", hours=False)
    busy = make_instrument(name="b")
    Occupancy.objects.create(instrument=busy, unit=1, start=NOW, end=NOW + timedelta(days=2), kind="outage")
    make_instrument(name="c")

    assert names(sort="earliest") == ["c", "b", "a"]


@travel(NOW, tick=False)
def test_free_window_keeps_only_what_has_the_time(db: None) -> None:
    make_instrument(name="a")
    taken = make_instrument(name="b")
    Occupancy.objects.create(instrument=taken, unit=1, start=at(9), end=at(19), kind="booking")
    make_instrument(name="c", hours=False)
    window = {"free_from": at(0), "free_to": at(24)}

    assert names(**window) == ["a", "b"]
    assert names(**window, length=timedelta(hours=2)) == ["a"]
    assert names(**window, length=timedelta(hours=13)) == []
    assert names(**window, sort="name") == ["a", "b"]


@travel(NOW, tick=False)
def test_special_days_count(db: None) -> None:
    closed = make_instrument(name="closed")
    SpecialDay.objects.create(instrument=closed, day=date(2026, 12, 1))
    night = make_instrument(name="night")
    SpecialDay.objects.create(instrument=night, day=date(2026, 12, 1), opens=time(20), closes=time(23))

    assert names(free_from=at(0), free_to=at(24)) == ["night"]


def test_facets_count_as_if_they_were_not_chosen(db: None) -> None:
    upper = Category.objects.create(code="01", name="分析仪器", name_en="Analytical")
    Category.objects.create(code="0101", name="电子光学仪器", name_en="Electron optics", parent=upper)
    a, b = make_institution(name="A"), make_institution(name="B")
    sem = Technique.objects.create(key="SEM", name="扫描电镜", name_en="Scanning electron microscopy")
    make_instrument(a, region="包头").techniques.add(sem)
    make_instrument(a, region="赤峰", mode_self=False)
    make_instrument(b, region="包头")

    options = counted(Filters(region=("包头",)))

    assert [tuple(o) for o in options["region"]] == [("包头", "包头", 2), ("赤峰", "赤峰", 1)]
    assert [tuple(o) for o in options["institution"]] == [(str(a.pk), "A", 1), (str(b.pk), "B", 1)]
    assert [tuple(o) for o in options["technique"]] == [("SEM", "Scanning electron microscopy", 1)]
    assert [tuple(o) for o in options["category"]] == [("01", "Analytical", 2)]
    assert [o.number for o in options["mode"]] == [2, 2, 0]


def test_facets_open_the_chosen_branch_and_keep_a_choice_without_results(db: None) -> None:
    upper = Category.objects.create(code="01", name="分析仪器", name_en="Analytical")
    Category.objects.create(code="0101", name="电子光学仪器", name_en="", parent=upper)
    make_instrument(region="包头")

    options = counted(Filters(category=("01",)))
    elsewhere = counted(Filters(category=("01",), region=("nowhere",)))

    assert [tuple(o) for o in options["category"]] == [("01", "Analytical", 1), ("0101", "电子光学仪器", 1)]
    assert [tuple(o) for o in elsewhere["category"]] == [("01", "Analytical", 0)]
    assert ("nowhere", "nowhere", 0) in [tuple(o) for o in elsewhere["region"]]


def test_facets_of_nothing_are_empty(db: None) -> None:
    make_instrument()

    options = counted(Filters(q="。"))

    assert options["technique"] == options["institution"] == []


def test_paging_gives_the_count_of_all(db: None) -> None:
    for n in range(5):
        make_instrument(name=f"{n}")

    found = find_instruments(Viewer(), Filters(), limit=2, offset=4)

    assert ([item["name"] for item in found.items], found.count) == (["4"], 5)


def fill(institution: Organisation, count: int) -> None:
    sem, _ = Technique.objects.get_or_create(key="SEM", defaults={"name": "扫描电镜", "name_en": "SEM"})
    for _n in range(count):
        instrument = make_instrument(institution)
        instrument.techniques.add(sem)
        make_prices(instrument, enterprise=100)
        Occupancy.objects.create(instrument=instrument, unit=1, start=at(9), end=at(10), kind="booking")
    reindex()


@pytest.mark.parametrize(
    ("filters", "queries"),
    [
        ({}, 9),
        ({"q": "SEM"}, 9),
        # Twice more for the words that it may have been, and once to count by them.
        ({"q": "xyzzy 电镜"}, 13),
        ({"sort": "price"}, 9),
        ({"sort": "earliest"}, 10),
        ({"free_from": at(0), "free_to": at(24)}, 10),
        ({"category": ("0101",), "technique": ("SEM",), "region": ("",), "mode": ("self",)}, 9),
    ],
)
def test_list_needs_equally_many_queries_for_1_and_30(
    db: None, django_assert_num_queries: Any, filters: dict[str, Any], queries: int
) -> None:
    institution = make_institution()
    for count in (1, 29):
        fill(institution, count)
        with django_assert_num_queries(queries):
            assert find_instruments(Viewer(), Filters(**filters), limit=50).count


def test_facets_need_two_queries_for_1_and_30(db: None, django_assert_num_queries: Any) -> None:
    institution = make_institution()
    for count in (1, 29):
        fill(institution, count)
        found = find_instruments(Viewer(), Filters(q="SEM"), limit=1)
        with django_assert_num_queries(2):
            facets(Viewer(), Filters(q="SEM"), found)


def test_hours_of_many_kinds_are_each_their_own(db: None) -> None:
    make_instrument(name="a")
    late = make_instrument(name="b", hours=False)
    OpeningHours.objects.bulk_create(
        OpeningHours(instrument=late, weekday=day, opens=time(22), closes=time(2)) for day in range(1, 8)
    )

    with travel(NOW, tick=False):
        items = {i["name"]: i["next_free"] for i in find_instruments(Viewer(), Filters(), limit=9).items}

    assert items["a"].isoformat() == "2026-11-30T10:30:00+08:00"
    assert items["b"].isoformat() == "2026-11-30T22:00:00+08:00"


@travel(NOW, tick=False)
def test_a_crowd_finds_the_same_first_times_as_each_alone(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    institution = make_institution()
    for days in (0, 1, 2, 4, 13, 20):
        instrument = make_instrument(institution, units=2, setup_minutes=30)
        for unit in (1, 2):
            end = NOW + timedelta(days=days, minutes=unit)
            Occupancy.objects.create(instrument=instrument, unit=unit, start=NOW, end=end, kind="booking")
    make_instrument(institution, hours=False)
    asked = bookables(Instrument.objects.order_by("pk"))

    alone = {pk: at for each in asked for pk, at in first_free([each]).items()}
    monkeypatch.setattr(free, "CROWD", 1)
    crowd = first_free(asked)

    assert crowd == alone
    assert len(crowd) == 5


@pytest.mark.parametrize(
    ("earliest", "grid", "expected"),
    [
        ((12, 7), 0, "2026-11-30T12:30:00+08:00"),
        ((12, 7), 60, "2026-11-30T13:00:00+08:00"),
        ((12, 0), 120, "2026-11-30T12:00:00+08:00"),
        ((12, 7), 15, "2026-11-30T12:15:00+08:00"),
        # An hour from 19:30 on ends after closing.
        ((19, 10), 30, "2026-12-01T08:00:00+08:00"),
    ],
)
@travel(NOW, tick=False)
def test_next_free_keeps_the_lead_time_and_the_grid_of_the_rules(
    db: None, monkeypatch: pytest.MonkeyPatch, earliest: tuple[int, int], grid: int, expected: str
) -> None:
    asked = []

    def rules(pks: Sequence[int], now: datetime) -> dict[int, tuple[datetime, int]]:
        asked.append((list(pks), now))
        return {pk: (at(*earliest, NOW.date()), grid) for pk in pks}

    monkeypatch.setattr(free, "_first_start", [])
    free.tell_first_start(rules)
    instrument = make_instrument()

    item = find_instruments(Viewer(), Filters(), limit=1).items[0]

    assert item["next_free"].isoformat() == expected
    assert [(pks, now.timestamp()) for pks, now in asked] == [([instrument.pk], NOW.timestamp())]
