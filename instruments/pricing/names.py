"""Which facts a price list asks for, by name: attributes, the values it tells apart, whose records it adds up."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

from instruments.pricing.model import Comparison, History, PriceList, Ref, Scope

Sort = Literal["truth", "choice", "number"]


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """An attribute: yes or no, one of ``values``, or a number."""

    name: str
    sort: Sort
    values: tuple[str, ...] = ()


def fact_names(price_list: PriceList) -> frozenset[str]:
    """Every attribute of a record that a condition, quantity or rate mentions, e.g. ``audience`` or ``points``."""
    refs = (part for part in _parts(price_list) if isinstance(part, Ref))
    return frozenset(ref.name for ref in refs if ref.kind == "fact")


def asked_facts(price_list: PriceList) -> list[Asked]:
    """Every attribute that a rule mentions but for the parties, in the order of their names."""
    found: dict[str, list[object]] = {}
    for part in _parts(price_list):
        if isinstance(part, Ref) and part.kind == "fact":
            found.setdefault(part.name, [])
        elif isinstance(part, Comparison) and part.ref.kind == "fact" and part.op in ("=", "!="):
            found.setdefault(part.ref.name, []).extend(part.values)
    parties = asked_parties(price_list)
    return [_asked(name, values) for name, values in sorted(found.items()) if name not in parties]


def _asked(name: str, values: list[object]) -> Asked:
    texts = tuple(dict.fromkeys(value for value in values if isinstance(value, str)))
    if texts:
        return Asked(name, "choice", texts)
    return Asked(name, "truth" if any(isinstance(value, bool) for value in values) else "number")


def asked_parties(price_list: PriceList) -> frozenset[str]:
    """The attributes by which scopes and histories tell parties apart and that no condition or quantity reads."""
    named: set[str] = set()
    read: set[str] = set()
    for part in _parts(price_list):
        if isinstance(part, Scope | History):
            named.update(part.per)
        elif isinstance(part, Ref) and part.kind == "fact":
            read.add(part.name)
    return frozenset(named - read)


def _parts(part: object) -> Iterator[object]:
    yield part
    if dataclasses.is_dataclass(part):
        for entry in dataclasses.fields(part):
            yield from _parts(getattr(part, entry.name))
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from _parts(value)
    elif isinstance(part, list | tuple | set | frozenset):
        for value in part:
            yield from _parts(value)
