"""Single fields of a form drawn from JSON: how one value is shown as text and read back.

What a field shows is compared with what comes back: a text that nobody touched leaves the value exactly as
it was written, whichever of its spellings that was (``"cancel"`` or ``["cancel"]``, 2 or 2.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.http import QueryDict
from django.utils.translation import gettext as _

from backend.core.errors import Refusal

ABSENT: Any = object()
"""No entry in the JSON."""
Node = dict[str, Any]
Choices = Callable[[], Iterable[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the name of its field, and its path as the parser of the document writes it."""

    name: str
    path: str

    def key(self, key: str) -> Place:
        return Place(f"{self.name}.{key}", f"{self.path}.{key}" if self.path else key)

    def item(self, number: int) -> Place:
        return Place(f"{self.name}.{number}", f"{self.path}[{number}]")

    def entry(self, number: int, key: str) -> Place:
        """An entry whose name is itself a field."""
        return Place(f"{self.name}.{number}", f"{self.path}.{key}" if self.path else key)


@dataclass(slots=True)
class Sheet:
    """One form while it is read or drawn: what was sent, what is wrong by path, and names that fields offer."""

    data: QueryDict
    known: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)

    def complain(self, place: Place, sentence: str) -> None:
        self.problems.setdefault(place.path, []).append(sentence)

    def take(self, problems: Iterable[Refusal], prefix: str = "") -> None:
        for problem in problems:
            path = problem.field or ""
            path = path.removeprefix(prefix).removeprefix(".") if path.startswith(prefix) else path
            self.problems.setdefault(path, []).append(str(problem.detail))

    def errors(self, place: Place, *, within: bool) -> list[str]:
        """Of this value, and with ``within`` of what lies inside it."""
        inside = (f"{place.path}.", f"{place.path}[")
        found = [path for path in self.problems if path == place.path or (within and path.startswith(inside))]
        self.shown.update(found)
        return [sentence for path in found for sentence in self.problems[path]]

    @property
    def left(self) -> list[str]:
        """What no field has shown."""
        return [each for path, found in self.problems.items() if path not in self.shown for each in found]


class Shape(Protocol):
    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node: ...

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any: ...

    def inside(self, value: Any, step: str) -> Inside | None: ...

    def added(self, value: Any, chosen: str) -> Any: ...

    def moved(self, value: Any, at: int, what: str) -> Any: ...


Inside = tuple[Shape, Any, Callable[[Any], Any]]
"""What lies at a step: its shape, its value, and how a new value is put in its place."""


class Plain:
    """A shape without rows to add or move, and with nothing inside."""

    def inside(self, value: Any, step: str) -> Inside | None:
        return None

    def added(self, value: Any, chosen: str) -> Any:
        """The value with one more row, of the kind that was chosen."""
        return value

    def moved(self, value: Any, at: int, what: str) -> Any:
        """The value with a row moved ``up`` or ``down``, or with ``drop`` without it."""
        return value


@dataclass(frozen=True)
class Leaf(Plain):
    """Text in one line; the others differ in how they show and parse it."""

    required: bool = False
    choices: Choices | None = None
    explain: str = ""
    """What kind of text it is, for the explanation beside the field."""

    kind = "text"

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        return {
            "kind": self.kind,
            "name": place.name,
            "value": self.show(value),
            "options": list(self.choices()) if self.choices else [],
            "explain": self.explain,
            "errors": sheet.errors(place, within=True),
        }

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        text = sheet.data.get(place.name)
        if text is None:
            return value
        text = text.replace("\r\n", "\n").strip()
        if text == self.show(value).strip():
            if self.required and not text:
                sheet.complain(place, _("Please fill this in."))
            return value
        if text:
            return self.parse(text, value)
        if self.required:
            sheet.complain(place, _("Please fill this in."))
            return ""
        return ABSENT

    def show(self, value: Any) -> str:
        if value is ABSENT or value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def parse(self, text: str, value: Any) -> Any:
        return text


class Number(Leaf):
    kind = "number"

    def parse(self, text: str, value: Any) -> Any:
        return number(text)


def number(text: str) -> Any:
    """A number where the text is one; else the text, of which the parser complains."""
    if re.fullmatch(r"-?[0-9]{1,12}", text):
        return int(text)
    if re.fullmatch(r"-?[0-9]{0,12}[.,][0-9]{1,6}", text):
        return float(text.replace(",", "."))
    return text


class Flag(Leaf):
    """Yes, no, or nothing said."""

    kind = "select"

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        options = [("", _("as usual")), ("yes", _("yes")), ("no", _("no"))]
        return {**super().draw(value, place, sheet), "options": options}

    def show(self, value: Any) -> str:
        return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""

    def parse(self, text: str, value: Any) -> Any:
        return text == "yes"


class Choice(Leaf):
    """One of some words; a word that is not among them, from a file, stays as a choice of its own."""

    kind = "select"

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        drawn = super().draw(value, place, sheet)
        known = {each for each, _label in drawn["options"]}
        own = [(drawn["value"], drawn["value"])] if drawn["value"] not in known and drawn["value"] else []
        return {**drawn, "options": [*drawn["options"], *own]}


class Lines(Leaf):
    """A list, one to a line."""

    kind = "area"

    def show(self, value: Any) -> str:
        return "\n".join(map(str, value)) if isinstance(value, list) else super().show(value)

    def parse(self, text: str, value: Any) -> Any:
        return [line.strip() for line in text.split("\n") if line.strip()]


_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,，、]*))\s*(?:[,，、]|$)')
# The words of both languages: what one person wrote another may send.
_WORDS: dict[str, Any] = {"yes": True, "no": False, "not given": None, "是": True, "否": False, "未填写": None}


class Values(Leaf):
    """Scalars with commas; a text that would be read as something else stands in quotes."""

    def show(self, value: Any) -> str:
        if value is ABSENT:
            return ""
        return ", ".join(map(token, value if isinstance(value, list) else [value]))

    def parse(self, text: str, value: Any) -> Any:
        found = tokens(text)
        return found[0] if len(found) == 1 and not isinstance(value, list) else found


def token(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None:
        return _("not given")
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    plain = value and tokens(value) == [value] and '"' not in value
    return value if plain else json.dumps(value, ensure_ascii=False)


def tokens(text: str) -> list[Any]:
    found: list[Any] = []
    at = 0
    spoken = {_("yes"): True, _("no"): False, _("not given"): None}
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            found.append(text[at:].strip())
            break
        at = match.end()
        if match[1] is not None:
            found.append(json.loads(f'"{match[1]}"', strict=False) if _is_json(match[1]) else match[1])
        elif match[2].strip():
            plain = match[2].strip()
            found.append({**_WORDS, **spoken}[plain] if plain in {**_WORDS, **spoken} else number(plain))
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(f'"{text}"', strict=False)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Checks(Plain):
    """Known codes as boxes to tick, each with its name, and a field for others."""

    choices: Choices
    required: bool = False

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        chosen, others = self._split(value)
        return {
            "kind": "checks",
            "name": place.name,
            "options": [(code, label, code in chosen) for code, label in self.choices()],
            "others": others,
            "errors": sheet.errors(place, within=True),
        }

    def _split(self, value: Any) -> tuple[list[str], str]:
        given = [] if value is ABSENT else value if isinstance(value, list) else [value]
        known = [code for code, _label in self.choices()]
        chosen = [each for each in given if isinstance(each, str) and each in known]
        return chosen, ", ".join(token(each) for each in given if each not in chosen)

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        others = sheet.data.get(f"{place.name}.others")
        if others is None:
            return value
        ticked = set(sheet.data.getlist(place.name))
        chosen, before = self._split(value)
        if self.required and not ticked and not others.strip():
            sheet.complain(place, _("Choose at least one."))
        if ticked == set(chosen) and others.strip() == before:
            return value
        more = tokens(others)
        given = [] if value is ABSENT else value if isinstance(value, list) else [value]
        kept = [each for each in given if each in ticked or each in more]
        new = [code for code, _label in self.choices() if code in ticked and code not in kept]
        found = [*kept, *new, *(each for each in more if each not in kept)]
        if not found:
            return ABSENT
        return found[0] if len(found) == 1 and isinstance(value, str) else found
