"""A lab and its customer for the tests of the pages; the clock stands at 09:00 on 24 November 2026."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend.accounts.models import Role, User
from booking.actions.policies import save_policy
from booking.actions.requesting import request_booking
from booking.models import Booking
from instruments.models import Mode
from tests.factories import (
    DAY,
    at,
    make_enterprise,
    make_institution,
    make_instrument,
    make_manager,
    make_member,
    make_price_list,
)

TODAY = date(2026, 11, 24)
NOW = at(9, day=TODAY)
HTMX = {"HX-Request": "true"}
APPROVAL = {
    "rules": [
        {
            "id": "approval",
            "kind": "require",
            "topic": "approval",
            "that": {"audience": "internal"},
            "else": "approve:manager",
        }
    ]
}


class Lab:
    """An instrument at 100.00 an hour, its manager, an enterprise's engineer and administrator, a stranger."""

    def __init__(self, *, approval: bool = False, **fields: Any) -> None:
        self.institution = make_institution(name="示例大学", name_en="Example University")
        self.manager = make_manager(self.institution)
        self.instrument = make_instrument(self.institution, contact_phone="0471-1234567", **fields)
        make_price_list(self.instrument)
        if approval:
            save_policy(instrument=self.instrument, document=APPROVAL, by=self.manager, valid_from=date(2026, 1, 1))
        self.enterprise = make_enterprise(name="示例新材料", name_en="Example Materials")
        self.engineer = make_member(self.enterprise)
        self.boss = make_member(self.enterprise, Role.ADMIN)
        self.stranger = make_member(make_enterprise())

    def book(self, start: int = 9, end: int = 12, *, day: date = DAY, user: User | None = None) -> Booking:
        user = user or self.engineer
        return request_booking(
            by=user,
            user=user,
            organisation=self.enterprise,
            instrument=self.instrument,
            start=at(start, day=day),
            end=at(end, day=day),
            mode=Mode.SELF,
            purpose="Fracture surfaces",
        )


def browser(user: User | None = None) -> Client:
    client = Client(headers={"accept-language": "en"})
    if user is not None:
        client.force_login(user)
    return client


def html(response: Any, status: int = 200) -> str:
    """The page as one line."""
    assert response.status_code == status, response
    return " ".join(response.content.decode().split())


def wall(at_: datetime) -> str:
    """What a field for local date and time sends, at an instrument in Shanghai."""
    return at_.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT%H:%M")


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        response = client.get(path)
    assert response.status_code == 200, response
    return len(caught)


def codes(caught: Any) -> list[str]:
    """Of every refusal that ``pytest.raises`` caught."""
    return [refusal.code for refusal in caught.value.refusals]
