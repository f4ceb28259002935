"""What the frame knows about its visitor."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from django.utils import timezone

from backend.accounts.models import Membership, Role
from backend.outbox.models import Channel, Message
from backend.web.context import Site
from tests.factories import make_enterprise, make_institution, make_member, make_user

pytestmark = pytest.mark.django_db


def site_of(user: object, **session: object) -> Site:
    request = RequestFactory().get("/")
    request.user = user  # type: ignore[assignment]
    request.session = session  # type: ignore[assignment]
    return Site(request)


def test_a_visitor_has_nothing() -> None:
    site = site_of(AnonymousUser())

    assert (site.user, site.organisations, site.current_organisation, site.roles, site.unread) == (
        None,
        [],
        None,
        frozenset(),
        0,
    )


def test_an_error_before_the_session_is_drawn_like_a_visitors() -> None:
    assert Site(RequestFactory().get("/")).user is None


def test_roles_are_those_of_the_chosen_organisation() -> None:
    institution, enterprise = make_institution(), make_enterprise()
    user = make_member(institution, Role.MANAGER, Role.FINANCE)
    make_member(enterprise, Role.ADMIN, user=user)

    at_home, outside = site_of(user, organisation=institution.pk), site_of(user, organisation=enterprise.pk)

    assert (at_home.manages_instruments, at_home.handles_money, at_home.pays) == (True, True, False)
    assert (outside.manages_instruments, outside.handles_money, outside.pays) == (False, False, True)


def test_a_choice_that_is_no_longer_theirs_is_ignored() -> None:
    institution, enterprise = make_institution(), make_enterprise()
    user = make_member(institution, Role.MEMBER)
    make_member(enterprise, Role.ADMIN, user=user)
    Membership.objects.filter(organisation=enterprise).update(ended_at=timezone.now())

    site = site_of(user, organisation=enterprise.pk)

    assert site.current_organisation == institution
    assert site.roles == {Role.MEMBER}


def test_unread_counts_messages_in_the_application_once() -> None:
    user = make_user()
    for key, channel, read in (
        ("a", Channel.IN_APP, None),
        ("b", Channel.IN_APP, timezone.now()),
        ("c", Channel.MAIL, None),
    ):
        Message.objects.create(key=key, channel=channel, recipient=user, kind="x", due_at=timezone.now(), read_at=read)

    assert site_of(user).unread == 1
