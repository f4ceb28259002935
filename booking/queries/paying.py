"""Whether a wish can be paid for: the prepaid account, the customer's own agreement, the project's budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backend.core.errors import Refusal
from backend.core.money import ZERO, format_amount, shown_amount
from booking.models import Booking
from booking.queries.wishes import Quote, Wish
from invoices.models import Approver
from invoices.queries.means import NO_MEANS, Allowance, Hold, Means, Need, Party, asks, too_low
from invoices.queries.reading_means import read_means

SOURCE = "booking"


@dataclass(frozen=True, slots=True)
class Paying:
    """What the money says to a wish. ``near`` is a budget that this would bring to its warning."""

    refusals: tuple[Refusal, ...] = ()
    notices: tuple[str, ...] = ()
    hold: Hold | None = None
    need: Need | None = None
    near: Allowance | None = None


NOTHING_ASKED = Paying()


def party_of(row: Wish | Booking) -> Party:
    return Party(
        institution=row.instrument.institution,
        instrument_id=row.instrument.pk,
        customer=row.organisation,
        user_id=row.user.pk,
        group_id=row.group.pk if row.group else None,
        project_id=row.project.pk if row.project else None,
    )


def day_of(row: Wish | Booking) -> date:
    return row.start.astimezone(row.instrument.zone).date()


def means_for(wishes: list[Wish], before: Booking | None) -> Means:
    """One query where anybody asks, one more for what is changed; time for samples is paid with their order."""
    priced = [wish for wish in wishes if not wish.for_order]
    if not priced:
        return NO_MEANS
    changing = (SOURCE, before.uid) if before is not None else None
    return read_means(map(party_of, priced), min(map(day_of, priced)), changing=changing)


def judge_means(party: Party, quote: Quote, means: Means) -> Paying:
    """Pure. What is changed and does not become dearer is refused nothing and asks nobody again."""
    if means is NO_MEANS:
        return NOTHING_ASKED
    standing = means.standing
    dearer = standing is None or quote.total > standing.total
    hold = means.hold(party, quote.currency, quote.total)
    need = means.need(party, quote.currency, quote.total) if dearer else None
    allowance = means.allowance(party, quote.currency)
    refusals, notices = [], []
    if hold is not None and hold.missing and dearer:
        refusals.append(too_low(hold, party.institution.label(get_language() or "")))
    elif hold is not None:
        notices.append(_frozen(hold, party))
    near = allowance if allowance and quote.total > 0 and allowance.used + quote.total >= allowance.warns_at else None
    if near is not None and near.stop and dearer and quote.total > near.left:
        refusals.append(_exceeded(near, quote))
    elif near is not None:
        notices.append(_used_up(near, quote))
    if need is not None:
        notices.append(asked_first(need, quote))
    return Paying(tuple(refusals), tuple(notices), hold, need, near)


def hold_for(booking: Booking, quote: Quote) -> Hold | None:
    """What is to be frozen for a booking that has changed; one that is no dearer keeps what there is."""
    party = party_of(booking)
    if not asks(party) or booking.order_id is not None:
        return None
    means = read_means([party], day_of(booking), changing=(SOURCE, booking.uid))
    hold = means.hold(party, quote.currency, quote.total)
    standing = means.standing
    if hold is None or standing is None or quote.total > standing.total:
        return hold
    return replace(hold, as_far_as=True)


def _frozen(hold: Hold, party: Party) -> str:
    words = _("%(amount)s is frozen on your prepaid account at %(institution)s; %(left)s stays available.")
    return words % {
        "amount": shown_amount(hold.amount, hold.currency),
        "institution": party.institution.label(get_language() or ""),
        "left": shown_amount(max(hold.available - hold.amount, ZERO), hold.currency),
    }


def _figures(allowance: Allowance, quote: Quote) -> dict[str, str]:
    after = allowance.used + quote.total
    return {
        "budget": shown_amount(allowance.amount, allowance.currency),
        "used": shown_amount(allowance.used, allowance.currency),
        "left": shown_amount(max(allowance.left, ZERO), allowance.currency),
        "over": shown_amount(max(after - allowance.amount, ZERO), allowance.currency),
        "percent": str(int(after * 100 / allowance.amount)),
    }


def _exceeded(allowance: Allowance, quote: Quote) -> Refusal:
    shown = _figures(allowance, quote)
    return Refusal(
        "budget_exceeded",
        _("The project's budget of %(budget)s has %(left)s left; this goes %(over)s beyond it.") % shown,
        params={
            "budget": format_amount(allowance.amount),
            "used": format_amount(allowance.used),
            "left": format_amount(max(allowance.left, Decimal(0))),
            "currency": allowance.currency,
        },
        fix_text=_(
            "Choose a shorter time or another project, or ask your administrator or project leader to raise it."
        ),
    )


def _used_up(allowance: Allowance, quote: Quote) -> str:
    return _("With this, %(percent)s %% of the project's budget of %(budget)s is used.") % _figures(allowance, quote)


def asked_first(need: Need, quote: Quote) -> str:
    """What somebody reads who has to wait for their own organisation."""
    who = ", ".join(str(Approver(each).label) for each in need.approvers)
    if need.limit is None:
        return _("Your organisation agrees to its spending first (%(who)s).") % {"who": who}
    shown = {"who": who, "limit": shown_amount(need.limit, quote.currency)}
    return _("Your organisation agrees to spending above %(limit)s first (%(who)s).") % shown
