"""What follows when a violation is recorded: who is told, which step of a ladder is reached, what that step does."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import after_commit, atomic_action
from backend.core.periods import clock_words
from backend.outbox.actions import post
from booking.actions.locks import lock_to_cancel
from booking.actions.requesting import SOURCE
from booking.actions.transitions import customers, lock_booking, managers, move, note, tell
from booking.models import Booking, Layer, Reached, Status, Violation
from booking.queries.standing import BARS, reached_by
from booking.rules.results import Consequence
from booking.rules.violation_names import violation_label
from invoices.actions.charges import release_charges

log = logging.getLogger(__name__)

RECORD, DESK = "/account/record/", "/manage/violations/"
COMING = (Status.REQUESTED, Status.CONFIRMED)


def follow_up(violations: Iterable[Violation], *, by: User | None) -> list[Reached]:
    """Tell of each, and store the steps that it reaches; part of the action that recorded it. Repeating is harmless."""
    now, reached = timezone.now(), []
    for violation in violations:
        _tell_recorded(violation)
        reached += _reach(violation, now, by)
    if any(each.done_at is None for each in reached):
        after_commit(carry_out)
    return reached


def _reach(violation: Violation, now: datetime, by: User | None) -> list[Reached]:
    steps: dict[tuple[Layer, str, int], list[Consequence]] = defaultdict(list)
    for layer, each in reached_by(violation, now):
        steps[layer, each.rule_id, each.step].append(each)
    made = [_store(violation, *step, consequences, now) for step, consequences in steps.items()]
    new = [each for each in made if each is not None]
    for reached in new:
        _tell_reached(reached, violation)
        _note_reached(reached, violation, by)
    return new


def _store(
    violation: Violation, layer: Layer, rule: str, step: int, consequences: Sequence[Consequence], now: datetime
) -> Reached | None:
    """None where it is known already."""
    bars = [each for each in consequences if each.code in BARS]
    ends = [each.until for each in bars]
    row = Reached(
        violation=violation,
        institution_id=violation.institution_id,
        rule=rule,
        layer=layer,
        step=step,
        party=dict(consequences[0].party),
        consequences=[
            {"code": each.code, "from": each.start, "until": each.until, **each.values} for each in consequences
        ],
        at=now,
        bars=bool(bars),
        until=None if None in ends else max((end for end in ends if end), default=None),
        done_at=None if any(each.code == "cancel_future" for each in consequences) else now,
    )
    row.consequences = [{name: _plain(value) for name, value in each.items()} for each in row.consequences]
    if Reached.objects.filter(violation=violation, rule=rule, step=step).exists():
        return None
    row.save()
    return row


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


# --- telling ---------------------------------------------------------------------------------------------------------


def theirs(violation: Violation) -> set[int]:
    """Who hears of it on the person's side: they, and the administrators of their organisation."""
    people = {violation.person_id} if violation.person_id else set()
    return people | (set(people_with(violation.organisation_id, [Role.ADMIN])) if violation.organisation_id else set())


def house(violation: Violation) -> set[int]:
    """Who hears of it at the lab."""
    if violation.instrument is not None:
        return managers(violation.instrument)
    return set(people_with(violation.institution_id, [Role.ADMIN])) if violation.institution_id else set()


def words_of(violation: Violation) -> dict[str, Any]:
    """What messages about it say; times by the clock of the instrument."""
    instrument, booking = violation.instrument, violation.booking
    zone = instrument.zone if instrument else timezone.get_default_timezone()
    return {
        "violation": violation.name,
        "violation_word": violation_label(violation.name),
        "person": violation.person.name if violation.person else "",
        "organisation": violation.organisation.name if violation.organisation else "",
        "instrument": instrument.name if instrument else "",
        "instrument_en": (instrument.name_en or instrument.name) if instrument else "",
        "when": clock_words(booking.start, booking.end, zone)
        if booking
        else f"{violation.at.astimezone(zone):%F %H:%M}",
        "at": f"{violation.at.astimezone(zone):%Y-%m-%d %H:%M}",
        "zone": instrument.timezone if instrument else "",
        "booking": violation.booking_id,
    }


def tell_of(
    violation: Violation, kind: str, *, to: Iterable[int], key: str = "", path: str = RECORD, **more: Any
) -> None:
    post(
        key=key or f"{kind}:{violation.pk}",
        kind=kind,
        recipients=set(to),
        context={**words_of(violation), **more},
        path=path,
    )


def _tell_recorded(violation: Violation) -> None:
    tell_of(violation, "violation_recorded", to=theirs(violation), reason=violation.reason)


def _tell_reached(reached: Reached, violation: Violation) -> None:
    zone = violation.instrument.zone if violation.instrument else timezone.get_default_timezone()
    what = [
        {"code": each["code"], "until": f"{datetime.fromisoformat(each['until']).astimezone(zone):%Y-%m-%d %H:%M}"}
        if each.get("until")
        else {"code": each["code"], "until": ""}
        for each in reached.consequences
    ]
    key = f"{violation.pk}:{reached.rule}:{reached.step}"[:150]
    tell_of(violation, "standing_changed", to=theirs(violation), key=f"standing:{key}", what=what)
    lab = _told(reached, violation) | (house(violation) if reached.bars else set())
    tell_of(violation, "standing_changed_lab", to=lab - theirs(violation), key=f"lab:{key}", path=DESK, what=what)


def _told(reached: Reached, violation: Violation) -> set[int]:
    """Whom a step names by ``tell``: roles of the lab, or of the customer (``organisation``)."""
    wanted: set[str] = set()
    for each in reached.consequences:
        if each["code"] == "tell":
            names = each.get("whom") or each.get("role") or "manager"
            wanted |= set(names if isinstance(names, list) else [names])
    people: set[int] = set()
    for name in wanted:
        if name in ("organisation", "customer"):
            people |= set(people_with(violation.organisation_id, [Role.ADMIN])) if violation.organisation_id else set()
        elif name in (Role.ADMIN, Role.FINANCE) and violation.institution_id:
            people |= set(people_with(violation.institution_id, [name]))
        else:
            people |= house(violation)
    return people


def _note_reached(reached: Reached, violation: Violation, by: User | None) -> None:
    assert violation.institution_id is not None  # it happened on an instrument
    record(
        organisation_id=violation.institution_id,
        actor_id=by.pk if by else None,
        action="standing.reach",
        object_type="violation",
        object_id=violation.pk,
        after={
            "rule": reached.rule, "step": reached.step, "person": violation.person_id,
            "consequences": [each["code"] for each in reached.consequences], "until": reached.until,
        },
    )  # fmt: skip


# --- cancelling what is still to come --------------------------------------------------------------------------------


def carry_out() -> int:
    """Every minute, and right after a step was reached: cancel coming bookings where a step says so; how many."""
    cancelled = 0
    for reached in list(Reached.objects.filter(done_at=None).select_related("violation__instrument")[:100]):
        try:
            for booking in list(_coming(reached)):
                cancelled += _cancel_for(reached=reached, booking=booking)
            Reached.objects.filter(pk=reached.pk).update(done_at=timezone.now())
        except Exception:
            # The next minute tries again; others are not held up.
            log.exception("step %s could not be carried out", reached.pk)
    return cancelled


def _coming(reached: Reached) -> Iterable[Booking]:
    """Of the party, where the ladder's layer holds; what has begun stays."""
    columns = {"person": "user", "group": "group", "project": "project", "organisation": "organisation"}
    party = {columns[name]: pk for name, pk in reached.party.items() if name in columns}
    instrument = reached.violation.instrument
    if not party or instrument is None:
        return []
    places: dict[int, Q] = {
        Layer.NETWORK: Q(),
        Layer.INSTITUTION: Q(instrument__institution=instrument.institution_id),
        Layer.GROUP: Q(instrument__group=instrument.group_id, instrument__institution=instrument.institution_id),
        Layer.INSTRUMENT: Q(instrument=instrument.pk),
    }
    rows = Booking.objects.filter(places[reached.layer], status__in=COMING, start__gt=timezone.now(), **party)
    related = ("instrument__institution", "organisation", "user", "made_by", "project", "group", "occupancy")
    return rows.select_related(*related).order_by("instrument_id", "pk")


@atomic_action
def _cancel_for(*, reached: Reached, booking: Booking) -> int:
    """Free of charge; it is no violation of its own."""
    lock_to_cancel(booking)
    booking = lock_booking(booking)
    if booking.status not in COMING or booking.start <= timezone.now():
        return 0
    with translation.override(booking.user.language):
        reason = _("Cancelled by the rules: %(name)s") % {"name": violation_label(reached.violation.name)}
    before = booking.status
    to = Status.REJECTED if before == Status.REQUESTED else Status.CANCELLED
    move(booking, to, at=timezone.now(), hold_expires_at=None, reason=reason, excused=to == Status.CANCELLED)
    release_charges(source=SOURCE, source_uid=booking.uid)
    people = customers(booking) | managers(booking.instrument)
    if to == Status.CANCELLED:
        tell(booking, "booking_cancelled", to=people, fee="0.00", by_lab=True)
    else:
        tell(booking, "booking_rejected", to=people)
    note(booking, "booking.cancel", by=None, before=before, reason=reason, fee="0.00", violation=reached.violation_id)
    return 1
