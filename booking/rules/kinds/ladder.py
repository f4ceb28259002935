"""``ladder``: counted violations lead, step by step, to consequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from booking.rules.calendar import PERIODS
from booking.rules.conditions import Condition, read_condition
from booking.rules.moments import Duration, Moment, parse_duration, parse_moment
from booking.rules.over import Over, parse_over
from booking.rules.reading import Node, refuse_unknown
from booking.rules.scope import Scope, read_with

ACTIONS = ("warn", "fee", "suspend", "deny", "cancel_future", "tell")
BARRED = ("create", "change", "extend")
"""What a suspension bars unless it says otherwise; who is barred can still cancel."""
_OWN_KEYS = {
    "suspend": {"for", "from", "same", "on", "act", "who", "whole_days"},
    "deny": {"for", "from", "same", "on", "act", "who", "whole_days", "lift"},
}


@dataclass(frozen=True, slots=True)
class Action:
    """``lasts`` or ``ends`` (a moment); neither: until lifted. ``values`` are free and shown as they are."""

    code: str
    lasts: Duration | None
    ends: Moment | None
    since: Moment | None
    same: tuple[str, ...]
    on: Condition
    on_raw: Mapping[str, Any]
    acts: tuple[str, ...]
    who: tuple[str, ...]
    whole_days: bool
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """``every``: None for once, else again with every so many beyond ``at``."""

    at: Fraction
    every: Fraction | None
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    KEYS: ClassVar[frozenset[str]] = frozenset({"count", "window", "per", "restart", "steps"})

    weights: Mapping[str, Fraction]
    window: Over | None
    per: tuple[str, ...]
    restart: bool
    steps: tuple[Step, ...]

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Ladder:
        per = tuple(dict.fromkeys(parts["per"].texts())) if "per" in parts else ("person",)
        steps = tuple(_read_step(item, scope) for item in parts["steps"].items()) if "steps" in parts else ()
        return cls(
            weights=_read_weights(parts["count"]) if "count" in parts else {},
            window=_read_window(parts.get("window")),
            per=per,
            restart=parts["restart"].flag() if "restart" in parts else False,
            steps=tuple(sorted(steps, key=lambda step: step.at)),
        )

    @property
    def is_empty(self) -> bool:
        return not (self.weights and self.steps)

    def weight(self, name: object) -> Fraction:
        return self.weights.get(str(name), self.weights.get("*", Fraction(0)))


def _read_weights(node: Node) -> dict[str, Fraction]:
    if isinstance(node.value, Mapping):
        return {name: child.number(least=None) or Fraction(0) for name, child in node.children().items()}
    return dict.fromkeys(node.texts(), Fraction(1))


def _read_window(node: Node | None) -> Over | None:
    """None for ever."""
    if node is None or node.value in (None, "ever"):
        return None
    complaint = _("Write ever, a duration like 12mo, or a calendar period: %(names)s.") % {"names": ", ".join(PERIODS)}
    return read_with(node, _parse_window, complaint)


def _parse_window(text: str) -> Over:
    over = parse_over(text)
    if over.kind not in ("calendar", "rolling"):
        raise ValueError(text)
    return over


def _read_step(node: Node, scope: Scope) -> Step:
    parts = node.children()
    refuse_unknown(parts, ("at", "repeat", "do"))
    for name in ("at", "do"):
        if name not in parts:
            node.problem(_("A step needs at (how many) and do (what happens)."))
    at = parts["at"].number() if "at" in parts else None
    every = _read_repeat(parts["repeat"]) if "repeat" in parts else None
    return Step(at or Fraction(0), every, _read_actions(parts["do"], scope) if "do" in parts else ())


def _read_repeat(node: Node) -> Fraction | None:
    if isinstance(node.value, bool):
        return Fraction(1) if node.value else None
    return node.number(least=1)


def _read_actions(node: Node, scope: Scope) -> tuple[Action, ...]:
    """One action or a list of them; an action without parameters may be its bare name."""
    items = node.items() if isinstance(node.value, (list, tuple)) else [node]
    return tuple(_read_action(item, scope) for item in items)


def _read_action(node: Node, scope: Scope) -> Action:
    bare = isinstance(node.value, str)
    parts = {} if bare else node.children()
    if not bare and "do" not in parts:
        node.problem(_("Say what to do: %(names)s.") % {"names": ", ".join(ACTIONS)})
    name = node if bare else parts.get("do")
    code = name.choice(ACTIONS) if name else ""
    own = _OWN_KEYS.get(code, set())
    lasts, ends = _read_for(parts.get("for") if own else None, scope)
    if own:
        refuse_unknown(parts, {"do", *own})
    return Action(
        code=code,
        lasts=lasts,
        ends=ends,
        since=_read_since(parts["from"], scope) if "from" in own & parts.keys() else None,
        same=parts["same"].texts() if "same" in own & parts.keys() else (),
        on=read_condition(parts.get("on") if "on" in own else None, scope),
        on_raw=_raw_mapping(parts["on"]) if "on" in own & parts.keys() else {},
        acts=parts["act"].texts() if "act" in own & parts.keys() else BARRED,
        who=parts["who"].texts() if "who" in own & parts.keys() else (),
        whole_days=parts["whole_days"].flag() if "whole_days" in own & parts.keys() else False,
        values={key: child.value for key, child in parts.items() if key not in {"do", *(own - {"lift"})}},
    )


def _read_for(node: Node | None, scope: Scope) -> tuple[Duration | None, Moment | None]:
    """A duration, or the moment at which it ends. Absent, null or "ever": until it is lifted."""
    if node is None or node.value in (None, "ever"):
        return None, None
    if isinstance(node.value, str):
        try:
            return parse_duration(node.value), None
        except ValueError:
            pass
    complaint = _("Write a duration like 14d or 1mo, or a moment like at #last @24:00.")
    return None, read_with(node, lambda text: parse_moment(text, scope.calendar, scope.business), complaint)


def _read_since(node: Node, scope: Scope) -> Moment | None:
    """``start`` (of the booking concerned), ``at`` (of the event, the default), or any moment."""
    complaint = _("This is no moment. Write it like at, start or at +1d @00:00.")
    return read_with(node, lambda text: parse_moment(text, scope.calendar, scope.business), complaint)


def _raw_mapping(node: Node) -> Mapping[str, Any]:
    return {key: child.value for key, child in node.children().items()}
