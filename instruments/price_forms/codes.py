"""The codes of price lists with their names in the reader's language: those that every list knows, and a list's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from instruments.pricing import phrases
from instruments.pricing.model import Ref
from instruments.pricing.vocabulary import CLOCKS, DAYS, EVENTS, PERIODS
from instruments.queries.detail import audience_labels, price_labels

PARTIES = ("person", "group", "project", "organisation", "instrument")
NUMBERS = ("samples", "points", "people", "notice_days")
TRUTHS = ("reused", "rush")
USUAL = ("audience", "mode", "event", *NUMBERS[:3], *TRUTHS, "instrument", "project")
Named = list[tuple[str, str]]
# Keys of conditions that are no attribute.
_JOINTS = ("any", "not", "start_in", "date", "notice_days")


def periods() -> Named:
    return [("", _("altogether (as usual)")), *((code, str(word)) for code, word in PERIODS.items()), *_rolling()]


def _rolling() -> Named:
    return [("rolling", _("any … days in a row"))]


def accounts() -> Named:
    return [
        ("", _("invoice (as usual)")),
        ("invoice", _("invoice")),
        ("credit", _("credit account")),
        ("memo", _("for information only")),
    ]


def takes() -> Named:
    return [
        ("", _("the cheapest (as usual)")),
        ("lowest", _("the cheapest")),
        ("highest", _("the dearest")),
        ("first", _("the first that applies")),
    ]


def directions() -> Named:
    return [("", _("up (as usual)")), ("up", _("up")), ("down", _("down")), ("nearest", _("to the nearest"))]


def tier_modes() -> Named:
    return [
        ("", _("each unit at its own tier (as usual)")),
        ("marginal", _("each unit at its own tier")),
        ("all", _("all units at the tier reached")),
    ]


def bounds() -> Named:
    return [("max", _("at most")), ("min", _("at least"))]


def parties() -> Named:
    return [(code, phrases.attribute(code, {})) for code in PARTIES]


def weekdays() -> Named:
    return [(str(number), str(word)) for number, word in enumerate(DAYS, 1)]


def known_of(document: Mapping[str, Any], place: int | None = None) -> dict[str, Named]:
    """What the fields of a document's forms offer; ``place``: the rule in hand, whose ``above`` are those before it."""
    labels = _labels(document)
    rules = [rule for rule in document.get("rules", []) if isinstance(rule, Mapping)]
    above = rules if place is None else rules[:place]
    facts = [*USUAL, *(name for name in _facts(document) if name not in USUAL)]
    names = {name: _("“%(name)s”") % {"name": labels.get(name, name)} for name in document.get("quantities", {})}
    clocks = {name: str(word) for name, word in CLOCKS.items() if name not in names}
    attributes = {name: phrases.attribute(name, labels) for name in facts if name not in names and name not in clocks}
    days = {"notice_days": phrases.ref(Ref("notice_days", "notice_days"), {})}
    return {
        "attributes": list(attributes.items()),
        "counted": [*names.items(), *clocks.items()],
        "names": [*names.items(), *clocks.items(), *attributes.items(), *days.items()],
        "bands": [
            each
            for name in document.get("bands", {})
            for each in ((name, _("in “%(band)s”") % {"band": labels.get(name, name)}),
                         (f"!{name}", _("outside “%(band)s”") % {"band": labels.get(name, name)}))
        ],
        "tables": [(name, labels.get(name, name)) for name in document.get("tables", {})],
        "above": _codes(above),
        "codes": _codes(rules),
        **{f"values:{name}": found for name in facts if (found := values_of(document, name))},
    }  # fmt: skip


def values_of(document: Mapping[str, Any], name: str) -> Named:
    """The values of an attribute that the list tells apart, and the usual ones."""
    labels = _labels(document)
    usual: dict[str, tuple[str, ...]] = {
        "audience": tuple(audience_labels()),
        "mode": ("self", "operator", "sample"),
        "event": tuple(EVENTS)[:7],
    }
    found = [str(value) for key, value in _tests(document) if key == name and isinstance(value, str)]
    return [(code, phrases.value(name, code, labels)) for code in dict.fromkeys([*usual.get(name, ()), *found])]


def _labels(document: Mapping[str, Any]) -> Mapping[str, str]:
    own = document.get("labels")
    texts = {}
    for code, text in own.items() if isinstance(own, Mapping) else ():
        texts[str(code)] = str(next(iter(text.values()), code) if isinstance(text, Mapping) else text)
    return {**price_labels(), **texts}


def _codes(rules: list[Mapping[str, Any]]) -> Named:
    codes = {str(rule.get("code")): str(rule.get("name") or rule.get("code")) for rule in rules}
    tags = {str(tag): _("all with “%(tag)s”") % {"tag": tag} for rule in rules for tag in _listed(rule.get("tags"))}
    both = {**tags, **codes}
    everything = {"*": _("everything above")}
    without = {f"-{code}": _("without %(name)s") % {"name": name} for code, name in both.items()}
    return [*everything.items(), *both.items(), *without.items()]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _facts(document: Mapping[str, Any]) -> list[str]:
    """Attributes that conditions of the document test, in the order in which they come."""
    special = {*document.get("quantities", {}), *CLOCKS, *_JOINTS}
    return list(
        dict.fromkeys(key for key, _value in _tests(document) if key not in special and not key.startswith("sum:"))
    )


def _tests(value: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of every equality in every condition; (name, None) of comparisons."""
    if isinstance(value, list):
        for each in value:
            yield from _tests(each)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if key == "when" and isinstance(each, Mapping):
                yield from _in_condition(each)
            yield from _tests(each)


def _in_condition(condition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in condition.items():
        if key in ("any", "not"):
            for each in _listed(value):
                if isinstance(each, Mapping):
                    yield from _in_condition(each)
        elif isinstance(value, Mapping):
            yield key, None
        else:
            for each in _listed(value) or [None]:
                yield key, each
