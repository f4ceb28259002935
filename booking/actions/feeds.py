"""Calendar subscriptions: made, replaced, revoked."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User, digest_secret, new_secret
from backend.accounts.queries import access_of
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Forbidden, NotFound, invalid
from booking.models import Feed, FeedDetail, FeedScope
from instruments.models import Instrument
from instruments.queries.rights import manages, visible_instruments

MOST = 50


@atomic_action
def create_feed(
    *,
    user: User,
    scope: str,
    detail: str = FeedDetail.FULL,
    name: str = "",
    organisation: Organisation | None = None,
    instrument: Instrument | None = None,
) -> tuple[Feed, str]:
    """A subscription and its secret, which is shown once and stored as a digest only.

    ``organisation`` needs membership (its administrator's feed shows everybody's bookings); the full detail
    of an instrument's feed needs its management.
    """
    access = access_of(user)
    if scope == FeedScope.INSTRUMENT:
        organisation = None
        if instrument is None:
            raise invalid("instrument", _("Please choose the instrument."), "required")
        if not visible_instruments(access).filter(pk=instrument.pk).exists():
            raise NotFound
        if detail == FeedDetail.FULL and not manages(access, instrument):
            raise Forbidden(detail=_("Only its lab managers may see who booked. Choose “only when it is taken”."))
    elif scope == FeedScope.ORGANISATION:
        instrument = None
        if organisation is None or not access.has(organisation.pk):
            raise invalid("organisation", _("Please choose one of your organisations."), "required")
    else:
        organisation = instrument = None
    if Feed.objects.filter(user=user, revoked_at=None).count() >= MOST:
        raise invalid("name", _("You have %(most)d subscriptions. Revoke one first.") % {"most": MOST}, "too_many")
    secret = new_secret()
    feed = Feed.objects.create(
        user=user,
        name=name or str(FeedScope(scope).label),
        scope=scope,
        organisation=organisation,
        instrument=instrument,
        detail=detail,
        digest=digest_secret(secret),
    )
    _note(feed, "feed.create", user)
    return feed, secret


@atomic_action
def replace_feed(*, feed: Feed, by: User) -> tuple[Feed, str]:
    """A new address for the same subscription; the old one is dead at once."""
    secret = new_secret()
    if not Feed.objects.filter(pk=feed.pk, user=by, revoked_at=None).update(
        digest=digest_secret(secret), last_used_at=None
    ):
        raise NotFound
    feed.refresh_from_db()
    _note(feed, "feed.replace", by)
    return feed, secret


@atomic_action
def revoke_feed(*, feed: Feed, by: User) -> Feed:
    """The address answers 404 from now on."""
    if not Feed.objects.filter(pk=feed.pk, user=by, revoked_at=None).update(revoked_at=timezone.now()):
        raise NotFound
    feed.refresh_from_db()
    _note(feed, "feed.revoke", by)
    return feed


def _note(feed: Feed, action: str, by: User) -> None:
    """In the chain of the organisation whose data the feed shows; a personal one in the person's first."""
    organisation_id = feed.organisation_id or (feed.instrument.institution_id if feed.instrument else None)
    organisation_id = organisation_id or next(iter(sorted(access_of(by).roles)), None)
    if organisation_id is not None:
        record(
            organisation_id=organisation_id,
            actor_id=by.pk,
            action=action,
            object_type="feed",
            object_id=feed.pk,
            after={"scope": feed.scope, "detail": feed.detail},
        )
