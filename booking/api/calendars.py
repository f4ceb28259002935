"""Calendar subscriptions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import Organisation
from backend.accounts.queries import Access
from backend.core.errors import NotFound
from booking.actions import feeds
from booking.schemas import (
    FeedOut,
    NewFeed,
)
from instruments.queries.rights import get_visible_instrument

router = Router(auth=signed_in, tags=["calendars"])


@router.post("/feeds", response={201: FeedOut}, summary="Subscribe; the address is shown once")
def create_feed(request: HttpRequest, body: NewFeed) -> Status[dict[str, Any]]:
    mine = access(request)
    feed, secret = feeds.create_feed(
        user=person(request),
        scope=body.scope,
        detail=body.detail,
        name=body.name,
        organisation=mine.organisations.get(body.organisation) if body.organisation else _only(mine),
        instrument=get_visible_instrument(mine, body.instrument) if body.instrument else None,
    )
    return Status(201, {"id": feed.pk, "url": f"{settings.SITE_URL}/calendar/{secret}.ics"})


def _only(mine: Access) -> Organisation | None:
    bookers = mine.bookers()
    return bookers[0] if len(bookers) == 1 else None


@router.delete("/feeds/{int:pk}", response={204: None}, summary="Revoke a subscription")
def revoke_feed(request: HttpRequest, pk: int) -> Status[None]:
    feed = person(request).feeds.filter(pk=pk, revoked_at=None).first()
    if feed is None:
        raise NotFound
    feeds.revoke_feed(feed=feed, by=person(request))
    return Status(204, None)
