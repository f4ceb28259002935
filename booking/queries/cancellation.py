"""What cancelling would cost now, and whether the rules still allow it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from backend.core.errors import Refusal
from booking.models import Booking
from booking.queries.assess import as_refusal
from booking.queries.earlier import Earlier, aside_of, priced_after
from booking.queries.facts import COUNTED, CountedReads, policy_view
from booking.queries.parties import facts_now
from booking.queries.records import price_record
from booking.queries.wishes import Assessment, Wish, wish_of
from booking.rules.decide import decide
from booking.rules.dependence import broken_by_cancelling
from booking.rules.rulebook import Rulebook, rulebook_of
from instruments.pricing.lines import ChargeLine


@dataclass(frozen=True, slots=True)
class Cancellation:
    """``total`` in the currency of the booking's quote; ``aside`` are lines on other accounts than the invoice's."""

    refusals: tuple[Refusal, ...]
    lines: tuple[ChargeLine, ...]
    total: Decimal
    aside: tuple[ChargeLine, ...] = ()


def cancellation(booking: Booking, *, now: datetime) -> Cancellation:
    """By the policy and the price list that the booking was made under."""
    wish = wish_of(booking)
    book = rulebook_of(booking.policy, tz=booking.instrument.timezone)
    verdict = decide(
        book.asked("cancel"),
        policy_view(booking),
        act="cancel",
        now=now,
        facts=facts_now(booking, book.facts),
        before=policy_view(booking),
    )
    refusals = (*map(as_refusal, verdict.refuse), *_needed(booking, book, now), *of_samples(booking))
    if booking.price_list is None:
        return Cancellation(refusals, (), Decimal("0.00"))
    record = price_record(wish, booking.audience, event="cancel", at=now, uid=str(booking.uid))
    priced = priced_after(wish, booking.price_list, record, uid=booking.uid)
    lines = tuple(line for line in priced.lines if line.account == "invoice" and line.amount)
    return Cancellation(refusals, lines, priced.total(), aside_of(priced))


def fee_at_once(wish: Wish, answer: Assessment, *, now: datetime) -> Decimal:
    """What cancelling would cost right after booking, where the start is so near; without queries."""
    if answer.quote.price_list is None:
        return Decimal("0.00")
    record = price_record(wish, answer.audience, event="cancel", at=now)
    earlier = answer.quote.earlier or Earlier(zone=wish.instrument.zone)
    return earlier.price(answer.quote.price_list, [record]).total()


def of_samples(booking: Booking) -> Iterable[Refusal]:
    """Time that the lab took for samples is the lab's to change."""
    if booking.order_id is not None:
        yield Refusal(
            "time_of_samples",
            _("The lab took this time for your samples; it cannot be changed apart from them."),
            fix_text=_("Write to the lab, or cancel the sample order."),
        )


def _needed(booking: Booking, book: Rulebook, now: datetime) -> Iterable[Refusal]:
    """Other bookings that the rules would not allow without this one; two queries where rules ask for others at all.

    The second reads around each of those that the first found: what they need may lie further away.
    """
    if not book.depends or booking.status not in COUNTED:
        return
    view = policy_view(booking)
    near = CountedReads()
    near.add(book, view, "create", now)
    wider = CountedReads()
    for row in near.rows():
        wider.add(book, row, "create", now)
    rows = {row["id"]: row for row in (*wider.rows(), view)}
    facts = facts_now(booking, book.facts)
    broken = broken_by_cancelling(book.rules, view, now=now, facts=facts, bookings=rows.values())
    for pk in dict.fromkeys(pk for pk, _entry in broken):
        entry = next(entry for other, entry in broken if other == pk)
        yield Refusal(
            "needed_by_other",
            _("Another booking needs this one: %(reason)s") % {"reason": entry.detail},
            params={"booking": pk, "rule": entry.rule_id},
            fix_text=_("Cancel or move that booking first."),
        )
