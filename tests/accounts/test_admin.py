"""Django's admin for the network's operators."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache

from backend.accounts.admin import is_referenced
from backend.accounts.models import Agreement, Membership, Organisation, User
from backend.accounts.queries import access_of
from backend.audit.models import Entry
from tests.accounts.making import browser, make_admin, make_operator
from tests.factories import make_enterprise, make_institution, make_member, make_user

ADMIN = "/operator/admin/accounts"


@pytest.fixture(autouse=True)
def _empty_cache(db: None) -> None:
    cache.clear()


@pytest.fixture
def client() -> Any:
    return browser(make_operator(is_staff=True))


def organisation_data(**changes: str) -> dict[str, str]:
    return {
        "kind": "enterprise",
        "status": "active",
        "code": "acme",
        "name": "Acme",
        "currency": "CNY",
        "timezone": "Asia/Shanghai",
        "country": "CN",
        **changes,
    }


@pytest.mark.parametrize("model", ["organisation", "user", "membership", "agreement"])
def test_lists_and_search(model: str, client: Any) -> None:
    organisation = make_admin()[1]
    Agreement.objects.create(
        institution=make_institution(), customer=organisation, number="A-1", valid_from=date(2026, 1, 1)
    )

    listed = client.get(f"{ADMIN}/{model}/")
    found = client.get(f"{ADMIN}/{model}/?q=example")
    page = client.get(f"{ADMIN}/{model}/add/")

    assert [answer.status_code for answer in (listed, found, page)] == [200, 200, 200]


@pytest.mark.parametrize("path", ["/", "/user/", "/organisation/add/"])
def test_only_operators_with_a_seat_enter(path: str) -> None:
    for user in (make_operator(is_staff=False), make_admin()[0], make_user(is_staff=True)):
        answer = browser(user).get(ADMIN + path)
        assert answer.status_code in {302, 403, 404}
    assert browser().get(f"{ADMIN}/user/").status_code == 302


def test_signing_in_goes_through_our_door() -> None:
    answer = browser().get("/operator/admin/", follow=True)

    assert answer.redirect_chain[-1][0].startswith("/account/login/")


def test_an_organisation_is_entered_and_changed(client: Any) -> None:
    made = client.post(f"{ADMIN}/organisation/add/", organisation_data())
    organisation = Organisation.objects.get(code="acme")
    path = f"{ADMIN}/organisation/{organisation.pk}/change/"
    changed = client.post(path, organisation_data(name="Acme Steel", code="other"))

    organisation.refresh_from_db()
    entries = list(Entry.objects.filter(organisation=organisation).order_by("sequence"))
    assert (made.status_code, changed.status_code) == (302, 302)
    assert (organisation.name, organisation.code) == ("Acme Steel", "acme")
    assert [entry.action for entry in entries] == ["organisation.create", "organisation.change"]
    assert (entries[1].before, entries[1].after) == ({"name": "Acme"}, {"name": "Acme Steel"})


def test_a_person_is_entered_without_password(client: Any) -> None:
    data = {"name": "Li", "email": "LI@acme.example", "phone": "", "language": "en", "is_active": "on"}

    client.post(f"{ADMIN}/user/add/", {**data, "is_staff": "on", "is_superuser": "on"})

    user = User.objects.get(email="li@acme.example")
    assert not user.has_usable_password()
    assert (user.is_staff, user.is_superuser) == (False, False)
    assert Entry.objects.get().action == "person.create"


def test_a_person_is_closed_and_out_at_once(client: Any) -> None:
    user = make_member(make_enterprise())
    theirs = browser(user)

    client.post(f"{ADMIN}/user/{user.pk}/change/", {"name": user.name, "email": user.email, "language": "en"})

    assert theirs.get("/account/profile/").status_code == 302
    assert Entry.objects.get().after == {"is_active": False}


def test_a_role_is_given_and_its_foreign_keys_are_recorded(client: Any) -> None:
    user, organisation = make_user(), make_enterprise()

    client.post(
        f"{ADMIN}/membership/add/",
        {"user": user.pk, "organisation": organisation.pk, "role": "member", "all_instruments": "on"},
    )

    assert access_of(user).has(organisation.pk)
    after = Entry.objects.get(organisation=organisation).after
    assert (after["user_id"], after["organisation_id"], after["role"]) == (user.pk, organisation.pk, "member")


def test_memberships_end_by_the_same_action(client: Any) -> None:
    organisation = make_admin()[1]
    user = make_member(organisation, "member", "finance")
    rows = Membership.objects.filter(user=user)
    theirs = browser(user)

    answer = client.post(
        f"{ADMIN}/membership/", {"action": "end", "_selected_action": [row.pk for row in rows]}, follow=True
    )

    assert b"Ended: 1" in answer.content
    assert access_of(user).where() == []
    assert theirs.get("/account/profile/").status_code == 302


def test_the_last_administrator_stays_here_too(client: Any) -> None:
    admin, organisation = make_admin()
    row = Membership.objects.get(user=admin, role="admin")

    answer = client.post(f"{ADMIN}/membership/", {"action": "end", "_selected_action": [row.pk]})

    assert answer.status_code == 409
    assert access_of(admin).has(organisation.pk)


def test_what_is_referenced_is_not_deleted(client: Any) -> None:
    admin, organisation = make_admin()
    row = Membership.objects.filter(user=admin).first()
    assert row is not None

    for path in (f"organisation/{organisation.pk}", f"user/{admin.pk}", f"membership/{row.pk}"):
        assert client.post(f"{ADMIN}/{path}/delete/", {"post": "yes"}).status_code == 403
    assert is_referenced(organisation)
    assert not is_referenced(make_enterprise())


def test_an_agreement_is_entered_and_deleted_with_a_trace(client: Any) -> None:
    institution, customer = make_institution(), make_enterprise()
    data = {"institution": institution.pk, "customer": customer.pk, "number": "A-1", "valid_from": "2026-01-01"}

    client.post(f"{ADMIN}/agreement/add/", data)
    agreement = Agreement.objects.get()
    deleted = client.post(f"{ADMIN}/agreement/{agreement.pk}/delete/", {"post": "yes"})

    assert deleted.status_code == 302
    actions = Entry.objects.filter(organisation=institution).order_by("sequence").values_list("action", flat=True)
    assert list(actions) == ["agreement.create", "agreement.delete"]


def test_nobody_closes_their_own_account() -> None:
    operator = make_operator(is_staff=True)

    browser(operator).post(
        f"{ADMIN}/user/{operator.pk}/change/", {"name": "New", "email": operator.email, "language": "en"}
    )

    operator.refresh_from_db()
    assert (operator.name, operator.is_active) == ("New", True)
