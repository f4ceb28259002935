"""Walking through untrusted JSON: every problem is collected with its path, nothing else is ever raised."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from django.utils.translation import gettext as _

from backend.core.errors import Refusal

LONGEST_TEXT = 2_000
LARGEST_NUMBER = 10**9
DEEPEST = 12
REMARKS = frozenset({"note", "comment", "title", "text", "source"})
"""Entries that explain and have no effect; allowed beside every other."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the document, its path, and the list to which its problems go."""

    value: object
    path: str
    problems: list[Refusal]
    depth: int = 0

    def problem(self, detail: str) -> None:
        self.problems.append(Refusal("policy", detail, field=self.path))

    def children(self) -> dict[str, Node]:
        """The entries of an object by name; a value that is no object is a problem and has none."""
        if not isinstance(self.value, Mapping):
            self.problem(_("This must be an object with named entries."))
            return {}
        if self.depth > DEEPEST:
            self.problem(_("This is nested too deeply; write it flatter."))
            return {}
        found: dict[str, Node] = {}
        for key, value in self.value.items():
            if isinstance(key, str):
                found[key] = Node(value, f"{self.path}.{key}" if self.path else key, self.problems, self.depth + 1)
            else:
                self.problem(_("Every name of an entry must be text."))
        return found

    def items(self) -> list[Node]:
        """The members of a list; a value that is no list is a problem and has none."""
        if not isinstance(self.value, (list, tuple)):
            self.problem(_("This must be a list."))
            return []
        return [
            Node(value, f"{self.path}[{place}]", self.problems, self.depth + 1)
            for place, value in enumerate(self.value)
        ]

    def text(self) -> str:
        if isinstance(self.value, str) and len(self.value.strip()) > 0 and len(self.value) <= LONGEST_TEXT:
            return self.value.strip()
        self.problem(_("This must be text, not empty and not longer than 2000 characters."))
        return ""

    def texts(self) -> tuple[str, ...]:
        """One text or a list of texts."""
        if isinstance(self.value, str):
            return (self.text(),)
        return tuple(item.text() for item in self.items())

    def number(self, least: int | None = 0) -> Fraction | None:
        """An exact number; floats are read by their decimal form (0.1 is one tenth)."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(_bounded(value)):
            self.problem(_("This must be a number."))
            return None
        exact = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
        if abs(exact) > LARGEST_NUMBER or (least is not None and exact < least):
            self.problem(_("This number is out of range; the least allowed is %(least)s.") % {"least": least or 0})
            return None
        return exact

    def flag(self) -> bool:
        if isinstance(self.value, bool):
            return self.value
        self.problem(_("This must be true or false."))
        return False

    def choice(self, allowed: Collection[str]) -> str:
        """One of the allowed words, or empty with a problem."""
        if isinstance(self.value, str) and self.value in allowed:
            return self.value
        self.problem(_("Choose one of: %(names)s.") % {"names": ", ".join(sorted(allowed))})
        return ""


def _bounded(value: int | float) -> float:
    """An int too long for a float is finite all the same."""
    return value if isinstance(value, float) else 0.0


def refuse_unknown(children: Mapping[str, Node], allowed: Collection[str]) -> None:
    """A misspelt parameter must not silently mean "no limit"."""
    for name, child in children.items():
        if name not in allowed and name not in REMARKS:
            child.problem(_("Unknown entry. Allowed here: %(names)s.") % {"names": ", ".join(sorted(allowed))})
