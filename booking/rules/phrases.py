"""Conditions and quotas in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from . import words
from .conditions import AnyTest, Condition, FieldTest, MadeTest, Test, UnfinishedTest, UnlessTest, WindowTest
from .kinds.quota import BookingsTest, Quota
from .over import Over
from .values import many


def condition(value: Condition) -> str:
    return words.both(test(each) for each in value.tests)


def test(value: Test) -> str:
    if isinstance(value, FieldTest):
        return _field(value)
    if isinstance(value, WindowTest):
        return _window(value)
    if isinstance(value, MadeTest):
        moment = {"moment": words.moment(value.moment)}
        return _("booked after: %(moment)s") % moment if value.key == "made_after" else _before(moment)
    if isinstance(value, UnfinishedTest):
        return _("not finished yet") if value.need else _("finished")
    if isinstance(value, AnyTest):
        return words.either(condition(option) for option in value.options)
    if isinstance(value, UnlessTest):
        return _("not (%(condition)s)") % {"condition": condition(value.condition)}
    if isinstance(value, BookingsTest):
        return quota(value.quota)
    return value.key


def _before(moment: dict[str, str]) -> str:
    return _("booked before: %(moment)s") % moment


def _window(value: WindowTest) -> str:
    texts = {
        "touches": _("it touches %(window)s"),
        "inside": _("it lies within %(window)s"),
        "starts_in": _("it starts in %(window)s"),
        "ends_in": _("it ends in %(window)s"),
        "now_in": _("asked for during %(window)s"),
    }
    return texts[value.key] % {"window": words.window(value.window)}


def _field(value: FieldTest) -> str:
    name = words.field_name(value.key)
    if value.one_of is not None:
        return _("%(field)s is %(value)s") % {"field": name, "value": _options(value.key, value.one_of)}
    found: list[str] = []
    if value.none_of:
        options = _options(value.key, value.none_of)
        found.append(_("%(field)s is not %(value)s") % {"field": name, "value": options})
    if value.least is not None:
        found.append(_("%(field)s: at least %(n)s") % {"field": name, "n": words.number(value.least)})
    if value.most is not None:
        found.append(_("%(field)s: at most %(n)s") % {"field": name, "n": words.number(value.most)})
    if value.earliest is not None:
        found.append(_("%(field)s: not before %(moment)s") % {"field": name, "moment": words.moment(value.earliest)})
    if value.latest is not None:
        found.append(_("%(field)s: not after %(moment)s") % {"field": name, "moment": words.moment(value.latest)})
    if value.older is not None:
        found.append(_("%(field)s: at least %(span)s ago") % {"field": name, "span": words.span(value.older)})
    if value.newer is not None:
        found.append(_("%(field)s: less than %(span)s ago") % {"field": name, "span": words.span(value.newer)})
    return words.both(found)


def whom(tests: Sequence[Test]) -> str:
    """The audiences, where nothing but one of them is asked for; empty for every other condition."""
    asked = tests[0] if len(tests) == 1 else None
    if not isinstance(asked, FieldTest) or asked.key != "audience" or not asked.one_of or None in asked.one_of:
        return ""
    return words.both(words.value(asked.key, each) for each in asked.one_of)


def _options(key: str, options: tuple[Any, ...]) -> str:
    return words.either(words.value(key, option) for option in many(options))


def quota(value: Quota) -> str:
    """``at most 10 hours in “peak” per person and instrument in a week, counting only …``."""
    limits = []
    if value.most is not None:
        limits.append(_("at most %(amount)s") % {"amount": measured(value.measure, words.amount(value.most))})
    if value.least is not None:
        limits.append(_("at least %(amount)s") % {"amount": measured(value.measure, words.amount(value.least))})
    text = words.both(limits)
    if value.part is not None:
        text = _("%(limit)s in %(window)s") % {"limit": text, "window": words.window(value.part)}
    if value.per:
        text = _("%(limit)s per %(parties)s") % {"limit": text, "parties": words.each(map(words.field_name, value.per))}
    assert value.over is not None  # what says nothing has no sentence
    text = _("%(limit)s %(period)s") % {"limit": text, "period": period(value.over)}
    if value.of.tests:
        text = _("%(limit)s, counting only: %(condition)s") % {"limit": text, "condition": condition(value.of)}
    return _("%(limit)s, others only") % {"limit": text} if value.others else text


def measured(measure: str, amount: str) -> str:
    texts = {
        "count": _("%(n)s bookings"),
        "hours": _("%(n)s h"),
        "pieces": _("%(n)s samples"),
        "people": _("%(n)s people"),
        "days": _("%(n)s different days"),
        "instruments": _("%(n)s instruments"),
    }
    return texts[measure] % {"n": amount}


def period(over: Over) -> str:
    if over.kind == "calendar":
        return {
            "day": _("in a day"),
            "week": _("in a week"),
            "month": _("in a month"),
            "quarter": _("in a quarter"),
            "halfyear": _("in half a year"),
            "year": _("in a year"),
        }[over.text]
    if over.kind in ("rolling", "near") and over.duration is not None:
        length = {"span": words.span(over.duration)}
        return _("in any %(span)s") % length if over.kind == "rolling" else _("less than %(span)s apart") % length
    return {
        "open": _("not finished yet at the same time"),
        "ever": _("altogether"),
        "overlap": _("at once"),
        "chain": _("without a break"),
    }[over.kind]
