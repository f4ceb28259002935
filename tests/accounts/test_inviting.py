"""Invitations: sent, sent again, withdrawn, accepted once by the one they were sent to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from backend.accounts.actions import NewPerson
from backend.accounts.models import Invitation, Membership, Organisation, OrganisationStatus, Role, User, digest_secret
from backend.accounts.own_actions.inviting import accept_invitation, invite, resend_invitation, revoke_invitation
from backend.accounts.queries import access_of
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from tests.accounts.making import PASSWORD, browser, link_in_mail, make_admin
from tests.factories import make_enterprise, make_institution, make_member, make_user
from tests.parallel import at_once

Capture = Callable[..., AbstractContextManager[list[Any]]]
ADDRESS = "new@acme.example"


@pytest.fixture(autouse=True)
def _empty_cache(db: None) -> None:
    cache.clear()


@pytest.fixture
def sent(django_capture_on_commit_callbacks: Capture) -> Callable[..., tuple[Invitation, str]]:
    """Invite, and read the link in the mail."""

    def act(organisation: Organisation | None = None, email: str = ADDRESS, *roles: str) -> tuple[Invitation, str]:
        admin, organisation = make_admin(organisation)
        with django_capture_on_commit_callbacks(execute=True):
            invitation = invite(organisation=organisation, email=email, roles=roles or [Role.MEMBER], by=admin)
        return invitation, link_in_mail("/invitation/")

    return act


def code_of(caught: Any) -> str:
    return str(caught.value.refusals[0].code)


# --- inviting ---------------------------------------------------------------------------------------------------------


def test_an_invitation_is_mailed_and_stored_as_a_digest(sent: Any) -> None:
    invitation, link = sent()

    secret = link.removeprefix("/invitation/").rstrip("/")
    invitation.refresh_from_db()
    assert mail.outbox[-1].to == [ADDRESS]
    assert invitation.digest == digest_secret(secret)
    assert secret not in str(vars(invitation))
    assert invitation.sent_at is not None
    assert Entry.objects.get().after == {"email": ADDRESS, "roles": ["member"]}


def test_the_mail_names_the_roles(sent: Any) -> None:
    with override("en"):
        sent(None, ADDRESS, Role.MEMBER, Role.FINANCE)

    assert "\nRoles: Member, Finance\n" in mail.outbox[-1].body


@pytest.mark.parametrize(("language", "name"), [("zh-hans", "示例公司"), ("en", "Example Company")])
def test_the_mail_is_in_the_language_of_the_person(language: str, name: str, sent: Any) -> None:
    make_user(email=ADDRESS, language=language)

    sent(make_enterprise(name="示例公司", name_en="Example Company"))

    assert name in mail.outbox[-1].subject


@pytest.mark.parametrize(
    ("roles", "code"),
    [([], "no_role"), (["manager"], "wrong_role"), (["operator"], "wrong_role"), (["x"], "wrong_role")],
)
def test_roles_that_an_enterprise_does_not_have(roles: list[str], code: str) -> None:
    admin, organisation = make_admin()

    with pytest.raises(Invalid) as caught:
        invite(organisation=organisation, email=ADDRESS, roles=roles, by=admin)

    assert code_of(caught) == code


def test_a_member_is_not_invited(sent: Any) -> None:
    admin, organisation = make_admin()
    make_member(organisation, user=make_user(email=ADDRESS))

    with pytest.raises(Refused) as caught:
        invite(organisation=organisation, email=ADDRESS.upper(), roles=["member"], by=admin)

    assert code_of(caught) == "already_member"


def test_a_second_invitation_waits_for_the_first_to_end(sent: Any) -> None:
    invitation, _ = sent()
    again = partial(invite, organisation=invitation.organisation, email=ADDRESS, roles=["member"])

    with pytest.raises(Refused) as caught:
        again(by=invitation.invited_by)
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        assert again(by=invitation.invited_by).pk != invitation.pk

    assert code_of(caught) == "already_invited"


def test_a_pending_organisation_invites_nobody() -> None:
    admin, organisation = make_admin(make_enterprise(status=OrganisationStatus.PENDING))

    with pytest.raises(Refused) as caught:
        invite(organisation=organisation, email=ADDRESS, roles=["member"], by=admin)

    assert code_of(caught) == "not_active"


def test_invitations_have_a_limit(monkeypatch: pytest.MonkeyPatch, sent: Any) -> None:
    monkeypatch.setattr("backend.accounts.own_actions.inviting.MOST_OPEN", 1)
    invitation, _ = sent()

    with pytest.raises(Refused) as caught:
        invite(organisation=invitation.organisation, email="b@acme.example", roles=["member"], by=invitation.invited_by)

    assert code_of(caught) == "too_many"


def test_mail_that_cannot_leave_is_shown(
    django_capture_on_commit_callbacks: Capture, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    admin, organisation = make_admin()
    client = browser(admin)

    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"/organisation/{organisation.pk}/invitations/", {"email": ADDRESS, "roles": ["member"]})

    assert Invitation.objects.get().sent_at is None
    assert b"not sent" in client.get("/organisation/members/").content


def test_sent_again_the_old_link_is_dead(sent: Any, django_capture_on_commit_callbacks: Capture) -> None:
    invitation, old = sent()

    with time_machine.travel(timezone.now() + timedelta(days=20)), django_capture_on_commit_callbacks(execute=True):
        resend_invitation(invitation=invitation, by=invitation.invited_by)
        fresh = Invitation.objects.get(pk=invitation.pk)
        assert not fresh.expired

    assert browser().get(old).status_code == 404
    assert browser().get(link_in_mail("/invitation/")).status_code == 200


def test_withdrawn_it_is_dead(sent: Any) -> None:
    invitation, link = sent()

    revoke_invitation(invitation=invitation, by=invitation.invited_by)

    assert b"This invitation was withdrawn." in browser().get(link).content
    for act in (revoke_invitation, resend_invitation):
        with pytest.raises(Refused) as caught:
            act(invitation=invitation, by=invitation.invited_by)
        assert code_of(caught) == "invitation_closed"


# --- accepting --------------------------------------------------------------------------------------------------------


def test_a_person_takes_the_roles(sent: Any) -> None:
    user = make_user(email=ADDRESS)
    invitation, _ = sent(None, ADDRESS, Role.MEMBER, Role.FINANCE)

    accept_invitation(invitation=invitation, by=user)

    assert access_of(user).roles == {invitation.organisation_id: frozenset({"member", "finance"})}
    assert Entry.objects.latest("pk").action == "invitation.accept"


def test_roles_that_the_person_has_stay_single(sent: Any) -> None:
    invitation, _ = sent(None, ADDRESS, Role.MEMBER, Role.FINANCE)
    user = make_member(invitation.organisation, user=make_user(email=ADDRESS))

    accept_invitation(invitation=invitation, by=user)

    assert sorted(user.memberships.values_list("role", flat=True)) == ["finance", "member"]


def test_a_new_person_gets_a_confirmed_account(sent: Any) -> None:
    invitation, _ = sent()

    user = accept_invitation(invitation=invitation, by=NewPerson(email=ADDRESS, name="Neu", password=PASSWORD))

    assert EmailAddress.objects.get(user=user).verified
    assert access_of(user).has(invitation.organisation_id)


def test_another_mailbox_is_refused(sent: Any) -> None:
    invitation, _ = sent()

    with pytest.raises(Refused) as caught:
        accept_invitation(invitation=invitation, by=make_user())

    assert code_of(caught) == "other_address"
    assert not Membership.objects.filter(user__email=ADDRESS).exists()


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("used", "invitation_used"),
        ("revoked", "invitation_revoked"),
        ("expired", "invitation_expired"),
        ("closed", "organisation_closed"),
    ],
)
def test_a_spent_invitation_is_refused(state: str, code: str, sent: Any) -> None:
    user = make_user(email=ADDRESS)
    invitation, link = sent()
    now, rows = timezone.now(), Invitation.objects.filter(pk=invitation.pk)
    if state == "used":
        rows.update(accepted_at=now, accepted_by=user)
    elif state == "revoked":
        rows.update(revoked_at=now)
    elif state == "expired":
        rows.update(expires_at=now)
    else:
        Organisation.objects.update(status=OrganisationStatus.CLOSED)

    with pytest.raises(Refused) as caught:
        accept_invitation(invitation=invitation, by=user)
    page = browser(user).post(f"{link}accept/")

    assert code_of(caught) == code
    assert page.status_code == 409
    assert b"This invitation cannot be used" in browser().get(link).content
    assert access_of(user).where() == []


@pytest.mark.parallel
def test_a_link_is_used_once(committed: None) -> None:
    admin, organisation = make_admin(make_institution())
    invitation = invite(organisation=organisation, email=ADDRESS, roles=["member", "manager"], by=admin)
    user = make_user(email=ADDRESS)

    outcome = at_once([partial(accept_invitation, invitation=invitation, by=user) for _ in range(6)])

    assert len(outcome.results) == 1
    assert set(outcome.error_counts()) <= {"Refused", "Busy"}
    assert Membership.objects.filter(user=user).count() == 2


# --- pages ------------------------------------------------------------------------------------------------------------


def accept(client: Client, link: str, **data: str) -> Any:
    return client.post(f"{link}accept/", data)


def test_a_new_person_accepts_on_the_page(sent: Any) -> None:
    invitation, link = sent()
    client = browser()

    page = client.get(link)
    wrong = accept(client, link, name="New", password1="short", password2="short")
    right = accept(client, link, name="New", password1=PASSWORD, password2=PASSWORD, email="evil@acme.example")

    assert invitation.organisation.name.encode() in page.content
    assert (wrong.status_code, right.status_code) == (422, 302)
    user = User.objects.get(name="New")
    assert user.email == ADDRESS
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.get("/organisation/").status_code == 200


def test_who_has_an_account_signs_in_first(sent: Any) -> None:
    user = make_user(email=ADDRESS)
    invitation, link = sent()
    client = browser()

    page = client.get(link)
    away = accept(client, link, name="New", password1=PASSWORD, password2=PASSWORD)
    client.force_login(user)
    accepted = accept(client, link)

    assert b"There is an account with this address." in page.content
    assert away["Location"] == f"/account/login/?next={link}"
    assert accepted["Location"] == "/organisation/"
    assert client.session["organisation"] == invitation.organisation_id


def test_somebody_else_is_told_so(sent: Any) -> None:
    _, link = sent()
    client = browser(make_user(email="other@acme.example"))

    assert b"You are signed in as other@acme.example" in client.get(link).content
    assert accept(client, link).status_code == 409


@pytest.mark.parametrize("secret", ["wrong", "扫描", "a" * 400, "%00"])
def test_an_invented_link_is_not_found(secret: str) -> None:
    assert browser().get(f"/invitation/{secret}/").status_code == 404
    assert browser().post(f"/invitation/{secret}/accept/").status_code == 404


def test_guessing_links_is_throttled() -> None:
    answers = [browser().post("/invitation/wrong/accept/").status_code for _ in range(31)]

    assert answers[-2:] == [404, 429]


def test_the_administrator_invites_on_the_page(django_capture_on_commit_callbacks: Capture) -> None:
    admin, organisation = make_admin()
    client, path = browser(admin), f"/organisation/{organisation.pk}/invitations/"

    with django_capture_on_commit_callbacks(execute=True):
        made = client.post(path, {"email": ADDRESS, "roles": ["member", "finance"]})
    listed = client.get("/organisation/members/")
    invitation = Invitation.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        resent = client.post(f"{path}{invitation.pk}/resend/")
    revoked = client.post(f"{path}{invitation.pk}/revoke/")

    assert [answer.status_code for answer in (made, resent, revoked)] == [302, 302, 302]
    assert ADDRESS.encode() in listed.content
    assert len(mail.outbox) == 2
    assert b"Open invitations" not in client.get("/organisation/members/").content


@pytest.mark.parametrize("data", [{}, {"email": ADDRESS}, {"email": "x", "roles": ["member"]}, {"roles": ["member"]}])
def test_a_wrong_invitation_is_not_sent(data: dict[str, Any]) -> None:
    admin, organisation = make_admin()

    answer = browser(admin).post(f"/organisation/{organisation.pk}/invitations/", data)

    assert answer.status_code == 422
    assert not Invitation.objects.exists()


def test_inviting_is_throttled(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "invite": "2/h/user"}
    admin, organisation = make_admin()
    client = browser(admin)

    answers = [client.post(f"/organisation/{organisation.pk}/invitations/", {"email": "x"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [422, 422, 429]


def test_strangers_and_members_do_not_touch_invitations(sent: Any) -> None:
    invitation, _ = sent()
    path = f"/organisation/{invitation.organisation_id}/invitations/"
    stranger, foreign = make_admin()
    member = make_member(invitation.organisation)

    for tail in ("", f"{invitation.pk}/resend/", f"{invitation.pk}/revoke/"):
        assert browser(stranger).post(path + tail).status_code == 404
        assert browser(member).post(path + tail).status_code == 403
        assert browser().post(path + tail)["Location"].startswith("/account/login/")
    assert browser(stranger).post(f"/organisation/{foreign.pk}/invitations/{invitation.pk}/revoke/").status_code == 404
    invitation.refresh_from_db()
    assert invitation.revoked_at is None
