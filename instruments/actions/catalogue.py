"""Creating and changing instruments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Membership, Organisation, Role, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal, Refused, Stale, invalid
from backend.core.text import has_control_characters
from instruments.actions.indexing import index_instruments
from instruments.actions.occupancy import lock_instruments
from instruments.models import Category, Instrument, InstrumentGroup, Occupancy, Sharing, Technique

# What people may change. The institution is fixed when an instrument is created.
EDITABLE = (
    "local_no", "name", "name_en", "category_id", "group_id", "manufacturer", "model", "nation", "source", "worth",
    "begin_date", "technical", "function", "service_content", "requirement", "department", "region", "address",
    "contact_name", "contact_phone", "contact_email", "condition", "sharing", "mode_self", "mode_operator",
    "mode_sample", "units", "timezone", "open_on_holidays", "setup_minutes", "cleaning_minutes", "hold_hours",
    "check_in", "no_show_grace",
)  # fmt: skip
_DECIDE_MODES = {"sharing", "mode_self", "mode_operator", "mode_sample"}
LONGEST_TEXT = 20_000
LONGEST_BUFFER = 24 * 60


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
    _record(instrument, by, "instrument.create", {}, snapshot(instrument))
    return instrument


@atomic_action
def update_instrument(
    *,
    instrument: Instrument,
    by: User,
    values: Mapping[str, Any],
    techniques: Iterable[Technique] | None = None,
    managers: Iterable[User] | None = None,
    seen: datetime | None = None,
) -> Instrument:
    """Change what ``values`` name. `Stale` if the instrument changed after ``seen``; nothing to change is fine."""
    current = lock_instruments([instrument.pk])[instrument.pk]
    if seen is not None and current.updated_at != seen:
        raise Stale
    before = snapshot(current)
    _assign(current, values)
    check_instrument(current, modes=not _DECIDE_MODES.isdisjoint(values))
    _check_units(current, int(before["units"]))
    if managers is not None:
        named = {user.pk for user in managers}
        _check_managers(current.institution_id, named - set(before["managers"]))
        current.managers.set(named)
    if techniques is not None:
        current.techniques.set(techniques)
    after = snapshot(current)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return current
    _save(current, [name for name in EDITABLE if name in changed])
    index_instruments(pks=[current.pk])
    _record(current, by, "instrument.update", {n: before[n] for n in changed}, {n: after[n] for n in changed})
    return current


def check_instrument(instrument: Instrument, *, modes: bool = False) -> None:
    """Every field, and what it refers to; `Invalid` with all that is wrong.

    ``modes``: somebody decides about them. Imports may leave them for later, and then other fields can be changed.
    """
    problems = [*wrong_values(instrument), *_wrong_relations(instrument)]
    if modes and instrument.sharing != Sharing.NONE and not instrument.modes:
        problems.append(without_mode())
    if problems:
        raise Invalid(*problems)


def without_mode() -> Refusal:
    text = _("Choose at least one mode of use, or set the sharing to “Not shared”.")
    return Refusal("no_mode", text, field="modes")


def wrong_values(instrument: Instrument) -> list[Refusal]:
    """What is wrong with the fields themselves; no query."""
    problems = [*_wrong_fields(instrument), *_wrong_texts(instrument)]
    if instrument.timezone not in _zones():
        problems.append(Refusal("unknown_zone", _("This time zone does not exist."), field="timezone"))
    for name in ("setup_minutes", "cleaning_minutes"):
        value = getattr(instrument, name)
        if isinstance(value, int) and value > LONGEST_BUFFER:
            problems.append(Refusal("too_long", _("At most one day (1440 minutes)."), field=name))
    return problems


@cache
def _zones() -> frozenset[str]:
    """The zones that exist; reads the disk, so only once."""
    return frozenset(available_timezones())


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


def _wrong_fields(instrument: Instrument) -> list[Refusal]:
    # Relations come as rows that were fetched, and the constraints are checked below in words of their own.
    relations = {"institution", "category", "group", "techniques", "managers"}
    try:
        instrument.clean_fields(exclude=relations)
    except ValidationError as error:
        return [
            Refusal(getattr(one, "code", None) or "invalid", " ".join(one.messages), field=name)
            for name, errors in error.error_dict.items()
            for one in errors
        ]
    return []


def _wrong_relations(instrument: Instrument) -> Iterator[Refusal]:
    same = Instrument.objects.filter(institution=instrument.institution_id, local_no=instrument.local_no)
    if not has_control_characters(instrument.local_no) and same.exclude(pk=instrument.pk).exists():
        yield _local_no_taken()
    code = str(instrument.category_id or "")
    if has_control_characters(code) or not Category.objects.filter(pk=code).exists():
        yield Refusal("unknown_category", _("This category does not exist."), field="category")
    groups = InstrumentGroup.objects.filter(institution=instrument.institution_id)
    if instrument.group_id is not None and not groups.filter(pk=instrument.group_id).exists():
        yield Refusal("unknown_group", _("This group does not exist at the institution."), field="group")


def _wrong_texts(instrument: Instrument) -> list[Refusal]:
    out = []
    for name in EDITABLE:
        value = getattr(instrument, name)
        if not isinstance(value, str):
            continue
        if has_control_characters(value):
            text = _("The text contains characters that cannot be stored or shown.")
            out.append(Refusal("control_characters", text, field=name))
        if len(value) > LONGEST_TEXT:
            text = _("At most %(limit)s characters.") % {"limit": LONGEST_TEXT}
            out.append(Refusal("too_long", text, field=name, params={"limit": LONGEST_TEXT}))
    return out


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


def _check_managers(institution_id: int, pks: set[int]) -> None:
    people = Membership.objects.current().filter(organisation=institution_id, role__in=[Role.MANAGER, Role.ADMIN])
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
            raise Invalid(_local_no_taken()) from error
        raise


def _local_no_taken() -> Refusal:
    text = _("Another instrument of the institution has this number.")
    return Refusal("local_no_taken", text, field="local_no")


def _record(instrument: Instrument, by: User, action: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    record(
        organisation_id=instrument.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="instrument",
        object_id=instrument.pk,
        before=before,
        after=after,
    )
