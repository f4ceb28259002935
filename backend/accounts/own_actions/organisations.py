"""An organisation's own data, its groups and its projects."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from backend.accounts.models import Group, Membership, Organisation, OrganisationKind, Project, User
from backend.accounts.rules import abroad_refusals, normalise_uscc, normalise_vat_id, uscc_needs_review, uscc_refusals
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, invalid, refuse

FIELDS = (
    *("name", "name_en", "region", "address", "phone", "email", "bank", "bank_account"),
    *("country", "vat_id", "currency"),
)


@atomic_action
def change_organisation(*, organisation: Organisation, values: Mapping[str, str], by: User) -> Organisation:
    """The data that invoices and the catalogue show. The credit code can be added where there is none, not changed."""
    code = normalise_uscc(values.get("uscc", "") or "")
    # To PostgreSQL all that is unique is a key, here and below.
    same_key = code in ("", organisation.uscc)
    locked = Organisation.objects.select_for_update(no_key=same_key).get(pk=organisation.pk)
    wanted: dict[str, str] = {key: values[key].strip() for key in FIELDS if key in values}
    if not wanted.get("name", locked.name):
        raise invalid("name", _("An organisation needs a name."), "required")
    wanted |= _abroad(wanted, locked)
    if code and code != locked.uscc:
        wanted["uscc"] = _new_code(locked, code)
    before = {key: getattr(locked, key) for key in wanted}
    changed = {key: value for key, value in wanted.items() if before[key] != value}
    if not changed:
        return locked
    for key, value in changed.items():
        setattr(locked, key, value)
    _save(locked, invalid("uscc", _("Another organisation has this code."), "uscc_known"), changed)
    _note(locked, "organisation.change", locked, by=by, before={key: before[key] for key in changed}, after=changed)
    return locked


def _abroad(wanted: Mapping[str, str], organisation: Organisation) -> dict[str, str]:
    """Checked where something about it changes; the currency of an institution is that of its prices and stays."""
    named = {key: wanted.get(key, getattr(organisation, key)) for key in ("country", "vat_id", "currency")}
    now = {
        "country": named["country"].upper(),
        "vat_id": normalise_vat_id(named["vat_id"]),
        "currency": named["currency"].upper(),
    }
    if all(now[key] == getattr(organisation, key) for key in now):
        return now
    refusals = abroad_refusals(**now)
    if refusals:
        raise Invalid(*refusals)
    if now["currency"] != organisation.currency and organisation.kind != OrganisationKind.ENTERPRISE:
        raise refuse("currency_fixed", _("The currency of an institution is that of its prices."), field="currency")
    return now


def _new_code(organisation: Organisation, code: str) -> str:
    if organisation.uscc:
        raise refuse("uscc_fixed", _("The credit code cannot be changed here."), fix_text=_("Ask the network."))
    refusals = uscc_refusals(code)
    if refusals:
        raise Invalid(*refusals)
    if uscc_needs_review(code):
        raise refuse("uscc_review", _("A code that begins with a letter is entered by the network after a review."))
    return code


@atomic_action
def create_group(*, organisation: Organisation, name: str, by: User) -> Group:
    group = Group(organisation=organisation, name=name.strip())
    _save(group, _taken_name())
    _note(organisation, "group.create", group, by=by, after={"name": group.name})
    return group


@atomic_action
def change_group(*, group: Group, name: str, members: Collection[int], active: bool, by: User) -> Group:
    """Rename it, say who belongs to it (ids of members of the organisation), close or reopen it."""
    group = Group.objects.select_for_update(no_key=name.strip() == group.name).get(pk=group.pk)
    here = Membership.objects.filter(organisation=group.organisation_id, ended_at=None, user__in=list(members))
    chosen = sorted(set(here.values_list("user_id", flat=True)))
    before = {"name": group.name, "active": group.active, "members": sorted(group.members.values_list("pk", flat=True))}
    after = {"name": name.strip(), "active": active, "members": chosen}
    if before == after:
        return group
    group.name, group.active = name.strip(), active
    _save(group, _taken_name(), ["name", "active"])
    group.members.set(chosen)
    _note(group.organisation, "group.change", group, by=by, before=before, after=after)
    return group


@atomic_action
def create_project(*, organisation: Organisation, code: str, name: str, group: Group | None, by: User) -> Project:
    _check_group(organisation, group)
    project = Project(organisation=organisation, code=code.strip(), name=name.strip(), group=group)
    _save(project, _taken_code())
    _note(organisation, "project.create", project, by=by, after=_project_words(project))
    return project


@atomic_action
def change_project(*, project: Project, code: str, name: str, group: Group | None, active: bool, by: User) -> Project:
    """Rename, move to another group, close or reopen. What was booked on it stays with it."""
    project = Project.objects.select_for_update(no_key=code.strip() == project.code).get(pk=project.pk)
    _check_group(project.organisation, group)
    before = _project_words(project)
    project.code, project.name, project.group, project.active = code.strip(), name.strip(), group, active
    after = _project_words(project)
    if before == after:
        return project
    _save(project, _taken_code(), ["code", "name", "group", "active"])
    _note(project.organisation, "project.change", project, by=by, before=before, after=after)
    return project


def _check_group(organisation: Organisation, group: Group | None) -> None:
    if group is not None and group.organisation_id != organisation.pk:
        raise invalid("group", _("Choose a group of this organisation."))


def _project_words(project: Project) -> dict[str, object]:
    return {
        "code": project.code,
        "name": project.name,
        "group": project.group.name if project.group else "",
        "active": project.active,
    }


def _taken_name() -> Invalid:
    return invalid("name", _("There is a group of this name already."), "taken")


def _taken_code() -> Invalid:
    return invalid("code", _("There is a project with this number already."), "taken")


def _save(row: models.Model, taken: Invalid, fields: Collection[str] | None = None) -> None:
    """Save; where the database says that a name or code is not unique, say so."""
    try:
        with transaction.atomic():
            row.save(update_fields=fields)
    except IntegrityError:
        raise taken


def _note(
    organisation: Organisation,
    action: str,
    row: models.Model,
    *,
    by: User,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    record(
        organisation_id=organisation.pk,
        actor_id=by.pk,
        action=action,
        object_type=action.split(".")[0],
        object_id=row.pk,
        before=before,
        after=after,
    )
