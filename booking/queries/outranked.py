"""Whose time a request may take because the rules let it come first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from backend.core.errors import Refusal
from booking.models import Booking, Status
from booking.queries.facts import facts_of, policy_view, request_of
from booking.queries.outages import hit_bookings
from booking.queries.parties import flat
from booking.queries.reads import Reads
from booking.queries.wishes import Assessment, Wish
from booking.rules.kinds.priority import Priority
from booking.rules.model import Policy
from booking.rules.rank import may_displace

COMING = (Status.REQUESTED, Status.CONFIRMED)


def outranked(wish: Wish, answer: Assessment, reads: Reads) -> list[Booking]:
    """The bookings that stand in the way on one unit, where the wish comes before each and lacks nothing else.

    A request that somebody must still approve takes nobody's time. Outages, offers and the lab's own time for samples
    stay. One query, none where no rule speaks of displacing.
    """
    rules = reads.rules[wish.instrument.pk].book.rules
    if not _displaces(rules) or {each.code for each in answer.refusals} != {"taken"} or answer.approval.roles:
        return []
    span = wish.with_buffers()
    rows = {row.occupancy_id: row for row in hit_bookings(wish.instrument, span.start, span.end)}
    request = _ranked(wish, answer, reads)
    taken: dict[int, list[int]] = defaultdict(list)
    for pk, held in reads.times.taken.get(wish.instrument.pk, ()):
        if held.start < span.end and span.start < held.end:
            taken[held.unit].append(pk)
    units = [
        [rows[pk] for pk in pks]
        for _unit, pks in sorted(taken.items())
        if all(pk in rows and _yields(rows[pk], wish, request, rules, reads) for pk in pks)
    ]
    return min(units, key=len, default=[])


def with_outranked(answer: Assessment, wish: Wish, reads: Reads) -> Assessment:
    """The answer that also says which bookings may be displaced."""
    found = outranked(wish, answer, reads)
    if not found:
        return answer
    hint = _("By the rules you come first here: you may displace what is booked. Its customer is told at once.")
    more = {"displaces": sorted(row.pk for row in found)}
    return replace(
        answer,
        refusals=tuple(replace(each, params={**each.params, **more}, fix_text=hint) for each in answer.refusals),
    )


def displaceable(refusals: Collection[Refusal]) -> list[int]:
    """The bookings that a refused wish may displace."""
    return [pk for refusal in refusals for pk in refusal.params.get("displaces", ())]


def _displaces(rules: Policy) -> bool:
    cases = (case.parameters for rule in rules.of_kind("priority") for case in rule.cases)
    return any(isinstance(case, Priority) and case.displace for case in cases)


def _ranked(wish: Wish, answer: Assessment, reads: Reads) -> Mapping[str, Any]:
    facts = facts_of(wish, answer.audience, reads.parties)
    return {**flat(facts), **request_of(wish, answer.audience, made=reads.now)}


def _yields(row: Booking, wish: Wish, request: Mapping[str, Any], rules: Policy, reads: Reads) -> bool:
    """Nobody displaces a time of their own, nor one that has begun."""
    if row.status not in COMING or row.start <= reads.now or row.order_id is not None or row.user_id == wish.user.pk:
        return False
    return may_displace(rules, request, policy_view(row), now=reads.now)
