"""Violations, appeals, suspensions and credit over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.core.api import page_of
from backend.core.errors import invalid
from backend.core.export import Format
from booking.actions import appealing, credit
from booking.api.exports import TABLE
from booking.api.shapes import named
from booking.exports import Download, export_violations
from booking.models import Appeal, CreditRules, Violation
from booking.queries import credit as scores
from booking.queries import violations as queries
from booking.queries.standing import standing_of
from booking.rules.violation_names import violation_label
from booking.violation_schemas import (
    AppealOut,
    Because,
    CreditRulesIn,
    CreditRulesOut,
    DecideAppeal,
    Lift,
    NewViolation,
    StandingOut,
    ViolationFilter,
    ViolationOut,
    ViolationPage,
)
from instruments.queries.rights import get_managed_instrument

router = Router(auth=signed_in, tags=["violations"])


def _iso(at: datetime | None) -> str | None:
    return timezone.localtime(at).isoformat() if at else None


def _named(row: Any) -> dict[str, Any] | None:
    return named(row) if row is not None else None


def appeal_out(appeal: Appeal) -> dict[str, Any]:
    return {
        "id": appeal.pk,
        "state": appeal.state,
        "reason": appeal.reason,
        "made_by": named(appeal.made_by),
        "made_at": _iso(appeal.made_at),
        "answer": appeal.answer,
        "decided_by": _named(appeal.decided_by),
        "decided_at": _iso(appeal.decided_at),
    }


def violation_out(row: Violation) -> dict[str, Any]:
    appeal = getattr(row, "appeal", None)
    return {
        "id": row.pk,
        "name": row.name,
        "label": violation_label(row.name),
        "cause": row.cause,
        "rule": row.rule,
        "at": _iso(row.at),
        "person": _named(row.person),
        "organisation": _named(row.organisation),
        "institution": _named(row.institution),
        "instrument": _named(row.instrument),
        "booking": row.booking_id,
        "recorded_by": _named(row.recorded_by),
        "reason": row.reason,
        "struck_out_at": _iso(row.struck_out_at),
        "appeal": appeal_out(appeal) if appeal else None,
    }


@router.get("/violations", response=ViolationPage, summary="Entries on record, the latest first")
def violations(request: HttpRequest, filters: Query[ViolationFilter]) -> dict[str, Any]:
    mine = access(request)
    rows = queries.desk_violations(mine) if filters.scope == "desk" else queries.own_violations(mine)
    chosen = queries.filtered(
        rows,
        organisation=filters.organisation,
        instrument=filters.instrument,
        name=filters.name,
        state=filters.state,
    )
    return page_of(chosen, filters, violation_out)


@router.post("/violations", response={201: ViolationOut}, summary="Record one by hand")
def record(request: HttpRequest, body: NewViolation) -> Status[dict[str, Any]]:
    mine = access(request)
    booking = queries.booking_to_note(queries.with_desk(mine), body.booking) if body.booking else None
    instrument = get_managed_instrument(mine, body.instrument) if body.instrument else None
    party = queries.person_to_note(mine, instrument, body.email) if body.email and instrument else None
    made = appealing.record_violation(
        by=person(request),
        name=body.name,
        reason=body.reason,
        at=body.at,
        booking=booking,
        person=party.user if party else None,
        organisation=party.organisation if party else None,
        instrument=instrument,
    )
    return Status(201, violation_out(queries.get_violation(mine, made.pk)))


@router.get("/violations/{int:pk}", response=ViolationOut, summary="One of them")
def violation(request: HttpRequest, pk: int) -> dict[str, Any]:
    return violation_out(queries.get_violation(access(request), pk))


@router.post("/violations/{int:pk}/appeal", response={201: AppealOut}, summary="Contest it; once")
def appeal(request: HttpRequest, pk: int, body: Because) -> Status[dict[str, Any]]:
    found = queries.get_own_violation(access(request), pk)
    return Status(201, appeal_out(appealing.appeal_violation(violation=found, by=person(request), reason=body.reason)))


@router.post("/appeals/{int:pk}/decide", response=AppealOut, summary="Uphold or dismiss, with an answer")
def decide(request: HttpRequest, pk: int, body: DecideAppeal) -> dict[str, Any]:
    found = queries.get_appeal_to_run(access(request), pk)
    decided = appealing.decide_appeal(
        violation=found.violation, by=person(request), upheld=body.uphold, answer=body.answer
    )
    return appeal_out(decided)


@router.post("/violations/{int:pk}/strike-out", response=ViolationOut, summary="It counts no more")
def strike_out(request: HttpRequest, pk: int, body: Because) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_violation_to_run(mine, pk)
    appealing.strike_out_violation(violation=found, by=person(request), reason=body.reason)
    return violation_out(queries.get_violation(mine, pk))


@router.post("/standings/lift", response={201: ViolationOut}, summary="End a suspension before its time")
def lift(request: HttpRequest, body: Lift) -> Status[dict[str, Any]]:
    mine = access(request)
    institution = queries.house_to_lift(mine, body.institution)
    party = {"person": body.person, "organisation": body.organisation}
    given = {name: pk for name, pk in party.items() if pk}
    if len(given) != 1:
        raise invalid("person", queries.whose(), "one_of_two")
    made = appealing.lift_standing(
        by=person(request), institution=institution, party=given, rule=body.rule, reason=body.reason
    )
    return Status(201, violation_out(made))


@router.get("/me/standing", response=StandingOut, summary="Your suspensions, counters and credit")
def my_standing(request: HttpRequest) -> dict[str, Any]:
    user, now = person(request), timezone.now()
    stands = standing_of(user, access(request).where(), now)
    return {
        "barred": [
            {
                "code": each.code,
                "since": _iso(each.consequence.start),
                "until": _iso(each.consequence.until),
                "rule": each.consequence.rule_id,
                "layer": each.layer.name.lower(),
                "place": _named(each.place),
                "party": dict(each.party),
            }
            for each in stands.barred
        ],
        "counters": [
            {
                "rule": each.counter.rule_id,
                "layer": each.layer.name.lower(),
                "place": _named(each.place),
                "names": list(each.counter.names),
                "count": float(each.counter.count),
                "limit": float(each.counter.limit) if each.counter.limit is not None else None,
                "window": each.counter.window,
                "next": [action.code for action in each.counter.next_actions],
            }
            for each in stands.counted
        ],
        "credit": [_credit_out(each) for each in scores.credit_of(user, now)],
    }


def _credit_out(each: scores.CreditOf) -> dict[str, Any]:
    entries = each.score.entries
    return {
        "institution": _named(each.institution),
        "version": each.rules.version,
        "score": each.score.total,
        "entries": [
            {"at": _iso(one.at), "kind": one.kind, "name": one.name, "points": one.points, "total": one.total}
            for one in entries
        ],
    }


@router.get("/institutions/{int:pk}/credit-rules", response=CreditRulesOut, summary="How the institution counts credit")
def credit_rules(request: HttpRequest, pk: int) -> CreditRules:
    scores.get_credit_holder(access(request), pk)
    return scores.counting_of(pk)


@router.put("/institutions/{int:pk}/credit-rules", response=CreditRulesOut, summary="A new version")
def save_credit_rules(request: HttpRequest, pk: int, body: CreditRulesIn) -> CreditRules:
    return _save(request, pk, body)


@router.get("/network/credit-rules", response=CreditRulesOut, summary="How the network counts credit")
def network_credit_rules(request: HttpRequest) -> CreditRules:
    scores.get_credit_holder(access(request), None)
    return scores.counting_of(None)


@router.put("/network/credit-rules", response=CreditRulesOut, summary="A new version")
def save_network_credit_rules(request: HttpRequest, body: CreditRulesIn) -> CreditRules:
    return _save(request, None, body)


def _save(request: HttpRequest, pk: int | None, body: CreditRulesIn) -> CreditRules:
    holder = scores.get_credit_holder(access(request), pk)
    values = body.dict(exclude={"valid_from"})
    return credit.save_credit_rules(holder=holder, by=person(request), values=values, valid_from=body.valid_from)


@router.get("/exports/violations.{form}", summary="The lab's entries as a table", openapi_extra=TABLE)
def export(request: HttpRequest, form: Format) -> Download:
    return export_violations(queries.desk_violations(queries.with_desk(access(request))), form)
