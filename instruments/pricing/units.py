"""The unit in which a rule counts: a short stable word, and how it is written for a reader."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from instruments.pricing.model import PriceList, Quantity, Ref, Rule, Term

ADJUSTMENT, PERCENT, USE = "adjustment", "percent", "use"
_PARTS_OF_TIME = {
    Fraction(1, 60): "minute",
    Fraction(1, 4): "quarter_hour",
    Fraction(1, 2): "half_hour",
    Fraction(1): "hour",
    Fraction(24): "day",
    Fraction(168): "week",
}
_IRREGULAR = {"people": "person", "value": USE, "amount": USE}
_LABELS: dict[str, Callable[[int], str]] = {
    "minute": lambda n: ngettext("minute", "minutes", n),
    "quarter_hour": lambda n: ngettext("quarter-hour", "quarter-hours", n),
    "half_hour": lambda n: ngettext("half-hour", "half-hours", n),
    "hour": lambda n: _("h"),
    "day": lambda n: ngettext("day", "days", n),
    "week": lambda n: ngettext("week", "weeks", n),
    "use": lambda n: ngettext("use", "uses", n),
    "sample": lambda n: ngettext("sample", "samples", n),
    "point": lambda n: ngettext("point", "points", n),
    "person": lambda n: ngettext("person", "people", n),
    "scan": lambda n: ngettext("scan", "scans", n),
    "element": lambda n: ngettext("element", "elements", n),
    "component": lambda n: ngettext("component", "components", n),
    "group": lambda n: ngettext("group", "groups", n),
    "piece": lambda n: ngettext("piece", "pieces", n),
    "slot": lambda n: ngettext("slot", "slots", n),
    "block": lambda n: ngettext("block", "blocks", n),
    "percent": lambda n: "%",
    "adjustment": lambda n: _("adjustment"),
}


def unit_of(rule: Rule, price_list: PriceList) -> str:
    if rule.kind == "percent":
        return PERCENT
    if rule.kind == "limit":
        return ADJUSTMENT
    return unit_of_term(rule.factors[0], price_list) if rule.factors else USE


def unit_of_term(term: Term, price_list: PriceList) -> str:
    if isinstance(term, Quantity):
        return _unit_of_quantity(term, price_list)
    if isinstance(term, Ref):
        if term.kind == "quantity":
            return _unit_of_quantity(price_list.quantities[term.name], price_list)
        if term.kind == "clock":
            return "hour"
        return "day" if term.kind == "notice_days" else _singular(term.name)
    return USE


def _unit_of_quantity(quantity: Quantity, price_list: PriceList) -> str:
    if quantity.history is not None:
        summed = quantity.history.of
        return USE if summed is None else unit_of_term(summed, price_list)
    first = quantity.of[0] if quantity.of else Fraction(1)
    unit = unit_of_term(first, price_list)
    if quantity.count:
        unit = _unit_of_count(quantity, price_list)
    if quantity.unit is None or quantity.unit == 1:
        return unit
    if unit == "hour" and isinstance(quantity.unit, Fraction):
        return _PARTS_OF_TIME.get(quantity.unit, "block")
    return "block"


def _unit_of_count(quantity: Quantity, price_list: PriceList) -> str:
    """Days if the band is of whole days."""
    if quantity.band is None or quantity.band.outside:
        return "slot"
    return "day" if all(window.is_whole_day for window in price_list.bands[quantity.band.name]) else "slot"


def _singular(name: str) -> str:
    word = _IRREGULAR.get(name, name)
    if word in ("h", "hours") or word.endswith(("_h", "_hours")):
        return "hour"
    if word == "days" or word.endswith("_days"):
        return "day"
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def unit_label(unit: str, count: int = 1) -> str:
    """For a reader; a word that is not known is an attribute's own and shown as it is."""
    return _LABELS[unit](count) if unit in _LABELS else unit
