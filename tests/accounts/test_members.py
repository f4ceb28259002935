"""Roles, and the end of a membership with everything that rested on it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from backend.accounts.actions import create_token
from backend.accounts.models import Membership, Organisation, Role, User
from backend.accounts.own_actions.members import end_membership, set_manager_scope, set_roles
from backend.accounts.queries import access_of
from backend.audit.models import Entry
from backend.core.errors import Invalid, NotFound, Refused
from booking.actions.feeds import create_feed
from instruments.queries.rights import managed_instruments
from tests.accounts.making import browser, make_admin, make_operator, network, queries_of, sign_in
from tests.factories import make_enterprise, make_institution, make_instrument, make_manager, make_member, make_user
from tests.parallel import at_once


@pytest.fixture(autouse=True)
def _empty_cache(db: None) -> None:
    cache.clear()


def alive(client: Client) -> bool:
    """Whether the browser is signed in."""
    return bool(client.get("/account/profile/").status_code == 200)


def token_works(secret: str) -> bool:
    return bool(Client(headers={"authorization": f"Bearer {secret}"}).get("/api/v1/me").status_code == 200)


# --- roles ------------------------------------------------------------------------------------------------------------


def test_roles_are_given_and_taken() -> None:
    admin, organisation = make_admin()
    user = make_member(organisation)

    set_roles(organisation=organisation, user=user, roles=["finance", "admin"], by=admin)

    assert access_of(user).roles[organisation.pk] == {"finance", "admin"}
    assert Membership.objects.get(user=user, role=Role.MEMBER).ended_at is not None
    entry = Entry.objects.get()
    assert (entry.action, entry.before["roles"], entry.after["roles"]) == (
        "membership.roles",
        ["member"],
        ["admin", "finance"],
    )


def test_unchanged_roles_write_nothing() -> None:
    admin, organisation = make_admin()

    set_roles(organisation=organisation, user=admin, roles=["admin", "member"], by=admin)

    assert not Entry.objects.exists()


@pytest.mark.parametrize("roles", [[], ["manager"], ["operator"], ["nonsense"]])
def test_wrong_roles_are_invalid(roles: list[str]) -> None:
    admin, organisation = make_admin()

    with pytest.raises(Invalid):
        set_roles(organisation=organisation, user=make_member(organisation), roles=roles, by=admin)


def test_the_last_administrator_stays() -> None:
    admin, organisation = make_admin()
    make_member(organisation, Role.ADMIN, user=make_user(is_active=False))

    with pytest.raises(Refused) as taken:
        set_roles(organisation=organisation, user=admin, roles=["member"], by=admin)
    with pytest.raises(Refused) as ended:
        end_membership(organisation=organisation, user=admin, by=admin)

    assert {caught.value.refusals[0].code for caught in (taken, ended)} == {"last_admin"}
    assert access_of(admin).has(organisation.pk, Role.ADMIN)


def test_with_a_second_administrator_the_first_may_go() -> None:
    admin, organisation = make_admin()
    make_admin(organisation)

    end_membership(organisation=organisation, user=admin, by=admin)

    assert access_of(admin).where() == []


def test_the_last_operator_stays() -> None:
    operator = make_operator()

    with pytest.raises(Refused) as caught:
        end_membership(organisation=network(), user=operator, by=operator)

    assert caught.value.refusals[0].code == "last_admin"


def test_strangers_have_no_roles_to_change() -> None:
    admin, organisation = make_admin()
    stranger = make_user()

    with pytest.raises(NotFound):
        set_roles(organisation=organisation, user=stranger, roles=["member"], by=admin)
    with pytest.raises(NotFound):
        end_membership(organisation=organisation, user=stranger, by=admin)


@pytest.mark.parallel
def test_two_administrators_do_not_remove_each_other(committed: None) -> None:
    one, organisation = make_admin()
    two, _ = make_admin(organisation)

    outcome = at_once(
        [
            partial(end_membership, organisation=organisation, user=one, by=two),
            partial(end_membership, organisation=organisation, user=two, by=one),
        ]
    )

    assert len(outcome.results) == 1
    assert Membership.objects.filter(organisation=organisation, role=Role.ADMIN, ended_at=None).count() == 1


# --- the instruments of a lab manager ---------------------------------------------------------------------------------


def test_a_manager_runs_chosen_instruments() -> None:
    admin, institution = make_admin(make_institution())
    manager = make_manager(institution)
    one, two = make_instrument(institution), make_instrument(institution)

    set_manager_scope(organisation=institution, user=manager, everything=False, instruments=[one.pk], by=admin)
    chosen = set(managed_instruments(access_of(manager)))
    set_manager_scope(organisation=institution, user=manager, everything=True, instruments=[], by=admin)
    everything = set(managed_instruments(access_of(manager)))

    assert (chosen, everything) == ({one}, {one, two})
    assert [entry.after["instruments"] for entry in Entry.objects.order_by("pk")] == [[one.pk], []]


def test_instruments_elsewhere_are_kept() -> None:
    admin, institution = make_admin(make_institution())
    other = make_instrument()
    manager = make_manager(institution)
    make_manager(other.institution, user=manager, all_instruments=False)
    other.managers.add(manager)
    mine = make_instrument(institution)

    set_manager_scope(organisation=institution, user=manager, everything=False, instruments=[mine.pk], by=admin)
    end_membership(organisation=institution, user=manager, by=admin)

    assert list(manager.managed_instruments.all()) == [other]


def test_scope_refuses_what_does_not_fit() -> None:
    admin, institution = make_admin(make_institution())
    manager, foreign = make_manager(institution), make_instrument()
    scope = partial(set_manager_scope, organisation=institution, by=admin)

    with pytest.raises(NotFound):
        scope(user=manager, everything=False, instruments=[foreign.pk])
    with pytest.raises(Invalid):
        scope(user=manager, everything=False, instruments=[])
    with pytest.raises(Refused):
        scope(user=admin, everything=True, instruments=[])
    scope(user=manager, everything=True, instruments=[])
    assert not Entry.objects.exists()


def test_a_role_taken_frees_the_instruments() -> None:
    admin, institution = make_admin(make_institution())
    manager, instrument = make_manager(institution), make_instrument(institution)
    instrument.managers.add(manager)

    set_roles(organisation=institution, user=manager, roles=["member"], by=admin)

    assert not instrument.managers.exists()


# --- the end ----------------------------------------------------------------------------------------------------------


def test_the_only_membership_ends_sessions_and_tokens() -> None:
    admin, organisation = make_admin()
    user = make_member(organisation)
    listed, unlisted = sign_in(user), browser(user)
    secret = create_token(user=user, name="agent")[1]
    assert alive(listed)
    assert alive(unlisted)
    assert token_works(secret)

    end_membership(organisation=organisation, user=user, by=admin)

    assert not alive(listed)
    assert not alive(unlisted)
    assert not token_works(secret)
    assert not UserSession.objects.filter(user=user).exists()
    assert Entry.objects.latest("pk").after["tokens_revoked"] == 1


def test_others_are_left_alone() -> None:
    admin, organisation = make_admin()
    user, colleague = make_member(organisation), make_member(organisation)
    client = sign_in(colleague)
    secret = create_token(user=colleague, name="agent")[1]

    end_membership(organisation=organisation, user=user, by=admin)

    assert alive(client)
    assert token_works(secret)


def test_with_another_organisation_only_its_own_sessions_end() -> None:
    first, second = make_enterprise(), make_enterprise()
    make_admin(second)
    user = make_member(first)
    make_member(second, user=user)
    for_first, for_second = sign_in(user), sign_in(user)
    for_second.post("/account/organisation/", {"organisation": second.pk})
    secret = create_token(user=user, name="agent")[1]

    end_membership(organisation=second, user=user, by=user)

    assert alive(for_first)
    assert not alive(for_second)
    assert token_works(secret)
    me = Client(headers={"authorization": f"Bearer {secret}"}).get("/api/v1/me").json()
    assert [one["id"] for one in me["organisations"]] == [first.pk]


def test_a_session_that_chose_nothing_acts_for_the_first() -> None:
    first, second = make_enterprise(), make_enterprise()
    make_admin(first)
    user = make_member(first)
    make_member(second, user=user)
    client = sign_in(user)

    end_membership(organisation=first, user=user, by=user)

    assert not alive(client)


@pytest.mark.parametrize("scope", ["mine", "organisation"])
def test_feeds_end_at_once(scope: str) -> None:
    admin, organisation = make_admin()
    user = make_member(organisation)
    secret = create_feed(user=user, scope=scope, organisation=organisation if scope == "organisation" else None)[1]
    path = f"/calendar/{secret}.ics"
    before = Client().get(path).status_code

    end_membership(organisation=organisation, user=user, by=admin)

    assert (before, Client().get(path).status_code) == (200, 404)
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        assert Client().get(path).status_code == 404


def test_groups_of_the_organisation_are_left() -> None:
    admin, organisation = make_admin()
    user = make_member(organisation)
    group = organisation.groups.create(name="A")
    group.members.add(user)

    end_membership(organisation=organisation, user=user, by=admin)

    assert not group.members.exists()


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_list_finds_people() -> None:
    admin, organisation = make_admin()
    make_member(organisation, user=make_user("Wang Wei"))
    make_member(make_enterprise(), user=make_user("Wang Elsewhere"))

    page = browser(admin).get("/organisation/members/?q=wang")

    assert b"Wang Wei" in page.content
    assert b"Wang Elsewhere" not in page.content
    assert b"Nobody of this name" in browser(admin).get("/organisation/members/?q=xyz%00").content


def test_the_list_takes_the_same_queries_at_any_length() -> None:
    admin, organisation = make_admin()
    client = browser(admin)
    client.get("/organisation/members/")

    short = queries_of(client, "/organisation/members/")
    for _ in range(29):
        make_member(organisation, Role.MEMBER, Role.FINANCE)
    long = queries_of(client, "/organisation/members/")

    assert short == long


def test_roles_change_on_the_page() -> None:
    admin, organisation = make_admin()
    user = make_member(organisation)
    path = f"/organisation/{organisation.pk}/members/{user.pk}/"
    client = browser(admin)

    shown = client.get(path)
    saved = client.post(f"{path}roles/", {"roles": ["member", "finance"]})
    wrong = client.post(f"{path}roles/", {"roles": ["operator"]})

    assert user.email.encode() in shown.content
    assert (saved.status_code, wrong.status_code) == (302, 422)
    assert access_of(user).roles[organisation.pk] == {"member", "finance"}


def test_instruments_are_chosen_on_the_page() -> None:
    admin, institution = make_admin(make_institution())
    manager, instrument, foreign = make_manager(institution), make_instrument(institution), make_instrument()
    path = f"/organisation/{institution.pk}/members/{manager.pk}/"
    client = browser(admin)

    shown = client.get(path)
    saved = client.post(f"{path}scope/", {"scope": "some", "instruments": [instrument.pk]})
    wrong = client.post(f"{path}scope/", {"scope": "some", "instruments": [foreign.pk]})

    assert instrument.name.encode() in shown.content
    assert (saved.status_code, wrong.status_code) == (302, 422)
    assert set(managed_instruments(access_of(manager))) == {instrument}


def test_a_membership_ends_on_the_page() -> None:
    admin, organisation = make_admin()
    user = make_member(organisation)
    client = browser(admin)

    ended = client.post(f"/organisation/{organisation.pk}/members/{user.pk}/end/")
    last = client.post(f"/organisation/{organisation.pk}/members/{admin.pk}/end/", headers={"HX-Request": "true"})

    assert ended["Location"] == "/organisation/members/"
    assert (last.status_code, last["HX-Retarget"]) == (409, "#problems")
    assert access_of(user).where() == []


def test_a_member_leaves() -> None:
    organisation = make_admin()[1]
    user = make_member(organisation)
    client = sign_in(user)

    left = client.post(f"/organisation/{organisation.pk}/leave/")

    assert left.status_code == 302
    assert not alive(client)
    assert Entry.objects.get().reason == "Left on their own."


def paths(organisation: Organisation, user: User) -> list[tuple[str, str]]:
    here = f"/organisation/{organisation.pk}/members/{user.pk}/"
    return [("get", here), ("post", f"{here}roles/"), ("post", f"{here}scope/"), ("post", f"{here}end/")]


def test_strangers_members_and_visitors_stay_outside() -> None:
    organisation = make_admin()[1]
    user = make_member(organisation)
    stranger, own = make_admin()

    for method, path in paths(organisation, user):
        assert getattr(browser(stranger), method)(path).status_code == 404
        assert getattr(browser(user), method)(path).status_code == 403
        assert getattr(browser(), method)(path)["Location"].startswith("/account/login/")
    for method, path in paths(own, user):
        assert getattr(browser(stranger), method)(path).status_code == 404
    assert browser(stranger).post(f"/organisation/{organisation.pk}/leave/").status_code == 404
    assert browser(user).get("/organisation/members/").status_code == 403
    assert browser(make_user()).get("/organisation/members/").status_code == 404
    assert access_of(user).has(organisation.pk)


def test_who_lacks_the_role_is_told_who_can_give_it(db: None) -> None:
    organisation = make_institution(name="示例中心", name_en="Example Centre")
    page = browser(make_member(organisation, Role.MANAGER)).get("/organisation/members/")

    assert page.status_code == 403
    assert "Your role at Example Centre does not include this." in page.content.decode()
