"""What cannot be read or must not be done, in what the engine added: series, waitlist, samples, trainings, violations.

As in `test_bad_input_api`: words in the reader's language, and nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.access.world import World, undone
from tests.test_bad_input_api import LANGUAGES, Case, ask, assert_refused, sent, state, wish

pytestmark = pytest.mark.django_db

SERIES, PREVIEW, SEVERAL = "POST bookings/series", "POST bookings/series/preview", "POST bookings/several"
FIND, WAIT, ORDER = "POST bookings/several/find", "POST waitlist", "POST sample-orders"
OUTAGE, TRY = "POST instruments/{instrument}/outages", "POST instruments/{instrument}/policy/try"
POLICY, VIOLATION = "PUT instruments/{instrument}/policy", "POST violations"
TRAINING, SESSION = "POST trainings", "POST training-sessions"
HUGE = 10**30
Make = Callable[[World], Any]


def series(rrule: Any = "FREQ=WEEKLY;COUNT=2", **changes: Any) -> Make:
    return wish(rrule=rrule, **changes)


def named(**fields: Any) -> Make:
    """A body whose values that begin with ``@`` are ids of the world."""

    def look(value: Any, world: World) -> Any:
        if isinstance(value, dict):
            return {name: look(each, world) for name, each in value.items()}
        if isinstance(value, list):
            return [look(each, world) for each in value]
        return world.ids[value[1:]] if isinstance(value, str) and value.startswith("@") else value

    return lambda world: look({name: value for name, value in fields.items() if value is not None}, world)


def item(**changes: Any) -> dict[str, Any]:
    sound = {
        "instrument": "@instrument", "start": "2026-12-08T09:00:00+08:00", "end": "2026-12-08T10:00:00+08:00",
        "mode": "self",
    }  # fmt: skip
    return {**sound, **changes}


def window(**changes: Any) -> Make:
    sound = {
        "instrument": "@instrument", "from": "2026-12-01T09:00:00+08:00", "to": "2026-12-01T10:00:00+08:00",
        "duration_minutes": 60, "mode": "self",
    }  # fmt: skip
    return named(**{**sound, **changes})


def samples(*items: Any, **changes: Any) -> Make:
    rows = list(items) or [{"name": "Powder", "quantity": 1}]
    return named(**{"instrument": "@sampled", "items": rows, "purpose": "Test", **changes})


def rules(*rules: Any) -> Make:
    return sent({"policy": {"rules": list(rules)}})


def entry(**changes: Any) -> Make:
    return named(**{"name": "no_show", "reason": "x", "booking": "@confirmed", **changes})


RULES_OF_SERIES = [
    ("every second", "FREQ=SECONDLY;COUNT=5"),
    ("every minute", "FREQ=MINUTELY;COUNT=5"),
    ("every hour", "FREQ=HOURLY;COUNT=5"),
    ("every year", "FREQ=YEARLY;COUNT=5"),
    ("without an end", "FREQ=DAILY"),
    ("a milliard of dates", "FREQ=DAILY;COUNT=1000000000"),
    ("a date more than a hundred", "FREQ=DAILY;COUNT=101"),
    ("no dates", "FREQ=DAILY;COUNT=0"),
    ("fewer than no dates", "FREQ=DAILY;COUNT=-1"),
    ("half a date", "FREQ=DAILY;COUNT=1.5"),
    ("a count in Arabic digits", "FREQ=DAILY;COUNT=٣"),
    ("two ends", "FREQ=DAILY;COUNT=2;UNTIL=20261220"),
    ("the end before the start", "FREQ=DAILY;UNTIL=20200101"),
    ("the end of all times", "FREQ=DAILY;UNTIL=99991231"),
    ("the year 1", "FREQ=DAILY;UNTIL=00010101T000000Z"),
    ("no day", "FREQ=DAILY;UNTIL=20260230"),
    ("no interval", "FREQ=DAILY;INTERVAL=0;COUNT=2"),
    ("a century between", "FREQ=MONTHLY;INTERVAL=1200;COUNT=2"),
    ("hours of a day", "FREQ=DAILY;COUNT=2;BYHOUR=0,1,2,3,4,5,6,7,8,9"),
    ("seconds of a day", "FREQ=DAILY;COUNT=2;BYSECOND=0,1,2"),
    ("days of a year", "FREQ=DAILY;COUNT=2;BYYEARDAY=1"),
    ("Easter", "FREQ=DAILY;COUNT=2;BYEASTER=0"),
    ("a week that begins on Sunday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;COUNT=4;WKST=SU"),
    ("a day that never comes", "FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=1MO;COUNT=2"),
    ("the 32nd", "FREQ=MONTHLY;BYMONTHDAY=32;COUNT=2"),
    ("the sixth Monday", "FREQ=MONTHLY;BYDAY=6MO;COUNT=2"),
    ("an unknown day", "FREQ=WEEKLY;BYDAY=XX;COUNT=2"),
    ("the same part twice", "FREQ=DAILY;COUNT=2;COUNT=3"),
    ("nothing but signs", ";;;===;;;"),
    ("another rule on the next line", "FREQ=DAILY;COUNT=2\nRRULE:FREQ=SECONDLY"),
    ("NUL", "FREQ=DAILY;COUNT=2\0"),
    ("longer than any rule", "FREQ=WEEKLY;COUNT=2;BYDAY=" + ",".join(["MO"] * 200)),
    ("a word", "weekly"),
    ("a number", 7),
]
CASES = [
    *(Case(f"a series: {name}", SERIES, 422, "rrule", series(rule)) for name, rule in RULES_OF_SERIES),
    *(Case(f"a preview: {name}", PREVIEW, 422, "rrule", series(rule, purpose=None)) for name, rule in RULES_OF_SERIES),
    Case("a series that overlaps itself", SERIES, 409, "rrule", series(
        "FREQ=DAILY;COUNT=3", end="2026-12-09T10:00:00+08:00")),
    Case("a series backwards", SERIES, 422, "end", series(end="2026-12-08T08:00:00+08:00")),
    Case("a series in the past", SERIES, 409, "", series(
        start="2026-11-03T09:00:00+08:00", end="2026-11-03T10:00:00+08:00")),
    Case("a series of seconds", SERIES, 422, "start", series(start="2026-12-08T09:00:01+08:00")),
    Case("a series of somebody's project", SERIES, 422, "project", series(project=987654321)),
    Case("a series in an unknown manner", SERIES, 422, "on_conflict", series(on_conflict="force")),
    Case("a series of a foreign house", SERIES, 404, "", series(instrument=987654321)),
    Case("a series with a fee in letters", "POST bookings/series/{series}/cancel", 422, "expected_fee", sent(
        {"expected_fee": "1e5"})),
    Case("a series from a foreign date on", "POST bookings/series/{series}/cancel", 404, "", named(
        **{"from": "@confirmed"})),
    Case("a series moved to nowhere", "POST bookings/series/{series}/reschedule", 422, "end", sent(
        {"start": "2026-12-08T09:00:00+08:00", "end": "2026-12-08T09:00:00+08:00"})),
    Case("a series moved for ever", "POST bookings/series/{series}/reschedule", 422, "end", sent(
        {"start": "2026-12-08T09:00:00+08:00", "end": "2027-12-08T09:00:00+08:00"})),
    Case("a date of another series", f"POST bookings/series/{{series}}/skipped/{HUGE}/take-up", 404, "", sent({})),
    Case("a date taken up backwards", "POST bookings/series/{series}/skipped/{skipped}/take-up", 422, "end", sent(
        {"start": "2026-12-08T09:00:00+08:00", "end": "2026-12-08T08:00:00+08:00"})),
    # Several at once
    Case("no instruments", SEVERAL, 422, "items", sent({"items": [], "purpose": "x"})),
    Case("too many instruments", SEVERAL, 422, "items", named(items=[item()] * 21, purpose="x")),
    Case("the same time twice", SEVERAL, 409, "items.1", named(items=[item(), item()], purpose="x")),
    Case("a foreign instrument among them", SEVERAL, 404, "", named(
        items=[item(), item(instrument=987654321)], purpose="x")),
    Case("an unknown field in an item", SEVERAL, 422, "items.0.user", named(items=[item(user=1)], purpose="x")),
    Case("an item backwards", SEVERAL, 422, "end", named(
        items=[item(), item(end="2026-12-08T08:00:00+08:00")], purpose="x")),
    Case("an experiment of no length", FIND, 422, "items.0.minutes", named(
        items=[{"instrument": "@instrument", "minutes": 0, "mode": "self"}])),
    Case("an experiment of years", FIND, 422, "items.0.minutes", named(
        items=[{"instrument": "@instrument", "minutes": 10**9, "mode": "self"}])),
    Case("an experiment with a gap below nothing", FIND, 422, "gap_minutes", named(
        items=[{"instrument": "@instrument", "minutes": 60, "mode": "self"}], gap_minutes=-1)),
    # Lengths and hand-overs
    Case("an extension backwards", "POST bookings/{confirmed}/extend", 422, "end", sent(
        {"end": "2026-11-01T09:00:00+08:00"})),
    Case("an extension to the year 9999", "POST bookings/{confirmed}/extend", 422, "end", sent(
        {"end": "9999-12-31T23:59:00+08:00"})),
    Case("an extension of years", "POST bookings/{confirmed}/extend", 422, "end", sent(
        {"end": "2030-12-01T09:00:00+08:00"})),
    Case("shortening to longer", "POST bookings/{confirmed}/shorten", 409, "end", sent(
        {"end": "2026-12-01T12:00:00+08:00"})),
    Case("shortening to nothing", "POST bookings/{confirmed}/shorten", 422, "end", sent(
        {"end": "2026-12-01T09:00:00+08:00"})),
    Case("handed to nobody", "POST bookings/{confirmed}/transfer", 422, "user", sent({})),
    Case("handed to a stranger", "POST bookings/{confirmed}/transfer", 422, "user", sent({"user": 987654321})),
    Case("handed to an address with a header", "POST bookings/{confirmed}/transfer", 422, "user_email", sent(
        {"user_email": "a@b.cn\r\nBcc: x@y.z"})),
    Case("handed over for free", "POST bookings/{confirmed}/transfer", 422, "quote", sent({"user": 1, "quote": {}})),
    # Waitlist
    Case("waiting backwards", WAIT, 422, "end", window(to="2026-12-01T08:00:00+08:00")),
    Case("waiting for the past", WAIT, 422, "end", window(
        **{"from": "2026-11-01T08:00:00+08:00", "to": "2026-11-01T10:00:00+08:00"})),
    Case("waiting for years", WAIT, 422, "end", window(to="2029-12-01T08:00:00+08:00")),
    Case("waiting for longer than the window", WAIT, 422, "duration_minutes", window(duration_minutes=61)),
    Case("waiting for no time", WAIT, 422, "duration_minutes", window(duration_minutes=0)),
    Case("waiting for a moment", WAIT, 422, "duration_minutes", window(duration_minutes=4)),
    Case("waiting by the second", WAIT, 422, "start", window(**{"from": "2026-12-01T09:00:30+08:00"})),
    Case("waiting for the free", WAIT, 409, "", window(
        **{"from": "2026-12-22T09:00:00+08:00", "to": "2026-12-22T12:00:00+08:00"})),
    Case("waiting at the head", WAIT, 422, "place", window(place=1)),
    Case("waiting for somebody", WAIT, 422, "user", window(user=1)),
    Case("accepting what changed", "POST waitlist/{wait}/accept", 412, "", sent({"version": 0})),
    Case("another's proposal", f"POST bookings/{{displaced}}/replacements/{HUGE}/accept", 404, "", sent({})),
    # Outages
    Case("an outage without an end", OUTAGE, 422, "end", sent(
        {"start": "2026-12-08T09:00:00+08:00", "reason": "x"}), "manager"),
    Case("an outage of centuries", OUTAGE, 422, "", sent(
        {"start": "2026-12-08T09:00:00+08:00", "end": "2199-12-08T09:00:00+08:00", "reason": "x"}), "manager"),
    Case("an outage that hits another's", OUTAGE, 409, "", sent(
        {"start": "2026-12-01T09:00:00+08:00", "end": "2026-12-01T10:00:00+08:00", "reason": "x", "displace": True,
         "hits": [1, 2, 3]}), "manager"),
    # Samples
    Case("no samples", ORDER, 422, "items", named(instrument="@sampled", items=[], purpose="x")),
    Case("too many kinds", ORDER, 422, "items", samples(*[{"name": "a", "quantity": 1}] * 201)),
    Case("no pieces", ORDER, 422, "items.0.quantity", samples({"name": "a", "quantity": 0})),
    Case("pieces without an end", ORDER, 422, "items.0.quantity", samples({"name": "a", "quantity": HUGE})),
    Case("a line break in a sample", ORDER, 422, "items.0.name", samples({"name": "a\nb", "quantity": 1})),
    Case("NUL in a sample", ORDER, 422, "items.0.notes", samples({"name": "a", "quantity": 1, "notes": "\0"})),
    Case("a price for a sample", ORDER, 422, "items.0.rate", samples({"name": "a", "quantity": 1, "rate": 0})),
    Case("a parameter below nothing", ORDER, 409, "", samples(
        {"name": "a", "quantity": 1, "parameters": {"points": -5}})),
    Case("a parameter to infinity", ORDER, 422, "items.0.parameters.points", samples(
        {"name": "a", "quantity": 1, "parameters": {"points": HUGE}})),
    Case("a parameter that nobody asked for", ORDER, 409, "", samples(
        {"name": "a", "quantity": 1, "parameters": {"free": True}})),
    Case("a wish for the year 9999", ORDER, 422, "wished_on", samples(wished_on="9999-12-31")),
    Case("samples of another order", "POST sample-orders/{accepted_order}/receive", 422, "items", sent(
        {"items": [{"id": 987654321}]}), "manager"),
    Case("half a machine time", "POST sample-orders/{received_order}/start", 422, "end", sent(
        {"start": "2026-12-08T09:00:00+08:00"}), "manager"),
    Case("an order that changed", "POST sample-orders/{new_order}/accept", 412, "", sent({"version": 0}), "manager"),
    Case("results in the past", "POST sample-orders/{new_order}/accept", 422, "expected_on", sent(
        {"expected_on": "2020-01-01"}), "manager"),
    # Rules and trying them
    Case("a try backwards", TRY, 422, "end", sent(
        {"start": "2026-12-08T09:00:00+08:00", "end": "2026-12-08T08:00:00+08:00", "mode": "self"}), "manager"),
    Case("a try as nobody", TRY, 422, "audience", sent(
        {"start": "2026-12-08T09:00:00+08:00", "end": "2026-12-08T10:00:00+08:00", "mode": "self",
         "audience": "god"}), "manager"),
    Case("a condition of another kind", POLICY, 422, "", rules({"kind": "length", "max": 60, "if": "1 == 1"}),
         "manager"),
    Case("a condition on no field", POLICY, 422, "", rules(
        {"kind": "length", "max": 60, "if": {"person..level": "x"}}), "manager"),
    Case("a moment of no kind", POLICY, 422, "", rules(
        {"kind": "deadline", "latest": "start " + "-1d" * 1000}), "manager"),
    Case("a moment of all times", POLICY, 422, "", rules(
        {"kind": "deadline", "latest": "start -99999999999999999999d"}), "manager"),
    Case("a length to infinity", POLICY, 422, "", sent(
        b'{"policy": {"rules": [{"kind": "length", "max": 1e400}]}}'), "manager"),
    Case("a length of letters", POLICY, 422, "", rules({"kind": "length", "max": "long"}), "manager"),
    Case("a length below nothing", POLICY, 422, "", rules({"kind": "length", "max": -5}), "manager"),
    Case("a quota of NaN", POLICY, 422, "", sent(
        b'{"policy": {"rules": [{"kind": "quota", "measure": "hours", "over": "week", "max": NaN}]}}'), "manager"),
    Case("rules for the year 1", POLICY, 422, "valid_from", sent(
        {"policy": {"rules": []}, "valid_from": "0001-01-01"}), "manager"),
    # Trainings
    Case("a training of a foreign instrument", TRAINING, 404, "", sent(
        {"name": "x", "level": "A", "instruments": [987654321]}), "manager"),
    Case("a training of a foreign group", TRAINING, 404, "", sent(
        {"name": "x", "level": "A", "group": 987654321}), "manager"),
    Case("a pass mark above all", TRAINING, 422, "pass_mark", sent(
        {"name": "x", "level": "A", "pass_mark": 101}), "manager"),
    Case("a session backwards", SESSION, 422, "end", named(
        training="@training", start="2026-12-08T09:00:00+08:00", end="2026-12-08T08:00:00+08:00", places=3),
        "manager"),
    Case("a session of a year", SESSION, 422, "end", named(
        training="@training", start="2026-12-08T09:00:00+08:00", end="2027-12-08T08:00:00+08:00", places=3),
        "manager"),
    Case("a session for nobody", SESSION, 422, "places", named(
        training="@training", start="2026-12-08T09:00:00+08:00", end="2026-12-08T10:00:00+08:00", places=0),
        "manager"),
    Case("a session of another training", "POST training-requests", 422, "session", named(
        training="@training", session="@training_begun"), "colleague"),
    Case("a result of another session", "POST training-sessions/{training_begun}/results", 404, "", named(
        results=[{"request": "@training_request", "outcome": "passed"}]), "manager"),
    Case("a result that is none", "POST training-sessions/{training_begun}/results", 422, "results.0.outcome", named(
        results=[{"request": "@training_seated", "outcome": "bribed"}]), "manager"),
    Case("a qualification of the past", "POST qualifications", 422, "valid_until", lambda world: {
        "email": world.people["colleague"].email, "instrument": world.ids["instrument"], "level": "A", "reason": "x",
        "valid_until": "2001-01-01"}, "manager"),
    Case("a qualification for nobody", "POST qualifications", 422, "email", named(
        email="nobody@example.org", instrument="@instrument", level="A", reason="x"), "manager"),
    # Violations and credit
    Case("an entry of no name", VIOLATION, 422, "name", entry(name="No show!"), "manager"),
    Case("an entry that lifts", VIOLATION, 422, "name", entry(name="lifted"), "manager"),
    Case("an entry of tomorrow", VIOLATION, 422, "at", entry(at="2027-01-01T00:00:00Z"), "manager"),
    Case("an entry of long ago", VIOLATION, 422, "at", entry(at="2020-01-01T00:00:00Z"), "manager"),
    Case("an entry of a foreign booking", VIOLATION, 422, "booking", entry(booking=987654321), "manager"),
    Case("an entry of an address with NUL", VIOLATION, 422, "email", entry(
        booking=None, instrument="@instrument", email="a\0b"), "manager"),
    Case("an entry of nobody", VIOLATION, 422, "booking", entry(booking=None), "manager"),
    Case("an appeal without a reason", "POST violations/{entry}/appeal", 422, "reason", sent({"reason": "  "})),
    Case("lifting for everybody", "POST standings/lift", 422, "person", named(
        institution="@institution", reason="x"), "manager"),
    Case("lifting by a rule with NUL", "POST standings/lift", 422, "rule", named(
        institution="@institution", person=1, reason="x", rule="a\0"), "manager"),
    Case("an entry sought by NUL", "GET violations?name=a%00b", 422, "name", who="manager"),
    Case("credit below nothing", "PUT institutions/{institution}/credit-rules", 422, "points.late", sent(
        {"points": {"late": -5}}), "iadmin"),
    Case("credit that begins below its floor", "PUT institutions/{institution}/credit-rules", 422, "", sent(
        {"start": 10, "floor": 50}), "iadmin"),
    # Agreements
    Case("a contract backwards", "POST agreements", 422, "valid_to", named(
        customer="Hidden Enterprise", number="9", valid_from="2026-12-02", valid_to="2026-12-01"), "iadmin"),
    Case("a contract with nobody", "POST agreements", 422, "customer", sent(
        {"customer": "Nobody at all", "number": "9", "valid_from": "2026-12-02"}), "iadmin"),
    Case("a contract of the past", "POST agreements/{agreement}/end", 422, "day", sent(
        {"reason": "x", "day": "2020-01-01"}), "iadmin"),
    Case("a contract that changed", "PATCH agreements/{agreement}", 412, "", sent(
        {"number": "9", "version": 0}), "iadmin"),
    Case("the end of a contract that changed", "POST agreements/{agreement}/end", 412, "", sent(
        {"reason": "x", "version": 0}), "iadmin"),
    # The desk
    Case("deciding about nothing", "POST bookings/decide", 422, "ids", sent(
        {"decision": "approve", "ids": []}), "manager"),
    Case("deciding about all there is", "POST bookings/decide", 422, "ids", sent(
        {"decision": "approve", "ids": [*range(1, 102)]}), "manager"),
    Case("rejecting many without a reason", "POST bookings/decide", 422, "reason", sent(
        {"decision": "reject", "ids": [1]}), "manager"),
    Case("too many reasons", "PUT institutions/{institution}/reason-templates", 422, "items", sent(
        {"items": [{"text": "x"}] * 31}), "manager"),
]  # fmt: skip
# Wherever a body is read, it may be cut off, be of another kind, or hold what has no place there.
EVERYWHERE = [
    (path, who)
    for path, who in [
        (SERIES, "member"), (PREVIEW, "member"), (SEVERAL, "member"), (FIND, "member"), (WAIT, "member"),
        (ORDER, "member"), ("POST sample-orders/check", "member"), (OUTAGE, "manager"), (TRY, "manager"),
        (POLICY, "manager"), (VIOLATION, "manager"), (TRAINING, "manager"), (SESSION, "manager"),
        ("POST agreements", "iadmin"), ("POST qualifications", "manager"), ("POST bookings/decide", "manager"),
        ("POST standings/lift", "manager"), ("POST training-requests", "member"),
        ("PUT institutions/{institution}/credit-rules", "iadmin"),
    ]
]  # fmt: skip
FORM = (("content-type", "application/x-www-form-urlencoded"),)
CASES += [
    Case(f"{name}: {path}", path, status, "", sent(body), who, headers)
    for path, who in EVERYWHERE
    for name, status, body, headers in [
        ("half a body", 422, b'{"instrument": 1, "items": [', ()),
        ("a list", 422, [], ()),
        ("a form", 415, b"a=1", FORM),
        ("too deep", 422, b"[" * 10_000 + b"]" * 10_000, ()),
        ("an unknown field", 422, {"__proto__": {"admin": True}}, ()),
    ]
]


@pytest.fixture(scope="module")
def clients(world: World) -> dict[str, Client]:
    made = {}
    for role in {case.who for case in CASES}:
        made[role] = Client(raise_request_exception=False)
        made[role].force_login(world.people[role])
    return made


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_refused_in_words_and_nothing_changes(
    world: World, clients: dict[str, Client], case: Case, language: str
) -> None:
    with undone():
        before = state()
        answer = ask(clients[case.who], world, case, language)
        after = state()

    assert_refused(answer, case, language)
    assert after == before


def test_the_names_differ() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
