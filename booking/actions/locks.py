"""Locking the parties that quotas count, in the one order: person, group or project, organisation, instrument."""

from __future__ import annotations

from datetime import datetime

from backend.accounts.models import Group, Organisation, Project, User
from booking.queries.facts import layers_of
from booking.rules.facts import needs
from booking.rules.layers import merge_layers
from instruments.models import Instrument


def lock_parties(
    *,
    user: User,
    group: Group | None,
    project: Project | None,
    organisation: Organisation,
    instrument: Instrument,
    now: datetime,
    act: str = "create",
) -> None:
    """Lock one row per party that a quota of the instrument's policy counts; the instrument is locked by the caller."""
    wanted = set(needs(merge_layers(layers_of(instrument, now), tz=instrument.timezone), act).locks)
    if "person" in wanted:
        User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if "group" in wanted and group is not None:
        Group.objects.select_for_update(no_key=True).filter(pk=group.pk).first()
    if "project" in wanted and project is not None:
        Project.objects.select_for_update(no_key=True).filter(pk=project.pk).first()
    if "organisation" in wanted:
        Organisation.objects.select_for_update(no_key=True).filter(pk=organisation.pk).first()
