"""Bands, quantities and conditions in words, in the reader's language.

``Labels`` maps codes to what a reader calls them: attributes by name (``audience``), values by
``audience:inside`` or ``inside``. Usual words are in `vocabulary`, and a list can name its own codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from instruments.pricing.model import (
    DAY_MINUTES,
    AnyOf,
    BandRef,
    Comparison,
    Condition,
    History,
    Not,
    Operand,
    Part,
    PriceList,
    Quantity,
    Ref,
    Scalar,
    Span,
    Term,
    Tier,
    Window,
)
from instruments.pricing.units import USE, unit_of_term
from instruments.pricing.vocabulary import ATTRIBUTES, CLOCKS, DAYS, EVENTS, PERIODS, VALUES, plainly
from instruments.pricing.wording import amount_of, number

Labels = Mapping[str, str]
NO_LABELS: Labels = {}

_OPERATORS = {">=": "≥", ">": ">", "<=": "≤", "<": "<"}


_EVENT, _NOTICE = Ref("fact", "event"), Ref("clock", "notice")
_CANCELLED: dict[str, Callable[[], str]] = {
    "<": lambda: _("cancelled less than %(time)s before"),
    "<=": lambda: _("cancelled %(time)s before or later"),
    ">=": lambda: _("cancelled at least %(time)s before"),
    ">": lambda: _("cancelled more than %(time)s before"),
}


def spoken(price_list: PriceList, labels: Labels) -> Labels:
    """The labels with those of the list itself, which know better, in the reader's language."""
    language = get_language() or ""
    own = {code: texts.get(language) or next(iter(texts.values())) for code, texts in price_list.labels.items()}
    return {**labels, **own} if own else labels


def all_of(texts: Iterable[str]) -> str:
    return _joined(texts, lambda first, second: _("%(first)s and %(second)s") % {"first": first, "second": second})


def one_of(texts: Iterable[str]) -> str:
    return _joined(texts, lambda first, second: _("%(first)s or %(second)s") % {"first": first, "second": second})


def listed(texts: Iterable[str]) -> str:
    return _joined(texts, lambda first, second: _("%(first)s, %(second)s") % {"first": first, "second": second})


def clauses(texts: Iterable[str]) -> str:
    return _joined(texts, lambda first, second: _("%(first)s; %(second)s") % {"first": first, "second": second})


def _joined(texts: Iterable[str], join: Callable[[str, str], str]) -> str:
    found = [text for text in texts if text]
    return reduce(join, found) if found else ""


def attribute(name: str, labels: Labels) -> str:
    if name in labels:
        return labels[name]
    return str(ATTRIBUTES[name]) if name in ATTRIBUTES else plainly(name)


def value(name: str, given: object, labels: Labels) -> str:
    if isinstance(given, bool):
        return _("yes") if given else _("no")
    if isinstance(given, Fraction):
        text = number(given)
        return labels.get(f"{name}:{text}", text)
    words = EVENTS if name == "event" and given in EVENTS else VALUES
    text = str(words.get(str(given)) or plainly(str(given)))
    return labels.get(f"{name}:{given}", labels.get(str(given), text))


def period(span: Span) -> str:
    """“month”, “month from day 16”, “last 30 days”."""
    if span.unit == "rolling":
        return _("last %(days)s days") % {"days": span.days}
    text = str(PERIODS[span.unit])
    if span.unit == "week" and span.day != 1:
        return _("%(period)s from %(start)s") % {"period": text, "start": DAYS[span.day - 1]}
    if span.unit in ("quarter", "half", "year") and (span.month, span.day) != (1, 1):
        return _("%(period)s from %(start)s") % {"period": text, "start": f"{span.month:02}-{span.day:02}"}
    if span.unit == "month" and span.day != 1:
        return _("%(period)s from day %(day)s") % {"period": text, "day": span.day}
    return text


def band(ref: BandRef) -> str:
    if ref.outside:
        return _("outside “%(band)s”") % {"band": ref.name}
    return _("in “%(band)s”") % {"band": ref.name}


def windows(found: Iterable[Window]) -> str:
    """A band: “Mon–Fri 09:00–17:00; Sat 09:00–12:00”."""
    return clauses(_window(window) for window in found) or _("never")


def _window(window: Window) -> str:
    texts = [_days(window)]
    if not window.is_whole_day:
        texts.append(f"{_clock(window.start)}–{_clock(window.end)}")
        if window.end > DAY_MINUTES:
            texts.append(_("(next day)"))
    if window.season:
        first, last = (f"{month:02}-{day:02}" for month, day in window.season)
        texts.append(_("from %(first)s to %(last)s") % {"first": first, "last": last})
    if window.holidays is False:
        texts.append(_("except holidays"))
    return " ".join(texts)


def _days(window: Window) -> str:
    if window.days is None:
        return _("holidays") if window.holidays else _("every day")
    days = sorted(window.days)
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    texts = [f"{DAYS[run[0] - 1]}–{DAYS[run[-1] - 1]}" if len(run) > 1 else str(DAYS[run[0] - 1]) for run in runs]
    return listed([*texts, *([_("holidays")] if window.holidays else [])])


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes if minutes <= DAY_MINUTES else minutes - DAY_MINUTES, 60)
    return f"{hour:02}:{minute:02}"


def term(given: Term, price_list: PriceList, labels: Labels) -> str:
    if isinstance(given, Fraction):
        return number(given)
    if isinstance(given, Quantity):
        return quantity(given, price_list, labels)
    if given.kind == "quantity" and given.name not in labels and given.name in price_list.quantities:
        return quantity(price_list.quantities[given.name], price_list, labels)
    return ref(given, labels)


def ref(given: Ref, labels: Labels) -> str:
    match given.kind:
        case "clock":
            return str(CLOCKS[given.name])
        case "sum":
            return _("the sum of %(codes)s") % {"codes": codes([given.name], labels)}
        case "notice_days":
            return _("days of notice")
        case "date":
            return _("date")
        case _:
            return attribute(given.name, labels)


def quantity(given: Quantity, price_list: PriceList, labels: Labels) -> str:
    """“booked time in “peak” (at least 0.5 h, rounded up to 0.25 h)”."""
    if given.history is not None:
        text = history(given.history, price_list, labels)
    else:
        text = " + ".join(term(item, price_list, labels) for item in given.of)
    if given.count and given.band:
        text = _("how often %(quantity)s touches “%(band)s”") % {"quantity": text, "band": str(given.band)}
    elif given.band:
        text = _("%(quantity)s %(band)s") % {"quantity": text, "band": band(given.band)}
    notes = adjustments(given, price_list, labels)
    return _("%(quantity)s (%(notes)s)") % {"quantity": text, "notes": listed(notes)} if notes else text


def adjustments(given: Quantity, price_list: PriceList, labels: Labels) -> list[str]:
    """Its unit, free part, minimum, step and maximum, in the order in which they act."""
    unit = unit_of_term(given, price_list)

    def shown(item: Term) -> str:
        return amount_of(item, unit) if isinstance(item, Fraction) else term(item, price_list, labels)

    notes = []
    if given.unit is not None and given.unit != 1:
        single = unit_of_term(replace(given, unit=None), price_list)
        size = amount_of(given.unit, single) if isinstance(given.unit, Fraction) else shown(given.unit)
        notes.append(_("in units of %(size)s") % {"size": size})
    if given.free is not None:
        notes.append(_("the first %(free)s free") % {"free": shown(given.free)})
    if given.min is not None:
        notes.append(_("at least %(min)s") % {"min": shown(given.min)})
    if given.step is not None:
        notes.append(_rounding(given, shown(given.step)))
    if given.tolerance is not None:
        notes.append(_("up to %(tolerance)s over is ignored") % {"tolerance": shown(given.tolerance)})
    if given.max is not None:
        notes.append(_("at most %(max)s") % {"max": shown(given.max)})
    if given.each:
        notes.append(_("each time by itself"))
    if given.whole:
        notes.append(_("adjusted before it is divided"))
    return notes


def _rounding(given: Quantity, step: str) -> str:
    if given.dir == "down":
        return _("rounded down to %(step)s") % {"step": step}
    if given.dir == "nearest":
        return _("rounded to the nearest %(step)s") % {"step": step}
    return _("rounded up to %(step)s") % {"step": step}


def history(given: History, price_list: PriceList, labels: Labels) -> str:
    """“number of earlier records with event is training of the same person (all time)”."""
    if given.measure == "amount":
        text = _("charged so far for %(codes)s") % {"codes": codes(given.codes, code_names(price_list))}
    elif given.of is None:
        text = _("number of earlier records")
    else:
        text = _("%(quantity)s of earlier records") % {"quantity": term(given.of, price_list, labels)}
    if given.when.parts:
        text = _("%(quantity)s with %(condition)s") % {
            "quantity": text,
            "condition": condition(given.when, price_list, labels),
        }
    if given.per:
        text = _("%(quantity)s of the same %(party)s") % {"quantity": text, "party": party(given.per, labels)}
    when = period(given.span)
    if given.previous:
        when = _("previous %(period)s") % {"period": when}
    if given.now:
        when = _("%(period)s, including this one") % {"period": when}
    text = f"{text} ({when})"
    return text if given.times == 1 else f"{number(given.times)} × {text}"


def party(per: Iterable[str], labels: Labels) -> str:
    return all_of(attribute(name, labels) for name in per)


def code_names(price_list: PriceList) -> Labels:
    """What codes and tags are called: by the names of their rules."""
    tags: dict[str, list[str]] = {}
    for rule in price_list.rules:
        for tag in rule.tags:
            tags.setdefault(tag, []).append(rule.name)
    return {tag: all_of(names) for tag, names in tags.items()} | {rule.code: rule.name for rule in price_list.rules}


def codes(names: Iterable[str], labels: Labels) -> str:
    """What a percentage or limit is taken of; ``labels`` are those of codes and tags."""
    wanted: list[str] = []
    without: list[str] = []
    for name in names:
        plain = name.removeprefix("-")
        text = _("everything above") if name == "*" else labels.get(plain, plain)
        (without if name.startswith("-") else wanted).append(text)
    text = all_of(wanted)
    return _("%(codes)s without %(others)s") % {"codes": text, "others": all_of(without)} if without else text


def tier_start(tiers: Sequence[Tier], position: int, unit: str = USE) -> str:
    """“below 4 samples”, “from 4 samples”, “over 800 h”."""
    tier = tiers[position]
    bound = {"bound": amount_of(tier.bound, unit)}
    if tier.bound == 0 and position + 1 < len(tiers):
        following = tiers[position + 1]
        bound = {"bound": amount_of(following.bound, unit)}
        return _("up to %(bound)s") % bound if following.strict else _("below %(bound)s") % bound
    return _("over %(bound)s") % bound if tier.strict else _("from %(bound)s") % bound


def condition(given: Condition, price_list: PriceList, labels: Labels) -> str:
    rest = [part for part in given.parts if part not in _late_cancelling(given)]
    late = [_cancelled(part) for part in _late_cancelling(given) if part.op != "="]
    return all_of([*late, *(_part(part, price_list, labels) for part in rest)])


def _late_cancelling(given: Condition) -> tuple[Comparison, ...]:
    """“event is cancel” and “notice < 24”, if both are said: together they read better."""
    tests = [part for part in given.parts if isinstance(part, Comparison)]
    event = [test for test in tests if test.op == "=" and test.ref == _EVENT and test.values == ("cancel",)]
    notice = [test for test in tests if test.op in _CANCELLED and test.ref == _NOTICE]
    plain = len(notice) == 1 and isinstance(notice[0].values[0], Fraction)
    return (*event, *notice) if event and plain else ()


def _cancelled(test: Comparison) -> str:
    hours = test.values[0]
    assert isinstance(hours, Fraction)
    return _CANCELLED[test.op]() % {"time": amount_of(hours, "hour")}


def as_if(changes: Iterable[tuple[str, Scalar]], labels: Labels = NO_LABELS) -> str:
    """What a percentage assumes: “as if it had been used”."""
    return all_of(_assumed(name, given, labels) for name, given in changes)


def _assumed(name: str, given: Scalar, labels: Labels) -> str:
    if (name, given) == ("event", "use"):
        return _("as if it had been used")
    if (name, given) == ("used", None):
        return _("as if all booked time had been used")
    if given is None:
        return _("as if without %(attribute)s") % {"attribute": attribute(name, labels)}
    values = {"attribute": attribute(name, labels), "value": value(name, given, labels)}
    return _("as if %(attribute)s were %(value)s") % values


def _part(part: Part, price_list: PriceList, labels: Labels) -> str:
    if isinstance(part, Comparison):
        return _comparison(part, price_list, labels)
    if isinstance(part, AnyOf):
        return f"({one_of(condition(option, price_list, labels) for option in part.options)})"
    if isinstance(part, Not):
        inner = part.condition.parts
        if len(inner) == 1 and isinstance(inner[0], Comparison) and inner[0].op in ("=", "!="):
            return _comparison(replace(inner[0], op="!=" if inner[0].op == "=" else "="), price_list, labels)
        return _("not %(condition)s") % {"condition": f"({condition(part.condition, price_list, labels)})"}
    return _("start %(band)s") % {"band": band(part.band)}


def short(part: Part, price_list: PriceList, labels: Labels) -> str:
    """A condition as a heading: “training”, “rush”, “without rush”, “2 or 3 stars”."""
    if isinstance(part, Comparison) and part.op == "=" and part.ref.kind == "fact":
        name = attribute(part.ref.name, labels)
        if len(part.values) == 1 and isinstance(part.values[0], bool):
            return name if part.values[0] else _("without %(attribute)s") % {"attribute": name}
        if all(isinstance(item, str) for item in part.values):
            return one_of(value(part.ref.name, item, labels) for item in part.values)
    return condition(Condition((part,)), price_list, labels)


def _comparison(test: Comparison, price_list: PriceList, labels: Labels) -> str:
    name = term(test.ref, price_list, labels)
    if test.values == (None,):
        text = _("without %(attribute)s") if test.op == "=" else _("with %(attribute)s")
        return text % {"attribute": name}
    shown = one_of(_operand(test, item, price_list, labels) for item in test.values)
    if test.op in ("=", "!="):
        text = _("%(attribute)s is %(value)s") if test.op == "=" else _("%(attribute)s is not %(value)s")
        return text % {"attribute": name, "value": shown}
    return f"{name} {_OPERATORS[test.op]} {shown}"


def _operand(test: Comparison, given: Operand, price_list: PriceList, labels: Labels) -> str:
    if given is None:
        return _("nothing")
    if isinstance(given, Ref | Quantity):
        return term(given, price_list, labels)
    if isinstance(given, Fraction) and test.ref.kind == "clock":
        return amount_of(given, "hour")
    return value(test.ref.name, given, labels)
