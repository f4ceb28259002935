"""Whose month ends: the parties that price lists with rules for the end of a period charge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from backend.accounts.models import Membership, Organisation, Role, User
from backend.core.periods import local_boundary
from booking.queries.earlier import everyone_in_month
from booking.queries.entries import Family, family_of
from booking.queries.prices import prices_of
from booking.queries.wishes import Wish
from instruments.models import Instrument, Mode, PriceList
from instruments.pricing.reach import PERIOD_END, reach_of

NAMESPACE = UUID("6d1f5a3e-7d0c-4a8b-9a52-2f0a4c1f7b10")


@dataclass(frozen=True, slots=True)
class Ending:
    """One party at the end of a month. ``party``: its attributes, by which the price list tells parties apart."""

    price_list: PriceList
    instrument: Instrument
    day: date
    party: dict[str, str]
    organisation: Organisation
    user: User
    audience: str

    @property
    def uid(self) -> UUID:
        family = family_of(self.price_list)
        named = sorted({**self.party, "organisation": str(self.organisation.pk)}.items())
        return uuid5(NAMESPACE, f"{family.instrument}-{family.agreement} {self.day} {named}")

    @property
    def wish(self) -> Wish:
        """The last minute of the month, as a wish of the party."""
        end = local_boundary(self.day, time(23, 59), self.instrument.zone)
        return Wish(self.instrument, end, end, Mode.OPERATOR.value, self.organisation, self.user)


def lists_that_close(institution: Organisation, day: date) -> list[PriceList]:
    """The versions in force on the day that say something of the end of a period; one query."""
    ours = Q(instrument__institution=institution)
    agreed = Q(agreement__institution=institution, agreement__valid_from__lte=day)
    agreed &= Q(agreement__valid_to=None) | Q(agreement__valid_to__gte=day.replace(day=1))
    rows = PriceList.objects.in_force(day).filter(ours | agreed).annotate(text=Cast("document", TextField()))
    newest: dict[Family, int] = {}
    closing: dict[int, PriceList] = {}
    for pk, instrument, agreement in rows.values_list("pk", "instrument", "agreement"):
        newest.setdefault(Family(instrument, agreement), pk)
    related = "instrument__institution", "agreement__customer", "agreement__institution"
    for row in rows.filter(text__contains=PERIOD_END).select_related(*related):
        closing[row.pk] = row
    found = [closing[pk] for pk in newest.values() if pk in closing]
    return [each for each in found if (reach := reach_of(prices_of(each))) is not None and reach.closing is not None]


def endings(price_list: PriceList, day: date) -> Iterator[Ending]:
    """Each party that has a record in the month, and the customer of an agreement in any case."""
    reach = reach_of(prices_of(price_list))
    instrument = price_list.instrument or _any_instrument(price_list)
    if reach is None or reach.closing is None or instrument is None:
        return
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in everyone_in_month(price_list, instrument, day):
        found[tuple(str(record.get(name)) for name in (*reach.closing, "organisation"))] = record
    agreed = price_list.agreement
    if agreed is not None and not found and set(reach.closing) <= {"organisation"}:
        user = _speaker(agreed.customer)
        if user is not None:
            found[("",)] = {
                "organisation": str(agreed.customer_id),
                "person": str(user.pk),
                "audience": agreed.audience,
            }
    organisations = Organisation.objects.in_bulk({int(record["organisation"]) for record in found.values()})
    users = User.objects.in_bulk({int(record["person"]) for record in found.values()})
    for record in found.values():
        party = {name: str(record[name]) for name in (*reach.closing, "organisation") if name in record}
        yield Ending(
            price_list,
            instrument,
            day,
            party,
            organisations[int(record["organisation"])],
            users[int(record["person"])],
            record["audience"],
        )


def _any_instrument(price_list: PriceList) -> Instrument | None:
    """An agreement's list goes by the institution's instruments; its days are those of the first."""
    assert price_list.agreement is not None
    return Instrument.objects.filter(institution=price_list.agreement.institution_id).order_by("pk").first()


def _speaker(customer: Organisation) -> User | None:
    """Who is named on a charge that nobody's use gave rise to: the administrator of the longest standing."""
    rows = Membership.objects.current().filter(organisation=customer, role=Role.ADMIN).select_related("user")
    first = rows.order_by("pk").first()
    return first.user if first else None
