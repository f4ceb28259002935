"""The end of a month: minimum fees and monthly fees of price lists that have rules for it."""

from __future__ import annotations

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.core.db import atomic_action
from backend.core.errors import invalid
from booking.actions.locks import lock_rows, parties_priced
from booking.actions.repricing import post_closing
from booking.models import PeriodClosing
from booking.queries.closings import Ending, endings, lists_that_close
from booking.queries.earlier import read_earlier
from booking.queries.entries import entry_of_closing
from instruments.models import Instrument
from invoices.rules import day_at, is_period, last_day, neighbour


def close_period(
    *, institution: Organisation, period: str, by: User | None = None, instrument: Instrument | None = None
) -> list[PeriodClosing]:
    """Charge what the price lists ask for the month (``2026-03``), of one instrument or of all and of agreements.

    Each party in a transaction of its own; whatever was closed before is counted again, and only what changed is
    posted. Nothing happens before the month is over. Returns the closings that it went over.
    """
    if not is_period(period):
        raise invalid("period", _("Give the month as YYYY-MM, for example 2026-03."), "bad_period")
    day = last_day(period)
    if day_at(institution, timezone.now()) <= day:
        return []
    lists = [
        each for each in lists_that_close(institution, day) if instrument is None or each.instrument_id == instrument.pk
    ]
    return [close_party(ending=ending, by=by) for each in lists for ending in list(endings(each, day))]


def close_months(institution: Organisation, period: str) -> None:
    """What the monthly run asks for before it drafts: the month, and the one before for what came late."""
    for each in (neighbour(period, -1), period):
        close_period(institution=institution, period=each)


@atomic_action
def close_party(*, ending: Ending, by: User | None) -> PeriodClosing:
    """The end of the month of one party, now or again."""
    party = ending.party
    named = {name: _number(party.get(name, "")) for name in ("person", "group", "project")}
    lock_rows(parties_priced(ending.price_list), **named, organisation=ending.organisation.pk)
    closing, _created = PeriodClosing.objects.get_or_create(
        uid=ending.uid,
        defaults={
            "institution_id": ending.instrument.institution_id,
            "instrument_id": ending.price_list.instrument_id,
            "agreement_id": ending.price_list.agreement_id,
            "price_list": ending.price_list,
            "day": ending.day,
            "party": party,
            "organisation": ending.organisation,
            "user": ending.user,
            "audience": ending.audience,
            "closed_at": timezone.now(),
        },
    )
    zone = ending.instrument.zone
    with translation.override(closing.user.language):  # the sentences are kept for the person who is charged
        entry = entry_of_closing(closing, zone)
        known = read_earlier(ending.wish, closing.price_list, closing.day).before(closing.uid)
        lines = known.price(closing.price_list, entry.records).lines
        post_closing(closing, lines, correction_uid=None, by_id=by.pk if by else None)
    return closing


def _number(key: str) -> int | None:
    """Of a group or project of one's own there is no row: the person or the organisation is locked for it."""
    return int(key) if key.isdecimal() else None
