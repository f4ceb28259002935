"""An organisation's own data, its groups and projects, and what its members see of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from backend.accounts.models import Agreement, Group, Organisation, Project
from backend.accounts.own_actions.organisations import (
    change_group,
    change_organisation,
    change_project,
    create_group,
    create_project,
)
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from tests.accounts.making import GOOD, LETTER, OTHER, WRONG, browser, make_admin, make_operator, queries_of
from tests.factories import make_enterprise, make_institution, make_member, make_user


def code_of(caught: Any) -> str:
    return str(caught.value.refusals[0].code)


# --- its data ---------------------------------------------------------------------------------------------------------


def test_a_new_name_is_recorded(db: None) -> None:
    admin, organisation = make_admin(make_enterprise(name="Old", phone="1"))

    change_organisation(organisation=organisation, values={"name": "New", "phone": "1"}, by=admin)
    change_organisation(organisation=organisation, values={"name": "New"}, by=admin)

    entry = Entry.objects.get()
    assert (entry.before, entry.after, entry.actor) == ({"name": "Old"}, {"name": "New"}, admin)
    assert Organisation.objects.get(pk=organisation.pk).name == "New"


def test_a_name_is_needed(db: None) -> None:
    admin, organisation = make_admin()

    with pytest.raises(Invalid):
        change_organisation(organisation=organisation, values={"name": " "}, by=admin)


def test_a_code_is_added_and_then_stays(db: None) -> None:
    admin, organisation = make_admin()

    changed = change_organisation(organisation=organisation, values={"uscc": GOOD.lower()}, by=admin)
    with pytest.raises(Refused) as caught:
        change_organisation(organisation=organisation, values={"uscc": OTHER}, by=admin)

    assert changed.uscc == GOOD
    assert code_of(caught) == "uscc_fixed"


@pytest.mark.parametrize(("code", "problem"), [(WRONG, "uscc_format"), (LETTER, "uscc_review"), (OTHER, "uscc_known")])
def test_a_code_that_cannot_be_added(code: str, problem: str, db: None) -> None:
    admin, organisation = make_admin()
    make_enterprise(uscc=OTHER)

    with pytest.raises((Invalid, Refused)) as caught:
        change_organisation(organisation=organisation, values={"uscc": code}, by=admin)

    assert code_of(caught) == problem


# --- groups and projects ----------------------------------------------------------------------------------------------


def test_a_group_is_made_renamed_and_closed(db: None) -> None:
    admin, organisation = make_admin()
    member, stranger = make_member(organisation), make_user()

    group = create_group(organisation=organisation, name=" SEM ", by=admin)
    change_group(group=group, name="TEM", members=[member.pk, stranger.pk], active=False, by=admin)
    change_group(group=group, name="TEM", members=[member.pk], active=False, by=admin)

    group.refresh_from_db()
    assert (group.name, group.active, list(group.members.all())) == ("TEM", False, [member])
    assert list(Entry.objects.order_by("pk").values_list("action", flat=True)) == ["group.create", "group.change"]


def test_a_project_is_made_renamed_and_closed(db: None) -> None:
    admin, organisation = make_admin()
    group = create_group(organisation=organisation, name="SEM", by=admin)

    project = create_project(organisation=organisation, code="P1", name="Steel", group=group, by=admin)
    change_project(project=project, code="P2", name="Glass", group=None, active=False, by=admin)
    change_project(project=project, code="P2", name="Glass", group=None, active=False, by=admin)

    project.refresh_from_db()
    assert (project.code, project.name, project.group, project.active) == ("P2", "Glass", None, False)
    assert Entry.objects.filter(object_type="project").count() == 2


def test_names_and_numbers_are_given_once(db: None) -> None:
    admin, organisation = make_admin()
    one = create_group(organisation=organisation, name="SEM", by=admin)
    two = create_group(organisation=organisation, name="TEM", by=admin)
    project = create_project(organisation=organisation, code="P1", name="A", group=None, by=admin)
    create_project(organisation=organisation, code="P2", name="A", group=None, by=admin)

    with pytest.raises(Invalid):
        create_group(organisation=organisation, name="SEM", by=admin)
    with pytest.raises(Invalid):
        change_group(group=two, name="SEM", members=[], active=True, by=admin)
    with pytest.raises(Invalid):
        create_project(organisation=organisation, code="P1", name="B", group=one, by=admin)
    with pytest.raises(Invalid):
        change_project(project=project, code="P2", name="A", group=None, active=True, by=admin)
    assert create_group(organisation=make_enterprise(), name="SEM", by=admin).pk


def test_a_foreign_group_takes_no_project(db: None) -> None:
    admin, organisation = make_admin()
    foreign = Group.objects.create(organisation=make_enterprise(), name="SEM")

    with pytest.raises(Invalid):
        create_project(organisation=organisation, code="P1", name="A", group=foreign, by=admin)


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_administrator_changes_the_data(db: None) -> None:
    admin, organisation = make_admin()
    client, path = browser(admin), f"/organisation/{organisation.pk}/edit/"

    shown = client.get(path)
    saved = client.post(path, {"name": "New Name", "uscc": GOOD})
    wrong = client.post(path, {"name": "", "email": "x"}, headers={"HX-Request": "true"})

    assert organisation.name.encode() in shown.content
    assert (saved.status_code, wrong.status_code) == (302, 422)
    assert b"<html" not in wrong.content
    organisation.refresh_from_db()
    assert (organisation.name, organisation.uscc) == ("New Name", GOOD)
    assert b'name="uscc"' not in client.get(path).content


def test_members_see_data_and_agreements(db: None) -> None:
    institution, organisation = make_institution(name="Host"), make_admin(make_enterprise(bank="Secret Bank"))[1]
    Agreement.objects.create(institution=institution, customer=organisation, number="A-1", valid_from=date(2026, 1, 1))
    client = browser(make_member(organisation))

    page = client.get("/organisation/").content

    assert b"Host" in page
    assert b"A-1" in page
    assert b"Secret Bank" not in page
    assert b"/organisation/log/" not in page


def test_without_an_organisation_the_page_says_what_to_do(db: None) -> None:
    page = browser(make_user()).get("/organisation/")

    assert b"You belong to no organisation yet" in page.content


def test_the_network_finds_registrations(db: None) -> None:
    page = browser(make_operator()).get("/organisation/")

    assert b"/registrations/" in page.content


def test_groups_and_projects_on_the_page(db: None) -> None:
    admin, organisation = make_admin()
    client, here = browser(admin), f"/organisation/{organisation.pk}"

    answers = [
        client.post(f"{here}/groups/", {"group-name": "SEM"}),
        client.post(f"{here}/projects/", {"project-code": "P1", "project-name": "Steel"}),
    ]
    group, project = Group.objects.get(), Project.objects.get()
    answers += [
        client.post(f"{here}/groups/{group.pk}/", {"name": "TEM", "active": "on", "members": [admin.pk]}),
        client.post(f"{here}/projects/{project.pk}/", {"code": "P1", "name": "Glass", "group": group.pk}),
    ]
    listed = client.get("/organisation/projects/").content

    assert [answer.status_code for answer in answers] == [302] * 4
    assert b"Glass" in listed
    assert b"TEM" in listed
    assert client.get(f"{here}/groups/{group.pk}/").status_code == 200
    assert client.get(f"{here}/projects/{project.pk}/").status_code == 200
    assert client.post(f"{here}/groups/", {"group-name": "TEM"}).status_code == 422
    assert client.post(f"{here}/projects/", {"project-code": ""}).status_code == 422


def test_the_page_of_projects_takes_the_same_queries_at_any_length(db: None) -> None:
    admin, organisation = make_admin()
    counts = []
    for number in (1, 29):
        for n in range(number):
            group = Group.objects.create(organisation=organisation, name=f"G{number}-{n}")
            group.members.add(admin)
            Project.objects.create(organisation=organisation, code=f"P{number}-{n}", name="P", group=group)
        counts.append(queries_of(browser(admin), "/organisation/projects/"))

    assert counts[0] == counts[1]


def test_strangers_members_and_visitors_stay_outside(db: None) -> None:
    admin, organisation = make_admin()
    group = create_group(organisation=organisation, name="SEM", by=admin)
    project = create_project(organisation=organisation, code="P1", name="A", group=group, by=admin)
    stranger, own = make_admin()
    member = make_member(organisation)

    for tail in ("edit/", "groups/", f"groups/{group.pk}/", "projects/", f"projects/{project.pk}/"):
        path = f"/organisation/{organisation.pk}/{tail}"
        assert browser(stranger).post(path, {"name": "X"}).status_code == 404
        assert browser(member).post(path, {"name": "X"}).status_code == 403
        assert browser().post(path)["Location"].startswith("/account/login/")
    for tail in (f"groups/{group.pk}/", f"projects/{project.pk}/", f"groups/{2**63}/"):
        assert browser(stranger).get(f"/organisation/{own.pk}/{tail}").status_code == 404
    assert browser(member).get("/organisation/projects/").status_code == 200
    assert browser(make_user()).get("/organisation/projects/").status_code == 404
    assert browser().get("/organisation/")["Location"].startswith("/account/login/")
