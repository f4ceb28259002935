"""What a party did before, as price lists with scopes over periods see it; the number of queries is constant.

What was posted stands in the order in which it was: a use when it was verified first, a cancellation and a no-show
when they happened, samples when they were done, the end of a month after all of that month. A quote also counts what
is logged and what is booked, as if all of it took place as booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q

from backend.accounts.models import User
from backend.core.periods import local_boundary
from booking.models import Booking, OrderStatus, PeriodClosing, SampleOrder, Usage, UsageState
from booking.queries.entries import (
    BESIDE,
    EVENTS,
    LIVE,
    PERIOD,
    Entry,
    Family,
    entry_of_booking,
    entry_of_closing,
    entry_of_order,
    entry_of_use,
    family_of,
    local_day,
    unbooked_wish,
)
from booking.queries.parties import read_parties
from booking.queries.prices import PriceLists, prices_of
from booking.queries.wishes import Wish
from instruments.models import Instrument, Mode, PriceList
from instruments.pricing.engine import price
from instruments.pricing.lines import ChargeLine, Pricing
from instruments.pricing.model import PriceList as Prices
from instruments.pricing.model import Span
from instruments.pricing.reach import Reach, reach_of

PARTIES = frozenset({"person", "group", "project", "organisation"})


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known, in its order, and the versions that it is priced by."""

    entries: Sequence[Entry] = ()
    versions: Mapping[int, PriceList] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    def before(self, uid: UUID | None) -> Earlier:
        """What was known before the thing of this uid; what closes a period comes after whatever happens in it."""
        own = next((entry.order for entry in self.entries if entry.uid == uid), None)
        kept = [entry for entry in self.entries if entry.uid != uid and (own is None or entry.order < own)]
        return replace(self, entries=[entry for entry in kept if own is not None or entry.source != PERIOD])

    def price(self, price_list: PriceList, records: Iterable[Mapping[str, Any]]) -> Pricing:
        """Of records that become known after all of these."""
        asked = list(records)
        under = {**self._under(), **{str(record["id"]): prices_of(price_list) for record in asked}}
        past = [record for entry in self.entries for record in entry.records]
        return price(_distinct(under.values()), asked, tz=self.zone, history=past, under=under)

    def run(self) -> dict[UUID, list[ChargeLine]]:
        """What each of them comes to, in their order."""
        under = self._under()
        records = [record for entry in self.entries for record in entry.records]
        if not records:
            return {}
        found: dict[str, list[ChargeLine]] = {}
        for line in price(_distinct(under.values()), records, tz=self.zone, under=under).lines:
            found.setdefault(line.record, []).append(line)
        return {
            entry.uid: [line for record in entry.records for line in found.get(str(record["id"]), ())]
            for entry in self.entries
        }

    def _under(self) -> dict[str, Prices]:
        return {
            str(record["id"]): prices_of(self.versions[entry.version])
            for entry in self.entries
            for record in entry.records
        }


def _distinct(versions: Iterable[Prices]) -> list[Prices]:
    return list({id(each): each for each in versions}.values())


def priced_after(wish: Wish, price_list: PriceList, record: Mapping[str, Any], *, uid: UUID | None) -> Pricing:
    """Of a record of the thing of this uid, after what was posted before it; no query for a list without scopes."""
    return read_earlier(wish, price_list).before(uid).price(price_list, [record])


def posts_beside(price_list: PriceList | None) -> bool:
    """Whether a list has rules for other accounts than the invoice's, or for a later period."""
    return price_list is not None and any(
        rule.due is not None or rule.account != "invoice" for rule in prices_of(price_list).rules
    )


def aside_of(priced: Pricing) -> tuple[ChargeLine, ...]:
    """What is noted on other accounts than the invoice's."""
    return tuple(line for line in priced.lines if line.account != "invoice" and (line.amount or line.quantity))


@dataclass(frozen=True, slots=True)
class EarlierOf:
    """For each wish under a list that looks beyond one record."""

    found: Mapping[tuple[Family, int, int], Earlier] = field(default_factory=dict)

    def of(self, wish: Wish, price_list: PriceList | None) -> Earlier | None:
        return self.found.get(_party(wish, price_list)) if price_list is not None and self.found else None


def _party(wish: Wish, price_list: PriceList) -> tuple[Family, int, int]:
    return family_of(price_list), wish.organisation.pk, wish.user.pk


def read_earlier_of(wishes: Iterable[Wish], lists: PriceLists, *, but: Booking | None = None) -> EarlierOf:
    """For quotes; no query where no list has scopes. ``but`` is the booking that the only wish would change."""
    asked: dict[tuple[Family, int, int], tuple[Wish, PriceList, set[date]]] = {}
    for wish in wishes:
        price_list = None if wish.for_order else lists.of(wish)
        if price_list is not None and reach_of(prices_of(price_list)) is not None:
            known = asked.setdefault(_party(wish, price_list), (wish, price_list, set()))
            known[2].add(local_day(wish.start, wish.instrument.zone))
    return EarlierOf(
        {
            key: read_earlier(wish, price_list, *days, live=True, but=but)
            for key, (wish, price_list, days) in asked.items()
        }
    )


def read_earlier(
    wish: Wish, price_list: PriceList, *days: date, live: bool = False, but: Booking | None = None
) -> Earlier:
    """Of the parties of a wish under a list that looks beyond one record; ``days`` are further days that matter.

    ``live``: also what is logged and booked, of bookings only those before ``but``.
    """
    reach = reach_of(prices_of(price_list))
    if reach is None:
        return Earlier(zone=wish.instrument.zone)
    reads = _Reads(wish, family_of(price_list), reach, days, live, but)
    entries = [*reads.uses(), *reads.bookings(), *reads.samples(), *([] if live else reads.closings())]
    pks = {entry.version for entry in entries}
    versions = {each.pk: each for each in PriceList.objects.filter(pk__in=pks)} if pks - {price_list.pk} else {}
    return Earlier(
        sorted(entries, key=lambda entry: entry.order), {**versions, price_list.pk: price_list}, wish.instrument.zone
    )


@dataclass(frozen=True, slots=True)
class _Reads:
    wish: Wish
    family: Family
    reach: Reach
    days: Sequence[date]
    live: bool
    but: Booking | None

    @property
    def _zone(self) -> ZoneInfo:
        return self.wish.instrument.zone

    def _when(self, column: str) -> Q:
        own = self.wish.start.astimezone(self._zone).date()
        first, last = self.reach.days(own, *self.days)
        found = Q()
        if first is not None:
            found &= Q(**{f"{column}__gte": local_boundary(first, time.min, self._zone) - BESIDE})
        if last is not None:
            found &= Q(**{f"{column}__lt": local_boundary(last + timedelta(days=1), time.min, self._zone) + BESIDE})
        return found

    def _whose(self) -> Q:
        """As few as can be, and all that these depend on."""
        wish, parties = self.wish, self.reach.parties
        if self.reach.closing is None and parties and all("person" in each for each in parties):
            return Q(user=wish.user)
        if any(not each & PARTIES for each in parties):
            return Q()
        own = Q(organisation=wish.organisation)
        if all(each & {"project", "organisation"} for each in parties):
            return own
        return own | Q(user=wish.user)

    def uses(self) -> list[Entry]:
        """Verified ones, each by its newest record in the place of its first; for a quote also what is logged."""
        states = [UsageState.VERIFIED, *([UsageState.SUBMITTED] if self.live else [])]
        related = "instrument__institution", "user", "organisation", "booking__instrument", "booking__user"
        rows = (
            Usage.objects.filter(self._whose(), self._when("start"), state__in=states)
            .filter(self._of_uses(), Q(booking=None) | Q(booking__order=None))
            .select_related(*related, "booking__organisation", "booking__project", "booking__group")
            .order_by("pk")
        )
        found = list(rows)
        unbooked = [each for each in found if each.booking is None]
        audiences = self._audiences(unbooked)
        versions = self._versions(unbooked)
        chains: dict[int, Usage] = {}
        for usage in found:  # a correction has a higher id than what it corrects
            chains[usage.pk] = chains.get(usage.corrects_id or 0, usage)
        replaced = {usage.corrects_id for usage in found}
        entries = []
        for usage in found:
            version = usage.booking.price_list_id if usage.booking else versions.get(usage.pk)
            if usage.pk in replaced or version is None:
                continue
            entries.append(entry_of_use(usage, chains[usage.pk], audiences.get(usage.pk, ""), version))
        return entries

    def _of_uses(self) -> Q:
        booked = Q(
            booking__price_list__instrument=self.family.instrument,
            booking__price_list__agreement=self.family.agreement,
        )
        unbooked = Q(~Exists(_agreed_for_use()), booking=None, instrument=self.family.instrument)
        if self.family.instrument is None:
            institution = self.wish.instrument.institution_id
            unbooked = Q(booking=None, instrument__institution=institution, organisation=self.wish.organisation)
        return booked | unbooked

    def _audiences(self, usages: Sequence[Usage]) -> dict[int, str]:
        if not usages:
            return {}
        wishes = {usage.pk: unbooked_wish(usage) for usage in usages}
        parties = read_parties(wishes.values(), {each.instrument.pk: () for each in wishes.values()}, self.wish.start)
        return {pk: parties.audience(each) for pk, each in wishes.items()}

    def _versions(self, usages: Sequence[Usage]) -> dict[int, int]:
        """What was in force when a use without booking began."""
        if not usages:
            return {}
        rows = PriceList.objects.filter(self.family.own).order_by("-valid_from", "-version")
        known = list(rows.values_list("pk", "valid_from"))
        found: dict[int, int] = {}
        for usage in usages:
            day = local_day(usage.start, usage.instrument.zone)
            newest = next((pk for pk, since in known if since <= day), None)
            if newest is not None:
                found[usage.pk] = newest
        return found

    def bookings(self) -> list[Entry]:
        """Cancellations and no-shows that count; for a quote also what is booked."""
        states = [*EVENTS, *(LIVE if self.live else [])]
        rows = Booking.objects.filter(
            self._whose(), self._when("start"), self.family.lists, status__in=states, excused=False, order=None
        ).select_related("instrument", "user", "organisation", "project", "group")
        if self.but is not None:
            rows = rows.exclude(pk=self.but.pk).exclude(status__in=LIVE, requested_at__gt=self.but.requested_at)
        return [entry_of_booking(row) for row in rows]

    def samples(self) -> list[Entry]:
        """Orders that are done."""
        rows = SampleOrder.objects.filter(
            self._whose(), self._when("submitted_at"), self.family.lists, status=OrderStatus.DONE
        )
        return [
            entry_of_order(row)
            for row in rows.select_related("instrument", "user", "price_list").prefetch_related("items")
        ]

    def closings(self) -> list[Entry]:
        if self.reach.closing is None:
            return []
        own = self.wish.start.astimezone(self._zone).date()
        first, last = self.reach.days(own, *self.days)
        rows = PeriodClosing.objects.filter(self.family.own, organisation=self.wish.organisation)
        rows = rows.filter(day__gte=first or date.min, day__lte=(last or date.max)).select_related("user")
        return [entry_of_closing(row, self._zone) for row in rows]


def _agreed_for_use() -> Any:
    """A list of an agreement in force for a use without booking."""
    day = OuterRef("start__date")
    in_force = Q(agreement__valid_to=None) | Q(agreement__valid_to__gte=day)
    return PriceList.objects.filter(
        in_force,
        agreement__customer=OuterRef("organisation"),
        agreement__institution=OuterRef("instrument__institution"),
        agreement__valid_from__lte=day,
        valid_from__lte=day,
    )


def everyone_in_month(price_list: PriceList, instrument: Instrument, day: date) -> list[dict[str, Any]]:
    """The records of all parties in the month that ends on ``day``, as they became known."""
    zone = instrument.zone
    start = local_boundary(day.replace(day=1), time.min, zone)
    end = local_boundary(day + timedelta(days=1), time.min, zone)
    customer = price_list.agreement.customer if price_list.agreement else instrument.institution
    wish = Wish(instrument, start, start + timedelta(minutes=1), Mode.OPERATOR.value, customer, User())
    month = frozenset({(Span("month"), False)})
    reads = _Reads(wish, family_of(price_list), Reach(frozenset({frozenset[str]()}), month, ()), (), False, None)
    entries = sorted([*reads.uses(), *reads.bookings(), *reads.samples()], key=lambda entry: entry.order)
    return [
        record
        for entry in entries
        for record in entry.records
        if start <= (record["booked"][0][0] if "booked" in record else record["at"]) < end
    ]
