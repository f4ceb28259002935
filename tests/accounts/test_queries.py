"""Who may do what, and which prices a customer gets."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from backend.accounts.models import Agreement, Membership, Organisation, OrganisationStatus, Role, User
from backend.accounts.queries import VISITOR, access_of, audience_of, get_own_organisation, people_with
from backend.core.errors import NotFound
from tests.factories import make_enterprise, make_institution, make_manager, make_member, make_user

DAY = date(2026, 12, 1)


def test_a_visitor_has_no_rights(db: None) -> None:
    assert access_of(None) is VISITOR
    assert access_of(AnonymousUser()) is VISITOR  # type: ignore[arg-type]
    assert VISITOR.where() == []
    assert VISITOR.bookers() == []


def test_roles_are_read_in_one_query(db: None, django_assert_num_queries: Any) -> None:
    user = make_user()
    enterprise, institution = make_enterprise(), make_institution()
    make_member(enterprise, Role.MEMBER, Role.ADMIN, user=user)
    make_member(institution, Role.MANAGER, user=user)

    with django_assert_num_queries(1):
        access = access_of(user)

    assert access.has(enterprise.pk, Role.ADMIN)
    assert not access.has(enterprise.pk, Role.MANAGER, Role.FINANCE)
    assert access.has(institution.pk)
    assert access.where(Role.MANAGER) == [institution.pk]
    assert access.manages_all == {institution.pk}
    assert access.bookers() == [enterprise, institution]


def test_a_manager_of_single_instruments_does_not_manage_all(db: None) -> None:
    manager = make_manager(make_institution(), all_instruments=False)

    assert access_of(manager).manages_all == frozenset()


def test_an_operator_books_for_nobody(db: None) -> None:
    network = Organisation.objects.create(kind="network", code="net", name="Network")
    operator = make_member(network, Role.OPERATOR)

    assert access_of(operator).is_operator
    assert access_of(operator).bookers() == []


@pytest.mark.parametrize("ending", ["membership", "person", "organisation"])
def test_rights_end_with_what_they_rest_on(ending: str, db: None) -> None:
    enterprise = make_enterprise()
    user = make_member(enterprise)
    if ending == "membership":
        Membership.objects.update(ended_at=timezone.now())
    elif ending == "person":
        User.objects.filter(pk=user.pk).update(is_active=False)
    else:
        Organisation.objects.filter(pk=enterprise.pk).update(status=OrganisationStatus.CLOSED)

    assert access_of(user).where() == []
    assert people_with(enterprise.pk, [Role.MEMBER]) == []


def test_a_foreign_organisation_is_not_found(db: None) -> None:
    enterprise = make_enterprise()
    access = access_of(make_member(enterprise))

    assert get_own_organisation(access, enterprise.pk, Role.MEMBER) == enterprise
    for pk, role in ((enterprise.pk, Role.ADMIN), (make_enterprise().pk, Role.MEMBER), (999_999, Role.MEMBER)):
        with pytest.raises(NotFound):
            get_own_organisation(access, pk, role)


def test_people_with_a_role_are_named_once(db: None) -> None:
    institution = make_institution()
    both = make_member(institution, Role.MANAGER, Role.ADMIN)
    make_member(institution, Role.FINANCE)

    assert people_with(institution.pk, [Role.MANAGER, Role.ADMIN]) == [both.pk]


def test_audience_follows_kind_and_agreement(db: None) -> None:
    host, academic, company = make_institution(), make_institution(), make_enterprise()
    agreed = make_enterprise()
    Agreement.objects.create(
        institution=host,
        customer=agreed,
        number="A1",
        audience="partner",
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 1),
    )

    assert audience_of(host, host.pk, DAY) == "internal"
    assert audience_of(academic, host.pk, DAY) == "academic"
    assert audience_of(company, host.pk, DAY) == "enterprise"
    assert audience_of(agreed, host.pk, DAY) == "partner"
    assert audience_of(agreed, host.pk, date(2026, 12, 2)) == "enterprise"
    assert audience_of(agreed, academic.pk, DAY) == "enterprise"


def test_the_newest_agreement_decides(db: None) -> None:
    host, company = make_institution(), make_enterprise()
    for number, audience, start in (("A1", "old", date(2026, 1, 1)), ("A2", "new", date(2026, 6, 1))):
        Agreement.objects.create(institution=host, customer=company, number=number, audience=audience, valid_from=start)

    assert audience_of(company, host.pk, DAY) == "new"
