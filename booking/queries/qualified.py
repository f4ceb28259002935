"""What a person may do on an instrument because of trainings: facts for the rules, and lists for pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.functions import Coalesce

from backend.accounts.models import User
from backend.core.prepared import ID, Given, Prepared
from booking.models import Qualification, RequestState, TrainingRequest, Usage
from booking.rules.training import Standing, best_of, standing_of, widest_hours
from instruments.models import Instrument

# Dotted names: a policy that names none of them needs no reading.
FACTS = frozenset(
    f"person.{name}"
    for name in (
        "level", "levels", "trained", "level_since", "qualified_since", "qualified_until", "last_used", "last_use",
        "hours", "hours_allowed", "failed_exams",
    )
)  # fmt: skip


def covering(instrument: Instrument) -> Q:
    """Qualifications that speak of the instrument: its own, those of its trainings and of its group's."""
    rows = Q(instrument=instrument.pk) | Q(course__instruments=instrument.pk)
    return rows | Q(course__group=instrument.group_id) if instrument.group_id else rows


def with_last_use(rows: QuerySet[Qualification]) -> Any:
    """With ``last_used``: when the person last used what the qualification covers, or None."""
    used = Usage.objects.filter(user=OuterRef("user"), corrected_by=None)
    covered = (
        Q(instrument=OuterRef("instrument"))
        | Q(instrument__courses=OuterRef("course"))
        | Q(instrument__group=OuterRef("course__group"))
    )
    last = used.filter(covered).order_by("-start").values("start")[:1]
    return rows.annotate(last_used=Subquery(last))


def standing(qualification: Any, now: datetime) -> Standing:
    """Of a row of `with_last_use`."""
    return standing_of(qualification, qualification.last_used, now)


def qualification_facts(
    user: User, instrument: Instrument, now: datetime, at: datetime | None = None
) -> dict[str, object]:
    """What the rules may ask of a person beside an instrument, as ``person.<name>``; two queries.

    Expired, lapsed and revoked qualifications do not count. What ends before ``at``, when the instrument will be
    used, does not count either; a use in between could still keep it from lapsing.
    """
    known = _KNOWN.objects(user=user.pk, instrument=instrument.pk, group=instrument.group_id)
    standings = {one.pk: standing(one, now) for one in known}
    then = max(now, at or now)
    held = [one for one in known if standings[one.pk].holds and one.holds_until(then)]
    best = best_of(held)
    facts: dict[str, object] = {
        "level": best.level if best else None,
        "levels": [each.level for each in sorted(held, key=lambda one: -one.rank)],
        "trained": best is not None,
        "qualified_since": _since(best, known) if best else None,
        "qualified_until": standings[best.pk].until if best else None,
        "hours_allowed": widest_hours(held),
        **_used(user, instrument),
    }
    return {**facts, "level_since": facts["qualified_since"], "last_use": facts["last_used"]}


def _known() -> Any:
    instrument, group = Given("instrument", ID), Given("group", ID)
    covers = Q(instrument=instrument) | Q(course__instruments=instrument) | Q(course__group=group)
    rows = Qualification.objects.filter(covers, user=Given("user", ID), revoked_at=None)
    return with_last_use(rows.select_related("institution")).distinct()


_KNOWN: Prepared[Qualification] = Prepared(_known)


def _since(best: Qualification, known: list[Qualification]) -> datetime:
    """Since when without a gap: a renewal in time does not begin anew."""
    since = best.granted_at
    older = sorted(
        (one for one in known if one.replaced_at and one.level == best.level), key=lambda one: one.granted_at
    )
    for one in reversed(older):
        unbroken = one.valid_until is None or one.replaced_at is None or one.valid_until >= one.replaced_at
        if one.replaced_at == since and unbroken:
            since = one.granted_at
    return since


def _used(user: User, instrument: Instrument) -> dict[str, object]:
    """The last use of the instrument, hours of use, exams of its trainings that were failed since one was passed."""
    row = _USED.rows(user=user.pk, instrument=instrument.pk, group=instrument.group_id)
    last, spent, exams = next(iter(row), (None, None, 0))
    hours = (spent or timedelta(0)) / timedelta(hours=1)
    return {"last_used": last, "hours": hours, "failed_exams": exams}


def _use() -> Any:
    instrument, group = Given("instrument", ID), Given("group", ID)
    mine = Usage.objects.filter(user=OuterRef("pk"), instrument=instrument, corrected_by=None).order_by()
    length = ExpressionWrapper(F("end") - F("start"), output_field=DurationField())
    total = mine.exclude(end=None).values("user").annotate(total=Sum(length)).values("total")
    covers = Q(course__instruments=instrument) | Q(course__group=group)
    failed = TrainingRequest.objects.filter(covers, user=OuterRef("pk"), state=RequestState.FAILED).order_by()
    counted = failed.values("user").annotate(number=Count("pk", distinct=True)).values("number")
    return User.objects.filter(pk=Given("user", ID)).values_list(
        Subquery(mine.order_by("-start").values("start")[:1]),
        Subquery(total, output_field=DurationField()),
        Coalesce(Subquery(counted, output_field=IntegerField()), 0),
    )


_USED: Prepared[User] = Prepared(_use)
