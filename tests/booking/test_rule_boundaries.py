"""Every kind of rule and each of the ten usual ones: accepted at its boundary, refused just past it, on page and API.

The policy is a row; so is what else happened before. Each row is asked on the page (check and book) and over the API
(check and book), and all four must agree.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from backend.accounts.models import User
from booking.actions.policies import save_policy
from booking.actions.requesting import request_booking
from booking.models import Booking, Status
from booking.rules.decide import decide
from booking.rules.layers import parse_policy
from booking.rules.observe import observe
from booking.rules.rank import rank
from booking.rules.standing import standing
from tests.booking.boundaries import NOON, ROWS, Row, on, preset, rule
from tests.booking.lab import Lab, browser, html, wall
from tests.conftest import ApiClient
from tests.factories import at, make_member

pytestmark = pytest.mark.django_db


class Asked:
    """One wish on all four ways: the two that only answer, and the two that book."""

    def __init__(self, lab: Lab, row: Row, wish: dict[str, Any]) -> None:
        wish = {"start": on(9), "end": on(10), "now": NOON, "mode": "self", **row.base, **wish}
        self.lab, self.now = lab, wish["now"]
        self.user = make_member(lab.institution) if wish.get("who") == "inside" else lab.engineer
        times = {"start": wish["start"], "end": wish["end"]}
        samples = {"samples": wish["samples"]} if "samples" in wish else {}
        self.form = {
            **{name: wall(each) for name, each in times.items()},
            "mode": wish["mode"],
            "purpose": "P",
            **samples,
        }
        self.body = {
            **{name: each.isoformat() for name, each in times.items()},
            "instrument": lab.instrument.pk,
            "mode": wish["mode"],
            **samples,
        }

    def page_check(self) -> str:
        with time_machine.travel(self.now, tick=False):
            return html(browser(self.user).post(f"/instruments/{self.lab.instrument.pk}/check/", self.form))

    def page_book(self) -> int:
        with time_machine.travel(self.now, tick=False):
            return browser(self.user).post(f"/instruments/{self.lab.instrument.pk}/book/", self.form).status_code

    def api_check(self) -> list[str]:
        with time_machine.travel(self.now, tick=False):
            answer = ApiClient(self.user).post_api("/bookings/check", self.body)
        assert answer.status_code == 200, answer.content
        return [refusal["code"] for refusal in answer.json()["refusals"]]

    def api_book(self) -> tuple[int, list[str]]:
        with time_machine.travel(self.now, tick=False):
            answer = ApiClient(self.user).post_api("/bookings", {**self.body, "purpose": "P"})
        return answer.status_code, [each["code"] for each in answer.json().get("errors", [])]


def prepared(row: Row) -> Lab:
    with time_machine.travel(NOON - timedelta(days=1), tick=False):
        lab = Lab()
        for start, end in row.earlier:
            book(lab, start, end, lab.engineer)
        save_policy(
            instrument=lab.instrument,
            document=row.document,
            by=lab.manager,
            valid_from=(NOON - timedelta(days=9)).date(),
        )
    return lab


def book(lab: Lab, start: datetime, end: datetime, user: User) -> Booking:
    return request_booking(
        by=user,
        user=user,
        organisation=lab.enterprise,
        instrument=lab.instrument,
        start=start,
        end=end,
        mode="self",
        purpose="P",
    )


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_wish_at_the_boundary_is_accepted_everywhere(row: Row) -> None:
    lab = prepared(row)
    asked = Asked(lab, row, row.good)

    assert asked.api_check() == []
    assert 'class="refusal"' not in asked.page_check()
    assert asked.page_book() == 302


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_wish_at_the_boundary_is_booked_over_the_api(row: Row) -> None:
    asked = Asked(prepared(row), row, row.good)

    assert asked.api_book() == (201, [])


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_just_past_the_boundary_is_refused_everywhere(row: Row) -> None:
    lab = prepared(row)
    asked = Asked(lab, row, row.past)
    before = Booking.objects.count()

    assert tuple(asked.api_check()) == row.codes
    assert all(f'data-code="{code}"' in asked.page_check() for code in row.codes)
    assert asked.page_book() == 409
    assert asked.api_book() == (409, list(row.codes))
    assert Booking.objects.count() == before


CANCELLING = [rule("deadline", act=["cancel"], latest="start -24h"), preset("cancel", cancel_hours=24)]


@pytest.mark.parametrize("document", CANCELLING, ids=["deadline", "preset cancel"])
@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(("late", "accepted"), [(timedelta(0), True), (timedelta(seconds=1), False)])
def test_cancelling_at_the_boundary(document: dict[str, Any], door: str, late: timedelta, accepted: bool) -> None:
    lab = prepared(Row("cancel", document, {}, {}, ()))
    with time_machine.travel(NOON, tick=False):
        booking = book(lab, on(9), on(10), lab.engineer)

    with time_machine.travel(on(9, days=-1) + late, tick=False):
        if door == "page":
            status = (
                browser(lab.engineer).post(f"/bookings/{booking.pk}/cancel/", {"version": booking.version}).status_code
            )
        else:
            status = ApiClient(lab.engineer).post_api(f"/bookings/{booking.pk}/cancel", {}).status_code

    booking.refresh_from_db()
    assert (status in (200, 302), booking.status == Status.CANCELLED) == (accepted, accepted)


APPROVING = [
    rule("require", that={"audience": "internal"}, **{"else": "approve:manager"}),
    preset("approval", whom="external", role="manager"),
]


@pytest.mark.parametrize("document", APPROVING, ids=["require", "preset approval"])
@pytest.mark.parametrize("door", ["page", "api"])
def test_approval_is_asked_of_those_whom_it_concerns_alone(document: dict[str, Any], door: str) -> None:
    row = Row("approval", document, {"who": "inside"}, {}, ())
    lab = prepared(row)
    found = []
    for hour, wish in ((9, {"who": "inside"}), (11, {})):
        asked = Asked(lab, row, {**wish, "start": on(hour), "end": on(hour + 1)})
        assert (asked.page_book() == 302) if door == "page" else (asked.api_book()[0] == 201)
        found.append(Booking.objects.latest("pk").status)

    assert found == [Status.CONFIRMED, Status.REQUESTED]


NO_SHOW = preset("no_show", grace=30, absences=3, lates=3)


@pytest.mark.parametrize(
    ("arrived", "name"),
    [
        (timedelta(0), []),
        (timedelta(seconds=1), ["late"]),
        (timedelta(minutes=30), ["late"]),
        (timedelta(minutes=30, seconds=1), ["no_show"]),
    ],
)
@pytest.mark.parametrize("document", [NO_SHOW], ids=["preset no-show"])
def test_arriving_at_the_boundary(document: dict[str, Any], arrived: timedelta, name: list[str]) -> None:
    booking = {"id": 1, "person": 1, "start": on(9), "end": on(10), "made": NOON}

    found = observe(parse_policy(document, tz="Asia/Shanghai"), booking, [("checkin", on(9) + arrived)])

    assert [violation.name for violation in found] == name


def happened(name: str, count: int, *, months: int = 0) -> list[dict[str, Any]]:
    first = NOON - timedelta(days=31 * months)
    return [{"name": name, "person": 1, "at": first + timedelta(days=day)} for day in range(count)]


@pytest.mark.parametrize(
    ("events", "codes"),
    [
        (happened("no_show", 2), []),
        (happened("no_show", 3), ["deny"]),
        (happened("late", 2), []),
        (happened("late", 3), ["suspend"]),
        ([*happened("no_show", 1, months=13), *happened("no_show", 2)], []),
    ],
)
def test_the_ladders_step_at_the_boundary(events: list[dict[str, Any]], codes: list[str]) -> None:
    policy = parse_policy(NO_SHOW, tz="Asia/Shanghai")

    assert [each.code for each in standing(policy, events, now=NOON + timedelta(days=3))] == codes


@pytest.mark.parametrize(("used", "codes"), [("2026-09-01 09:01", []), ("2026-09-01 09:00", ["require"])])
def test_a_lapse_at_the_boundary(used: str, codes: list[str]) -> None:
    lapsing = {"kind": "lapse", "since": "person.last_used", "after": "3mo", "set": ["person.level", None]}
    document = {"rules": [lapsing, {"kind": "require", "that": {"person.level": "A"}}]}
    request = {"person": 1, "start": on(9), "end": on(10)}

    answer = decide(
        parse_policy(document, tz="Asia/Shanghai"),
        request,
        act="create",
        now=at(9, day=date(2026, 12, 1)),
        facts={"person": {"level": "A", "last_used": used}},
    )

    assert [entry.code for entry in answer.refuse] == codes


def test_priority_ranks_by_condition_then_by_asking() -> None:
    policy = parse_policy(rule("priority", order=[{"audience": "internal"}]), tz="Asia/Shanghai")
    asked = [("enterprise", 1), ("internal", 3), ("internal", 2)]
    requests = [
        {
            "id": number,
            "person": number,
            "audience": who,
            "made": NOON + timedelta(minutes=number),
            "start": on(9),
            "end": on(10),
        }
        for who, number in asked
    ]

    assert [each.id for each in rank(policy, requests, now=on(0))] == [2, 3, 1]
