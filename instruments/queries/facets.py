"""How many instruments each further choice would leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Case, CharField, Count, F, IntegerField, TextChoices, Value, When
from django.db.models.functions import Cast, Coalesce, NullIf
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from instruments.models import Category, Condition, InstrumentQuerySet, Mode, Sharing
from instruments.queries.catalogue import FACETS, Filters, Found, candidates, narrowed
from instruments.queries.viewers import Viewer

MOST_OPTIONS = 12
# What a starting price is compared with, whatever it is paid for.
PRICES = (50, 100, 200, 500, 1000, 3000)


class Option(NamedTuple):
    value: str
    label: str
    number: int


def facets(viewer: Viewer, filters: Filters, found: Found) -> dict[str, list[Option]]:
    """The options of each facet, most instruments first; each facet counts as if it were not chosen itself.

    Two queries. What is chosen is always among them.
    """
    rows = candidates(viewer, filters, found.search).order_by()
    if found.free is not None:
        rows = rows.filter(pk__in=list(found.free))
    first, *others = [_branch(rows, filters, name) for name in (*FACETS, "price_max")]
    counts: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)
    for name, value, label, count in first.union(*others, all=True):
        if value:
            counts[name][value] = (label, count)
    return {
        "category": _categories(counts["category"], filters.category),
        "technique": _options(counts["technique"], filters.technique),
        "institution": _options(counts["institution"], [str(pk) for pk in filters.institution]),
        "region": _options(counts["region"], filters.region),
        "mode": _modes(counts["mode"]),
        "status": _choices(Condition, counts["status"], filters.status),
        "sharing": _choices(Sharing, counts["sharing"], filters.sharing),
        "price_max": _prices(counts["price_max"], filters.price_max),
    }


def _branch(rows: InstrumentQuerySet, filters: Filters, name: str) -> Any:
    """SELECT name, value, label, count … GROUP BY value, label."""
    value, label = {
        "category": (F("category_id"), Value("")),
        "technique": (F("techniques__key"), _localised("techniques")),
        "institution": (Cast("institution_id", CharField()), _localised("institution")),
        "region": (F("region"), F("region")),
        "mode": (Cast(_mode_bits(), CharField()), Value("")),
        "status": (F("condition"), Value("")),
        "sharing": (F("sharing"), Value("")),
        "price_max": (Cast(_price_band(), CharField()), Value("")),
    }[name]
    rows = narrowed(rows, filters, without=name)
    named = rows.annotate(facet=Value(name, CharField()), value=value, words=label).values("facet", "value", "words")
    return named.annotate(number=Count("pk")).values_list("facet", "value", "words", "number")


def _localised(relation: str) -> Any:
    name = F(f"{relation}__name")
    if not (get_language() or "").startswith("en"):
        return name
    return Coalesce(NullIf(f"{relation}__name_en", Value("")), name)


def _price_band() -> Any:
    """The lowest of `PRICES` that is enough; none without a price, or where none is."""
    whens = [When(price__amount__lte=most, then=Value(most)) for most in PRICES]
    return Case(*whens, default=Value(None), output_field=IntegerField())


def _prices(counts: dict[str, tuple[str, int]], chosen: Decimal | None) -> list[Option]:
    """How many cost at most so much; a step that adds nothing is left out unless it is chosen."""
    out: list[Option] = []
    number = 0
    for most in PRICES:
        more = counts.get(str(most), ("", 0))[1]
        number += more
        if more or most == chosen:
            out.append(Option(str(most), _("up to %(amount)s") % {"amount": most}, number))
    return out


def _mode_bits() -> Any:
    bits = [
        Case(When(**{f"mode_{mode}": True}, then=Value(1 << place)), default=Value(0), output_field=IntegerField())
        for place, mode in enumerate(Mode)
    ]
    return bits[0] + bits[1] + bits[2]


def _modes(counts: dict[str, tuple[str, int]]) -> list[Option]:
    return [
        Option(
            mode.value,
            str(mode.label),
            sum(count for bits, (_word, count) in counts.items() if int(bits) & 1 << place),
        )
        for place, mode in enumerate(Mode)
    ]


def _choices(choices: type[TextChoices], counts: dict[str, tuple[str, int]], chosen: Iterable[str]) -> list[Option]:
    """In the order of the choices; none where everything is the same and nothing is chosen."""
    options = [Option(each.value, str(each.label), counts.get(each.value, ("", 0))[1]) for each in choices]
    options = [option for option in options if option.number or option.value in chosen]
    return options if len(options) > 1 or set(chosen) else []


def _options(counts: dict[str, tuple[str, int]], chosen: Iterable[str]) -> list[Option]:
    options = sorted((Option(value, *rest) for value, rest in counts.items()), key=lambda o: (-o.number, o.label))
    shown = options[:MOST_OPTIONS]
    hidden = {option.value: option for option in options[MOST_OPTIONS:]}
    missing = [value for value in chosen if value not in {option.value for option in shown}]
    return shown + [hidden.get(value) or Option(value, value, 0) for value in missing]


def _categories(counts: dict[str, tuple[str, int]], chosen: Iterable[str]) -> list[Option]:
    """The upper categories with what lies in and below them, and the lower ones of a chosen branch."""
    known = {category.pk: category for category in Category.objects.all()}
    language = "en" if (get_language() or "").startswith("en") else ""
    totals: dict[str, int] = defaultdict(int)
    for code, (_label, count) in counts.items():
        for above in _path(code, known):
            totals[above] += count
    open_ = {above for code in chosen for above in _path(code, known)}
    return [
        Option(code, category.label(language) or category.name, totals[code])
        for code, category in known.items()
        if (totals[code] or code in open_) and (category.parent_id is None or category.parent_id in open_)
    ]


def _path(code: str, known: dict[str, Category]) -> list[str]:
    """The category and those above it, the lowest first."""
    path: list[str] = []
    while code in known and code not in path:
        path.append(code)
        code = known[code].parent_id or ""
    return path
