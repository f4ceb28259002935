"""Which fields the form of each kind of rule has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.sheets.leaves import (
    ABSENT,
    Checks,
    Choice,
    Flag,
    Inside,
    Leaf,
    Lines,
    Node,
    Number,
    Place,
    Plain,
    Sheet,
    Values,
)
from backend.core.sheets.shapes import Entry, ListOf, Pairs
from booking.policy_forms import codes
from booking.policy_forms.conditions import ConditionShape
from booking.policy_forms.leaves import Duration, Ending, Moment, WindowRef, WindowText
from booking.policy_forms.leaves import Repeat as RepeatLeaf
from booking.policy_forms.shapes import Amount, Group, Setting, Weights

MOMENT_HELP = _("start, end, made or now, then steps: start -24h, start -3d @24:00, start -1w Thu @12:00")
WINDOW_HELP = _("the name of a window below, or times like Mon-Fri 20:00-24:00")
FIELDS_HELP = _("fields with commas, like person.last_used")

COUNTED = ConditionShape()
QUOTA = [
    Entry("max", _("At most"), Amount()),
    Entry("min", _("At least"), Amount(), folded=True),
    Entry("measure", _("counted are"), Choice(False, codes.measures)),
    Entry(
        "over",
        pgettext_lazy("quota", "Period"),
        Leaf(False, codes.periods, "over"),
        _("day, week, month, 7d, open, near 2h …"),
    ),
    Entry("per", _("together for each"), Checks(codes.PER), _("Nothing ticked: each person, as usual.")),
    Entry("part", _("only what lies in"), WindowRef(), WINDOW_HELP),
    Entry("of", _("Count only bookings for which"), COUNTED),
    Entry("others", _("leave the new booking itself out"), Flag(), folded=True),
]
CONDITION = ConditionShape(counts=Group(QUOTA))
DATES = Pairs(Moment(), _("name"), _("moment"))
OUTCOME = [
    Entry("else", _("Otherwise"), Choice(False, codes.verdicts)),
    Entry("silence", _("no answer means"), Choice(False, codes.silences), folded=True),
    Entry("at", _("no answer until"), Moment(), MOMENT_HELP, folded=True),
    Entry("fix", _("advice to the person"), Leaf(), _("shown with the refusal, e.g. telephone the lab")),
    Entry("code", _("code for programs"), Leaf(), folded=True),
    Entry("dates", _("further dates to show"), DATES, folded=True),
]
# An event and a ladder refuse nothing, so nothing happens "otherwise".
JUDGING = ("require", "length", "slots", "deadline", "quota")


@dataclass(frozen=True)
class Action(Plain):
    """What a step of a ladder does; one without parameters may be its bare name."""

    body: Group

    def draw(self, value: Any, place: Place, sheet: Sheet) -> Node:
        return self.body.draw(self._object(value), place, sheet)

    def read(self, value: Any, place: Place, sheet: Sheet) -> Any:
        given = self._object(value)
        found = self.body.read(given, place, sheet)
        return value if found == given else found

    def inside(self, value: Any, step: str) -> Inside | None:
        return self.body.inside(self._object(value), step)

    def _object(self, value: Any) -> Any:
        return {"do": value} if isinstance(value, str) else value


ACTION = Action(
    Group(
        [
            Entry("do", _("Consequence"), Choice(True, codes.consequences)),
            Entry("for", _("for how long"), Ending(), _("14d, 1mo, or a moment: at #last @24:00; empty: until lifted")),
            Entry("from", _("beginning with"), Moment(), _("empty: with the event"), folded=True),
            Entry("act", _("barred are"), Checks(codes.BARRED_ACTS), folded=True),
            Entry("same", _("only for the same"), Checks(codes.PER), folded=True),
            Entry("who", _("who is barred"), Checks(codes.PER), folded=True),
            Entry("on", _("only for bookings with"), COUNTED, folded=True),
            Entry("whole_days", _("until the end of the day"), Flag(), folded=True),
            Entry("lift", _("how it is lifted"), Values(), folded=True),
            Entry("whom", _("who is told"), Values(), folded=True),
            Entry("amount", _("amount of the fee"), Values(), folded=True),
        ]
    )
)
STEP = Group(
    [
        Entry("at", _("When the count reaches"), Number(required=True)),
        Entry("repeat", _("again each time"), RepeatLeaf(), _("yes, no, or every so many"), folded=True),
        Entry(
            "do", _("then"), ListOf(ACTION, _("Add a consequence"), _("Consequence %(number)s"), lambda: {"do": "warn"})
        ),
    ]
)
PARAMETERS: dict[str, list[Entry]] = {
    "require": [Entry("that", _("Needed"), CONDITION)],
    "length": [
        Entry("min", _("Shortest, minutes"), Amount()),
        Entry("max", _("Longest, minutes"), Amount()),
        Entry("step", _("Step, minutes"), Number()),
        Entry("part", _("only what lies in"), WindowRef(), WINDOW_HELP),
    ],
    "slots": [
        Entry("step", _("Starts every so many minutes"), Number()),
        Entry("starts", _("Starts at, one a line"), Lines(), _("like 09:00")),
        Entry("bands", _("Whole bands of"), WindowRef(), WINDOW_HELP),
        Entry("join", _("Bands in a row, at most"), Number()),
    ],
    "deadline": [
        Entry("earliest", _("Not before"), Moment(choices=codes.deadlines), MOMENT_HELP),
        Entry("latest", _("Not after"), Moment(choices=codes.deadlines), MOMENT_HELP),
    ],
    "quota": QUOTA,
    "lapse": [
        Entry("since", _("Counted from the latest of"), Values(), FIELDS_HELP),
        Entry("after", _("lapses after"), Duration(choices=codes.spans), _("e.g. 3mo")),
        Entry("set", _("what becomes what"), Setting(Leaf(), Values())),
    ],
    "event": [
        Entry("on", pgettext_lazy("event", "When"), Checks(codes.happenings)),
        Entry("after", _("later than"), Moment(choices=codes.lateness), MOMENT_HELP),
        Entry("from", _("from … on"), Moment(), MOMENT_HELP, folded=True),
        Entry("before", _("before"), Moment(choices=codes.lateness), MOMENT_HELP, folded=True),
        Entry("name", _("it counts as"), Leaf(False, codes.VIOLATION_NAMES), _("empty: it has no consequence")),
        Entry("with", _("and is recorded with"), Pairs(Values(), _("name"), _("value"))),
    ],
    "ladder": [
        Entry("count", _("Counted"), Weights(codes.counted), _("Each with its weight; others by code: dirty × 2")),
        Entry("window", _("within"), Leaf(False, codes.counting_windows, "over"), _("12mo, month …; empty: ever")),
        Entry("per", _("counted for each"), Checks(codes.PER), _("Nothing ticked: each person, as usual.")),
        Entry("restart", _("count anew after the last step"), Flag()),
        Entry(
            "steps", _("Steps"), ListOf(STEP, _("Add a step"), _("Step %(number)s"), lambda: {"at": 1, "do": "warn"})
        ),
    ],
    "priority": [
        Entry("order", _("First come"), ListOf(CONDITION, _("Add a group"), _("Rank %(number)s"))),
        Entry("displace", _("others can be displaced until"), Moment(), MOMENT_HELP, folded=True),
    ],
}
ABOUT: dict[str, tuple[Any, Any]] = {
    "require": (_("Something is needed"), _("training, a level, an audience, a window of time, an approval")),
    "length": (_("Length of a booking"), _("shortest, longest and step, also within peak hours only")),
    "slots": (_("Grid and bands"), _("when bookings may start; fixed bands booked whole")),
    "deadline": (_("Opening and closing of booking"), _("how early and how late one may book, change or cancel")),
    "quota": (_("Quota"), _("how much one person, group or organisation may have in a period")),
    "lapse": (_("Lapse"), _("a level that falls when it is not used")),
    "event": (_("Violation"), _("what counts as no-show, late arrival, late cancellation, overtime")),
    "ladder": (_("Consequences"), _("what follows from violations, step by step")),
    "priority": (_("Who comes first"), _("the order in which requests and waiting people are served")),
}
START: dict[str, dict[str, Any]] = {
    "require": {"that": {}},
    "length": {"max": 120},
    "slots": {"step": 30},
    "deadline": {"latest": "start -24h"},
    "quota": {"measure": "hours", "over": "week", "max": 10},
    "lapse": {"since": "person.last_used", "after": "3mo", "set": ["person.level", None]},
    "event": {"on": ["checkin"], "after": "start +30min", "name": "no_show"},
    "ladder": {"count": ["no_show"], "window": "12mo", "steps": [{"at": 3, "do": [{"do": "deny"}]}]},
    "priority": {"order": [{"audience": ["internal"]}]},
}


def rule_shape(kind: str) -> Group:
    """Everything that a rule of this kind can say; the sections of the page are parts of it."""
    return Group([entry for _title, entries in sections(kind) for entry in entries])


def sections(kind: str) -> list[tuple[Any, list[Entry]]]:
    own = PARAMETERS[kind]
    outcome = [each for each in (OUTCOME if kind in JUDGING else OUTCOME[-1:]) if each.key not in _keys(own)]
    exempt = Entry("free", _("no limit in this case"), Flag(), folded=True)
    case = Group([Entry("if", _("If"), CONDITION), *own, *outcome, exempt])
    cases = ListOf(case, _("Add a case"), _("Case %(number)s"))
    names = [
        Entry("topic", _("Topic"), Leaf(), _("shown with refusals")),
        Entry("id", _("Identity"), Leaf(), _("A rule of a narrower layer with the same identity replaces this one.")),
        Entry("note", _("Note"), Leaf(), _("for colleagues, without effect")),
        *([] if kind == "event" else [Entry("name", _("Name"), Leaf(), folded=True)]),
    ]
    acts = Entry("act", _("Acts"), Checks(codes.ACTS), _("Nothing ticked: booking and changing."))
    when = Entry("if", _("Only if"), CONDITION)
    judges = kind in JUDGING
    many = Entry("cases", _("The first case that holds decides; what a case leaves empty is as above."), cases)
    return [
        (_("Applies to"), [acts, when] if judges or kind == "lapse" else [when, acts]),
        (_("What it says"), own),
        *([(_("When it is not kept"), [*outcome, exempt])] if judges else []),
        (_("Cases"), [many]),
        (_("Names"), names if judges else [*names, *outcome, exempt]),
    ]  # fmt: skip


def _keys(entries: list[Entry]) -> set[str]:
    return {entry.key for entry in entries}


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class WeekStart(Choice):
    """A weekday by name or by number."""

    def show(self, value: Any) -> str:
        return "" if value is ABSENT else str(value)


def _weekdays() -> list[tuple[str, str]]:
    names = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
    return [("", str(_("as in the wider layers"))), *zip(WEEKDAYS, map(str, names), strict=True)]


CALENDAR = Group(
    [
        Entry("windows", _("Windows"), Pairs(WindowText(), _("name"), _("days and hours")),
              _("Times that rules name: Mon-Fri 09:00-17:00; Sat 09:00-12:00. Days: Mon-Fri, daily, workday, offday, "
                "holiday. Clear a name to remove the window.")),
        Entry("holidays", _("Holidays, one a line"), Lines(),
              _("2026-10-01, 2026-10-01..2026-10-07, every year: 10-01")),
        Entry("workdays", _("Make-up working days, one a line"), Lines(), _("They win over holidays.")),
        Entry("tz", _("Time zone"), Leaf(), _("like Asia/Shanghai; empty: the instrument’s")),
        Entry("week_start", _("The week begins on"), WeekStart(False, _weekdays)),
        Entry("name", _("Name of these rules"), Leaf(), folded=True),
    ]
)  # fmt: skip
