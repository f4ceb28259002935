"""Invitations: sent by an organisation's administrator, accepted by whoever reads the mailbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.actions import NewPerson, create_person
from backend.accounts.models import (
    INVITATION_LIFE,
    Invitation,
    Membership,
    Organisation,
    OrganisationStatus,
    Role,
    User,
    digest_secret,
    new_secret,
)
from backend.accounts.rules import invitation_refusals, role_refusals, same_mailbox
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refused, refuse

MOST_OPEN = 200


@atomic_action
def invite(*, organisation: Organisation, email: str, roles: Collection[str], by: User) -> Invitation:
    """Offer the roles to the address; the mail leaves after commit, and only it has the link."""
    email = email.strip().lower()
    refusals = role_refusals(organisation.kind, roles)
    if refusals:
        raise Invalid(*refusals)
    locked = Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    if locked.status != OrganisationStatus.ACTIVE:
        raise refuse("not_active", _("Your organisation has not been confirmed yet."))
    _refuse_double(locked, email)
    secret = new_secret()
    invitation = Invitation.objects.create(
        organisation=locked,
        email=email,
        roles=_ordered(roles),
        digest=digest_secret(secret),
        invited_by=by,
        expires_at=timezone.now() + INVITATION_LIFE,
    )
    _send_after_commit(invitation, secret)
    _note(invitation, "invitation.create", by=by, after={"email": email, "roles": invitation.roles})
    return invitation


@atomic_action
def resend_invitation(*, invitation: Invitation, by: User) -> Invitation:
    """A new link for another fourteen days; the old link is dead, because only its digest was kept."""
    secret = new_secret()
    _change_open(
        invitation,
        digest=digest_secret(secret),
        expires_at=timezone.now() + INVITATION_LIFE,
        sent_at=None,
    )
    _send_after_commit(invitation, secret)
    _note(invitation, "invitation.resend", by=by, after={"email": invitation.email})
    return invitation


@atomic_action
def revoke_invitation(*, invitation: Invitation, by: User) -> Invitation:
    """The link is dead at once."""
    _change_open(invitation, revoked_at=timezone.now())
    _note(invitation, "invitation.revoke", by=by, before={"email": invitation.email, "roles": invitation.roles})
    return invitation


@atomic_action
def accept_invitation(*, invitation: Invitation, by: User | NewPerson) -> User:
    """Take the roles; a new person gets an account for the invited address. Works once."""
    if not same_mailbox(by.email, invitation.email):
        raise refuse(
            "other_address",
            _("This invitation was sent to another address than that of your account."),
            fix_text=_("Sign in with the invited address, or ask for an invitation to yours."),
        )
    now = timezone.now()
    waiting = Invitation.objects.select_for_update(of=("self",), no_key=True).select_related("organisation")
    locked = waiting.get(pk=invitation.pk)
    refusals = invitation_refusals(locked, now=now)
    if refusals:
        raise Refused.because(refusals)
    user = create_person(person=by, verified=True) if isinstance(by, NewPerson) else by
    # The link was read in this mailbox.
    EmailAddress.objects.filter(user=user, email=locked.email).update(verified=True)
    added = _give_roles(locked, user)
    locked.accepted_at, locked.accepted_by = now, user
    locked.save(update_fields=["accepted_at", "accepted_by"])
    _note(locked, "invitation.accept", by=user, after={"user": user.pk, "name": user.name, "roles": added})
    return user


def _give_roles(invitation: Invitation, user: User) -> list[str]:
    here = Membership.objects.filter(user=user, organisation=invitation.organisation, ended_at=None)
    has = set(here.values_list("role", flat=True))
    added = [role for role in invitation.roles if role not in has]
    for role in added:
        Membership.objects.create(user=user, organisation=invitation.organisation, role=role)
    return added


def _refuse_double(organisation: Organisation, email: str) -> None:
    here = Membership.objects.filter(organisation=organisation, ended_at=None, user__is_active=True)
    if here.filter(user__email=email).exists():
        raise refuse("already_member", _("This person is a member already."), field="email")
    waiting = Invitation.objects.open().filter(organisation=organisation)
    waiting.filter(email=email, expires_at__lte=timezone.now()).update(revoked_at=timezone.now())
    if waiting.filter(email=email).exists():
        sentence = _("This address has an invitation that is still good.")
        raise refuse("already_invited", sentence, field="email", fix_text=_("Send it again from the list below."))
    if waiting.count() >= MOST_OPEN:
        raise refuse("too_many", _("Too many invitations are open. Withdraw those that nobody needs."))


def _change_open(invitation: Invitation, **changes: object) -> None:
    if not Invitation.objects.open().filter(pk=invitation.pk).update(**changes):
        raise refuse("invitation_closed", _("This invitation has been accepted or withdrawn already."))
    for name, value in changes.items():
        setattr(invitation, name, value)


def _ordered(roles: Collection[str]) -> list[str]:
    return [role for role in Role.values if role in roles]


def _send_after_commit(invitation: Invitation, secret: str) -> None:
    """Not by the outbox: it would keep the secret. What could not be sent is shown, and can be sent again."""
    language = translation.get_language()

    def send() -> None:
        _send(invitation.pk, secret, language)

    transaction.on_commit(send, robust=True)


def _send(invitation_id: int, secret: str, language: str | None) -> None:
    invitation = Invitation.objects.select_related("organisation", "invited_by").get(pk=invitation_id)
    known = User.objects.filter(email=invitation.email).first()
    with translation.override(known.language if known else language):
        context = {
            "invitation": invitation,
            "organisation": invitation.organisation.label(translation.get_language() or ""),
            # Texts: a list of lazy ones cannot be joined in a template.
            "roles": [str(Role(role).label) for role in invitation.roles],
            "url": f"{settings.SITE_URL}/invitation/{secret}/",
        }
        subject = " ".join(render_to_string("accounts/mail/invitation.subject.txt", context).split())
        body = render_to_string("accounts/mail/invitation.body.txt", context)
    EmailMessage(subject=subject, body=body, to=[invitation.email]).send()
    Invitation.objects.filter(pk=invitation.pk).update(sent_at=timezone.now())


def _note(
    invitation: Invitation,
    action: str,
    *,
    by: User,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    record(
        organisation_id=invitation.organisation_id,
        actor_id=by.pk,
        action=action,
        object_type="invitation",
        object_id=invitation.pk,
        before=before,
        after=after,
    )
