"""Writers of accounts: a person's own affairs, and what other rooms call. `own_actions` has the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.db import IntegrityError, transaction
from django.db.models import F, JSONField, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Agreement, ApiToken, IdempotencyKey, Role, User, digest_secret, new_secret
from backend.accounts.queries import living_tokens, membership_chain, people_with
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import NotFound, invalid
from backend.outbox.actions import post

MOST_TOKENS = 50
# How long a request may be sent again and is answered with the stored reply.
KEEP_REPLIES = timedelta(hours=48)
AGREEMENT_ENDS_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Who is about to get an account. The password was checked against the rules for passwords."""

    email: str
    name: str
    password: str
    phone: str = ""
    language: str = "zh-hans"


@atomic_action
def create_person(*, person: NewPerson, verified: bool) -> User:
    """An account. ``verified`` says whether the person has shown that the mailbox is theirs."""
    email = person.email.lower()
    if EmailAddress.objects.filter(email=email).exists():
        raise _known_address()
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email, person.password, name=person.name, phone=person.phone, language=person.language
            )
    except IntegrityError:
        raise _known_address()
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=verified)
    return user


@atomic_action
def vouch_for_address(*, user: User) -> None:
    """Note the address of an account that was not made on our pages; it counts as the person's own."""
    if not EmailAddress.objects.filter(user=user).exists():
        EmailAddress.objects.create(user=user, email=user.email.lower(), primary=True, verified=True)


def _known_address() -> Exception:
    return invalid(
        "email", _("There is an account with this address. Please sign in first, then go on here."), "email_known"
    )


@atomic_action
def change_profile(*, user: User, name: str, phone: str, language: str) -> User:
    """The person's own data. An unchanged form writes nothing."""
    wanted = {"name": name, "phone": phone, "language": language}
    before = {key: getattr(user, key) for key in wanted}
    changed = [key for key, value in wanted.items() if before[key] != value]
    if not changed:
        return user
    for key in changed:
        setattr(user, key, wanted[key])
    user.save(update_fields=changed)
    _note(user, "person.change", "user", user.pk, {k: before[k] for k in changed}, {k: wanted[k] for k in changed})
    return user


@atomic_action
def sign_out_everywhere(*, user: User) -> User:
    """End every session of the person at once, this one included; the door may begin a new one."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    UserSession.objects.filter(user=user).delete()
    user.refresh_from_db(fields=["session_epoch"])
    _note(user, "person.sign_out_everywhere", "user", user.pk)
    return user


@atomic_action
def create_token(*, user: User, name: str, days: int | None = None, read_only: bool = False) -> tuple[ApiToken, str]:
    """A token and its secret, which is not stored and cannot be shown again."""
    if living_tokens(user).count() >= MOST_TOKENS:
        raise invalid("name", _("You have %(most)d tokens. Revoke one first.") % {"most": MOST_TOKENS}, "too_many")
    secret = new_secret()
    expires = timezone.now() + timedelta(days=days) if days else None
    token = ApiToken.objects.create(
        user=user, name=name, digest=digest_secret(secret), expires_at=expires, read_only=read_only
    )
    _note(user, "token.create", "token", token.pk, after={"name": name, "expires": expires, "read_only": read_only})
    return token, secret


@atomic_action
def revoke_token(*, token: ApiToken, by: User) -> ApiToken:
    """The token is refused from now on."""
    now = timezone.now()
    if not ApiToken.objects.filter(pk=token.pk, user=by, revoked_at=None).update(revoked_at=now):
        raise NotFound
    token.revoked_at = now
    _note(by, "token.revoke", "token", token.pk, before={"name": token.name})
    return token


def _note(user: User, action: str, kind: str, pk: int, before: Any = None, after: Any = None) -> None:
    """In the chain of the first organisation of theirs; who belongs to none leaves no row."""
    organisation_id = membership_chain(user)
    if organisation_id is not None:
        record(
            organisation_id=organisation_id,
            actor_id=user.pk,
            action=action,
            object_type=kind,
            object_id=pk,
            before=before,
            after=after,
        )


@atomic_action
def once(
    *, user: User, route: str, key: str, body: Any, act: Callable[[], tuple[int, dict[str, Any]]]
) -> tuple[int, dict[str, Any]]:
    """Run ``act`` once per (person, route, key) and answer repetitions with the stored reply.

    ``act`` writes and returns status and JSON; key, body digest and reply are stored in its transaction.
    The same key with another body is `Invalid` (422). Without a key ``act`` simply runs.
    """
    if not key:
        return act()
    if len(key) > 200:
        raise invalid("Idempotency-Key", _("The key may have at most 200 characters."))
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    claimed = _claim(user=user, route=route, key=key, digest=digest)
    if isinstance(claimed, IdempotencyKey):
        if claimed.body_digest != digest:
            raise invalid(
                "Idempotency-Key", _("This key was used for another request. Use a new key for each new request.")
            )
        return claimed.status, claimed.response
    status, response = act()
    response = json.loads(json.dumps(response, default=str))
    # An answer without a body is null in JSON, not the absence of an answer.
    kept = Value(response, JSONField())
    IdempotencyKey.objects.filter(user=user, route=route, key=key).update(status=status, response=kept)
    return status, response


def remind_of_ending_agreements(*, day: date) -> int:
    """Tell the administrators of both sides of contracts that end within a month of ``day``; how many end.

    The key of a message names the contract and its end, so each is told once, however often this runs.
    """
    ending = Agreement.objects.filter(valid_to__gte=day, valid_to__lte=day + AGREEMENT_ENDS_SOON)
    rows = list(ending.select_related("institution", "customer").order_by("valid_to", "pk")[:500])
    for one in rows:
        _tell_of_end(one)
    return len(rows)


@atomic_action
def _tell_of_end(agreement: Agreement) -> None:
    for side, other, path in (
        (agreement.institution, agreement.customer, f"/manage/agreements/{agreement.pk}/"),
        (agreement.customer, agreement.institution, "/organisation/"),
    ):
        post(
            key=f"agreement_ending:{agreement.pk}:{agreement.valid_to}:{side.pk}",
            kind="agreement_ending",
            recipients=people_with(side.pk, [Role.ADMIN]),
            context={
                "number": agreement.number,
                "other": other.name,
                "other_en": other.name_en or other.name,
                "until": str(agreement.valid_to),
            },
            path=path,
        )


def prune_idempotency_keys() -> int:
    """Drop the replies that nobody repeats any more; returns how many rows went."""
    old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEEP_REPLIES)
    return old.delete()[0]


def _claim(*, user: User, route: str, key: str, digest: str) -> IdempotencyKey | None:
    """Insert the key, waiting for a transaction that holds it; the stored row if it was there."""
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(user=user, route=route, key=key, body_digest=digest, status=0, response={})
    except IntegrityError:
        return IdempotencyKey.objects.get(user=user, route=route, key=key)
    return None
