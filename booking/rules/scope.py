"""What names in a policy refer to while it is read: its calendar, its windows, its moments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from django.utils.translation import gettext as _

from .calendar import Calendar
from .moments import Duration, Moment, parse_duration, parse_moment
from .reading import Node
from .windows import Window, join_windows, parse_window

if TYPE_CHECKING:  # conditions refer to quotas and quotas to conditions
    from .conditions import Test

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    calendar: Calendar
    windows: Mapping[str, Window]
    read_bookings: Callable[[Node, Scope], Test]
    """How the condition ``bookings`` is read."""

    @property
    def business(self) -> Window:
        return self.windows["business"]

    def window(self, node: Node) -> Window:
        """A window by name, several as their union, or one written out in place."""
        found = [self._window(node, name) for name in node.texts()]
        return join_windows(found) if found else self.windows["always"]

    def _window(self, node: Node, name: str) -> Window:
        if name in self.windows or not name:
            return self.windows.get(name, self.windows["always"])
        try:
            return parse_window(name, name, self.calendar)
        except ValueError:
            names = {"names": ", ".join(sorted(self.windows))}
            node.problem(_("There is no window of this name. Define it under windows or use: %(names)s.") % names)
            return self.windows["always"]

    def moment(self, node: Node) -> Moment | None:
        return read_with(
            node,
            lambda text: parse_moment(text, self.calendar, self.business),
            _("This is no moment. Write it like start -24h or start -3d @24:00."),
        )

    def moments(self, node: Node) -> dict[str, Moment]:
        """Named moments, as under ``dates``."""
        found = {name: self.moment(child) for name, child in node.children().items()}
        return {name: moment for name, moment in found.items() if moment is not None}


def read_duration(node: Node) -> Duration | None:
    return read_with(node, parse_duration, _("This is no duration. Write it like 30min, 24h, 7d, 3mo, 2wd or 4bh."))


def read_with(node: Node, parse: Callable[[str], T], complaint: str) -> T | None:
    """The parsed text of a node, or None with a problem that says how it is written."""
    if isinstance(node.value, str):
        try:
            return parse(node.text())
        except ValueError:
            pass
    node.problem(complaint)
    return None
