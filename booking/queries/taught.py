"""What the rules say to a training that somebody asks for (act ``train``) and to the level it gives (``qualify``)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from backend.accounts.models import Organisation, User
from backend.core.errors import Refusal
from booking.models import Course, TrainingSession
from booking.queries.assess import as_refusal
from booking.queries.facts import InForce, facts_of, rules_in_force
from booking.queries.parties import read_parties
from booking.queries.recorded import stored_events
from booking.queries.training import covered_instruments
from booking.queries.wishes import Wish
from booking.rules.decide import decide
from booking.rules.kinds.ladder import Ladder
from booking.rules.model import Policy
from booking.rules.walking import parts_of
from instruments.models import Mode

TRAIN, QUALIFY = "train", "qualify"
HOUR = timedelta(hours=1)


def training_refusals(
    course: Course,
    user: User,
    organisation: Organisation,
    *,
    acts: Collection[str],
    now: datetime,
    session: TrainingSession | None = None,
) -> list[Refusal]:
    """By the rules of the instruments that it covers; of those under equal rules the first speaks for all.

    The request has the fields ``course`` and ``level``, and ``start`` and ``end`` where a session is named. Two queries
    where no rule speaks of these acts.
    """
    instruments = {row.pk: row for row in covered_instruments(course).select_related("institution", "group")}
    books = rules_in_force(instruments.values(), now)
    found: dict[tuple[str, str], Refusal] = {}
    seen: set[int] = set()
    for pk, instrument in instruments.items():
        in_force = books[pk]
        if id(in_force.book) in seen or not any(_speaks(in_force.book.rules, act) for act in acts):
            continue
        seen.add(id(in_force.book))
        start, end = (session.start, session.end) if session else (now, now + HOUR)
        wish = Wish(instrument, start, end, Mode.SELF, organisation, user)
        for act in acts:
            for refusal in _refusals(wish, course, in_force, act, now, dated=session is not None):
                found.setdefault((refusal.code, str(refusal.detail)), refusal)
    return list(found.values())


def _refusals(wish: Wish, course: Course, in_force: InForce, act: str, now: datetime, *, dated: bool) -> list[Refusal]:
    book, instrument = in_force.book, wish.instrument
    parties = read_parties([wish], {instrument.pk: book.facts}, now)
    audience = parties.audience(wish)
    request: dict[str, Any] = {
        "person": wish.user.pk,
        "organisation": wish.organisation.pk,
        "instrument": instrument.pk,
        "audience": audience,
        "course": course.pk,
        "level": course.level,
        **({"start": wish.start, "end": wish.end} if dated else {}),
    }
    events = stored_events([(in_force, request)], act).counting(instrument, in_force)
    facts = facts_of(wish, audience, parties)
    return [*map(as_refusal, decide(book.rules, request, act=act, now=now, facts=facts, events=events).refuse)]


def _speaks(rules: Policy, act: str) -> bool:
    """Whether any rule is asked for the act, or any ladder bars it."""
    if any(rule.applies_to(act) for rule in rules.rules if rule.kind != "ladder"):
        return True
    ladders = (part for part in parts_of(rules.of_kind("ladder")) if isinstance(part, Ladder))
    return any(act in action.acts for part in ladders for step in part.steps for action in step.actions)
