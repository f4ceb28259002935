"""Enterprises that register, and what the network decides about them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.actions import NewPerson, create_person
from backend.accounts.models import (
    Membership,
    Organisation,
    OrganisationKind,
    OrganisationStatus,
    Registration,
    RegistrationStatus,
    Role,
    User,
)
from backend.accounts.queries import operators
from backend.accounts.rules import normalise_uscc, uscc_needs_review, uscc_refusals
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refused, invalid, refuse
from backend.outbox.actions import post

FIELDS = ("name", "uscc", "region", "address", "phone", "email", "bank", "bank_account")
MOST_WAITING = 3


@atomic_action
def register_enterprise(*, enterprise: Mapping[str, str], by: User | NewPerson) -> Registration:
    """A pending enterprise with the person as its member and administrator; the network's operators hear of it.

    ``enterprise`` has `FIELDS`. `Refused` (``uscc_known``) if the code belongs to an organisation already.
    """
    values = _checked(enterprise)
    user = create_person(person=by, verified=False) if isinstance(by, NewPerson) else by
    waiting = Registration.objects.filter(user=user, status=RegistrationStatus.PENDING)
    if waiting.count() >= MOST_WAITING:
        raise refuse("too_many", _("Several of your registrations wait already. The network will answer soon."))
    organisation = _store(
        Organisation(
            kind=OrganisationKind.ENTERPRISE,
            status=OrganisationStatus.PENDING,
            code=f"e-{secrets.token_hex(5)}",
            **values,
        )
    )
    for role in (Role.MEMBER, Role.ADMIN):
        Membership.objects.create(user=user, organisation=organisation, role=role)
    registration = Registration.objects.create(
        organisation=organisation,
        user=user,
        uscc=values["uscc"],
        needs_review=uscc_needs_review(values["uscc"]),
        submitted_at=timezone.now(),
    )
    _announce(registration)
    _note(registration, "registration.submit", by=user, after=values)
    return registration


@atomic_action
def change_registration(*, registration: Registration, enterprise: Mapping[str, str], by: User) -> Registration:
    """Complete or correct the data while it waits; after a refusal this submits it again."""
    values = _checked(enterprise)
    locked = _lock(registration)
    if locked.status == RegistrationStatus.CONFIRMED:
        raise _decided()
    organisation = locked.organisation
    again = locked.status == RegistrationStatus.REFUSED
    before = {key: getattr(organisation, key) for key in FIELDS}
    changed = {key: value for key, value in values.items() if before[key] != value}
    if not changed and not again:
        return locked
    for key, value in values.items():
        setattr(organisation, key, value)
    organisation.status = OrganisationStatus.PENDING
    _store(organisation)
    locked.uscc, locked.needs_review = values["uscc"], uscc_needs_review(values["uscc"])
    if again:
        locked.status, locked.submitted_at = RegistrationStatus.PENDING, timezone.now()
        locked.decided_at = locked.decided_by = None
        _announce(locked)
    locked.save()
    action = "registration.submit" if again else "registration.change"
    _note(locked, action, by=by, before={key: before[key] for key in changed}, after=changed)
    return locked


@atomic_action
def confirm_registration(*, registration: Registration, by: User, note: str = "") -> Registration:
    """The enterprise may act from now on. A code that had to be reviewed needs a note on what it was compared with."""
    locked = _lock_waiting(registration, no_key=True)
    if locked.needs_review and not note.strip():
        sentence = _("This code begins with a letter. Note which document you compared it with.")
        raise invalid("note", sentence, "review_note")
    _decide(locked, RegistrationStatus.CONFIRMED, by=by, note=note)
    Organisation.objects.filter(pk=locked.organisation_id).update(status=OrganisationStatus.ACTIVE)
    _answer(locked, "registration_confirmed", path="/")
    _note(locked, "registration.confirm", by=by, before={"status": "pending"}, after={"status": "active"}, reason=note)
    return locked


@atomic_action
def refuse_registration(*, registration: Registration, by: User, reason: str) -> Registration:
    """The person is told why and can correct it; the code is free again for the enterprise itself."""
    if not reason.strip():
        raise invalid("reason", _("Say what is wrong, so that it can be corrected."), "required")
    locked = _lock_waiting(registration)
    _decide(locked, RegistrationStatus.REFUSED, by=by, note=reason)
    Organisation.objects.filter(pk=locked.organisation_id).update(status=OrganisationStatus.CLOSED, uscc=None)
    _answer(locked, "registration_refused", path=f"/register/{locked.pk}/")
    before = {"status": "pending", "uscc": locked.uscc}
    after = {"status": "closed", "uscc": None}
    _note(locked, "registration.refuse", by=by, before=before, after=after, reason=reason)
    return locked


def _checked(enterprise: Mapping[str, str]) -> dict[str, str]:
    values = {key: enterprise.get(key, "").strip() for key in FIELDS}
    values["uscc"] = normalise_uscc(values["uscc"])
    refusals = uscc_refusals(values["uscc"])
    if refusals:
        raise Invalid(*refusals)
    return values


def _store(organisation: Organisation) -> Organisation:
    """The database decides who was first to register a code."""
    try:
        with transaction.atomic():
            organisation.save()
    except IntegrityError:
        raise known_enterprise()
    return organisation


def known_enterprise() -> Refused:
    """Says that the code is known, and nothing about who uses it."""
    return refuse(
        "uscc_known",
        _("This enterprise is registered already."),
        field="uscc",
        fix_text=_("Ask its administrator for an invitation."),
    )


def _lock(registration: Registration, *, no_key: bool = False) -> Registration:
    """``no_key`` where the organisation keeps its credit code, which is a key to PostgreSQL."""
    Organisation.objects.select_for_update(no_key=no_key).get(pk=registration.organisation_id)
    rows = Registration.objects.select_for_update(of=("self",), no_key=True).select_related("organisation")
    return rows.get(pk=registration.pk)


def _lock_waiting(registration: Registration, *, no_key: bool = False) -> Registration:
    locked = _lock(registration, no_key=no_key)
    if locked.status != RegistrationStatus.PENDING:
        raise _decided()
    return locked


def _decided() -> Refused:
    return refuse("decided", _("This registration has been decided already."))


def _decide(registration: Registration, status: str, *, by: User, note: str) -> None:
    registration.status, registration.note = status, note.strip()
    registration.decided_at, registration.decided_by = timezone.now(), by
    registration.save(update_fields=["status", "note", "decided_at", "decided_by"])


def _announce(registration: Registration) -> None:
    post(
        key=f"registration:{registration.pk}:{registration.submitted_at.isoformat()}",
        kind="registration_received",
        recipients=operators(),
        context={"organisation": registration.organisation.name, "uscc": registration.uscc},
        path="/registrations/",
    )


def _answer(registration: Registration, kind: str, *, path: str) -> None:
    decided = registration.decided_at
    post(
        key=f"registration:{registration.pk}:{decided.isoformat() if decided else ''}",
        kind=kind,
        recipients=[registration.user_id],
        context={"organisation": registration.organisation.name, "uscc": registration.uscc, "note": registration.note},
        path=path,
    )


def _note(
    registration: Registration,
    action: str,
    *,
    by: User,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> None:
    record(
        organisation_id=registration.organisation_id,
        actor_id=by.pk,
        action=action,
        object_type="registration",
        object_id=registration.pk,
        before=before,
        after=after,
        reason=reason.strip(),
    )
