"""Instrument groups: which instruments share rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, ProtectedError
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import NotFound, Stale, invalid, refuse
from backend.core.text import has_control_characters
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument, InstrumentGroup

LONGEST_NAME = 80


@atomic_action
def create_group(
    *, institution: Organisation, name: str, by: User, instruments: Iterable[Instrument] = ()
) -> InstrumentGroup:
    """A new group of the institution; instruments that belonged to another leave it."""
    _lock(institution.pk)
    group = InstrumentGroup(institution=institution, name=_checked(name))
    _save(group)
    chosen = {each.pk for each in instruments}
    _gather(group, chosen)
    _record(group, by, "instrument_group.create", {}, {"name": group.name, "instruments": sorted(chosen)})
    return group


@atomic_action
def change_group(
    *,
    group: InstrumentGroup,
    name: str,
    by: User,
    instruments: Iterable[Instrument],
    seen: Collection[int] | None = None,
) -> InstrumentGroup:
    """Another name or other instruments. `Stale` if it no longer holds what the caller has ``seen``."""
    _lock(group.institution_id)
    current = InstrumentGroup.objects.filter(pk=group.pk).select_related("institution").first()
    if current is None:
        raise NotFound
    had = set(current.instruments.values_list("pk", flat=True))
    if seen is not None and set(seen) != had:
        raise Stale
    before = {"name": current.name, "instruments": sorted(had)}
    current.name = _checked(name)
    chosen = {each.pk for each in instruments}
    after = {"name": current.name, "instruments": sorted(chosen)}
    if after == before:
        return current
    _save(current)
    _gather(current, chosen)
    _record(current, by, "instrument_group.change", before, after)
    return current


@atomic_action
def delete_group(*, group: InstrumentGroup, by: User) -> None:
    """Only an empty group without rules: versions of rules are kept for the bookings made under them."""
    _lock(group.institution_id)
    if group.instruments.exists():
        raise refuse("not_empty", _("Take the instruments out of the group first."))
    pk = group.pk
    try:
        with transaction.atomic():
            group.delete()
    except ProtectedError as error:
        text = _("This group has had rules, which are kept for the record. It stays, without instruments.")
        raise refuse("has_rules", text) from error
    record(
        organisation_id=group.institution_id,
        actor_id=by.pk,
        action="instrument_group.delete",
        object_type="instrument_group",
        object_id=pk,
        before={"name": group.name},
    )


def _lock(institution_id: int) -> None:
    Organisation.objects.select_for_update(no_key=True).get(pk=institution_id)


def _checked(name: str) -> str:
    name = " ".join(name.split()) if not has_control_characters(name) else ""
    if not name or len(name) > LONGEST_NAME:
        raise invalid("name", _("Please give a name of at most %(limit)s characters.") % {"limit": LONGEST_NAME})
    return name


def _gather(group: InstrumentGroup, chosen: set[int]) -> None:
    """Exactly these instruments of the institution belong to the group from now on."""
    old = set(Instrument.objects.filter(group=group).values_list("pk", flat=True))
    moved = sorted(old ^ chosen)
    known = lock_instruments(moved)
    if any(each.institution_id != group.institution_id for each in known.values()):
        raise NotFound
    touched = {"version": F("version") + 1, "updated_at": timezone.now()}
    Instrument.objects.filter(pk__in=old - chosen).update(group=None, **touched)
    Instrument.objects.filter(pk__in=chosen - old).update(group=group, **touched)


def _save(group: InstrumentGroup) -> None:
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError as error:
        raise invalid("name", _("The institution has a group of this name."), "name_taken") from error


def _record(group: InstrumentGroup, by: User, action: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    record(
        organisation_id=group.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="instrument_group",
        object_id=group.pk,
        before=before,
        after=after,
    )
