"""What is measured: the main pages and endpoints, each by the person who has the most to read there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from types import SimpleNamespace
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.test import Client
from django.utils import timezone, translation

from backend.accounts.models import Membership, Organisation, Role, User
from booking.actions.feeds import create_feed
from booking.actions.requesting import request_booking
from booking.models import Booking, FeedScope
from booking.queries.assess import judge
from booking.queries.reads import read_for
from booking.queries.wishes import Wish
from instruments.models import Instrument, Technique
from invoices.models import Invoice
from tests.bench.rules import put_rules
from tests.search_catalogue import queries

Measure = tuple[str, Callable[[], Any]]
API = "/api/v1"
JSON = "application/json"
FEED_EVENTS = 200
HOUR = timedelta(hours=1)


class Turns:
    """One question after the other, as many times as there are questions."""

    def __init__(self, ask: Callable[..., Any], path: str, questions: list[dict[str, Any]]) -> None:
        self.ask, self.path, self.questions = ask, path, questions
        self.times, self._next = len(questions), cycle(questions)

    def __call__(self) -> Any:
        return self.ask(self.path, next(self._next))


@dataclass
class People:
    """Signed-in clients. The largest customer's administrator, the busiest lab's manager and ledger keeper."""

    visitor: Client = field(default_factory=Client)
    member: Client = field(init=False)
    admin: Client = field(init=False)
    manager: Client = field(init=False)
    finance: Client = field(init=False)
    customer: Organisation = field(init=False)
    lab: int = field(init=False)

    def __post_init__(self) -> None:
        bookings = Booking.objects.order_by()
        customer = most(bookings.filter(organisation__memberships__role=Role.ADMIN), "organisation")
        self.customer = Organisation.objects.get(pk=customer)
        self.lab = most(bookings, "instrument__institution")
        ledger = most(Invoice.objects.order_by(), "institution")
        self.member = _client(customer, Role.MEMBER)
        self.admin = _client(customer, Role.ADMIN)
        self.manager = _client(self.lab, Role.MANAGER)
        self.finance = _client(ledger, Role.FINANCE)

    def booker(self) -> User:
        """Whose client ``member`` is."""
        return User.objects.get(pk=self.member.session["_auth_user_id"])


def most(rows: QuerySet[Any], column: str) -> int:
    """The value of the column that occurs most often."""
    return int(rows.values_list(column).annotate(number=Count("pk")).order_by("-number", column)[0][0])


def _client(organisation: int, role: str) -> Client:
    client = Client()
    membership = Membership.objects.filter(organisation=organisation, role=role).order_by("pk")[0]
    client.force_login(membership.user)
    return client


def measures() -> Iterator[Measure]:
    people = People()
    yield from _catalogue(people)
    yield from _bookings(people)
    yield from _lab(people)
    yield from _money(people)
    yield from _wishes(people)


def _monday() -> datetime:
    """Of the week in nine days or so, that is free and full enough; midnight in Shanghai."""
    noon = (timezone.now() + timedelta(days=9)).replace(hour=4, minute=0, second=0, microsecond=0)
    return noon - timedelta(days=noon.weekday(), hours=12)


def _week() -> dict[str, str]:
    return {"start": _monday().isoformat(), "end": (_monday() + timedelta(days=7)).isoformat()}


def _catalogue(people: People) -> Iterator[Measure]:
    get = people.visitor.get
    span = {"from": _monday().isoformat(), "to": (_monday() + timedelta(days=7)).isoformat()}
    fifty = ",".join(map(str, Instrument.objects.public().order_by("pk").values_list("pk", flat=True)[:50]))
    yield "catalogue", lambda: get("/instruments/")
    yield "catalogue, search", lambda: get("/instruments/", {"q": "电镜"})
    yield "catalogue, soonest free first", lambda: get("/instruments/", {"sort": "earliest"})
    yield "API instruments", lambda: get(f"{API}/instruments")
    yield "API instruments, search", lambda: get(f"{API}/instruments", {"q": "saomiao"})
    typed = [query.words for query in queries()]
    yield f"API instruments, {len(typed)} searches", Turns(get, f"{API}/instruments", [{"q": q} for q in typed])
    within = {"free_within_days": 7, "duration_minutes": 180}
    timed = [{"q": q, **within} for q in typed[::4]]
    yield "API instruments, searches, 3 h free in a week", Turns(get, f"{API}/instruments", timed)
    yield "API instruments, soonest free first", lambda: get(f"{API}/instruments", {"sort": "earliest"})
    first = fifty.partition(",")[0]
    yield "API availability, a week", lambda: get(f"{API}/instruments/{first}/availability", span)
    yield "API availability, 50 × a week", lambda: get(f"{API}/availability", {"instruments": fifty, **span})


def _bookings(people: People) -> Iterator[Measure]:
    instrument = most(Booking.objects.order_by(), "instrument")
    whole = {"show": "organisation", **_week()}
    yield "instrument page", lambda: people.member.get(f"/instruments/{instrument}/")
    yield "instrument's week", lambda: people.member.get(f"/instruments/{instrument}/events/", _week())
    yield "my bookings", lambda: people.admin.get("/bookings/", {"who": "all"})
    yield "past bookings", lambda: people.admin.get("/bookings/past/", {"who": "all"})
    yield "my calendar, a week", lambda: people.admin.get("/calendar/events/", whole)
    yield "API bookings", lambda: people.admin.get(f"{API}/bookings")
    yield "API bookings of a lab", lambda: people.manager.get(f"{API}/bookings")
    path = _feed()
    yield "calendar feed", lambda: people.visitor.get(path)


def _feed() -> str:
    """The address of a feed with about two hundred bookings."""
    sizes = Organisation.objects.annotate(number=Count("bookings")).filter(memberships__role=Role.ADMIN)
    customer = min(sizes, key=lambda row: (abs(row.number - FEED_EVENTS), row.pk))
    user = User.objects.filter(memberships__organisation=customer, memberships__role=Role.ADMIN)[0]
    _feed_row, secret = create_feed(user=user, scope=FeedScope.ORGANISATION, organisation=customer)
    return f"/calendar/{secret}.ics"


def _lab(people: People) -> Iterator[Measure]:
    get = people.manager.get
    done = Booking.objects.filter(instrument__institution=people.lab, status="completed").order_by("-start")
    day = timezone.localdate(done[0].start).isoformat()
    yield "manager's desk", lambda: get("/desk/")
    yield "desk's timeline, a week", lambda: get("/desk/events/", _week())
    yield "usage log of a day", lambda: get("/usage/", {"day": day})
    yield "managed instruments", lambda: get("/manage/instruments/")
    yield "API usage", lambda: get(f"{API}/usage")


def _money(people: People) -> Iterator[Measure]:
    get = people.finance.get
    yield "finance desk", lambda: get("/finance/")
    yield "invoices", lambda: get("/invoices/")
    yield "customer's money", lambda: people.admin.get("/money/")
    yield "API charges", lambda: get(f"{API}/charges")
    yield "API invoices", lambda: get(f"{API}/invoices")


def _wishes(people: People) -> Iterator[Measure]:
    """Noon of a Tuesday in two weeks, which the seeded bookings leave free. What is booked as an action stays."""
    start = _monday() + timedelta(days=8, hours=12)
    bookable = Instrument.objects.public().filter(mode_self=True).select_related("institution")
    instrument, ruled = bookable.order_by("pk")[:2]
    wish = _wish(instrument.pk, start)

    yield "API check of a wish", lambda: people.member.post(f"{API}/bookings/check", wish, content_type=JSON)
    yield "API check refused, with alternatives", _check_of_taken(people)
    hours = reversed(_free_hours(people, instrument))
    yield (
        "API booking request",
        lambda: people.member.post(
            f"{API}/bookings", {**_wish(instrument.pk, next(hours)), "purpose": "measured"}, content_type=JSON
        ),
    )
    yield "booking as action", _request(people, instrument)
    yield "booking as action, rules of every kind", _request(people, ruled, of_every_kind=True)


def _wish(instrument: int, start: datetime, length: timedelta = timedelta(hours=1)) -> dict[str, Any]:
    return {
        "instrument": instrument,
        "start": start.isoformat(),
        "end": (start + length).isoformat(),
        "mode": "self",
    }


def _check_of_taken(people: People) -> Callable[[], Any]:
    """Time that is taken, on the bookable instrument of the technique that most others have."""
    taken = Booking.objects.filter(start__gt=timezone.now() + timedelta(days=2), instrument__mode_self=True).order_by()
    booked = Q(instruments__in=taken.filter(occupancy__isnull=False).values("instrument"))
    technique = Technique.objects.filter(booked).annotate(number=Count("instruments")).order_by("-number", "pk").first()
    found = taken.filter(occupancy__isnull=False, instrument__techniques=technique).order_by("pk")[0]
    wish = _wish(found.instrument_id, found.start, found.end - found.start)
    return lambda: people.member.post(f"{API}/bookings/check", wish, content_type=JSON)


def _request(people: People, instrument: Instrument, *, of_every_kind: bool = False) -> Callable[[], Any]:
    """All that booking does, without HTTP: one free hour after another, each with a commit that reaches the disk."""
    user = people.booker()
    hours: list[datetime] = []

    def request() -> Any:
        if not hours:  # the first time; what is asked before keeps the rules that it had
            if of_every_kind:
                put_rules(instrument)
            hours.extend(reversed(_free_hours(people, instrument)))
        start = hours.pop()
        with translation.override(user.language):
            request_booking(
                by=user,
                user=user,
                organisation=people.customer,
                instrument=instrument,
                start=start,
                end=start + HOUR,
                mode="self",
                purpose="measured",
            )
        return SimpleNamespace(status_code=201)

    return request


def _free_hours(people: People, instrument: Instrument) -> list[datetime]:
    """In the eight weeks from tomorrow; enough for twenty rounds and more."""
    now = timezone.now()
    first = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    starts = [first + number * HOUR for number in range(24 * 56)]
    user = people.booker()
    wishes = [Wish(instrument, start, start + HOUR, "self", people.customer, user) for start in starts]
    reads = read_for(wishes, now=now)
    return [wish.start for wish in wishes if judge(wish, reads).bookable]
