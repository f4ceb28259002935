"""Creating and changing instruments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Membership, Organisation, Role, User
from backend.audit.models import Entry
from backend.core.db import atomic_action
from backend.core.errors import Forbidden, Invalid, Refusal, Refused, Stale, invalid
from instruments.actions.checking import DECIDE_MODES, EDITABLE, check_instrument, local_no_taken
from instruments.actions.indexing import index_instruments
from instruments.actions.noting import record_instrument
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument, Occupancy, Technique

# How far back it is told what others changed meanwhile.
MOST_TOLD = 20


@atomic_action
def create_instrument(
    *,
    institution: Organisation,
    by: User,
    values: Mapping[str, Any],
    techniques: Iterable[Technique] = (),
    managers: Iterable[User] = (),
) -> Instrument:
    """A new instrument. Somebody who manages only chosen instruments manages this one too."""
    instrument = Instrument(institution=institution, region=institution.region, timezone=institution.timezone)
    _assign(instrument, values)
    check_instrument(instrument, modes=True)
    _save(instrument)
    instrument.techniques.set(techniques)
    named = {user.pk for user in managers}
    _check_managers(institution.pk, named)
    if _manages_only_chosen(by, institution.pk):
        named.add(by.pk)
    instrument.managers.set(named)
    index_instruments(pks=[instrument.pk])
    record_instrument(instrument, by, "instrument.create", {}, snapshot(instrument))
    return instrument


@atomic_action
def update_instrument(
    *,
    instrument: Instrument,
    by: User,
    values: Mapping[str, Any],
    techniques: Iterable[Technique] | None = None,
    managers: Iterable[User] | None = None,
    version: int | None = None,
) -> Instrument:
    """Change what ``values`` name. `Stale`, with what changed, if ``version`` is not the present one."""
    current = lock_instruments([instrument.pk])[instrument.pk]
    if version is not None and current.version != version:
        raise stale(current, version)
    before = snapshot(current)
    _assign(current, values)
    check_instrument(current, modes=not DECIDE_MODES.isdisjoint(values))
    _check_units(current, int(before["units"]))
    if managers is not None:
        named = {user.pk for user in managers}
        if named != set(before["managers"]):
            _check_may_name(by, current.institution_id)
        _check_managers(current.institution_id, named - set(before["managers"]))
        current.managers.set(named)
    if techniques is not None:
        current.techniques.set(techniques)
    after = snapshot(current)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return current
    current.version += 1
    _save(current, [*(name for name in EDITABLE if name in changed), "version"])
    index_instruments(pks=[current.pk])
    told = {n: after[n] for n in changed} | {"version": current.version}
    record_instrument(current, by, "instrument.update", {n: before[n] for n in changed}, told)
    return current


def stale(instrument: Instrument, version: int) -> Stale:
    """Somebody changed the instrument since the caller read ``version``: names the fields."""
    entries = Entry.objects.filter(
        organisation_id=instrument.institution_id,
        object_type="instrument",
        object_id=str(instrument.pk),
        action="instrument.update",
    )
    told = entries.order_by("-sequence").values_list("after", flat=True)[:MOST_TOLD]
    newer = [after for after in told if after.get("version", 0) > version]
    names = [name for name in (*EDITABLE, "techniques", "managers") if any(name in after for after in newer)]
    if not names:
        return Stale()
    text = _("Somebody changed this instrument meanwhile: %(fields)s.") % {"fields": ", ".join(map(_label, names))}
    return Stale(Refusal("stale", text, params={"fields": names, "version": instrument.version}))


def _label(name: str) -> str:
    return str(getattr(Instrument._meta.get_field(name.removesuffix("_id")), "verbose_name", name))


def snapshot(instrument: Instrument) -> dict[str, Any]:
    """What the audit record keeps of an instrument."""
    values: dict[str, Any] = {name: getattr(instrument, name) for name in EDITABLE}
    values["techniques"] = sorted(instrument.techniques.values_list("key", flat=True))
    values["managers"] = sorted(instrument.managers.values_list("pk", flat=True))
    return values


def _assign(instrument: Instrument, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name not in EDITABLE:
            raise invalid(name, _("This cannot be changed."), code="unknown_field")
        setattr(instrument, name, value)


def _check_units(instrument: Instrument, before: int) -> None:
    """Units that are taken now or later cannot go away."""
    if instrument.units >= before:
        return
    taken = Occupancy.objects.filter(instrument=instrument, end__gt=timezone.now(), unit__gt=instrument.units)
    if taken.exclude(kind="outage").exists():
        raise Refused(units_taken())


def units_taken() -> Refusal:
    text = _("Bookings lie on units that would disappear. Move or cancel them first.")
    return Refusal("units_taken", text, field="units")


def _check_may_name(by: User, institution_id: int) -> None:
    """Those who manage only chosen instruments do not say who else does."""
    if _manages_only_chosen(by, institution_id):
        raise Forbidden(detail=_("Only administrators and managers of all instruments name the managers of one."))


def _check_managers(institution_id: int, pks: set[int]) -> None:
    people = Membership.objects.current().filter(organisation=institution_id, role=Role.MANAGER)
    if pks - set(people.values_list("user_id", flat=True)):
        raise invalid("managers", _("Only lab managers of the institution can be named."), code="not_a_manager")


def _manages_only_chosen(user: User, institution_id: int) -> bool:
    mine = Membership.objects.current().filter(user=user, organisation=institution_id)
    return not any(
        row.role == Role.ADMIN or (row.role == Role.MANAGER and row.all_instruments)
        for row in mine.filter(role__in=[Role.ADMIN, Role.MANAGER])
    )


def _save(instrument: Instrument, fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            instrument.save(update_fields=None if fields is None else [*fields, "updated_at"])
    except IntegrityError as error:
        # Another transaction took the number after we looked.
        if "local_no" in str(error):
            raise Invalid(local_no_taken()) from error
        raise
