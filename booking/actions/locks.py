"""Locking the parties that rules count, in the one order: person, group, project, organisation, instrument.

One statement whatever the number of rules. The instruments themselves are locked last, by `lock_instruments`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from django.db import connection, models

from backend.accounts.models import Group, Organisation, Project, User
from backend.core.prepared import fetch
from booking.models import Booking, SampleOrder, Usage, Wait
from booking.queries.entries import unbooked_wish
from booking.queries.facts import InForce, rules_in_force
from booking.queries.prices import prices_of, read_price_lists
from booking.queries.wishes import Wish
from booking.rules.rulebook import rulebook_of
from instruments.models import Instrument, PriceList
from instruments.pricing.reach import reach_of

# In the order in which they are locked.
TABLES: Mapping[str, type[models.Model]] = {
    "person": User,
    "group": Group,
    "project": Project,
    "organisation": Organisation,
}


def lock_parties(
    *,
    user: User,
    group: Group | None,
    project: Project | None,
    organisation: Organisation,
    instrument: Instrument,
    now: datetime,
    act: str = "create",
    others: Iterable[Instrument] = (),
) -> dict[int, InForce]:
    """Lock one row per party that a quota of the instrument's policy counts; the instrument is locked by the caller.

    ``others`` are the instruments that are booked in the same transaction. Returns the rules by instrument, so that
    deciding goes by those that the locks were chosen for.
    """
    rules = rules_in_force([instrument, *others], now)
    lock_rows(
        {party for each in rules.values() for party in each.book.needs(act).locks}
        | ({"project"} if organisation.rules_spending else set()),  # a budget counts what others book on it
        person=user.pk,
        group=group.pk if group else None,
        project=project.pk if project else None,
        organisation=organisation.pk,
    )
    return rules


def lock_parties_of(
    asked: Booking | Wait | Wish, *, now: datetime, act: str = "create", others: Iterable[Instrument] = ()
) -> dict[int, InForce]:
    """`lock_parties` for those whom a booking, a wait or a wish names."""
    return lock_parties(
        user=asked.user,
        group=asked.group,
        project=asked.project,
        organisation=asked.organisation,
        instrument=asked.instrument,
        now=now,
        act=act,
        others=others,
    )


def lock_to_record(booking: Booking, *causes: str) -> None:
    """Lock the parties by which ladders count what may be recorded now; before the instrument is locked.

    Where a no-show is noted or taken back, also those that its prices look at together.
    """
    book = rulebook_of(booking.policy, tz=booking.instrument.timezone)
    watched = set(book.recording if book.watches(*causes) else ())
    priced = parties_priced(booking.price_list) if "never" in causes else set()
    lock_rows(watched | priced, **_parties(booking))


def lock_to_charge(subject: Usage | SampleOrder) -> None:
    """Lock the parties that the price list of a use looks at together; before the instrument is locked."""
    kept = subject if isinstance(subject, SampleOrder) else subject.booking
    if kept is not None:
        lock_rows(parties_priced(kept.price_list), **_parties(kept))
    elif isinstance(subject, Usage) and subject.end is not None:
        wish = unbooked_wish(subject)
        parties = {"person": wish.user.pk, "group": None, "project": None, "organisation": wish.organisation.pk}
        lock_rows(parties_priced(read_price_lists([wish]).of(wish)), **parties)


def parties_priced(price_list: PriceList | None) -> set[str]:
    """Which parties a list with scopes counts by; always the customer, since an agreement holds for many instruments.

    Who has no group stands for themselves.
    """
    reach = reach_of(prices_of(price_list)) if price_list is not None else None
    if reach is None:
        return set()
    named = set((reach.names | set(reach.closing or ())) & TABLES.keys())
    named |= {"person"} if "group" in named else set()
    return named | {"organisation"}


def lock_to_cancel(*bookings: Booking) -> None:
    """The same for giving bookings up, which others may need, as for making them; all are of the same parties."""
    wanted: set[str] = set()
    for booking in bookings:
        book = rulebook_of(booking.policy, tz=booking.instrument.timezone)
        wanted |= set(book.recording if book.watches("cancel") else ())
        wanted |= set(book.needs("create").locks if book.depends else ())
        wanted |= parties_priced(booking.price_list)
    lock_rows(wanted, **_parties(bookings[0]))


def _parties(booking: Booking | SampleOrder) -> dict[str, int | None]:
    return {
        "person": booking.user_id,
        "group": booking.group_id if isinstance(booking, Booking) else None,
        "project": booking.project_id,
        "organisation": booking.organisation_id,
    }


def lock_rows(wanted: Collection[str], **pks: int | None) -> None:
    """Lock the rows of the wanted parties in the fixed order; on SQLite the write transaction is the lock."""
    named = [(party, pks[party]) for party in TABLES if party in wanted and pks.get(party) is not None]
    if not named or connection.vendor == "sqlite":
        return
    fetch(_locking(tuple(party for party, _pk in named)), [pk for _party, pk in named])


@lru_cache
def _locking(parties: tuple[str, ...]) -> str:
    """Each step counts the one before, so that the rows are locked one after the other; all names are of models."""
    steps, before = [], ""
    for party in parties:
        table = TABLES[party]._meta.db_table
        step = f'"{party}" AS MATERIALIZED (SELECT id FROM {table} WHERE id = %s{before} FOR NO KEY UPDATE)'  # noqa: S608
        steps.append(step)
        before = f' AND (SELECT count(*) FROM "{party}") >= 0'  # noqa: S608
    return f'WITH {", ".join(steps)} SELECT count(*) FROM "{parties[-1]}"'  # noqa: S608
