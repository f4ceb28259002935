"""Fifty clients want the same time at the same moment, over HTTP, from a server with two processes."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from backend.accounts.actions import create_token
from backend.core import constraints
from booking.models import Booking
from instruments.models import Instrument, Occupancy, OpeningHours
from tests.factories import make_enterprise, make_instrument, make_member, make_price_list
from tests.servers import granian

CLIENTS = 50
SLOTS = int(os.environ.get("CONTENTION_SLOTS", "10"))

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]


def open_round_the_clock() -> Instrument:
    instrument = make_instrument(hours=False, open_on_holidays=True)
    OpeningHours.objects.bulk_create(
        OpeningHours(instrument=instrument, weekday=day, opens="00:00", closes="00:00") for day in range(1, 8)
    )
    make_price_list(instrument)
    return instrument


def tokens() -> list[str]:
    """One person of a company of their own for each client."""
    return [create_token(user=make_member(make_enterprise()), name="race")[1] for _ in range(CLIENTS)]


def race(address: str, instrument: int, slot: int, secrets: list[str]) -> Counter[int]:
    """Every client asks for the hour at once; returns how often each status came."""
    host = urlsplit(address).netloc
    start = (timezone.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0) + timedelta(hours=slot)
    body = json.dumps(
        {
            "instrument": instrument,
            "start": start.isoformat(),
            "end": (start + timedelta(hours=1)).isoformat(),
            "mode": "self",
            "purpose": "race",
        }
    )
    barrier = threading.Barrier(len(secrets))
    statuses: list[int] = []

    def client(secret: str) -> None:
        link = http.client.HTTPConnection(host, timeout=60)
        link.connect()
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        barrier.wait(30)
        link.request("POST", "/api/v1/bookings", body, headers)
        statuses.append(link.getresponse().status)
        link.close()

    threads = [threading.Thread(target=client, args=(secret,)) for secret in secrets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return Counter(statuses)


def test_fifty_clients_one_slot_exactly_one_wins() -> None:
    instrument = open_round_the_clock()
    secrets = tokens()

    with granian() as address:
        outcomes = [race(address, instrument.pk, slot, secrets) for slot in range(SLOTS)]

    assert outcomes == [Counter({409: CLIENTS - 1, 201: 1})] * SLOTS
    assert Booking.objects.count() == Occupancy.objects.count() == SLOTS


def test_negative_control_without_guards_the_slot_is_double_booked() -> None:
    instrument = open_round_the_clock()
    secrets = tokens()
    drop_every_guard()

    try:
        with granian(BOOKING_GUARDS="0") as address:
            outcome = race(address, instrument.pk, 0, secrets)
    finally:
        Booking.objects.all().update(occupancy=None, status="cancelled")
        Occupancy.objects.all().delete()
        constraints.create_guards()

    assert outcome[201] > 1


def drop_every_guard() -> None:
    if connection.vendor == "sqlite":
        constraints.drop_guards()
        return
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE instruments_occupancy DROP CONSTRAINT guard_instruments_occupancy_no_overlap")


def test_same_idempotency_key_from_fifty_clients_books_once() -> None:
    instrument = open_round_the_clock()
    user = make_member(make_enterprise())
    secrets = [create_token(user=user, name=f"client {n}")[1] for n in range(CLIENTS)]

    with granian() as address:
        replies = same_request(address, instrument.pk, secrets)

    assert Counter(status for status, _ in replies) == Counter({201: CLIENTS})
    assert len({reply["id"] for _, reply in replies}) == 1
    assert Booking.objects.count() == 1


def same_request(address: str, instrument: int, secrets: list[str]) -> list[tuple[int, Any]]:
    host = urlsplit(address).netloc
    start = (timezone.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    body = json.dumps(
        {
            "instrument": instrument,
            "start": start.isoformat(),
            "end": (start + timedelta(hours=1)).isoformat(),
            "mode": "self",
            "purpose": "once",
        }
    )
    barrier = threading.Barrier(len(secrets))
    replies: list[tuple[int, Any]] = []

    def client(secret: str) -> None:
        link = http.client.HTTPConnection(host, timeout=60)
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Idempotency-Key": "k1"}
        barrier.wait(30)
        link.request("POST", "/api/v1/bookings", body, headers)
        answer = link.getresponse()
        replies.append((answer.status, json.loads(answer.read())))
        link.close()

    threads = [threading.Thread(target=client, args=(secret,)) for secret in secrets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return replies
