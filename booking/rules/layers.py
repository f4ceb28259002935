"""Reading policies: one document, or the layers network → institution → instrument group → instrument.

A rule with the ``id`` of an earlier layer's rule replaces it in its place, one that also says ``off`` removes
it, the rest add. A window of the same name replaces the earlier one for all rules, so that a layer above can
speak of "open" and each instrument say when that is. Holidays and make-up days add up; the time zone and the
start of the week are the last that any layer gives.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal

from .calendar import Calendar, DateRange, parse_dates, parse_weekday
from .kinds.quota import read_bookings_test
from .model import Policy, Rule
from .reading import Node, refuse_unknown
from .rule_reading import read_rule
from .scope import Scope, read_with
from .windows import BUILT_IN, Window, parse_window

POLICY_KEYS = ("tz", "week_start", "holidays", "workdays", "windows", "rules", "name", "valid_from", "valid_until")
MOST_RULES = 1_000


@dataclass(slots=True)
class _Layers:
    """The parts of all layers, still unread."""

    settings: dict[str, Node] = field(default_factory=dict)
    holidays: list[Node] = field(default_factory=list)
    workdays: list[Node] = field(default_factory=list)
    windows: dict[str, Node] = field(default_factory=dict)
    rules: dict[str, tuple[int, Node]] = field(default_factory=dict)


def parse_policy(document: Mapping[str, object], *, tz: str = "UTC") -> Policy:
    """Raises `Invalid` with every problem, its path in ``field`` and what to do; ``tz`` is the default."""
    return merge_layers([document], tz=tz)


def merge_layers(documents: Sequence[Mapping[str, object]], *, tz: str = "UTC") -> Policy:
    """Like `parse_policy`, for several layers, the widest first; their paths begin with ``layers[n]``."""
    problems: list[Refusal] = []
    layers = _Layers()
    for place, document in enumerate(documents):
        path = f"layers[{place}]" if len(documents) > 1 else ""
        _add_layer(layers, place, Node(document, path, problems))
    calendar = _read_calendar(layers, tz)
    windows = _read_windows(layers.windows, calendar)
    scope = Scope(calendar, windows, read_bookings_test)
    found = [read_rule(node, scope, number, place) for number, (place, node) in enumerate(layers.rules.values(), 1)]
    if len(documents) > 1:
        found = _apart(found, layers.rules)
    rules = tuple(rule for rule in found if rule is not None)
    _refuse_same_ids(rules, problems)
    if problems:
        raise Invalid(*_once(problems))
    return Policy(calendar, windows, rules)


def _add_layer(layers: _Layers, place: int, document: Node) -> None:
    parts = document.children()
    refuse_unknown(parts, POLICY_KEYS)
    layers.settings.update({name: parts[name] for name in ("tz", "week_start") if name in parts})
    layers.holidays += parts["holidays"].items() if "holidays" in parts else []
    layers.workdays += parts["workdays"].items() if "workdays" in parts else []
    layers.windows.update(parts["windows"].children() if "windows" in parts else {})
    rules = parts["rules"].items() if "rules" in parts else []
    if len(rules) > MOST_RULES:
        parts["rules"].problem(_("These are too many rules for one policy."))
    own: set[str] = set()
    for number, node in enumerate(rules[:MOST_RULES]):
        identity = _identity_of(node)
        if identity and identity in own:
            node.problem(_("Another rule of this layer has the same id."))
        own.add(identity)
        layers.rules[f"id {identity}" if identity else f"{place} {number}"] = (place, node)


def _identity_of(node: Node) -> str:
    identity = node.value.get("id") if isinstance(node.value, Mapping) else None
    return identity.strip() if isinstance(identity, str) else ""


def _apart(rules: Sequence[Rule | None], keys: Collection[str]) -> list[Rule | None]:
    """The id that a nameless rule gets by its place must not be one that another layer gives."""
    given = {key for key in keys if key.startswith("id ")}
    return [
        replace(rule, id=f"{rule.id} ({rule.layer})")
        if rule and key not in given and f"id {rule.id}" in given
        else rule
        for key, rule in zip(keys, rules, strict=True)
    ]


def _refuse_same_ids(rules: Sequence[Rule], problems: list[Refusal]) -> None:
    """A rule without an id gets one by its kind and place; nobody else may have it."""
    known: set[str] = set()
    for rule in rules:
        if rule.id in known:
            problems.append(Refusal("policy", _("Two rules have the id %(id)s.") % {"id": rule.id}, field="rules"))
        known.add(rule.id)


def _read_calendar(layers: _Layers, tz: str) -> Calendar:
    return Calendar(
        zone=_read_zone(layers.settings.get("tz")) or ZoneInfo(tz),
        week_start=_read_week_start(layers.settings.get("week_start")),
        holidays=_read_dates(layers.holidays),
        workdays=_read_dates(layers.workdays),
    )


def _read_zone(node: Node | None) -> ZoneInfo | None:
    complaint = _("This is no time zone. Write it like Asia/Shanghai.")
    return read_with(node, _parse_zone, complaint) if node else None


def _parse_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:  # an unknown name, or the name of a folder of zones
        raise ValueError(name) from error


def _read_week_start(node: Node | None) -> int:
    """A weekday by name, or its number from Monday = 0."""
    if node is None:
        return 0
    if isinstance(node.value, str):
        return read_with(node, parse_weekday, _("This is no weekday. Write it like Mon.")) or 0
    number = node.number()
    if number is not None and number not in range(7):
        node.problem(_("This is no weekday. Write it like Mon."))
    return int(number or 0) % 7


def _read_dates(nodes: Sequence[Node]) -> tuple[DateRange, ...]:
    complaint = _("This is no date. Write it like 2026-10-01, 2026-10-01..2026-10-07 or, for every year, 10-01.")
    found = (read_with(node, parse_dates, complaint) for node in nodes)
    return tuple(dates for dates in found if dates is not None)


def _read_windows(nodes: Mapping[str, Node], calendar: Calendar) -> dict[str, Window]:
    windows = {name: parse_window(name, text, calendar) for name, text in BUILT_IN.items()}
    for name, node in nodes.items():
        window = _read_window(name, node, calendar)
        if not name.strip() or name == "always":
            node.problem(_("A window needs a name of its own; always is built in."))
        elif window is not None:
            windows[name] = window
        else:
            windows[name] = windows["always"]  # so that rules which name it are not blamed as well
    return windows


def _read_window(name: str, node: Node, calendar: Calendar) -> Window | None:
    """Text, or a list of texts that add up."""
    complaint = _("This is no window. Write it like Mon-Fri 09:00-17:00; Sat 09:00-12:00.")
    if isinstance(node.value, list):
        node = Node("; ".join(node.texts()), node.path, node.problems, node.depth)
    return read_with(node, lambda text: parse_window(name, text, calendar), complaint)


def _once(problems: list[Refusal]) -> list[Refusal]:
    """A parameter that several cases share complains once."""
    return list({(problem.field, str(problem.detail)): problem for problem in problems}.values())
