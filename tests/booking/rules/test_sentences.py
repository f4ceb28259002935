"""Rules and refusals as people read them."""

# ruff: noqa: E501  # a rule and its whole sentence on one line are easier to compare

from __future__ import annotations

from typing import Any

import pytest

from booking.rules import words
from booking.rules.phrases import test as phrase_of
from booking.rules.sentences import describe
from tests.booking.rules.making import WEEKDAY_PEAK, ask, make_booking, make_policy

PEAK = "“peak” (Monday to Friday 09:00–18:00)"


def sentence_of(rule: dict[str, Any], **settings: Any) -> str:
    policy = make_policy(
        rule, windows={**WEEKDAY_PEAK, "odd": "[05-01..09-30, 12-24] Mon,Wed-Thu,holiday 20:00-02:00; Sat"}
    )
    ((_identity, text),) = describe(policy, **settings)
    return text


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "length", "min": 30, "max": 180, "step": 15}, "At least 30 minutes, at most 3 hours, in steps of 15 minutes."),
        ({"kind": "length", "max": 90, "part": "peak"}, f"At most 90 minutes in {PEAK}."),
        ({"kind": "length", "max": {"base": 30, "fact": "group.size", "times": 7.5, "round": "up", "cap": 99}}, "At most 30 + 7.5 × group.size, rounded, at most 99 minutes."),
        ({"kind": "length", "max": {"fact": "group.size"}}, "At most group.size minutes."),
        ({"kind": "slots", "step": 30, "starts": ["09:00", "13:30"]}, "Starts every 30 minutes from midnight, starts at 09:00, 13:30."),
        ({"kind": "slots", "bands": "odd", "join": 2}, "Only whole bands of “odd” (05-01–09-30, 12-24 on holidays, Monday, Wednesday to Thursday 20:00–02:00; Saturday all day), at most 2 in a row."),
        ({"kind": "deadline", "earliest": "start -1w Thu @12:00", "latest": "start -3d @24:00"}, "Opens: 1 week before the start, Thursday of that week, at 12:00 of that day, at the latest: 3 days before the start, end of that day."),
        ({"kind": "deadline", "latest": "start -1mo #15", "act": "cancel", "fix": "call us"}, "For cancelling: at the latest: 1 month before the start, day 15 of that month. (call us)"),
        ({"kind": "deadline", "earliest": "2026-05-01", "latest": "person.trained +1y"}, "Opens: 2026-05-01, at the latest: 1 year after trained."),
        ({"kind": "deadline", "earliest": "start -30d"}, "Bookable at most 30 days ahead."),
        ({"kind": "deadline", "latest": "start -1h"}, "Book at least 1 hour ahead."),
        ({"kind": "deadline", "act": ["cancel"], "latest": "start -2h"}, "Cancel at the latest 2 hours before the start."),
        ({"kind": "deadline", "act": ["extend"], "latest": "start -2h"}, "For extending: at the latest: 2 hours before the start."),
        ({"kind": "require", "that": {"touches": "business"}}, "Needed: it touches business hours (on working days 09:00–17:00)."),
        ({"kind": "require", "that": {"inside": "always"}}, "Needed: it lies within at any time."),
        ({"kind": "require", "that": {"now_in": "Tue 09:00-10:00"}}, "Needed: asked for during Tuesday 09:00–10:00."),
        ({"kind": "require", "that": {"made_before": "start -2wd"}}, "Needed: booked before: 2 working days before the start."),
        ({"kind": "require", "that": {"unfinished": False}}, "Needed: finished."),
        ({"kind": "require", "that": {"audience": ["internal", None]}, "code": "not_for_you"}, "Needed: audience is internal users or not given."),
        ({"kind": "require", "that": {"audience": {"not": "enterprise"}}, "code": "mode_not_offered"}, "Needed: audience is not enterprises."),
        ({"kind": "require", "that": {"audience": "internal"}, "code": "mode_not_offered"}, "Only for internal users."),
        ({"kind": "require", "that": {"mode": {"not": ["self", None]}, "x": {"newer": "1d"}}}, "Needed: mode is not self-operated or not given and x: less than 1 day ago."),
        ({"kind": "require", "that": {"bookings": {"over": "open", "max": 3}}}, "Needed: at most 3 bookings per person not finished yet at the same time."),
        ({"kind": "quota", "measure": "people", "over": "overlap", "max": 2, "per": []}, "At most 2 people at once."),
        ({"kind": "quota", "over": "near 2h", "max": 0}, "At most 0 bookings per person less than 2 hours apart, others only."),
        ({"kind": "quota", "measure": "pieces", "over": "7d", "min": 1, "of": {"unfinished": True}}, "At least 1 samples per person in any 7 days, counting only: not finished yet."),
        ({"kind": "lapse", "if": {"x": True}, "since": ["a", "b"], "after": "3mo", "set": ["person.level", None]}, "If x is yes: level of the person becomes “not given” 3 months after: a or b."),
        ({"kind": "event", "on": "checkout", "from": "end", "before": "end +1h", "name": "overtime", "with": {"share": 50}}, "Leaving, from the end on, before 1 hour after the end counts as overtime (share 50)."),
        ({"kind": "priority", "order": [{"audience": "internal"}], "displace": "start -7d"}, "Served first: audience is internal users, then the others; among equals who asked first. Others can be displaced until 7 days before the start."),
        ({"kind": "ladder", "count": {"late": 1, "*": 0.5}, "window": "year", "restart": True, "steps": [{"at": 2, "repeat": 2, "do": [{"do": "suspend", "for": "1w", "same": "instrument"}, {"do": "tell", "whom": "head"}, "deny"]}]}, "Counted: late arrival or any violation (0.5) per person in a year – at 2 and again every 2: suspension for 1 week (same instrument), notice to head, the deny list until lifted. Then counting starts anew."),
    ],
)  # fmt: skip
def test_sentence(rule: dict[str, Any], expected: str) -> None:
    assert sentence_of(rule) == expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"else": "notice"}, "Otherwise a notice is shown."),
        ({"else": "approve:supervisor"}, "Otherwise the supervisor must approve."),
        ({"else": "approve:dean", "silence": "consent", "at": "now +2wd"}, "Otherwise dean must approve. No answer by then means consent: 2 working days after now."),
        ({"else": "approve", "silence": "refuse", "dates": {"at": "made +1bh"}}, "Otherwise the instrument manager must approve. No answer by then means refusal: 1 business hour after the time of booking."),
    ],
)  # fmt: skip
def test_outcome(outcome: dict[str, Any], expected: str) -> None:
    assert sentence_of({"kind": "length", "max": 30, **outcome}) == f"At most 30 minutes. {expected}"


@pytest.mark.parametrize(
    ("that", "outcome", "expected"),
    [
        ({"audience": "internal"}, {"else": "approve:manager"}, "Bookings of other organisations need the instrument manager’s approval."),
        ({"approved_in_advance": True}, {"else": "approve:supervisor"}, "Every booking needs the supervisor’s approval."),
        ({"audience": "internal"}, {"else": "approve", "silence": "consent", "at": "now +2wd"}, "Bookings of other organisations need the instrument manager’s approval. No answer by then means consent: 2 working days after now."),
        ({"audience": "internal"}, {"else": "notice"}, "Needed: audience is internal users. Otherwise a notice is shown."),
        ({"audience": "academic"}, {"else": "approve"}, "Needed: audience is academic users. Otherwise the instrument manager must approve."),
        ({"any": [{"mode": "self"}, {"samples": 1}]}, {"else": "approve"}, "Needed: mode is self-operated or number of samples is 1. Otherwise the instrument manager must approve."),
    ],
)  # fmt: skip
def test_who_needs_approval(that: dict[str, Any], outcome: dict[str, Any], expected: str) -> None:
    assert sentence_of({"kind": "require", "act": ["create", "change"], "that": that, **outcome}) == expected


CASES = {
    "kind": "length",
    "if": {"mode": "self"},
    "cases": [{"if": {"audience": "internal", "x": {"older": "1y"}}, "free": True}, {"max": 30}],
}


def test_cases_in_turn() -> None:
    expected = "If mode is self-operated: If audience is internal users and x: at least 1 year ago: no limit. Otherwise: at most 30 minutes."

    assert sentence_of(CASES) == expected
    assert sentence_of(CASES, audience={"audience": "internal", "x": None}) == expected


def test_case_without_a_limit() -> None:
    rule = {"kind": "quota", "over": "day", "cases": [{"if": {"x": 1}, "max": 2}, {}]}

    assert sentence_of(rule) == "If x is 1: at most 2 bookings per person in a day. Otherwise: no limit."


def test_only_what_concerns_the_reader() -> None:
    text = sentence_of(CASES, audience={"audience": "academic"})

    assert text == "If mode is self-operated: at most 30 minutes."
    assert describe(make_policy(CASES), audience={"mode": "sample"}) == []


def test_labels_of_an_institution() -> None:
    rule = {"kind": "require", "that": {"audience": "inside", "person.exams": {"min": 2}}}

    with words.labelled({"audience=inside": "members", "person.exams": "exams"}):
        assert sentence_of(rule) == "Needed: audience is members and exams: at least 2."
    assert sentence_of(rule) == "Needed: audience is members of the institution and person.exams: at least 2."


REQUEST = make_booking("2026-03-10 17:10", "2026-03-10 18:30")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "length", "max": 60}, "At most 1 hour; this is 80 minutes."),
        ({"kind": "require", "that": {"audience": ["internal", "academic"]}}, "Only for internal users and academic users."),
        ({"kind": "length", "min": 90.5}, "At least 90.5 minutes; this is 80 minutes."),
        ({"kind": "length", "step": 60}, "Only multiples of 1 hour; this is 80 minutes."),
        ({"kind": "length", "max": 1, "part": "peak"}, f"At most 1 minute in {PEAK}; this has 50 minutes."),
        ({"kind": "length", "min": 60, "part": "peak"}, f"At least 1 hour in {PEAK}; this has 50 minutes."),
        ({"kind": "slots", "step": 30}, "Starts only every 30 minutes from midnight; 17:10 is none of them."),
        ({"kind": "slots", "starts": ["08:00", "13:00"]}, "Starts only at 08:00, 13:00; not at 17:10."),
        ({"kind": "slots", "bands": "peak"}, f"Only whole bands of {PEAK}, such as 2026-03-10 09:00 to 2026-03-10 18:00."),
        ({"kind": "deadline", "earliest": "start -1d"}, "Bookable from 2026-03-09 17:10."),
        ({"kind": "deadline", "latest": "start -3d"}, "This was possible only until 2026-03-07 17:10."),
        ({"kind": "deadline", "latest": "start -3d @24:00"}, "This was possible only until 2026-03-07 24:00."),
        ({"kind": "quota", "measure": "hours", "over": "day", "max": 1}, "Limit: at most 1 h per person in a day. With this it would be 1.33 h; still free: 1 h."),
        ({"kind": "quota", "over": "day", "max": 0, "others": True, "per": "group"}, "Limit: at most 0 bookings per group in a day, others only. There are 1 bookings already."),
        ({"kind": "quota", "over": "ever", "min": 2}, "Needed: at least 2 bookings per person altogether. There are 1 bookings."),
        ({"kind": "require", "that": {"ends_in": "peak"}}, f"Needed: it ends in {PEAK}."),
    ],
)  # fmt: skip
def test_refusal(rule: dict[str, Any], expected: str) -> None:
    other = make_booking("2026-03-10 08:00", "2026-03-10 09:00", id=1, person="q")

    (entry,) = ask(make_policy(rule, windows=WEEKDAY_PEAK), REQUEST, bookings=[other]).refuse

    assert entry.detail == expected


def test_too_many_bands() -> None:
    rule = {"kind": "slots", "bands": "daily 09:00-12:00, 12:00-15:00", "join": 1}

    (entry,) = ask(make_policy(rule), make_booking("2026-03-10 09:00", "2026-03-10 15:00")).refuse

    assert entry.detail == "At most 1 bands in a row; these are 2."


def test_unknown_test_is_shown_by_its_name() -> None:
    class Strange:
        key = "strange"

    assert phrase_of(Strange()) == "strange"  # type: ignore[arg-type]
