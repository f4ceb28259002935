"""Roles of members, and the end of a membership with all that rested on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from backend.accounts.models import ApiToken, Membership, MembershipQuerySet, Organisation, Role, User
from backend.accounts.queries import SESSION_ORGANISATION, membership_chain
from backend.accounts.rules import ADMINISTRATORS, role_refusals
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, NotFound, invalid, refuse


@atomic_action
def set_roles(*, organisation: Organisation, user: User, roles: Collection[str], by: User) -> list[str]:
    """Make these the member's roles here. At least one stays: `end_membership` ends the last."""
    refusals = role_refusals(organisation.kind, roles)
    if refusals:
        raise Invalid(*refusals)
    here = _lock_roles(organisation, user)
    before = sorted(here.values_list("role", flat=True))
    gone, new = set(before) - set(roles), set(roles) - set(before)
    if not gone and not new:
        return before
    _keep_an_administrator(organisation, user, gone)
    here.filter(role__in=gone).update(ended_at=timezone.now())
    for role in sorted(new):
        Membership.objects.create(user=user, organisation=organisation, role=role)
    if Role.MANAGER in gone:
        _free_instruments(organisation, user)
    _note(organisation, user, "membership.roles", by=by, before={"roles": before}, after={"roles": sorted(roles)})
    return sorted(roles)


@atomic_action
def end_membership(*, organisation: Organisation, user: User, by: User, reason: str = "") -> User:
    """End all roles of the person here, now: with them end the sessions that act for the organisation.

    Rights are read on each request and feeds check them when they are read, so both fall away at once. Who has no
    other organisation is signed out everywhere and loses the API tokens.
    """
    here = _lock_roles(organisation, user)
    before = sorted(here.values_list("role", flat=True))
    _keep_an_administrator(organisation, user, before)
    # A session that chose no organisation acts for the person's first.
    default = membership_chain(user)
    here.update(ended_at=timezone.now())
    _free_instruments(organisation, user)
    for group in user.research_groups.filter(organisation=organisation):
        group.members.remove(user)
    if membership_chain(user) is None:
        tokens = _sign_out(user)
    else:
        tokens = 0
        _end_sessions(user, organisation.pk, default)
    _note(
        organisation,
        user,
        "membership.end",
        by=by,
        before={"roles": before, "name": user.name},
        after={"tokens_revoked": tokens},
        reason=reason,
    )
    return user


@atomic_action
def set_manager_scope(
    *, organisation: Organisation, user: User, everything: bool, instruments: Collection[int], by: User
) -> Membership:
    """Whether a lab manager runs every instrument of the institution or only these (ids of its instruments)."""
    membership = _lock_roles(organisation, user).filter(role=Role.MANAGER).first()
    if membership is None:
        raise refuse("no_manager", _("Only a lab manager has instruments."))
    chosen = set() if everything else set(instruments)
    own = set(organisation.instruments.filter(pk__in=chosen).values_list("pk", flat=True))
    if own != chosen:
        raise NotFound
    if not everything and not chosen:
        raise invalid("instruments", _("Choose at least one instrument, or all of them."), "required")
    named = user.managed_instruments.filter(institution=organisation)
    before = {"all": membership.all_instruments, "instruments": sorted(named.values_list("pk", flat=True))}
    after = {"all": everything, "instruments": sorted(chosen)}
    if before == after:
        return membership
    membership.all_instruments = everything
    membership.save(update_fields=["all_instruments"])
    user.managed_instruments.remove(*named.exclude(pk__in=chosen))
    user.managed_instruments.add(*chosen)
    _note(organisation, user, "membership.instruments", by=by, before=before, after=after)
    return membership


def _lock_roles(organisation: Organisation, user: User) -> MembershipQuerySet:
    """The person's roles here. The organisation's lock keeps two administrators from removing each other."""
    Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    here = Membership.objects.filter(organisation=organisation, user=user, ended_at=None)
    if not here.exists():
        raise NotFound
    return here


def _keep_an_administrator(organisation: Organisation, user: User, gone: Collection[str]) -> None:
    """Somebody must stay who can let others in, and the network needs an operator."""
    others = Membership.objects.filter(organisation=organisation, ended_at=None, user__is_active=True)
    others = others.exclude(user=user)
    for role in ADMINISTRATORS:
        if role in gone and not others.filter(role=role).exists():
            raise refuse(
                "last_admin",
                _("Nobody else has the role “%(role)s” here.") % {"role": Role(role).label},
                fix_text=_("Give the role to somebody else first."),
            )


def _free_instruments(organisation: Organisation, user: User) -> None:
    user.managed_instruments.remove(*user.managed_instruments.filter(institution=organisation))


def _sign_out(user: User) -> int:
    """End all sessions and tokens; returns how many tokens there were."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    for session in UserSession.objects.filter(user=user):
        session.end()
    return ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def _end_sessions(user: User, organisation_id: int, default: int | None) -> None:
    """Those that act for the organisation; sessions for the person's other organisations go on."""
    store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    for session in UserSession.objects.filter(user=user):
        if store(session.session_key).get(SESSION_ORGANISATION, default) == organisation_id:
            session.end()


def _note(
    organisation: Organisation,
    user: User,
    action: str,
    *,
    by: User,
    before: Mapping[str, object],
    after: Mapping[str, object],
    reason: str = "",
) -> None:
    record(
        organisation_id=organisation.pk,
        actor_id=by.pk,
        action=action,
        object_type="member",
        object_id=user.pk,
        before=before,
        after={"user": user.pk, **after},
        reason=reason,
    )
