"""What a wish costs under the price list in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from backend.core.errors import Refusal
from booking.queries.earlier import Earlier, read_earlier_of
from booking.queries.prices import asked_facts, prices_of, read_price_lists
from booking.queries.records import price_record
from booking.queries.wishes import Assessment, Quote, Wish
from instruments.models import PriceList
from instruments.pricing.engine import price
from instruments.pricing.model import Comparison, Condition


def quote_of(wish: Wish, audience: str) -> tuple[Quote, list[Refusal]]:
    """The quote under the version in force on the wished day, and why it cannot be given."""
    lists = read_price_lists([wish])
    return quote_under(wish, audience, lists.of(wish), read_earlier_of([wish], lists).of(wish, lists.of(wish)))


def quote_under(
    wish: Wish, audience: str, price_list: PriceList | None, earlier: Earlier | None = None
) -> tuple[Quote, list[Refusal]]:
    """The same under a given version, after what is known already; without queries."""
    if wish.for_order:
        return Quote(wish.instrument.institution.currency, Decimal("0.00"), (), None), []
    if price_list is None:
        reason = Refusal(
            "no_price",
            _("The institution has not published a price for this instrument yet."),
            fix_text=_("Please ask the contact person of the instrument."),
        )
        return Quote(wish.instrument.institution.currency, Decimal("0.00"), (), None), [reason]
    if list(unknown_parameters(wish.parameters, price_list)):
        return Quote(price_list.currency, Decimal("0.00"), (), price_list), []
    record = price_record(wish, audience, event="use", at=wish.start)
    if earlier is None:
        priced = price(prices_of(price_list), [record], tz=wish.instrument.zone)
    else:
        priced = earlier.price(price_list, [record])
    lines = tuple(line for line in priced.lines if line.account == "invoice")
    quote = Quote(price_list.currency, priced.total(), lines, price_list, earlier)
    return quote, list(priced.refusals)


def not_priced(wish: Wish, audience: str, quote: Quote) -> Iterable[Refusal]:
    """A refusal where the list charges others or other modes, but has no price for this: that is not free of charge.

    Whoever means free says so by a price of 0.
    """
    if quote.price_list is None or any(line.code for line in quote.lines):
        return
    prices = prices_of(quote.price_list)
    rules = [rule for rule in prices.rules if rule.kind == "price" and may_hold(rule.when, {"event": "use"})]
    asked = {"event": "use", "mode": wish.mode, "audience": audience}
    for rule in rules:
        rows = prices.rows_of(rule)
        if may_hold(rule.when, asked) and (not rows or any(may_hold(row.when, asked) for row in rows)):
            return
    if rules:
        yield Refusal(
            "no_price",
            _("The price list has no price for this mode of use for you."),
            fix_text=_("Please ask the contact person for a quote, or choose another mode."),
        )


def may_hold(when: Condition, known: Mapping[str, str]) -> bool:
    """Whether the condition can hold; only plain equations are looked at."""
    plain = (part for part in when.parts if isinstance(part, Comparison) and part.op == "=" and part.ref.kind == "fact")
    return all(part.ref.name not in known or known[part.ref.name] in part.values for part in plain)


# What the engines read themselves, or what we know better than whoever fills in the form.
RESERVED = frozenset(
    "history used booked at event id samples audience mode instrument person group project organisation start end made "
    "act now date notice notice_days late union longer overrun unused approved_in_advance month quarter_ends "
    "year_ends".split()
)


def unknown_parameters(parameters: Mapping[str, Any], price_list: PriceList | None) -> Iterable[Refusal]:
    """One refusal for each parameter that the price list does not ask for.

    Prices and rules trust their facts, so nobody may state a fact that was not asked.
    """
    if not parameters:
        return
    asked = asked_facts(price_list) - RESERVED if price_list else frozenset()
    for name, value in sorted(parameters.items()):
        if isinstance(value, int | float) and value < 0:
            yield Refusal("negative", _("“%(name)s” cannot be negative.") % {"name": name}, field=f"parameters.{name}")
    for name in sorted(set(parameters) - asked):
        yield Refusal(
            "unknown_parameter",
            _("The price list of this instrument does not ask for “%(name)s”.") % {"name": name},
            field=f"parameters.{name}",
            params={"asked": sorted(asked)},
        )


def quote_for_customer(wish: Wish, answer: Assessment, *, keep: PriceList | None = None) -> Quote:
    """The quote with its sentences in the language of the person who will be charged: it is kept.

    ``keep`` is the version that an earlier request was quoted under.
    """
    if translation.get_language() == wish.user.language:
        return answer.quote
    with translation.override(wish.user.language):
        return quote_under(wish, answer.audience, keep or answer.quote.price_list, answer.quote.earlier)[0]
