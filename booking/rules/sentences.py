"""Every rule as a sentence, for the people whom it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from . import phrases, words
from .conditions import Condition, FieldTest
from .kinds.deadline import Deadline
from .kinds.event import Event
from .kinds.ladder import Action, Ladder, Step
from .kinds.lapse import Lapse
from .kinds.length import Length
from .kinds.priority import Priority
from .kinds.quota import Quota
from .kinds.require import Require
from .kinds.slots import Slots
from .model import DEFAULT_ACTS, Case, Check, Parameters, Policy, Rule
from .situation import Situation, Subject
from .values import as_instant

# The codes of requirements that say for whom the instrument, or a mode of it, is there.
NOT_FOR_YOU, NO_SUCH_MODE = "not_for_you", "mode_not_offered"


def describe(policy: Policy, *, audience: Mapping[str, Any] | None = None) -> list[tuple[str, str]]:
    """``(rule id, sentence)`` in the active language, in the order of the rules.

    ``audience`` holds what is known of the reader (``{"audience": "internal", "person.level": "A"}``): cases
    that contradict it are left out, and rules of which no case remains.
    """
    found = ((rule.id, sentence(rule, policy, audience or {})) for rule in policy.rules)
    return [(identity, text) for identity, text in found if text]


def sentence(rule: Rule, policy: Policy, audience: Mapping[str, Any]) -> str:
    """Empty when the rule does not concern the reader."""
    cases = [case for case in rule.cases if _may_concern(case.condition, policy, audience)]
    if not cases or not _may_concern(rule.condition, policy, audience):
        return ""
    text = " ".join(_case(case, rule, first=place == 0) for place, case in enumerate(cases))
    if rule.condition.tests:
        text = _("If %(condition)s: %(sentence)s") % {"condition": phrases.condition(rule.condition), "sentence": text}
    if rule.acts_given and rule.acts != DEFAULT_ACTS and not all(_names_cancelling(case, rule) for case in cases):
        text = _("For %(acts)s: %(sentence)s") % {"acts": words.listed(map(words.act, rule.acts)), "sentence": text}
    return text[:1].upper() + text[1:]


def limit(case: Case, rule: Rule) -> str:
    """What one case asks, without its condition and without what follows when it is not kept."""
    if case.free or case.parameters.is_empty:
        text = _("no limit.")
    elif _names_cancelling(case, rule):
        text = _cancelling(case.parameters)
    else:
        text = _parameters(case.parameters, rule)
    return text[:1].upper() + text[1:]


def outcome(case: Case) -> str:
    """What follows when a case is not kept; empty for kinds that refuse nothing."""
    if case.free or case.parameters.is_empty or not isinstance(case.parameters, Check):
        return ""
    said = case.outcome
    if said.verdict == "approve":
        return (_("%(role)s must approve") % {"role": words.role(said.role)}) + _silence(case)
    if said.verdict == "notice":
        return _("a notice is shown")
    advice = words.advice(said.fix, said.code)
    return _("refused") + (f" ({advice})" if advice else "")


def _may_concern(condition: Condition, policy: Policy, audience: Mapping[str, Any]) -> bool:
    """Whether what is known leaves the condition possible; what is unknown contradicts nothing."""
    now = as_instant("2000-01-01", policy.calendar)
    assert now is not None  # any instant serves: only equalities are asked for
    situation = Situation(policy.calendar, Subject(audience), "", now)
    known = [test for test in condition.tests if isinstance(test, FieldTest) and test.key in audience]
    return all(_depends_on_time(test) or test.holds(situation.request, situation) for test in known)


def _depends_on_time(test: FieldTest) -> bool:
    return any((test.older, test.newer, test.earliest, test.latest))


def _case(case: Case, rule: Rule, *, first: bool) -> str:
    whose = _who_needs_approval(case)
    if whose:
        text = whose + _silence(case)
    elif _who_may_book(case):
        text = _who_may_book(case)
    elif case.free or case.parameters.is_empty:
        text = _("no limit.") + _outcome(case)
    elif _names_cancelling(case, rule):
        text = _cancelling(case.parameters) + _outcome(case)
    else:
        text = _parameters(case.parameters, rule) + _outcome(case)
    if case.condition.tests:
        return _("If %(condition)s: %(sentence)s") % {"condition": phrases.condition(case.condition), "sentence": text}
    return text if first else _("Otherwise: %(sentence)s") % {"sentence": text}


def _who_needs_approval(case: Case) -> str:
    """The two requirements that only stand for an approval, said as what they mean."""
    value, outcome = case.parameters, case.outcome
    if case.free or not isinstance(value, Require) or outcome.verdict != "approve" or len(value.that.tests) != 1:
        return ""
    (test,) = value.that.tests
    if not isinstance(test, FieldTest):
        return ""
    role = {"role": words.role(outcome.role)}
    if test.key == "audience" and test.one_of == ("internal",):
        return _("bookings of other organisations need %(role)s’s approval.") % role
    if test.key == "approved_in_advance" and test.one_of == (True,):
        return _("every booking needs %(role)s’s approval.") % role
    return ""


def _who_may_book(case: Case) -> str:
    """The requirement that only says for whom the instrument, or a mode of it, is there."""
    value, code = case.parameters, case.outcome.code
    if case.free or not isinstance(value, Require) or code not in (NOT_FOR_YOU, NO_SUCH_MODE):
        return ""
    whom = phrases.whom(value.that.tests)
    if not whom:
        return ""
    text = _("only %(whom)s may book.") if code == NOT_FOR_YOU else _("only for %(whom)s.")
    return text % {"whom": whom}


def _names_cancelling(case: Case, rule: Rule) -> bool:
    """Whether `_cancelling` says it, so that the act need not be named before."""
    value = case.parameters
    plain = isinstance(value, Deadline) and value.earliest is None and bool(words.ahead_of_start(value.latest))
    return tuple(rule.acts) == ("cancel",) and plain and not case.free


def _cancelling(value: Parameters) -> str:
    assert isinstance(value, Deadline)  # `_names_cancelling` says so
    return _("cancel at the latest %(span)s before the start.") % {"span": words.ahead_of_start(value.latest)}


def _outcome(case: Case) -> str:
    outcome = case.outcome
    if outcome.verdict == "notice":
        return " " + _("Otherwise a notice is shown.")
    if outcome.verdict == "approve":
        text = " " + _("Otherwise %(role)s must approve.") % {"role": words.role(outcome.role)}
        return text + _silence(case)
    advice = words.advice(outcome.fix, outcome.code)
    return f" ({advice})" if advice else ""


def _silence(case: Case) -> str:
    outcome = case.outcome
    moment = outcome.silence_at or case.dates.get("at")
    if not outcome.silence or moment is None:
        return ""
    shown = {"moment": words.moment(moment)}
    if outcome.silence == "consent":
        return " " + _("No answer by then means consent: %(moment)s.") % shown
    return " " + _("No answer by then means refusal: %(moment)s.") % shown


def _parameters(value: Parameters, rule: Rule) -> str:
    if isinstance(value, Require):
        return _("needed: %(needs)s.") % {"needs": phrases.condition(value.that)}
    if isinstance(value, Length):
        return _length(value)
    if isinstance(value, Slots):
        return _slots(value)
    if isinstance(value, Deadline):
        return _deadline(value, books=rule.acts == DEFAULT_ACTS)
    if isinstance(value, Quota):
        return _("%(limit)s.") % {"limit": phrases.quota(value)}
    if isinstance(value, Lapse):
        return _lapse(value)
    if isinstance(value, Event):
        return _event(value)
    return _ladder(value) if isinstance(value, Ladder) else _priority(value)


def _length(value: Length) -> str:
    found: list[str] = []
    if value.least is not None:
        found.append(_("at least %(amount)s") % {"amount": words.lasting(value.least)})
    if value.most is not None:
        found.append(_("at most %(amount)s") % {"amount": words.lasting(value.most)})
    if value.step is not None:
        found.append(_("in steps of %(n)s minutes") % {"n": words.number(value.step)})
    text = words.listed(found)
    if value.part is not None:
        return _("%(limit)s in %(window)s.") % {"limit": text, "window": words.window(value.part)}
    return _("%(limit)s.") % {"limit": text}


def _slots(value: Slots) -> str:
    found: list[str] = []
    if value.step is not None:
        found.append(_("starts every %(n)s minutes from midnight") % {"n": words.number(value.step)})
    if value.starts:
        found.append(_("starts at %(starts)s") % {"starts": words.listed(map(words.clock, value.starts))})
    if value.bands is not None:
        found.append(_("only whole bands of %(window)s") % {"window": words.window(value.bands)})
    if value.join is not None:
        found.append(_("at most %(n)s in a row") % {"n": value.join})
    return _("%(limit)s.") % {"limit": words.listed(found)}


def _deadline(value: Deadline, *, books: bool) -> str:
    """``books``: it is about booking and moving, where a plain span before the start is said as one."""
    found: list[str] = []
    opens, closes = (words.ahead_of_start(each) if books else "" for each in (value.earliest, value.latest))
    if opens:
        found.append(_("bookable at most %(span)s ahead") % {"span": opens})
    elif value.earliest is not None:
        found.append(_("opens: %(moment)s") % {"moment": words.moment(value.earliest)})
    if closes:
        found.append(_("book at least %(span)s ahead") % {"span": closes})
    elif value.latest is not None:
        found.append(_("at the latest: %(moment)s") % {"moment": words.moment(value.latest)})
    return _("%(limit)s.") % {"limit": words.listed(found)}


def _lapse(value: Lapse) -> str:
    shown = {
        "field": words.field_name(value.field),
        "value": words.value(value.field, value.value),
        "span": words.span(value.after) if value.after else "",
        "since": words.either(map(words.field_name, value.since)),
    }
    return _("%(field)s becomes “%(value)s” %(span)s after: %(since)s.") % shown


def _event(value: Event) -> str:
    names = {
        "cancel": _("cancelling"),
        "checkin": _("arriving"),
        "checkout": _("leaving"),
        "never": _("not coming"),
        "unconfirmed": _("not confirming"),
    }
    found = [words.either(names.get(name, name) for name in value.on)]
    if value.after is not None:
        found.append(_("later than %(moment)s") % {"moment": words.moment(value.after)})
    if value.since is not None:
        found.append(_("from %(moment)s on") % {"moment": words.moment(value.since)})
    if value.before is not None:
        found.append(_("before %(moment)s") % {"moment": words.moment(value.before)})
    plain = {
        key: each for key, each in value.values.items() if isinstance(each, (str, int, float)) and key != "forfeit"
    }
    extra = [f"{key} {each}" for key, each in plain.items()]
    name = words.violation(value.name) + (f" ({words.listed(extra)})" if extra else "")
    shown = {"what": words.listed(found), "name": name}
    if not value.name:
        return _("%(what)s has no consequence.") % shown
    if value.values.get("forfeit") is True:
        return _("%(what)s counts as %(name)s and forfeits the booking.") % shown
    return _("%(what)s counts as %(name)s.") % shown


def _ladder(value: Ladder) -> str:
    names = words.either(
        words.violation(name) if weight == 1 else f"{words.violation(name)} ({words.number(weight)})"
        for name, weight in value.weights.items()
    )
    text = _("counted: %(names)s per %(parties)s") % {
        "names": names,
        "parties": words.each(map(words.field_name, value.per)),
    }
    if value.window is not None:
        text = _("%(limit)s %(period)s") % {"limit": text, "period": phrases.period(value.window)}
    steps = _("; ").join(_ladder_step(step) for step in value.steps)
    text = _("%(counted)s – %(steps)s.") % {"counted": text, "steps": steps}
    return text + " " + _("Then counting starts anew.") if value.restart else text


def _ladder_step(step: Step) -> str:
    shown = {"n": words.number(step.at), "actions": words.listed(_action(action) for action in step.actions)}
    if step.every is not None:
        return _("at %(n)s and again every %(every)s: %(actions)s") % {**shown, "every": words.number(step.every)}
    return _("at %(n)s: %(actions)s") % shown


def _action(action: Action) -> str:
    names = {
        "warn": _("a warning"),
        "fee": _("a fee"),
        "suspend": _("suspension"),
        "deny": _("the deny list"),
        "cancel_future": _("future bookings are cancelled"),
        "tell": _("notice to %(whom)s") % {"whom": words.role(str(action.values.get("whom", "")))},
    }
    text = names[action.code]
    if action.lasts is not None:
        text = _("%(action)s for %(span)s") % {"action": text, "span": words.span(action.lasts)}
    elif action.ends is not None:
        text = _("%(action)s until %(moment)s") % {"action": text, "moment": words.moment(action.ends)}
    elif action.code in ("suspend", "deny"):
        text = _("%(action)s until lifted") % {"action": text}
    if action.same:
        same = words.listed(map(words.field_name, action.same))
        text = _("%(action)s (same %(fields)s)") % {"action": text, "fields": same}
    return text


def _priority(value: Priority) -> str:
    order = _(", then ").join([*(phrases.condition(each) for each in value.order), _("the others")])
    text = _("served first: %(order)s; among equals who asked first.") % {"order": order}
    if value.displace is None:
        return text
    return text + " " + _("Others can be displaced until %(moment)s.") % {"moment": words.moment(value.displace)}
