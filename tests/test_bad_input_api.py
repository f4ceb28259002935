"""What cannot be read or must not be done, through the API: words in the reader's language, and nothing changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Max
from django.test import Client

from backend.audit.models import Entry
from booking.actions.policies import save_policy
from booking.rules.presets import Answers, apply_presets
from instruments.models import Instrument
from tests.access.world import World, undone
from tests.factories import SIMPLE_PRICES

pytestmark = pytest.mark.django_db

LANGUAGES = ("en", "zh-hans")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What a request may always write: its session, what is counted, what the queue did.
PASSING = {"sessions", "django_q", "usersessions"}


@dataclass(frozen=True)
class Case:
    """A request of the ``who`` of the world; ``make`` gives body and headers. ``field`` is named by the answer."""

    name: str
    request: str
    status: int
    field: str = ""
    make: Callable[[World], Any] = lambda world: None
    who: str = "member"
    headers: tuple[tuple[str, str], ...] = ()


def wish(**changes: Any) -> Callable[[World], Any]:
    """A sound booking request but for what is said; None leaves a field out."""

    def make(world: World) -> dict[str, Any]:
        sound = {
            "instrument": world.ids["instrument"], "start": "2026-12-08T09:00:00+08:00",
            "end": "2026-12-08T10:00:00+08:00", "mode": "self", "purpose": "Test",
        }  # fmt: skip
        return {name: value for name, value in {**sound, **changes}.items() if value is not None}

    return make


def with_text(old: str, new: str, **changes: Any) -> Callable[[World], bytes]:
    """The sound request's JSON with a text replaced: what no JSON library would write."""
    return lambda world: json.dumps(wish(**changes)(world)).replace(old, new).encode("latin-1")


def sent(body: Any) -> Callable[[World], Any]:
    return lambda world: body


def prices(**changes: Any) -> Callable[[World], Any]:
    return sent({**SIMPLE_PRICES, "rules": [{**SIMPLE_PRICES["rules"][0], **changes}]})  # type: ignore[index,dict-item]


BOOK, PATCH, POLICY = "POST bookings", "PATCH instruments/{instrument}", "PUT instruments/{instrument}/policy"
PRICES, OUTAGE = "PUT instruments/{instrument}/price-list", "POST instruments/{instrument}/outages"
FORM, TEXT = (("content-type", "application/x-www-form-urlencoded"),), (("content-type", "text/plain"),)
AVAILABILITY = "GET instruments/{instrument}/availability"
DEEP = 10_000
CASES = [
    # Times
    Case("the end before the start", BOOK, 422, "end", wish(end="2026-12-08T08:00:00+08:00")),
    Case("no length", BOOK, 422, "end", wish(end="2026-12-08T09:00:00+08:00")),
    Case("in the past", BOOK, 409, "", wish(start="2026-11-20T09:00:00+08:00", end="2026-11-20T10:00:00+08:00")),
    Case("off the step", BOOK, 409, "", wish(instrument="{stepped}", start="2026-12-08T09:07:00+08:00")),
    Case("with seconds", BOOK, 422, "start", wish(start="2026-12-08T09:00:01+08:00")),
    Case("without an offset", BOOK, 422, "start", wish(start="2026-12-08T09:00:00")),
    Case("no day of the calendar", BOOK, 422, "start", wish(start="2026-02-30T09:00:00+08:00")),
    Case("the year 9999", BOOK, 422, "start", wish(start="9999-12-31T23:00:00+08:00")),
    Case("the year 1", BOOK, 422, "start", wish(start="0001-01-01T00:00:00+08:00")),
    Case("an offset of days", BOOK, 422, "start", wish(start="2026-12-08T09:00:00+99:00")),
    Case("a number as a time", BOOK, 422, "start", wish(start=1e30)),
    Case("a text as a time", BOOK, 422, "end", wish(end="FREQ=DAILY;COUNT=99")),
    Case("an outage backwards", OUTAGE, 422, "end", sent(
        {"start": "2026-12-08T09:00:00+08:00", "end": "2026-12-08T08:00:00+08:00", "reason": "x"}), "manager"),
    Case("an unknown zone", PATCH, 422, "timezone", sent({"timezone": "Mars/Olympus"}), "manager"),
    Case("a zone that is a path", PATCH, 422, "timezone", sent({"timezone": "../../etc/passwd"}), "manager"),
    # Texts
    Case("an over-long text", BOOK, 422, "purpose", wish(purpose="x" * 201)),
    Case("an empty text", BOOK, 422, "purpose", wish(purpose="   ")),
    Case("NUL in a text", BOOK, 422, "purpose", wish(purpose="a\0b")),
    Case("a bell in a text", BOOK, 422, "notes", wish(notes="a\x07b")),
    Case("a text that turns around", BOOK, 422, "purpose", wish(purpose="invoice\u202efdp.exe")),
    Case("half a character", BOOK, 422, "purpose", with_text("Test", "\\ud800")),
    Case("a line break in a name", PATCH, 422, "name", sent({"name": "SEM\r\nBcc: x@example.org"}), "manager"),
    # Numbers
    Case("a negative number", BOOK, 422, "samples", wish(samples=-1)),
    Case("a huge number", BOOK, 422, "samples", wish(samples=10**30)),
    Case("a part of a sample", BOOK, 422, "samples", wish(samples=1.5)),
    Case("a boolean as a number", BOOK, 422, "samples", wish(samples=True)),
    Case("a word as a number", BOOK, 422, "samples", wish(samples="many")),
    Case("NaN", BOOK, 422, "", with_text('"Test"', "NaN")),
    Case("Infinity", BOOK, 422, "", with_text('"Test"', "-Infinity")),
    Case("more than a float holds", BOOK, 422, "", with_text('"Test"', "1e400")),
    Case("a number of 5,000 digits", BOOK, 422, "", with_text('"Test"', "9" * 5000)),
    Case("too many decimals", PATCH, 422, "worth", sent({"worth": "1.234"}), "manager"),
    Case("a worth below nothing", PATCH, 422, "worth", sent({"worth": -1}), "manager"),
    Case("a worth that is no number", PATCH, 422, "worth", sent({"worth": "NaN"}), "manager"),
    Case("no units", PATCH, 422, "units", sent({"units": 0}), "manager"),
    Case("an unknown kind of price", PRICES, 422, "", prices(kind="gift"), "manager"),
    Case("a price list without rules", PRICES, 422, "", sent({"name": "x"}), "manager"),
    # Ids
    Case("an id larger than any", BOOK, 422, "instrument", wish(instrument=10**30)),
    Case("an id below any", BOOK, 422, "instrument", wish(instrument=-1)),
    Case("a word as an id", BOOK, 422, "instrument", wish(instrument="x")),
    Case("a huge id in the address", f"GET bookings/{10**30}", 404),
    Case("a huge id of a statement", f"GET invoices/{10**30}", 404, who="finance"),
    Case("a foreign project", BOOK, 422, "project", wish(project=987654321)),
    Case("a foreign organisation", BOOK, 422, "organisation", wish(organisation=987654321)),
    # Values
    Case("an unknown mode", BOOK, 422, "mode", wish(mode="telepathy")),
    Case("an unknown field", BOOK, 422, "hurry", wish(hurry=True)),
    Case("a missing field", BOOK, 422, "purpose", wish(purpose=None)),
    Case("null where something is needed", BOOK, 422, "mode", with_text('"self"', "null")),
    Case("a bad parameter", BOOK, 422, "parameters.Bad-Name", wish(parameters={"Bad-Name": 1})),
    Case("too many parameters", BOOK, 422, "parameters", wish(parameters={f"p{n}": 1 for n in range(41)})),
    Case("a stale version", "POST bookings/{confirmed}/cancel", 412, "", sent({"version": 0})),
    Case("a version below any", "POST bookings/{confirmed}/cancel", 422, "version", sent({"version": -1})),
    Case("a wrong fapiao number", "POST invoices/{issued}/fapiao", 422, "number", sent({"number": "12"}), "finance"),
    Case("no fapiao number", "POST invoices/{issued}/fapiao", 422, "number", sent({"number": "O" * 20}), "finance"),
    Case("a thirteenth month", "POST invoices/draft", 422, "period", sent(
        {"institution": 1, "enterprise": 1, "period": "2026-13"}), "finance"),
    Case("rules that are none", POLICY, 422, "", sent({"policy": {"rules": [{"id": "x"}]}}), "manager"),
    Case("rules that are a word", POLICY, 422, "policy", sent({"policy": "no"}), "manager"),
    Case("an unknown scope", "POST feeds", 422, "scope", sent({"scope": "everything"})),
    Case("an unknown category", PATCH, 422, "category", sent({"category": "zzzz"}), "manager"),
    # Bodies
    Case("no body", BOOK, 422, "", sent(b"")),
    Case("half a body", BOOK, 422, "", lambda world: json.dumps(wish()(world)).encode()[:-20]),
    Case("a list for an object", BOOK, 422, "", sent([])),
    Case("a word for an object", BOOK, 422, "", sent(b'"book"')),
    Case("null for an object", BOOK, 422, "", sent(b"null")),
    Case("the same field twice", BOOK, 422, "mode", with_text('"mode": "self"', '"mode": "self", "mode": "operator"')),
    Case("bytes that are no text", BOOK, 422, "", with_text("Test", "\xff\xfe")),
    Case("deeper than anybody reads", BOOK, 422, "", sent(b"[" * DEEP + b"]" * DEEP)),
    *(
        Case(
            f"rules {depth} deep", POLICY, 422, "",
            sent(b'{"policy": {"rules": ' + b"[" * depth + b"]" * depth + b"}}"), "manager",
        )
        for depth in (200, 500, 900, DEEP)
    ),
    Case("larger than anybody sends", BOOK, 413, "", sent(b" " * (5 * 1024 * 1024 + 1))),
    Case("a form instead of JSON", BOOK, 415, "", wish(), headers=FORM),
    Case("a text instead of JSON", BOOK, 415, "", wish(), headers=TEXT),
    # Headers, queries, methods
    Case("an over-long key", BOOK, 422, "Idempotency-Key", wish(), headers=(("idempotency-key", "k" * 201),)),
    Case("a limit below any", "GET bookings?limit=-1", 422, "limit"),
    Case("a limit above any", f"GET bookings?limit={10**9}", 422, "limit"),
    Case("an offset below any", "GET bookings?offset=-1", 422, "offset"),
    Case("an offset above any", f"GET bookings?offset={10**9}", 422, "offset"),
    Case("an offset that is a word", "GET bookings?offset=next", 422, "offset"),
    Case("an unknown status", "GET bookings?status=lost", 422, "status"),
    Case("an unknown order", "GET instruments?sort=random", 422, "sort"),
    Case("a filter that is no time", "GET bookings?from=tomorrow", 422, "from"),
    Case("a filter that is no month", "GET invoices?period=2026-13", 422, "period", who="finance"),
    Case("a year at once", AVAILABILITY + "?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", 422),
    Case(
        "ids that are words", "GET availability?instruments=a,b&from=2026-12-01T00:00:00Z&to=2026-12-02T00:00:00Z",
        422, "instruments",
    ),
    Case("an address that is none", "GET bookings/latest", 404),
    Case("a method that is none", "DELETE bookings/{confirmed}", 405),
    Case("a credential that is none", "GET me", 401, headers=(("authorization", "Bearer x"),), who="visitor"),
    Case("a credential in Chinese", "GET me", 401, headers=(("authorization", "Bearer 密码"),), who="visitor"),
]  # fmt: skip


@pytest.fixture(scope="module")
def stepped(world: World, django_db_blocker: Any) -> None:
    """Another instrument of the lab: bookings begin on the half hour."""
    instrument = Instrument.objects.get(pk=world.ids["instrument"])
    answers = Answers(step=30, shortest=30)
    another = Instrument.objects.filter(institution=instrument.institution_id, price_lists__isnull=False).latest("pk")
    Instrument.objects.filter(pk=another.pk).update(sharing=instrument.sharing)
    save_policy(instrument=another, document=apply_presets({"rules": []}, answers), by=world.people["manager"])
    world.ids["stepped"] = another.pk


@pytest.fixture(scope="module")
def clients(world: World) -> dict[str, Client]:
    made = {"visitor": Client(raise_request_exception=False)}
    for role in {case.who for case in CASES} - {"visitor"}:
        made[role] = Client(raise_request_exception=False)
        made[role].force_login(world.people[role])
    return made


def state() -> dict[str, Any]:
    """How many rows each table has, the heads of the audit chains, and when instruments were changed."""
    counts: dict[str, Any] = {
        model._meta.label: model._base_manager.count()
        for model in apps.get_models()
        if model._meta.app_label not in PASSING
    }
    counts["heads"] = dict(Entry.objects.values_list("organisation").annotate(Max("sequence")))
    counts["changed"] = Instrument.objects.aggregate(Max("updated_at"))
    return counts


def ask(client: Client, world: World, case: Case, language: str) -> Any:
    method, path = case.request.format(**world.ids).split(" ", 1)
    body = case.make(world)
    if isinstance(body, dict) and body.get("instrument") == "{stepped}":
        body["instrument"] = world.ids["stepped"]
    headers = {"accept-language": language, **dict(case.headers)}
    kind = headers.pop("content-type", "application/json")
    data = body if isinstance(body, bytes) else json.dumps(body) if body is not None else ""
    return client.generic(method, f"/api/v1/{path}", data, content_type=kind, headers=headers)


def sentences(problem: dict[str, Any]) -> list[str]:
    return [problem["title"], problem["detail"], *(one["detail"] for one in problem["errors"])]


def assert_refused(answer: Any, case: Any, language: str) -> None:
    """As a problem whose every sentence is in the reader's language, and at the field that the case names."""
    assert answer.status_code == case.status, answer.content.decode()
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == case.status
    assert all(sentences(problem))
    chinese = [sentence for sentence in sentences(problem) if CHINESE.search(sentence)]
    assert chinese == (sentences(problem) if language != "en" else [])
    if case.field:
        assert case.field in {one.get("field") for one in problem["errors"]}, problem["errors"]


@pytest.mark.usefixtures("stepped")
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


def test_there_are_enough_of_them() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


# What looks odd and is right: it must not be refused.
SOUND = [
    wish(purpose="扫描 🔬 µm ±0.5 ℃ “quoted”"),
    wish(purpose="=HYPERLINK(1)", notes="<script>alert(1)</script>"),
    wish(purpose="العربية ועברית"),
    wish(start="2026-12-08T01:00:00Z", end="2026-12-08T02:00:00Z"),
    wish(samples=0, notes="line one\nline two\ttabbed"),
]


@pytest.mark.parametrize("make", SOUND)
def test_what_is_odd_but_right_is_taken(world: World, clients: dict[str, Client], make: Any) -> None:
    with undone():
        answer = clients["member"].post("/api/v1/bookings", make(world), content_type="application/json")

    assert answer.status_code == 201, answer.content.decode()


@pytest.mark.parametrize("language", ["xx-klingon", "*;q=nan", "zh" * 5000, "\x01", "en;q=9e999"])
def test_a_bad_language_is_just_the_usual_one(clients: dict[str, Client], language: str) -> None:
    answer = clients["member"].get("/api/v1/bookings?limit=-1", headers={"accept-language": language})

    assert answer.status_code == 422


@pytest.mark.parametrize("value", ["x", "\x00", "\xff\x85", "a" * 5000, "' OR 1=1 --"])
def test_a_bad_session_is_none(world: World, value: str) -> None:
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = value

    assert client.get("/api/v1/me").status_code == 401
    assert client.get("/bookings/").status_code == 302


def test_the_same_key_with_another_body_is_refused(world: World, clients: dict[str, Client]) -> None:
    with undone():
        first, again, other = (
            clients["member"].post(
                "/api/v1/bookings", make(world), content_type="application/json", headers={"idempotency-key": "k"}
            )
            for make in (wish(), wish(), wish(purpose="Another"))
        )

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"


def test_a_second_tap_books_nothing_twice(world: World, clients: dict[str, Client]) -> None:
    with undone():
        sent_twice = [
            clients["member"].post("/api/v1/bookings", wish()(world), content_type="application/json") for _ in "ab"
        ]

    assert [answer.status_code for answer in sent_twice] == [201, 409]
    assert sent_twice[1].json()["errors"][0]["code"] == "taken"
