"""A price list as a reader expects one: item, audience, price, unit and what else must be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import prod

from django.utils.translation import gettext as _

from instruments.pricing import phrases
from instruments.pricing.model import Comparison, Condition, Part, PriceList, Quantity, Ref, Row, Rule, Term, Tier
from instruments.pricing.program import Books, Program
from instruments.pricing.sentences import describe, scope_and_pick
from instruments.pricing.shadows import is_impossible
from instruments.pricing.units import USE, unit_of, unit_of_term
from instruments.pricing.wording import terminating

_USE = Comparison(Ref("fact", "event"), "=", ("use",))


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """``price`` in the currency of the list or, with the unit ``percent``, in percent; None: see ``note``.

    ``unit`` is a stable word (see `units`), empty where there is no price. ``audience`` is for programs:
    ``audiences`` joined by ", ". ``note`` joins what also comes apart: the tier's ``start``, short ``conditions``
    and ``remarks`` on how it is counted. ``for_some``: the audience is restricted.
    """

    code: str
    item: str
    audience: str
    price: Decimal | None
    unit: str
    note: str
    audiences: tuple[str, ...] = ()
    start: str = ""
    conditions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    for_some: bool = False


def published_table(price_list: PriceList, audience_labels: Mapping[str, str]) -> list[PublishedRow]:
    """Price and percentage rules row by row; whatever has no simple price appears with its sentence."""
    audience_labels = phrases.spoken(price_list, audience_labels)
    sentences = dict(describe(price_list, audience_labels))
    rows: list[PublishedRow] = []
    for steps in Program(price_list, Books()).steps:
        for item in steps:
            rule = item.rule
            if rule.account == "memo":
                continue
            found = _rows(price_list, rule, item.rows, audience_labels)
            rows += found or [PublishedRow(rule.code, rule.name, "", None, "", sentences[rule.code])]
    return rows


def _rows(
    price_list: PriceList,
    rule: Rule,
    rows: Sequence[tuple[Row, tuple[Term, ...]]],
    labels: Mapping[str, str],
) -> list[PublishedRow]:
    """Empty for a limit, and where a rate is not a plain number."""
    if rule.kind == "limit":
        return []
    together = scope_and_pick(rule, price_list, labels)
    everything = Row(Condition(), None, (), ())
    found: list[PublishedRow] = []
    for row, factors in rows or [(everything, rule.factors)]:
        rate, tiers = (rule.rate if row.rate is None else row.rate), (row.tiers or rule.tiers)
        counted = unit_of_term(factors[0], price_list) if factors else USE
        constant = prod((factor for factor in factors[1:] if isinstance(factor, Fraction)), start=Fraction(1))
        factors = (*factors[:1], *(factor for factor in factors[1:] if not isinstance(factor, Fraction)))
        prices = _prices(rate, tiers, counted, rule.kind, constant)
        if prices is None:
            return []
        parts = [*_wider(rule.when.parts, row.when.parts), *row.when.parts]
        if is_impossible(Condition(tuple(parts))):
            continue
        conditions = _conditions(parts, price_list, labels)
        remarks = _remarks(rule, tiers, factors, price_list, labels)
        notes = [*conditions, *remarks, *together]
        if rule.as_if and not tiers and not factors and rate is not None:
            notes = [_fee(rule, prices[0][0], conditions, price_list, labels), *together]
        unit = counted if factors and rule.kind == "price" else unit_of(rule, price_list)
        audiences = _audiences(parts, labels)
        short = tuple(_short(parts, price_list, labels))
        for price, start in prices:
            note = phrases.clauses([*([start] if start else []), *notes])
            found.append(
                PublishedRow(
                    rule.code, rule.name, ", ".join(audiences), price, unit, note,
                    audiences, start, short, (*remarks, *together), any(map(_is_audience, parts)),
                )
            )  # fmt: skip
    return found


def _remarks(
    rule: Rule, tiers: Sequence[Tier], factors: Sequence[Term], price_list: PriceList, labels: Mapping[str, str]
) -> list[str]:
    remarks = _adjustments(factors, price_list, labels)
    remarks += [_mentioned(rule.on, price_list)] if rule.kind == "percent" else []
    remarks += [phrases.as_if(rule.as_if, labels)] if rule.as_if else []
    return [*remarks, _("for all units at the tier reached")] if tiers and rule.mode == "all" else remarks


def _short(parts: Sequence[Part], price_list: PriceList, labels: Mapping[str, str]) -> list[str]:
    """Each part but the audience and the ordinary use; what is one of some words by these words alone."""
    kept = [part for part in parts if not _is_audience(part) and part != _USE]
    return [phrases.short(part, price_list, labels) for part in kept]


def _wider(parts: Sequence[Part], narrower: Sequence[Part]) -> list[Part]:
    """Those of the rule's parts that a row does not say again more closely."""
    said = [part for part in narrower if isinstance(part, Comparison) and part.op == "="]

    def again(part: Part) -> bool:
        same = (each for each in said if isinstance(part, Comparison) and part.op == "=" and each.ref == part.ref)
        return any(set(each.values) <= set(part.values) for each in same if isinstance(part, Comparison))

    return [part for part in parts if not again(part)]


def _prices(
    rate: Term | None, tiers: Sequence[Tier], unit: str, kind: str, constant: Fraction
) -> list[tuple[Decimal, str]] | None:
    """(price, from which quantity); None if one of them is no plain number."""
    if not tiers:
        plain = _plain(rate, constant)
        return None if plain is None else [(plain, "")]
    found: list[tuple[Decimal, str]] = []
    for position, tier in enumerate(tiers):
        price = _plain(_share(rate, tier, kind), constant)
        if price is None or tier.flat is not None:
            return None
        found.append((price, phrases.tier_start(tiers, position, unit)))
    return found


def _share(rate: Term | None, tier: Tier, kind: str) -> Term | None:
    """The price of each unit in a tier, which may be a share of the full one."""
    if tier.pct is None or kind == "percent":
        return tier.rate if tier.pct is None else None
    plain = isinstance(rate, Fraction) and isinstance(tier.pct, Fraction) and tier.rate is None
    return rate * tier.pct / 100 if plain and isinstance(rate, Fraction) and isinstance(tier.pct, Fraction) else None


def _plain(rate: Term | None, constant: Fraction) -> Decimal | None:
    return terminating(rate * constant) if isinstance(rate, Fraction) else None


def _is_audience(part: Part) -> bool:
    return isinstance(part, Comparison) and part.op == "=" and part.ref == Ref("fact", "audience")


def _audiences(parts: Sequence[Part], labels: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(
        phrases.value("audience", value, labels)
        for part in parts
        if isinstance(part, Comparison) and _is_audience(part)
        for value in part.values
    )
    return names or (_("everyone"),)


def _conditions(parts: Sequence[Part], price_list: PriceList, labels: Mapping[str, str]) -> list[str]:
    """All but the audience, which has its column, and the ordinary use."""
    kept = tuple(part for part in parts if not _is_audience(part) and part != _USE)
    text = phrases.condition(Condition(kept), price_list, labels)
    return [text] if text else []


def _adjustments(factors: Sequence[Term], price_list: PriceList, labels: Mapping[str, str]) -> list[str]:
    """What the first factor is, if it is more than a unit, and what it is multiplied by."""
    texts = []
    for factor in factors[:1]:
        named = price_list.quantities[factor.name] if isinstance(factor, Ref) and factor.kind == "quantity" else factor
        if isinstance(named, Quantity):
            texts.append(phrases.quantity(named, price_list, labels))
    texts += [f"× {phrases.term(factor, price_list, labels)}" for factor in factors[1:]]
    return texts


def _fee(
    rule: Rule, percent: Decimal, conditions: Sequence[str], price_list: PriceList, labels: Mapping[str, str]
) -> str:
    """“Cancelled less than 24 h before: 50 % of Machine time”; that it counts as used goes without saying."""
    values = {
        "percent": _("%(number)s %%") % {"number": percent},
        "codes": phrases.codes(rule.on, phrases.code_names(price_list)),
        "condition": phrases.clauses(conditions),
    }
    text = (_("%(condition)s: %(percent)s of %(codes)s") if conditions else _("%(percent)s of %(codes)s")) % values
    if rule.as_if != (("event", "use"),):
        text = phrases.listed([text, phrases.as_if(rule.as_if, labels)])
    return text[:1].upper() + text[1:]


def _mentioned(names: Sequence[str], price_list: PriceList) -> str:
    return _("of %(codes)s") % {"codes": phrases.codes(names, phrases.code_names(price_list))}
