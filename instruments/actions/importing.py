"""Importing instruments from a table: all rows or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal
from instruments.actions.catalogue import units_taken, wrong_values
from instruments.actions.import_rows import Report, Row, column_of, problem_at, read_rows
from instruments.actions.indexing import index_instruments
from instruments.actions.reference import UNKNOWN, load_reference_data
from instruments.models import Instrument, Occupancy

# So many are named; who mends them meets the others next time.
MOST_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class _Change:
    instrument: Instrument
    fields: list[str]
    techniques: list[int] | None


@atomic_action
def import_instruments(*, institution: Organisation, by: User | None, content: bytes, dry_run: bool = False) -> Report:
    """Create and update (by number at the institution) from CSV with a header line.

    Only columns that are there are changed. `Invalid` names every bad cell by line, column and reason, and
    then nothing is imported. ``by`` is None for the command line.
    """
    with transaction.atomic():
        load_reference_data()
        report = Report()
        rows, problems = read_rows(content, report)
        changes = list(_changes(institution, rows, report, problems))
        if problems:
            text = _("Nothing was imported. Problems: %(count)s.") % {"count": len(problems)}
            raise Invalid(*problems[:MOST_PROBLEMS], detail=text)
        if dry_run:
            transaction.set_rollback(True)
            return report
        _write(changes)
    record(
        organisation_id=institution.pk,
        actor_id=by.pk if by else None,
        action="instrument.import",
        object_type="organisation",
        object_id=institution.pk,
        after={"created": report.created, "updated": report.updated, "unchanged": len(report.unchanged)},
    )
    return report


def _changes(
    institution: Organisation, rows: Iterable[Row], report: Report, problems: list[Refusal]
) -> Iterator[_Change]:
    """What must be written; rows that are already so are left out."""
    existing = {each.local_no: each for each in Instrument.objects.filter(institution=institution).select_for_update()}
    linked = _links(institution)
    busiest = _highest_units(institution)
    known_bad = {(problem.params["line"], problem.field) for problem in problems}
    for row in rows:
        known = existing.get(row.values.get("local_no", ""))
        instrument = known or _blank(institution)
        changed = [name for name, value in row.values.items() if getattr(instrument, name) != value]
        for name in changed:
            setattr(instrument, name, row.values[name])
        for refusal in wrong_values(instrument):
            column = column_of(refusal.field)
            if (row.line, column) not in known_bad:
                problems.append(problem_at(row.line, column, str(refusal.detail)))
        if instrument.units < busiest.get(instrument.pk, 0):
            problems.append(problem_at(row.line, "units", str(units_taken().detail)))
        same_links = row.techniques is None or set(row.techniques) == linked.get(instrument.pk, set())
        if known is not None and not changed and same_links:
            report.unchanged.append(instrument.local_no)
            continue
        (report.created if known is None else report.updated).append(instrument.local_no)
        yield _Change(instrument, changed, None if same_links and known else row.techniques)


def _blank(institution: Organisation) -> Instrument:
    return Instrument(
        institution=institution, region=institution.region, timezone=institution.timezone, category_id=UNKNOWN
    )


def _links(institution: Organisation) -> dict[int, set[int]]:
    out: dict[int, set[int]] = {}
    links = Instrument.techniques.through.objects.filter(instrument__institution=institution)
    for instrument_id, technique_id in links.values_list("instrument_id", "technique_id"):
        out.setdefault(instrument_id, set()).add(technique_id)
    return out


def _highest_units(institution: Organisation) -> dict[int, int]:
    """Per instrument the highest unit that is booked now or later."""
    taken = Occupancy.objects.filter(instrument__institution=institution, end__gt=timezone.now())
    highest = taken.exclude(kind="outage").order_by().values("instrument").annotate(top=Max("unit"))
    return dict(highest.values_list("instrument", "top"))


def _write(changes: list[_Change]) -> None:
    new = [change.instrument for change in changes if change.instrument.pk is None]
    Instrument.objects.bulk_create(new, batch_size=500)
    old = [change for change in changes if change.instrument not in new]
    fields = sorted({name.removesuffix("_id") for change in old for name in change.fields})
    now = timezone.now()
    for change in old:
        change.instrument.updated_at = now
    if old and fields:
        Instrument.objects.bulk_update([change.instrument for change in old], [*fields, "updated_at"], batch_size=500)
    through = Instrument.techniques.through
    relinked = [change for change in changes if change.techniques is not None]
    through.objects.filter(instrument__in=[change.instrument.pk for change in relinked]).delete()
    through.objects.bulk_create(
        through(instrument_id=change.instrument.pk, technique_id=technique)
        for change in relinked
        for technique in dict.fromkeys(change.techniques or ())
    )
    index_instruments(pks=[change.instrument.pk for change in changes])
