"""The single fields that only rules have: moments, spans, windows, repeats."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from backend.core.sheets.leaves import Choices, Leaf, Node, Place, Sheet, number, tokens


class Moment(Leaf):
    def __init__(self, *, required: bool = False, choices: Choices | None = None) -> None:
        super().__init__(required, choices, "moment")


class Duration(Leaf):
    def __init__(self, *, required: bool = False, choices: Choices | None = None) -> None:
        super().__init__(required, choices, "duration")


class Ending(Leaf):
    """A duration, or the moment at which something ends."""

    def __init__(self) -> None:
        super().__init__(False, None, "ending")


class Bound(Leaf):
    """A number, or a moment that a date is compared with."""

    def __init__(self) -> None:
        super().__init__(False, None, "bound")

    def parse(self, text: str, value: Any) -> Any:
        return number(text)


class WindowRef(Leaf):
    """A window by name, several joined by +, or one written out in place."""

    def __init__(self, *, required: bool = False) -> None:
        super().__init__(required, None, "window")

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        options = sheet.known.get("windows", ())
        return {**super().draw(value, place, sheet), "options": options, "sheet_windows": True}

    def show(self, value: Any) -> str:
        return " + ".join(map(str, value)) if isinstance(value, list) else super().show(value)

    def parse(self, text: str, value: Any) -> Any:
        found = [part.strip() for part in text.split("+") if part.strip()]
        return found[0] if len(found) == 1 and not isinstance(value, list) else found


class WindowText(Leaf):
    """The times of a window; a list of texts adds up like parts with ``;``."""

    def __init__(self) -> None:
        super().__init__(False, None, "window")

    def show(self, value: Any) -> str:
        return "; ".join(map(str, value)) if isinstance(value, list) else super().show(value)


class Repeat(Leaf):
    """Whether a step comes again: yes, no, or every so many."""

    def show(self, value: Any) -> str:
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        return super().show(value)

    def parse(self, text: str, value: Any) -> Any:
        (found, *_rest) = tokens(text) or [text]
        return found
