"""Why a line costs what it costs: a sentence with the numbers, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext as _

from instruments.pricing.ladders import Part
from instruments.pricing.phrases import as_if
from instruments.pricing.program import Compiled
from instruments.pricing.session import Posting, Session
from instruments.pricing.wording import amount_of, money, number, product


def price(
    session: Session,
    item: Compiled,
    posting: Posting,
    parts: Sequence[Part],
    factors: Sequence[tuple[Fraction, str]],
    held: Fraction | None,
) -> str:
    """“Booked time: 2 h × 116.00 = 232.00”."""
    if not item.rule.factors and len(parts) == 1 and parts[0].quantity == 1 and not factors and posting.before is None:
        return _("%(name)s: %(amount)s") % {"name": item.rule.name, "amount": posting.amount}
    calculation = product(parts, factors, item.unit, session.places)
    if held:
        calculation = _("after %(held)s before, %(calculation)s") % {
            "held": amount_of(held, item.unit),
            "calculation": calculation,
        }
    return _finished(item, calculation, posting)


def percentage(
    session: Session, item: Compiled, posting: Posting, parts: Sequence[Part], rate: Fraction, base: Fraction
) -> str:
    """“Rush: 50 % of 350.00 = 175.00”."""
    texts = [_percent_of(rate, base, session.places)]
    if parts:
        texts = [_percent_of(part.rate, part.quantity, session.places) for part in parts if part.quantity]
        texts += [money(part.flat, session.places) for part in parts if part.flat]
    calculation = " + ".join(texts)
    if item.rule.as_if:
        calculation = _("%(quantity)s (%(notes)s)") % {"quantity": calculation, "notes": as_if(item.rule.as_if)}
    return _finished(item, calculation, posting)


def _percent_of(rate: Fraction, base: Fraction, places: int) -> str:
    return _("%(percent)s %% of %(base)s") % {"percent": number(rate), "base": money(base, places)}


def limit(session: Session, item: Compiled, posting: Posting, total: Fraction, bound: Fraction) -> str:
    """“Monthly maximum: 250.00 is limited to at most 200.00: −50.00”."""
    values = {
        "name": item.rule.name,
        "total": money(total, session.places),
        "bound": money(bound, session.places),
        "amount": posting.amount,
    }
    if item.rule.limit == "max":
        text = _("%(name)s: at most %(bound)s instead of %(total)s") % values
    else:
        text = _("%(name)s: at least %(bound)s instead of %(total)s") % values
    if posting.before:
        return _("%(reason)s; %(target)s less %(before)s posted before = %(amount)s") % {
            "reason": text,
            "target": posting.target,
            "before": posting.before,
            "amount": posting.amount,
        }
    return _("%(reason)s: %(amount)s") % {"reason": text, "amount": posting.amount}


def _finished(item: Compiled, calculation: str, posting: Posting) -> str:
    values = {
        "name": item.rule.name,
        "calculation": calculation,
        "amount": posting.amount,
        "target": posting.target,
        "before": posting.before,
    }
    if posting.before:
        return _("%(name)s: %(calculation)s = %(target)s in all, less %(before)s posted before = %(amount)s") % values
    return _("%(name)s: %(calculation)s = %(amount)s") % values


def alternative(why: str, take: str, names: str, amount: Decimal) -> str:
    """The reason with the alternative that was not taken."""
    values = {"reason": why, "names": names, "amount": amount}
    if take == "lowest":
        return _("%(reason)s (cheaper than %(names)s: %(amount)s)") % values
    if take == "highest":
        return _("%(reason)s (more than %(names)s: %(amount)s)") % values
    return _("%(reason)s (takes precedence over %(names)s: %(amount)s)") % values


def nothing(refused: bool) -> str:
    if refused:
        return _("There is no price for this.")
    return _("No rule of the price list charges for this.")


def corrected(name: str, fresh: Decimal, posted: Decimal, amount: Decimal, why: str) -> str:
    values = {"name": name, "fresh": fresh, "posted": posted, "amount": amount, "reason": why}
    return _("Correction of %(name)s: %(fresh)s instead of %(posted)s = %(amount)s (%(reason)s)") % values


def dropped() -> str:
    return _("no longer charged")
