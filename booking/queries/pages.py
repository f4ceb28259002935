"""Who reads the page of an instrument, and what its prices and rules say to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from backend.accounts.models import Organisation, OrganisationKind, User
from backend.accounts.queries import Access
from booking.queries.facts import rules_in_force
from booking.queries.parties import NOTHING_KNOWN, Parties, read_parties
from booking.queries.prices import prices_of, read_price_lists
from booking.queries.times import Judge, judge_of
from booking.queries.wishes import Wish
from booking.rules.model import Policy as Rules
from booking.rules.topics import by_topic
from instruments.models import Condition, Instrument, Mode, PriceList, StartingPrice
from instruments.pricing.board import is_for
from instruments.pricing.published import PublishedRow, published_table


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a page is drawn. A visitor, or a person who cannot book, reads it as an enterprise would."""

    user: User
    organisation: Organisation
    may_book: bool


def reader_of(access: Access, user: User | None, organisation: Organisation | None) -> Reader:
    """``organisation`` is the one chosen in the top bar; without queries."""
    bookers = access.bookers()
    if user is None or not bookers:
        nobody = Organisation(pk=0, kind=OrganisationKind.ENTERPRISE, name="")
        return Reader(user or User(pk=0), nobody, False)
    chosen = organisation if organisation in bookers else bookers[0]
    return Reader(user, chosen or bookers[0], True)


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules and prices in force today, and the reader's place in them."""

    instrument: Instrument
    reader: Reader
    rules: Rules
    audience: str
    price_list: PriceList | None
    now: datetime
    parties: Parties = NOTHING_KNOWN

    def judge(self, mode: str) -> Judge:
        wish = Wish(
            self.instrument, self.now, self.now + timedelta(hours=1), mode, self.reader.organisation, self.reader.user
        )
        return judge_of(wish, self.rules, self.audience, self.now, self.parties)

    def topics(self) -> list[tuple[str, list[str]]]:
        """The rules that concern the reader, in words, by what they are about."""
        inside = self.reader.organisation.pk == self.instrument.institution_id
        known = {"audience": self.audience, "person.inside": inside, "instrument": self.instrument.pk}
        qualified = self.parties.qualified.get((self.reader.user.pk, self.instrument.pk), {})
        known |= {f"person.{name}": value for name, value in qualified.items()}
        modes = [mode for mode in self.instrument.modes if mode != Mode.SAMPLE]
        if len(modes) == 1:
            known["mode"] = modes[0]
        return by_topic(self.rules, known)

    @property
    def by_sample(self) -> bool:
        return self.price_list is not None and mentions(self.price_list.document, "samples")


def terms_of(instrument: Instrument, reader: Reader, now: datetime) -> Terms:
    """Three queries: rules of all layers, the reader's agreement, the price list; two for qualifications they name."""
    rules = rules_in_force([instrument], now)[instrument.pk]
    wish = Wish(instrument, now, now + timedelta(hours=1), "", reader.organisation, reader.user)
    parties = read_parties([wish], {instrument.pk: rules.book.facts}, now)
    return Terms(
        instrument=instrument,
        reader=reader,
        rules=rules.book.rules,
        audience=parties.audience(wish),
        price_list=read_price_lists([wish], agreements=parties.agreements).of(wish),
        now=now,
        parties=parties,
    )


@dataclass(frozen=True, slots=True)
class Prices:
    """The published list: the rows for the reader first, those for others apart; ``least`` is the starting price."""

    currency: str
    mine: list[PublishedRow]
    others: list[PublishedRow]
    audience: str
    least: Decimal | None
    unit: str
    version: int


def prices(terms: Terms, labels: Mapping[str, str]) -> Prices | None:
    """One query, for the starting price; None where nothing is published."""
    if terms.price_list is None:
        return None
    shown = StartingPrice.objects.filter(instrument=terms.instrument, audience=terms.audience)
    least = shown.first() if terms.price_list.agreement_id is None else None
    rows = published_table(prices_of(terms.price_list), labels)
    mine = labels.get(terms.audience, terms.audience)
    # The column names several audiences in one cell; “everyone” names none of them.
    named = set(labels.values()) | {terms.audience}
    items: dict[str, list[PublishedRow]] = {}
    for row in rows:
        items.setdefault(row.code, []).append(row)
    concerns = [row for row in rows if mine in row.audiences or not named & set(row.audiences)]
    concerns = [row for row in concerns if row.for_some or is_for(row, mine, items[row.code])]
    return Prices(
        currency=terms.price_list.currency,
        mine=concerns,
        others=[row for row in rows if row not in concerns],
        audience=mine,
        least=least.amount if least else None,
        unit=least.unit if least else "",
        version=terms.price_list.version,
    )


def time_modes(instrument: Instrument) -> list[str]:
    """The ways of using it that need a time; none while it is out of order."""
    if instrument.condition in (Condition.REPAIR, Condition.SCRAP):
        return []
    return [mode for mode in instrument.modes if mode != Mode.SAMPLE]


def mentions(document: Any, name: str) -> bool:
    """Whether a price list depends on an attribute, e.g. the number of samples."""
    if isinstance(document, dict):
        return name in document or any(mentions(value, name) for value in document.values())
    if isinstance(document, list):
        return any(mentions(value, name) for value in document)
    return bool(document == name)
