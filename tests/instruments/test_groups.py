"""Instrument groups: who makes, changes and deletes them, on the page and over the API."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from backend.accounts.models import Role
from backend.audit.models import Entry
from booking.actions.policies import save_rules
from booking.queries.holders import of_group
from instruments.models import Instrument, InstrumentGroup
from tests.booking.lab import browser, html, queries
from tests.conftest import ApiClient
from tests.factories import make_institution, make_instrument, make_manager, make_member

pytestmark = pytest.mark.django_db


class House:
    def __init__(self) -> None:
        self.institution = make_institution()
        self.manager = make_manager(self.institution)
        self.chosen = make_manager(self.institution, all_instruments=False)
        self.admin = make_member(self.institution, Role.ADMIN)
        self.first, self.second = make_instrument(self.institution), make_instrument(self.institution)
        self.first.managers.add(self.chosen)

    def group(self, name: str = "Microscopes", *instruments: Instrument) -> InstrumentGroup:
        group = InstrumentGroup.objects.create(institution=self.institution, name=name)
        Instrument.objects.filter(pk__in=[one.pk for one in instruments]).update(group=group)
        return group

    def inside(self, group: InstrumentGroup) -> set[int]:
        return set(group.instruments.values_list("pk", flat=True))


@pytest.mark.parametrize("door", ["page", "api"])
def test_a_group_is_made_with_its_instruments(door: str) -> None:
    house = House()

    if door == "page":
        path = f"/manage/institutions/{house.institution.pk}/groups/new/"
        data = {"name": " Electron  microscopes ", "instruments": [house.first.pk, house.second.pk]}
        assert browser(house.manager).post(path, data).status_code == 302
    else:
        body = {"institution": house.institution.pk, "name": "Electron microscopes"}
        body |= {"instruments": [house.first.pk, house.second.pk]}  # type: ignore[dict-item]
        assert ApiClient(house.manager).post_api("/instrument-groups", body).status_code == 201

    group = InstrumentGroup.objects.get()
    assert (group.name, house.inside(group)) == ("Electron microscopes", {house.first.pk, house.second.pk})
    assert Entry.objects.get().action == "instrument_group.create"
    assert Instrument.objects.get(pk=house.first.pk).version == house.first.version + 1
    assert "2 instruments" in html(browser(house.manager).get("/manage/groups/"))


@pytest.mark.parametrize("door", ["page", "api"])
def test_a_group_gets_another_name_and_other_instruments(door: str) -> None:
    house = House()
    group, old = house.group("Old", house.first), house.group("Other", house.second)

    if door == "page":
        path = f"/manage/groups/{group.pk}/"
        page = html(browser(house.manager).get(path))
        assert "(now in “Other”)" in page
        data = {"name": "New", "instruments": [house.second.pk], "seen": str(house.first.pk)}
        assert browser(house.manager).post(path, data).status_code == 302
    else:
        body = {"name": "New", "instruments": [house.second.pk]}
        answer = ApiClient(house.manager).patch_api(f"/instrument-groups/{group.pk}", body)
        assert answer.json()["instruments"] == [house.second.pk]

    group.refresh_from_db()
    assert (group.name, house.inside(group), house.inside(old)) == ("New", {house.second.pk}, set())


def test_a_page_that_is_out_of_date_overwrites_nothing() -> None:
    house = House()
    group = house.group("Old", house.first, house.second)

    data = {"name": "New", "instruments": [], "seen": str(house.first.pk)}
    answer = browser(house.manager).post(f"/manage/groups/{group.pk}/", data)

    assert answer.status_code == 412
    assert house.inside(group) == {house.first.pk, house.second.pk}


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "Taken"])
def test_a_wrong_name_is_named(name: str) -> None:
    house = House()
    house.group("Taken")

    answer = browser(house.manager).post(f"/manage/institutions/{house.institution.pk}/groups/new/", {"name": name})

    assert answer.status_code == 422
    assert InstrumentGroup.objects.count() == 1


@pytest.mark.parametrize("door", ["page", "api"])
def test_only_an_empty_group_without_rules_is_deleted(door: str) -> None:
    house = House()
    full, ruled, empty = house.group("Full", house.first), house.group("Ruled"), house.group("Empty")
    save_rules(holder=of_group(ruled), document={"rules": []}, by=house.manager, valid_from=date(2026, 1, 1))

    def delete(group: InstrumentGroup) -> Any:
        if door == "page":
            return browser(house.manager).post(f"/manage/groups/{group.pk}/delete/")
        return ApiClient(house.manager).delete(f"/api/v1/instrument-groups/{group.pk}")

    assert [delete(group).status_code for group in (full, ruled)] == [409, 409]
    assert delete(empty).status_code == (302 if door == "page" else 204)
    assert set(InstrumentGroup.objects.values_list("name", flat=True)) == {"Full", "Ruled"}
    assert Entry.objects.filter(action="instrument_group.delete").count() == 1


def test_who_runs_which_group() -> None:
    house = House()
    own, mixed, empty = house.group("Own", house.first), house.group("Mixed", house.second), house.group("Empty")
    paths = [f"/manage/groups/{group.pk}/" for group in (own, mixed, empty)]
    paths.append(f"/manage/institutions/{house.institution.pk}/groups/new/")
    elsewhere = make_member(make_institution(), Role.ADMIN)
    finance = make_member(house.institution, Role.FINANCE)
    expected = {
        house.admin: [200, 200, 200, 200],
        house.manager: [200, 200, 200, 200],
        house.chosen: [200, 403, 403, 403],
        finance: [404, 404, 404, 404],
        elsewhere: [404, 404, 404, 404],
    }

    for user, statuses in expected.items():
        assert [browser(user).get(path).status_code for path in paths] == statuses
        api = [ApiClient(user).get_api(f"/instrument-groups/{group.pk}").status_code for group in (own, mixed, empty)]
        assert api == statuses[:3]
    assert [browser(user).get("/manage/groups/").status_code for user in (house.chosen, finance)] == [200, 404]


def test_instruments_of_others_cannot_be_put_into_a_group() -> None:
    house = House()
    group, foreign = house.group("Own", house.first), make_instrument()

    for user, instrument in ((house.admin, foreign), (house.chosen, house.second)):
        answer = ApiClient(user).patch_api(f"/instrument-groups/{group.pk}", {"instruments": [instrument.pk]})
        assert answer.json()["errors"][0]["field"] == "instruments"
    assert house.inside(group) == {house.first.pk}


def test_the_settings_choose_a_group_of_the_institution() -> None:
    house = House()
    group, foreign = house.group(), InstrumentGroup.objects.create(institution=make_institution(), name="Foreign")
    path = f"/manage/instruments/{house.first.pk}/?section=booking"

    page = html(browser(house.manager).get(path))

    assert f'<option value="{group.pk}">Microscopes</option>' in page
    assert f'value="{foreign.pk}">Foreign' not in page


@pytest.mark.parametrize("address", ["/manage/groups/", "/api/v1/instrument-groups"])
def test_the_list_needs_as_many_queries_for_one_group_as_for_thirty(address: str) -> None:
    house = House()
    house.group("0", house.first)
    client = browser(house.manager)
    one = queries(client, address)
    for number in range(1, 30):
        house.group(str(number))

    assert queries(client, address) == one
