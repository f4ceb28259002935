"""Which facts a price list asks for, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from instruments.pricing.model import PriceList, Ref


def fact_names(price_list: PriceList) -> frozenset[str]:
    """Every attribute of a record that a condition, quantity or rate mentions, e.g. ``audience`` or ``points``."""
    return frozenset(ref.name for ref in _refs(price_list) if ref.kind == "fact")


def _refs(part: object) -> Iterator[Ref]:
    if isinstance(part, Ref):
        yield part
    elif dataclasses.is_dataclass(part):
        for entry in dataclasses.fields(part):
            yield from _refs(getattr(part, entry.name))
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from _refs(value)
    elif isinstance(part, list | tuple | set | frozenset):
        for value in part:
            yield from _refs(value)
