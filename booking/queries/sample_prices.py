"""What samples cost: by sample and by the values that the price list asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from backend.core.errors import Refusal, Refused
from booking.models import SampleItem, SampleOrder
from booking.queries.differences import changed_items, items_of, quoted_items
from booking.queries.earlier import Earlier, read_earlier
from booking.queries.entries import wish_of_order
from booking.queries.prices import prices_of
from booking.queries.quoting import RESERVED, may_hold, unknown_parameters
from booking.queries.records import Customer, ordered, records_of, tested
from booking.queries.wishes import Quote
from booking.rules.samples import TEST, Piece
from instruments.models import Mode, PriceList
from instruments.pricing.lines import ChargeLine
from instruments.pricing.model import AnyOf, Comparison, Condition, Not
from instruments.pricing.model import PriceList as Prices
from instruments.pricing.names import fact_names


@dataclass(frozen=True, slots=True)
class Question:
    """A value that the price list asks for with each sample; ``choices`` is empty where it is a number."""

    name: str
    choices: tuple[str, ...] = ()


def questions(price_list: PriceList | None) -> list[Question]:
    """What has to be known of a sample besides how many there are; in the order of their names.

    Rules that are for other modes or for other events than a use ask nothing here.
    """
    if price_list is None:
        return []
    prices = prices_of(price_list)
    ours = tuple(rule for rule in prices.rules if may_hold(rule.when, {"mode": Mode.SAMPLE.value, "event": "use"}))
    used = {rule.table for rule in ours}
    tables = {name: rows for name, rows in prices.tables.items() if name in used}
    left = dataclasses.replace(prices, rules=ours, tables=tables)
    named = fact_names(left) - RESERVED
    values = _values(left)
    return [Question(name, tuple(sorted(values.get(name, ())))) for name in sorted(named)]


def offered_tests(price_list: PriceList | None) -> tuple[str, ...]:
    """The tests that have prices of their own."""
    return next((one.choices for one in questions(price_list) if one.name == TEST), ())


def _values(prices: Prices) -> dict[str, set[str]]:
    """The texts that facts are compared with."""
    found: dict[str, set[str]] = {}
    rows = [row for rule in prices.rules for row in rule.rows] + [
        row for each in prices.tables.values() for row in each
    ]
    for condition in [*(rule.when for rule in prices.rules), *(row.when for row in rows)]:
        for part in _comparisons(condition):
            texts = {value for value in part.values if isinstance(value, str)}
            if part.ref.kind == "fact" and texts:
                found.setdefault(part.ref.name, set()).update(texts)
    return found


def _comparisons(condition: Condition) -> Iterator[Comparison]:
    for part in condition.parts:
        if isinstance(part, Comparison):
            yield part
        elif isinstance(part, AnyOf):
            for option in part.options:
                yield from _comparisons(option)
        elif isinstance(part, Not):
            yield from _comparisons(part.condition)


# --- quoting ---------------------------------------------------------------------------------------------------------


def quote_samples(
    customer: Customer, pieces: Sequence[Piece], price_list: PriceList | None, earlier: Earlier | None = None
) -> tuple[Quote, list[Refusal]]:
    """The quote, and why it cannot be given: without a price for samples they would be measured for nothing.

    ``earlier`` is what the party did before, where the list looks beyond one order.
    """
    reasons = list(unasked(pieces, price_list))
    if price_list is None or not _prices_samples(price_list):
        words = _("The price list of this instrument says nothing of samples.")
        if price_list is None:
            words = _("The institution has not published a price for this instrument yet.")
        reasons.insert(0, Refusal("no_price", words, fix_text=_("Please ask the contact person of the instrument.")))
        currency = customer.instrument.institution.currency
        return Quote(currency, Decimal("0.00"), (), price_list), reasons
    if reasons:
        return Quote(price_list.currency, Decimal("0.00"), (), price_list), reasons
    reasons += missing(pieces, price_list)
    if reasons:
        return Quote(price_list.currency, Decimal("0.00"), (), price_list), reasons
    known = earlier or Earlier(zone=customer.instrument.zone)
    priced = known.price(price_list, records_of(customer, pieces, price_list, event="use"))
    lines = tuple(line for line in priced.lines if line.account == "invoice")
    return Quote(price_list.currency, priced.total(), lines, price_list, earlier), list(priced.refusals)


def _prices_samples(price_list: PriceList) -> bool:
    """Whether a rule that a sample order meets counts samples or is for this mode."""
    ours = [
        rule for rule in prices_of(price_list).rules if may_hold(rule.when, {"mode": Mode.SAMPLE.value, "event": "use"})
    ]
    named = any(
        part.ref.name == "mode" for rule in ours for part in _comparisons(rule.when) if Mode.SAMPLE.value in part.values
    )
    return named or "samples" in fact_names(dataclasses.replace(prices_of(price_list), rules=tuple(ours)))


def unasked(pieces: Sequence[Piece], price_list: PriceList | None) -> Iterator[Refusal]:
    """Values that the price list does not ask for, and tests that it has no price for, named by the item."""
    offered = offered_tests(price_list)
    for place, piece in enumerate(pieces):
        for refusal in unknown_parameters(piece.parameters, price_list):
            yield dataclasses.replace(refusal, field=f"items.{place}.{refusal.field}")
        for test in piece.tests if offered else ():
            if test not in offered:
                yield Refusal(
                    "unknown_test",
                    _("There is no price for the test “%(test)s”.") % {"test": test},
                    field=f"items.{place}.tests",
                    params={"offered": list(offered)},
                    fix_text=_("Possible are: %(tests)s.") % {"tests": _(", ").join(offered)},
                )


def missing(pieces: Sequence[Piece], price_list: PriceList) -> Iterator[Refusal]:
    """Tests that must be chosen because they alone have prices."""
    if not offered_tests(price_list):
        return
    for place, piece in enumerate(pieces):
        if not piece.tests:
            words = _("Please choose at least one test for “%(name)s”.") % {"name": piece.name}
            yield Refusal("no_test", words, field=f"items.{place}.tests")


# --- afterwards ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SampleCharge:
    """``total`` in the currency of the order's quote; ``differences`` say why it is not the quote."""

    lines: tuple[ChargeLine, ...]
    total: Decimal
    differences: tuple[str, ...] = ()


def final_price(order: SampleOrder, items: Sequence[SampleItem]) -> SampleCharge:
    """Of what was tested, under the price list that the order was quoted by. `Refused` where it has no price."""
    pieces = tested(items)
    measured = [one for one in pieces if one.quantity]
    quote, reasons = quote_samples(Customer.of(order), measured, order.price_list, _before(order))
    if reasons:
        raise Refused(*reasons)
    changed = list(changed_items(quoted_items(order.quote), items_of(quote.lines)))
    differences = [*(_told(before, after) for before, after in _changed(items)), *changed] if changed else []
    return SampleCharge(quote.lines, quote.total, tuple(differences))


def _before(order: SampleOrder) -> Earlier | None:
    return read_earlier(wish_of_order(order), order.price_list).before(order.uid) if order.price_list else None


def _changed(items: Sequence[SampleItem]) -> Iterator[tuple[Piece, Piece]]:
    for before, after in zip(ordered(items), tested(items), strict=True):
        if (before.quantity, before.tests, before.parameters) != (after.quantity, after.tests, after.parameters):
            yield before, after


def _told(before: Piece, after: Piece) -> str:
    if before.quantity != after.quantity:
        words = _("“%(name)s”: %(tested)s tested instead of %(ordered)s.")
        return words % {"name": before.name, "tested": after.quantity, "ordered": before.quantity}
    return _("“%(name)s”: other tests or values than ordered.") % {"name": before.name}


def cancelling_price(order: SampleOrder, items: Sequence[SampleItem], *, now: datetime) -> SampleCharge:
    """Free until the samples are there, then what the price list says of cancelling."""
    if order.received_at is None or order.price_list is None:
        return SampleCharge((), Decimal("0.00"))
    customer = dataclasses.replace(Customer.of(order), at=now)
    records = records_of(customer, ordered(items), order.price_list, event="cancel")
    priced = (_before(order) or Earlier(zone=order.instrument.zone)).price(order.price_list, records)
    lines = tuple(line for line in priced.lines if line.account == "invoice" and line.amount)
    return SampleCharge(lines, priced.total())
