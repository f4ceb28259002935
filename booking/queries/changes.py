"""What another time of a booking would mean: which change it is, what stands against it, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from backend.accounts.queries import Access
from backend.core.errors import Refusal
from backend.core.money import shown_amount
from booking.models import OCCUPYING, Booking, Status
from booking.queries.assess import assess
from booking.queries.cancellation import cancellation, of_samples
from booking.queries.scope import roles_held
from booking.queries.wishes import Assessment, wish_of
from booking.rules.asking_again import EXTEND
from instruments.models import Mode

MOVE, SHORTEN = "move", "shorten"


@dataclass(frozen=True, slots=True)
class Change:
    """``difference`` is what the new price is more than the old, in the currency of the quote."""

    act: str
    assessed: Assessment
    refusals: tuple[Refusal, ...]
    was: Decimal
    total: Decimal

    @property
    def difference(self) -> Decimal:
        return self.total - self.was

    @property
    def saving(self) -> Decimal:
        return self.was - self.total


def act_of(booking: Booking, start: datetime, end: datetime) -> str:
    """``extend`` or ``shorten`` where the start stays, else ``move``."""
    if start != booking.start or end == booking.end:
        return MOVE
    return EXTEND if end > booking.end else SHORTEN


def proposed(
    booking: Booking, start: datetime, end: datetime, *, now: datetime, by_lab: bool, mover: Access | None = None
) -> Change:
    """The whole answer to ``[start, end)``, for the page that shows it before anything is changed."""
    act = act_of(booking, start, end)
    wish = wish_of(booking).at(start, end)
    assessed = assess(wish, now=now, act=EXTEND if act == EXTEND else "change", before=booking)
    if by_lab and act == MOVE and mover is not None:
        assessed = without_own_agreement(assessed, booking, mover)
    standing = list(stands_against(booking, act, start, end, now=now, by_lab=by_lab))
    more = list(worse_by_lab(booking, assessed, start, end)) if by_lab and act == MOVE else []
    was = Decimal(booking.quote.get("total", "0"))
    # Where the change itself is impossible, what the rules say of the new time does not matter.
    refusals = (*standing, *more) if standing else (*assessed.refusals, *more)
    return Change(act, assessed, refusals, was, assessed.quote.total)


def stands_against(
    booking: Booking, act: str, start: datetime, end: datetime, *, now: datetime, by_lab: bool
) -> Iterable[Refusal]:
    """What holds whatever the rules say of the new time."""
    if not by_lab:
        yield from of_samples(booking)
    if act == EXTEND:
        yield from _against_extending(booking, end, now=now, by_lab=by_lab)
        return
    if act == SHORTEN:
        if end >= booking.end:
            yield Refusal("not_shorter", _("The new end must be earlier than the present one."), field="end")
        if now >= booking.start:
            detail = _(
                "The booked time has begun. Finish the use when you are done: the rest of the time is free then."
            )
            yield Refusal("begun", detail)
    else:
        if (start, end) == (booking.start, booking.end):
            yield Refusal("same_time", _("This is the time that the booking has already."))
        if now >= booking.start:
            yield Refusal("begun", _("The booked time has begun; it cannot be moved any more."))
    if not by_lab and now < booking.start and booking.status == Status.CONFIRMED:
        yield from _against_saving_a_fee(booking, now)


def _against_extending(booking: Booking, end: datetime, *, now: datetime, by_lab: bool) -> Iterable[Refusal]:
    if booking.status != Status.IN_USE and now >= booking.end:
        yield Refusal("over", _("The booked time is over. Its use is logged now, or a no-show recorded."))
    if end <= booking.end:
        yield Refusal("not_longer", _("The new end must be later than the present one."), field="end")
    elif end <= now:
        yield Refusal("past", _("The new end lies in the past."), field="end")
    if by_lab and booking.status != Status.IN_USE and booking.mode == Mode.SELF:
        yield Refusal("longer", _("Before the use has begun, only the customer can make a booking longer."))


def _against_saving_a_fee(booking: Booking, now: datetime) -> Iterable[Refusal]:
    """A customer does not get round a fee for cancelling by giving the time up piece by piece."""
    fee = cancellation(booking, now=now)
    if fee.refusals:
        yield from fee.refusals
    elif fee.total:
        yield Refusal(
            "fee_period",
            _("So late, moving is cancelling: it would cost %(fee)s.")
            % {"fee": shown_amount(fee.total, booking.quote.get("currency", ""))},
            fix_text=_("Cancel and book anew, or ask the lab to move it."),
        )


def without_own_agreement(answer: Assessment, booking: Booking, mover: Access) -> Assessment:
    """Whoever moves for the lab what is confirmed already is not asked for their own agreement once more."""
    if booking.status != Status.CONFIRMED:
        return answer
    given = roles_held(mover, answer.approval.roles, booking.instrument)
    left = tuple(role for role in answer.approval.roles if role not in given)
    return replace(answer, approval=replace(answer.approval, roles=left))


def worse_by_lab(booking: Booking, answer: Assessment, start: datetime, end: datetime) -> Iterable[Refusal]:
    """What the lab may not do to a customer by moving a booking."""
    if end - start > booking.end - booking.start:
        yield Refusal("longer", _("The lab can move a booking, but not make it longer."))
    if answer.quote.total > Decimal(booking.quote.get("total", "0")):
        yield Refusal("dearer", _("At this time the booking would cost the customer more."))


def movable(booking: Booking, now: datetime) -> str:
    """What of its time can be dragged: ``both`` ends, the ``end`` of what has begun, or nothing."""
    if booking.status not in OCCUPYING:
        return ""
    if now < booking.start and booking.status != Status.IN_USE:
        return "both"
    return "end" if booking.status == Status.IN_USE or now < booking.end else ""
