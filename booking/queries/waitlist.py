"""Who waits for an instrument, in which order and why; what a person waits for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from backend.accounts.models import Membership, Role
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden
from booking.models import OPEN_WAITS, Wait, WaitStatus
from booking.queries.facts import facts_of, request_of, rules_in_force
from booking.queries.parties import flat, read_parties
from booking.queries.wishes import Wish
from booking.rules.places import reasons
from booking.rules.rank import rank
from booking.rules.sentences import describe
from instruments.models import Instrument
from instruments.queries.rights import managed_instruments

# How long ended waits stay in the list.
KEPT = timedelta(days=30)


def wish_of_wait(wait: Wait, start: datetime, end: datetime) -> Wish:
    """What they would book if they got ``[start, end)``."""
    return Wish(
        instrument=wait.instrument,
        start=start,
        end=end,
        mode=wait.mode,
        organisation=wait.organisation,
        user=wait.user,
        samples=wait.samples,
        parameters=wait.parameters,
        project=wait.project,
        group=wait.group,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """A wait and its place; ``why`` says, for each rule of priority, to which of its classes it belongs."""

    wait: Wait
    place: int
    why: tuple[str, ...] = ()


def standings(instrument: Instrument, waits: Iterable[Wait], now: datetime, *, explain: bool = False) -> list[Standing]:
    """In the order in which they are served: the rules of priority, then who joined first.

    The number of queries does not grow with the list.
    """
    book = rules_in_force([instrument], now)[instrument.pk].book
    rows = sorted(waits, key=_joined)
    if not book.rules.of_kind("priority"):
        return [Standing(wait, place) for place, wait in enumerate(rows, 1)]
    # As the rules see them: for the beginning of what they wait for.
    wishes = {wait.pk: wish_of_wait(wait, wait.start, wait.start + wait.length) for wait in rows}
    parties = read_parties(wishes.values(), {instrument.pk: book.facts}, now)
    known = {}
    for wait in rows:
        wish = wishes[wait.pk]
        audience = parties.audience(wish)
        request = {**request_of(wish, audience, made=wait.joined_at), "id": wait.pk}
        known[wait.pk] = (wait, request, facts_of(wish, audience, parties))
    out = []
    for each in rank(book.rules, [{**request, **flat(facts)} for _wait, request, facts in known.values()], now=now):
        wait, request, facts = known[each.id]
        why = reasons(book.rules, request, now=now, facts=facts) if explain else ()
        out.append(Standing(wait, each.place, tuple(why)))
    return out


def _joined(wait: Wait) -> tuple[datetime, int]:
    return wait.joined_at, wait.pk


def places(ordered: Iterable[Wait]) -> dict[int, tuple[int, int]]:
    """``(place, of how many)`` of each among those who want some of the same time."""
    rows = list(ordered)
    out = {}
    for number, wait in enumerate(rows):
        rivals = [n for n, other in enumerate(rows) if other.start < wait.end and wait.start < other.end]
        out[wait.pk] = (1 + sum(n < number for n in rivals), len(rivals))
    return out


# --- lists and single rows -------------------------------------------------------------------------------------------


def _of_person(access: Access) -> Q:
    """Their own, and all of an organisation for its administrator."""
    if access.user_id is None:
        return Q(pk__in=())
    return Q(organisation__in=access.where(Role.ADMIN)) | Q(organisation__in=access.where(), user=access.user_id)


def _full(rows: QuerySet[Wait]) -> QuerySet[Wait]:
    return rows.select_related(
        "instrument__institution", "organisation", "user", "group", "project", "occupancy", "booking"
    )


def own_waits(access: Access) -> QuerySet[Wait]:
    """The latest first."""
    return _full(Wait.objects.filter(_of_person(access))).order_by("-joined_at", "-pk")


def recent_waits(access: Access, now: datetime) -> QuerySet[Wait]:
    """The person's own: those that may still get a time, and the others of a month."""
    mine = own_waits(access).filter(user=access.user_id)
    return mine.filter(Q(status__in=OPEN_WAITS) | Q(changed_at__gt=now - KEPT)).order_by("start", "pk")


def offers_to(access: Access, now: datetime) -> QuerySet[Wait]:
    """What the person can accept now; the one that ends first on top."""
    rows = own_waits(access).filter(user=access.user_id, status=WaitStatus.OFFERED, offer_until__gt=now)
    return rows.order_by("offer_until", "pk")


def open_waits(instrument: Instrument) -> QuerySet[Wait]:
    """Who waits for the instrument, and who has an offer."""
    return _full(Wait.objects.filter(instrument=instrument, status__in=OPEN_WAITS)).order_by("joined_at", "pk")


def past_waits(instrument: Instrument, now: datetime) -> QuerySet[Wait]:
    """How the others of a month ended; the latest first."""
    rows = Wait.objects.filter(instrument=instrument, changed_at__gt=now - KEPT).exclude(status__in=OPEN_WAITS)
    return _full(rows).order_by("-changed_at", "-pk")


def get_wait(access: Access, pk: int) -> Wait:
    """Of the person, or of an instrument that they manage."""
    managed = Q(instrument__in=managed_instruments(access).values("pk"))
    return one(_full(Wait.objects.filter(_of_person(access) | managed)), pk)


def get_own_wait(access: Access, pk: int) -> Wait:
    """One that the person may answer; 403 for the lab that only sees it."""
    wait = get_wait(access, pk)
    if not own_waits(access).filter(pk=pk).exists():
        raise Forbidden
    return wait


def belonging(waits: Iterable[Wait]) -> set[int]:
    """Of which waits the person still belongs to the organisation; one query."""
    rows = list(waits)
    parties = set(
        Membership.objects.current()
        .filter(user__in=[wait.user_id for wait in rows], organisation__in=[wait.organisation_id for wait in rows])
        .values_list("user_id", "organisation_id")
    )
    return {wait.pk for wait in rows if (wait.user_id, wait.organisation_id) in parties}


def priority_rules(instrument: Instrument, now: datetime) -> list[str]:
    """The rules that order the waitlist, in words; empty where it is only who joined first."""
    rules = rules_in_force([instrument], now)[instrument.pk].book.rules
    ordering = {rule.id for rule in rules.of_kind("priority")}
    return [text for identity, text in describe(rules) if identity in ordering]
