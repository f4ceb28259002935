"""One sentence for every reason: what is allowed, and what this is."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _

from . import phrases, words
from .results import Finding
from .situation import Situation


def refusal_sentence(finding: Finding, situation: Situation) -> str:
    return SENTENCES[finding.reason](finding, situation)


def _too_short(finding: Finding, situation: Situation) -> str:
    limits = {"min": words.minutes(finding.values["min"]), "is": words.minutes(finding.values["is"])}
    if finding.about.get("part"):
        limits["window"] = words.window(finding.about["part"])
        return _("At least %(min)s in %(window)s; this has %(is)s.") % limits
    return _("At least %(min)s; this is %(is)s.") % limits


def _too_long(finding: Finding, situation: Situation) -> str:
    limits = {"max": words.minutes(finding.values["max"]), "is": words.minutes(finding.values["is"])}
    if finding.about.get("part"):
        limits["window"] = words.window(finding.about["part"])
        return _("At most %(max)s in %(window)s; this has %(is)s.") % limits
    return _("At most %(max)s; this is %(is)s.") % limits


def _step(finding: Finding, situation: Situation) -> str:
    shown = {"step": words.minutes(finding.values["step"]), "is": words.minutes(finding.values["is"])}
    return _("Only multiples of %(step)s; this is %(is)s.") % shown


def _start_grid(finding: Finding, situation: Situation) -> str:
    start = words.instant(finding.about["start"], situation.calendar)[-5:]
    if "step" in finding.values:
        step = words.minutes(finding.values["step"])
        shown = {"step": step, "start": start}
        return _("Starts only every %(step)s from midnight; %(start)s is none of them.") % shown
    starts = words.listed(finding.values["starts"])
    return _("Starts only at %(starts)s; not at %(start)s.") % {"starts": starts, "start": start}


def _band(finding: Finding, situation: Situation) -> str:
    first, last = (words.instant(finding.values[name], situation.calendar) for name in ("from", "to"))
    shown = {"window": words.window(finding.about["window"]), "from": first, "to": last}
    return _("Only whole bands of %(window)s, such as %(from)s to %(to)s.") % shown


def _bands_joined(finding: Finding, situation: Situation) -> str:
    return _("At most %(max)s bands in a row; these are %(is)s.") % finding.values


def _too_early(finding: Finding, situation: Situation) -> str:
    return _("Bookable from %(from)s.") % {"from": words.instant(finding.values["from"], situation.calendar)}


def _too_late(finding: Finding, situation: Situation) -> str:
    to = words.instant(finding.values["to"], situation.calendar, ends_day=finding.about["ends_day"])
    return _("This was possible only until %(to)s.") % {"to": to}


def _quota(finding: Finding, situation: Situation) -> str:
    measure = finding.values["measure"]
    shown = {
        "rule": phrases.quota(finding.about["quota"]),
        "is": phrases.measured(measure, words.number(finding.values["is"])),
        "left": phrases.measured(measure, words.number(finding.values["left"])),
    }
    if finding.about["quota"].others:
        return _("Limit: %(rule)s. There are %(is)s already.") % shown
    return _("Limit: %(rule)s. With this it would be %(is)s; still free: %(left)s.") % shown


def _needs_booking(finding: Finding, situation: Situation) -> str:
    shown = {
        "rule": phrases.quota(finding.about["quota"]),
        "is": phrases.measured(finding.values["measure"], words.number(finding.values["is"])),
    }
    return _("Needed: %(rule)s. There are %(is)s.") % shown


def _require(finding: Finding, situation: Situation) -> str:
    whom = phrases.whom(finding.about["tests"])
    if whom:
        return _("Only for %(whom)s.") % {"whom": whom}
    text = _("Needed: %(needs)s.") % {"needs": words.both(phrases.test(each) for each in finding.about["tests"])}
    for name, at in finding.values.get("lapsed", {}).items():
        shown = {"field": words.field_name(name), "at": words.instant(at, situation.calendar)}
        text += " " + _("%(field)s lapsed on %(at)s.") % shown
    return text


def _suspend(finding: Finding, situation: Situation) -> str:
    if finding.until is None:
        return _("Suspended until this is lifted.")
    return _("Suspended until %(until)s.") % {"until": words.instant(finding.until, situation.calendar)}


def _deny(finding: Finding, situation: Situation) -> str:
    if finding.until is None:
        return _("On the deny list until this is lifted.")
    return _("On the deny list until %(until)s.") % {"until": words.instant(finding.until, situation.calendar)}


SENTENCES: dict[str, Callable[[Finding, Situation], str]] = {
    "too_short": _too_short,
    "too_long": _too_long,
    "step": _step,
    "start_grid": _start_grid,
    "band": _band,
    "bands_joined": _bands_joined,
    "too_early": _too_early,
    "too_late": _too_late,
    "quota": _quota,
    "needs_booking": _needs_booking,
    "require": _require,
    "suspend": _suspend,
    "deny": _deny,
}
