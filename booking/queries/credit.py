"""A person's credit, worked out from what happened by the rules in force; a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from backend.accounts.models import Organisation, OrganisationKind, Role, User
from backend.accounts.queries import Access, get_own_organisation
from backend.core.errors import Forbidden, NotFound
from booking.models import Booking, CreditRules, Status, Violation
from booking.rules.credit import Counting, Happening, Score, score
from booking.rules.standing import LIFTED
from booking.rules.violation_names import violation_label

FACT = "person.credit"
APPEAL_DAYS = 14


@dataclass(frozen=True, slots=True)
class CreditOf:
    """A score under the rules of ``institution``; None: of the network."""

    institution: Organisation | None
    rules: CreditRules
    score: Score


def default_rules() -> CreditRules:
    """What the form offers, and by which appeals are open where nobody has written rules."""
    points = {"no_show": 20, "late": 5, "late_cancel": 10, "overtime": 5, "*": 5}
    return CreditRules(version=0, points=points, appeal_days=APPEAL_DAYS)


def versions_of(institution_id: int | None) -> QuerySet[CreditRules]:
    return CreditRules.objects.filter(institution=institution_id).select_related("created_by")


def counting_of(institution_id: int | None, day: date | None = None) -> CreditRules:
    """The rules in force of the institution, else the network's, else the usual ones; one query."""
    found = _in_force([institution_id] if institution_id else [], day or timezone.localdate())
    return found.get(institution_id) or found.get(None) or default_rules()


def _in_force(institutions: Collection[int], day: date) -> dict[int | None, CreditRules]:
    """The newest version of each, and the network's under None."""
    mine = Q(institution=None) | Q(institution__in=institutions)
    rows = CreditRules.objects.filter(mine, valid_from__lte=day).order_by("valid_from", "version")
    return {row.institution_id: row for row in rows.select_related("institution")}


def appeal_days(institutions: Iterable[int | None]) -> dict[int | None, int]:
    """By institution; one query."""
    wanted = set(institutions)
    found = _in_force([pk for pk in wanted if pk], timezone.localdate())
    usual = found.get(None) or default_rules()
    return {pk: (found.get(pk) or usual).appeal_days for pk in wanted}


def credit_of(user: User, now: datetime) -> list[CreditOf]:
    """The network's score first, then that of each institution with rules of its own where something happened.

    Three queries. Nothing where nobody has written rules.
    """
    violations, completed = _happened([user.pk])
    houses = {house for house, _each in violations[user.pk]} | {house for house, _at in completed[user.pk]}
    rules = _in_force([pk for pk in houses if pk], timezone.localdate(now))
    order = sorted(rules.values(), key=lambda each: (each.institution is not None, str(each.institution)))
    return [
        CreditOf(each.institution, each, _score(each, violations[user.pk], completed[user.pk], now)) for each in order
    ]


def credits_for(pairs: Iterable[tuple[int, int]], now: datetime) -> dict[tuple[int, int], int]:
    """By (person, institution), under the institution's rules, else the network's; at most three queries."""
    pairs = set(pairs)
    rules = _in_force({house for _person, house in pairs}, timezone.localdate(now)) if pairs else {}
    if not rules:
        return {}
    violations, completed = _happened({person for person, _house in pairs})
    found = {}
    for person, house in pairs:
        counting = rules.get(house) or rules.get(None)
        if counting is not None:
            found[person, house] = _score(counting, violations[person], completed[person], now).total
    return found


_Violations = list[tuple[int | None, Violation]]
_Completed = list[tuple[int, datetime]]


def _happened(people: Collection[int]) -> tuple[dict[int, _Violations], dict[int, _Completed]]:
    violations: dict[int, _Violations] = defaultdict(list)
    rows = Violation.objects.filter(person__in=people, struck_out_at=None).exclude(name=LIFTED)
    for row in rows.select_related("instrument").order_by("at", "pk"):
        violations[row.person_id or 0].append((row.institution_id, row))
    completed: dict[int, _Completed] = defaultdict(list)
    done = Booking.objects.filter(user__in=people, status=Status.COMPLETED).order_by("end", "pk")
    for person, house, end in done.values_list("user_id", "instrument__institution_id", "end"):
        completed[person].append((house, end))
    return violations, completed


def _score(rules: CreditRules, violations: _Violations, completed: _Completed, now: datetime) -> Score:
    """The network counts everything, an institution what happened in its house."""
    house = rules.institution_id
    since = now - timedelta(days=rules.months * 30.4375) if rules.months else None
    happened = [Happening(row.at, row.name, row) for at, row in violations if house in (None, at)]
    happened += [Happening(end) for at, end in completed if house in (None, at)]
    return score(counting(rules), [each for each in happened if since is None or each.at > since], now=now)


def counting(rules: CreditRules) -> Counting:
    names = ("start", "floor", "ceiling", "completed", "recovery", "recovery_days")
    return Counting(points=rules.points, **{name: getattr(rules, name) for name in names})


def get_credit_holder(access: Access, pk: int | None) -> Organisation:
    """Whose rules the person may edit: the institution as its administrator, the network as an operator."""
    if pk is None:
        if not access.is_operator:
            raise NotFound
        return access.organisations[access.where(Role.OPERATOR)[0]]
    institution = get_own_organisation(access, pk)
    if institution.kind != OrganisationKind.INSTITUTION:
        raise NotFound
    if not access.has(pk, Role.ADMIN):
        raise Forbidden
    return institution


def grouped(score: Score) -> list[dict[str, Any]]:
    """The entries for a page, the latest first; completed bookings in a row become one line."""
    lines: list[dict[str, Any]] = []
    for entry in score.entries:
        last = lines[-1] if lines else None
        if entry.kind == "completed" and last and last["kind"] == "completed":
            points, times = last["points"] + entry.points, last["times"] + 1
            last |= {"points": points, "total": entry.total, "at": entry.at, "times": times}
        else:
            about = {"at": entry.at, "kind": entry.kind, "points": entry.points, "total": entry.total}
            label = violation_label(entry.name) if entry.name else ""
            lines.append({**about, "times": 1, "label": label, "about": entry.about})
    return lines[::-1]
