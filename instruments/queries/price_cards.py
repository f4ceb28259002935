"""A price list as its manager sees it: each rule with its sentences, what is wrong at its card, bands as a week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import translation

from backend.core.errors import Refusal
from instruments.pricing.checks import check_price_list
from instruments.pricing.model import DAY_MINUTES, PriceList, Rule, Window
from instruments.pricing.program import select
from instruments.pricing.reading import parse_price_list
from instruments.pricing.sentences import describe, describe_bands, describe_quantities, describe_tables
from instruments.queries.detail import price_labels

WEEK_HOURS = 168


@dataclass(frozen=True, slots=True)
class PriceCard:
    """``subtotal``: names of the lines above that it stands on, empty where it stands on none or is alone."""

    index: int
    rule: Rule
    sentence: str
    other: str
    subtotal: str
    problems: tuple[Refusal, ...]
    first: bool
    last: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A band, quantity or table; ``strip`` has the (start, length) of its windows in hours of the week."""

    kind: str
    name: str
    sentence: str
    problems: tuple[Refusal, ...]
    strip: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """``problems``: those that belong to no card."""

    cards: list[PriceCard]
    parts: list[Part]
    problems: list[Refusal]


def show_price_list(price_list: PriceList, other_language: str) -> Shown:
    """Without queries."""
    found = check_price_list(price_list)
    here = [sentence for _code, sentence in describe(price_list, price_labels())]
    with translation.override(other_language):
        there = [sentence for _code, sentence in describe(price_list, price_labels())]
    last = len(price_list.rules) - 1
    cards = [
        PriceCard(
            index=place,
            rule=rule,
            sentence=here[place],
            other=there[place],
            subtotal=_subtotal(price_list, place, rule),
            problems=tuple(each for each in found if each.params.get("rule") == rule.code),
            first=place == 0,
            last=place == last,
        )
        for place, rule in enumerate(price_list.rules)
    ]
    parts = _parts(price_list, found)
    told = [*(each for card in cards for each in card.problems), *(each for part in parts for each in part.problems)]
    return Shown(cards, parts, [each for each in found if all(each is not one for one in told)])


def _subtotal(price_list: PriceList, place: int, rule: Rule) -> str:
    """Shown before the first of several percentages of the same lines."""
    if rule.kind != "percent" or rule.as_if:
        return ""
    above = price_list.rules[:place]
    base = select(above, rule.on)
    earlier = any(one.kind == "percent" and select(above[:n], one.on) == base for n, one in enumerate(above))
    if len(base) < 2 or earlier:
        return ""
    return " + ".join(one.name for one in above if one.code in base)


def _parts(price_list: PriceList, found: Sequence[Refusal]) -> list[Part]:
    labels = price_labels()
    told: list[tuple[str, str, Sequence[tuple[str, str]]]] = [
        ("band", "bands", describe_bands(price_list)),
        ("quantity", "quantities", describe_quantities(price_list, labels)),
        ("table", "tables", describe_tables(price_list, labels)),
    ]
    return [
        Part(
            kind,
            name,
            sentence,
            tuple(each for each in found if _is_about(each.field or "", f"{home}.{name}")),
            week_strip(price_list.bands[name]) if kind == "band" else (),
        )
        for kind, home, sentences in told
        for name, sentence in sentences
    ]


def _is_about(field: str, home: str) -> bool:
    return field == home or field.startswith((f"{home}.", f"{home}["))


def week_strip(windows: Sequence[Window]) -> tuple[tuple[str, str], ...]:
    """Start and length in hours from Monday 00:00; what runs beyond Sunday begins the week."""
    out: list[tuple[float, float]] = []
    for window in windows:
        days = sorted(window.days) if window.days is not None else [] if window.holidays else list(range(1, 8))
        for day in days:
            start = ((day - 1) * DAY_MINUTES + window.start) / 60
            length = (window.end - window.start) / 60
            out.append((start, min(length, WEEK_HOURS - start)))
            if start + length > WEEK_HOURS:
                out.append((0, start + length - WEEK_HOURS))
    return tuple((f"{start:g}", f"{length:g}") for start, length in out)


def changed_sentences(old: Mapping[str, Any] | None, new: PriceList) -> tuple[list[str], list[str]]:
    """The sentences that go and those that come."""
    before = _named(parse_price_list(old)) if old is not None else []
    now = _named(new)
    return [text for text in before if text not in now], [text for text in now if text not in before]


def _named(known: PriceList) -> list[str]:
    told = describe(known, price_labels())
    return [f"{rule.name}: {text}" for rule, (_code, text) in zip(known.rules, told, strict=True)]
