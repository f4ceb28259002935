"""The merged rules of all layers, read once for equal documents, with all that is asked of them again and again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .asking_again import rules_for
from .conditions import FieldTest
from .facts import Needs, dotted_names, needs, recording_locks
from .kinds.length import Length
from .kinds.quota import BookingsTest, Quota
from .layers import merge_layers
from .model import Policy
from .walking import parts_of

Documents = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Rulebook:
    """``documents`` are those of the layers, the widest first: the snapshot that a booking keeps. Never change them.

    ``facts`` are the dotted names anywhere in the rules, ``recording`` the parties to lock while a violation is
    recorded, ``depends`` whether a booking may need another one.
    """

    documents: list[dict[str, Any]]
    rules: Policy
    facts: frozenset[str]
    recording: tuple[str, ...]
    depends: bool
    _asked: dict[tuple[str, bool], Policy] = field(default_factory=dict)
    _needs: dict[tuple[str, bool], Needs] = field(default_factory=dict)

    def asked(self, act: str, *, begun: bool = False) -> Policy:
        """The rules as they are asked for an act; ``begun``: the booked time has begun."""
        found = self._asked.get((act, begun))
        if found is None:
            found = self._asked[act, begun] = rules_for(self.rules, act, begun=begun)
        return found

    def needs(self, act: str, *, begun: bool = False) -> Needs:
        found = self._needs.get((act, begun))
        if found is None:
            found = self._needs[act, begun] = needs(self.asked(act, begun=begun), act)
        return found

    @property
    def length_step(self) -> int:
        """Minutes of which a booking's length is a multiple whatever else holds; 1 where no rule says so."""
        parts = [case.parameters for rule in self.rules.of_kind("length") for case in rule.cases]
        steps = (part.step for part in parts if isinstance(part, Length) and part.step and part.part is None)
        return math.lcm(1, *(step.numerator for step in steps if step.denominator == 1))

    def watches(self, *causes: str) -> bool:
        """Whether any rule makes an event of one of these."""
        parts = (case.parameters for rule in self.rules.of_kind("event") for case in rule.cases)
        return any(cause in getattr(part, "on", ()) for part in parts for cause in causes)


def rulebook_of(documents: Documents, *, tz: str) -> Rulebook:
    """Raises `Invalid` like `merge_layers`; ``tz`` is the zone where no layer names one.

    Known by the text of the documents, so that it never grows stale.
    """
    return rulebook_of_texts(tuple(json.dumps(document, ensure_ascii=False) for document in documents), tz)


@lru_cache(maxsize=1024)
def rulebook_of_texts(texts: tuple[str, ...], tz: str) -> Rulebook:
    """The same of documents as the database keeps them, which need not be read again then."""
    documents = [json.loads(text) for text in texts]
    rules = merge_layers(documents, tz=tz)
    parts = list(parts_of(rules.rules))
    return Rulebook(
        documents=documents,
        rules=rules,
        facts=frozenset(name for name in dotted_names(parts)),
        recording=recording_locks(rules),
        depends=any(_depends(part) for part in parts),
    )


def _depends(part: object) -> bool:
    """What asks for at least so many bookings."""
    if isinstance(part, Quota):
        return part.least is not None
    return isinstance(part, BookingsTest) and not isinstance(part, FieldTest)
