"""Importing instruments from a table: all rows or none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid
from instruments.actions.catalogue import units_taken
from instruments.actions.checking import wrong_values
from instruments.actions.import_rows import Report, Row, RowChange, column_of, read_rows
from instruments.actions.import_table import problem_at
from instruments.actions.indexing import index_instruments
from instruments.actions.reference import UNKNOWN, load_reference_data
from instruments.models import Instrument, Occupancy, Technique

# So many are named; who mends them meets the others next time.
MOST_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class _Change:
    instrument: Instrument
    fields: list[str]
    techniques: list[int] | None


@atomic_action
def import_instruments(*, institution: Organisation, by: User | None, content: bytes, dry_run: bool = False) -> Report:
    """Create and update (by number at the institution) from CSV or XLSX with a header line.

    Only columns that are there are changed. `Invalid` names every bad cell by line, column and reason, and
    then nothing is imported. ``by`` is None for the command line.
    """
    with transaction.atomic():
        report, changes = _planned(institution, content)
        if report.problems:
            text = _("Nothing was imported. Problems: %(count)s.") % {"count": len(report.problems)}
            raise Invalid(*report.problems[:MOST_PROBLEMS], detail=text)
        if dry_run:
            transaction.set_rollback(True)
            return report
        _write(changes)
    _record(institution, by, report)
    return report


@atomic_action
def preview_import(*, institution: Organisation, content: bytes) -> Report:
    """What `import_instruments` would do, with its problems instead of an exception; writes nothing."""
    with transaction.atomic():
        report, _changes = _planned(institution, content)
        transaction.set_rollback(True)
    return report


@atomic_action
def import_as_seen(*, institution: Organisation, by: User | None, content: bytes, seen: str) -> tuple[Report, bool]:
    """Import exactly what the preview with the fingerprint ``seen`` told; else nothing, and what it would do by now.

    The rows are locked when it is worked out, so that nothing changes between the comparison and the import.
    """
    with transaction.atomic():
        report, changes = _planned(institution, content)
        as_seen = not report.problems and fingerprint(report) == seen
        if as_seen:
            _write(changes)
        else:
            transaction.set_rollback(True)
    if as_seen:
        _record(institution, by, report)
    return report, as_seen


def fingerprint(report: Report) -> str:
    """Stands for everything that an import would do: the same again means the same rows and fields."""
    told = [*report.added, *report.changes]
    words = [(row.line, row.local_no, row.name, row.fields) for row in told]
    return hashlib.sha256(repr((words, len(report.unchanged), len(report.problems))).encode()).hexdigest()[:32]


def _planned(institution: Organisation, content: bytes) -> tuple[Report, list[_Change]]:
    load_reference_data()
    report = Report()
    rows = read_rows(content, report)
    changes = list(_changes(institution, rows, report))
    report.problems.sort(key=lambda problem: int(problem.params["line"]))
    return report, changes


def _changes(institution: Organisation, rows: Iterable[Row], report: Report) -> Iterator[_Change]:
    """What must be written; rows that are already so are left out."""
    rows_there = Instrument.objects.filter(institution=institution).order_by("pk").select_for_update(no_key=True)
    existing = {each.local_no: each for each in rows_there}
    linked = _links(institution)
    busiest = _highest_units(institution)
    keys = dict(Technique.objects.values_list("pk", "key"))
    known_bad = {(problem.params["line"], problem.field) for problem in report.problems}
    for row in rows:
        known = existing.get(row.values.get("local_no", ""))
        instrument = known or _blank(institution, row)
        links = linked.get(instrument.pk, set())
        changed = [name for name, value in row.values.items() if getattr(instrument, name) != value]
        same_links = row.techniques is None or set(row.techniques) == links
        if known is not None and not changed and same_links:
            report.unchanged.append(instrument.local_no)
            continue
        told = [(column_of(name), _told(getattr(instrument, name)), _told(row.values[name])) for name in changed]
        if not same_links:
            told.append(("technique", _named(keys, links), _named(keys, row.techniques or ())))
        for name in changed:
            setattr(instrument, name, row.values[name])
        for refusal in wrong_values(instrument):
            column = column_of(refusal.field)
            if (row.line, column) not in known_bad:
                report.problems.append(problem_at(row.line, column, str(refusal.detail)))
        if instrument.units < busiest.get(instrument.pk, 0):
            report.problems.append(problem_at(row.line, "units", str(units_taken().detail)))
        change = RowChange(row.line, instrument.local_no, instrument.name, [] if known is None else told)
        (report.added if known is None else report.changes).append(change)
        (report.created if known is None else report.updated).append(instrument.local_no)
        yield _Change(instrument, changed, None if same_links and known else row.techniques)


def _blank(institution: Organisation, row: Row) -> Instrument:
    """A new instrument lies where its city says, else where its institution does."""
    city = str(row.values.get("city", "")).removesuffix("市")
    return Instrument(
        institution=institution, region=city or institution.region, timezone=institution.timezone, category_id=UNKNOWN
    )


def _told(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return _("yes") if value else _("no")
        case list():
            return "; ".join(value)
    return str(value)


def _named(keys: dict[int, str], pks: Iterable[int]) -> str:
    return "; ".join(sorted(keys[pk] for pk in pks))


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
    old = [change for change in changes if change.instrument.pk is not None]
    Instrument.objects.bulk_create(new, batch_size=500)
    fields = sorted({name.removesuffix("_id") for change in old for name in change.fields})
    now = timezone.now()
    for change in old:
        change.instrument.updated_at = now
        change.instrument.version += 1
    if old:
        rows = [change.instrument for change in old]
        Instrument.objects.bulk_update(rows, [*fields, "updated_at", "version"], batch_size=200)
    through = Instrument.techniques.through
    relinked = [change for change in changes if change.techniques is not None]
    through.objects.filter(instrument__in=[change.instrument.pk for change in relinked]).delete()
    through.objects.bulk_create(
        through(instrument_id=change.instrument.pk, technique_id=technique)
        for change in relinked
        for technique in dict.fromkeys(change.techniques or ())
    )
    index_instruments(pks=[change.instrument.pk for change in changes])


def _record(institution: Organisation, by: User | None, report: Report) -> None:
    record(
        organisation_id=institution.pk,
        actor_id=by.pk if by else None,
        action="instrument.import",
        object_type="organisation",
        object_id=institution.pk,
        after={"created": report.created, "updated": report.updated, "unchanged": len(report.unchanged)},
    )
