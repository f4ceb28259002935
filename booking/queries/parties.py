"""What is known of the parties of wishes: contracts, qualifications, groups; read once for many wishes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef
from django.utils import timezone

from backend.accounts.models import Agreement, OrganisationKind
from backend.core.prepared import Prepared, among
from booking.models import Booking
from booking.queries.credit import FACT as CREDIT
from booking.queries.credit import credits_for
from booking.queries.qualified import FACTS, qualification_facts
from booking.queries.wishes import Wish, wish_of
from booking.rules.results import as_json
from instruments.models import PriceList


class Agreed(NamedTuple):
    """A contract; ``until`` is its last day, None without end; ``priced``: it has a price list of its own."""

    customer: int
    institution: int
    audience: str
    since: date
    until: date | None
    pk: int
    priced: bool

    def holds(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Parties:
    """Contracts, and the qualifications of each (person, instrument) where rules ask for them."""

    agreements: tuple[Agreed, ...] = ()
    qualified: Mapping[tuple[int, int], Mapping[str, Any]] = field(default_factory=dict)

    def audience(self, wish: Wish) -> str:
        """The same answer as `backend.accounts.queries.audience_of`, without a query."""
        if wish.organisation.pk == wish.instrument.institution_id:
            return "internal"
        named = [each for each in self._in_force(wish) if each.audience]
        if named:
            return max(named, key=lambda each: each.since).audience
        return "academic" if wish.organisation.kind == OrganisationKind.INSTITUTION else "enterprise"

    def facts(self, wish: Wish, audience: str) -> dict[str, dict[str, Any]]:
        """By scope and name, as docs/policy.md lists them."""
        instrument, organisation = wish.instrument, wish.organisation
        agreed = self._in_force(wish)
        known: dict[str, dict[str, Any]] = {
            "person": {
                "inside": organisation.pk == instrument.institution_id,
                "audience": audience,
                "organisation_kind": organisation.kind,
                **self.qualified.get((wish.user.pk, instrument.pk), {}),
            },
            "organisation": {
                "kind": organisation.kind,
                "region": organisation.region,
                "agreement": bool(agreed),
                "agreement_until": _latest(agreed),
            },
            "instrument": {
                "category": instrument.category_id,
                "institution": instrument.institution_id,
                "group": instrument.group_id,
                "region": instrument.region,
                "units": instrument.units,
            },
        }
        if wish.group is not None:
            known["group"] = {"name": wish.group.name, "organisation": wish.group.organisation_id}
        if wish.project is not None:
            known["project"] = {"code": wish.project.code}
        return known

    def snapshot(self, wish: Wish, audience: str, names: Collection[str]) -> dict[str, Any]:
        """Those of the facts that rules name, dotted, for the booking to keep."""
        facts = self.facts(wish, audience)
        split = {name: name.partition(".")[::2] for name in names}
        found = {name: facts.get(scope, {}).get(key) for name, (scope, key) in split.items()}
        return {name: _kept(value) for name, value in sorted(found.items()) if value is not None}

    def _in_force(self, wish: Wish) -> list[Agreed]:
        day = wish.start.astimezone(wish.instrument.zone).date()
        parties = (wish.organisation.pk, wish.instrument.institution_id)
        return [each for each in self.agreements if (each.customer, each.institution) == parties and each.holds(day)]


NOTHING_KNOWN = Parties()


def read_parties(wishes: Iterable[Wish], names: Mapping[int, Collection[str]], now: datetime) -> Parties:
    """One query for contracts; two for qualifications, where the rules of the instrument name such facts (``names``),
    and three for credit.

    Of several times on one instrument the earliest says which qualifications will still hold.
    """
    wishes = list(wishes)
    asked: dict[tuple[int, int], Wish] = {}
    for wish in sorted(wishes, key=lambda each: each.start, reverse=True):
        if wish.user.pk and not FACTS.isdisjoint(names.get(wish.instrument.pk, ())):
            asked[wish.user.pk, wish.instrument.pk] = wish
    qualified = {
        pair: qualification_facts(wish.user, wish.instrument, now, at=wish.start) for pair, wish in asked.items()
    }
    for pair, points in _credit(wishes, names, now).items():
        qualified[pair] = {**qualified.get(pair, {}), "credit": points}
    return Parties(agreements_between(outside(wishes)), qualified)


def facts_now(booking: Booking, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Of a stored booking's parties at this instant; what was known when it was made wins (`policy_view`).

    ``names`` are the facts that its rules name; without any there is no query.
    """
    wish = wish_of(booking)
    parties = read_parties([wish], {booking.instrument_id: names}, timezone.now()) if names else NOTHING_KNOWN
    return parties.facts(wish, booking.audience)


def _credit(wishes: Iterable[Wish], names: Mapping[int, Collection[str]], now: datetime) -> dict[tuple[int, int], int]:
    """By (person, instrument), where its rules ask for credit; three queries at most."""
    asked = [each for each in wishes if each.user.pk and CREDIT in names.get(each.instrument.pk, ())]
    found = credits_for({(each.user.pk, each.instrument.institution_id) for each in asked}, now) if asked else {}
    pairs = {(each.user.pk, each.instrument.pk): (each.user.pk, each.instrument.institution_id) for each in asked}
    return {pair: found[by] for pair, by in pairs.items() if by in found}


def outside(wishes: Iterable[Wish]) -> set[tuple[int, int]]:
    """Customer and institution of each wish that is not an institution's own."""
    pairs = {(wish.organisation.pk, wish.instrument.institution_id) for wish in wishes}
    return {pair for pair in pairs if pair[0] != pair[1]}


def parties_ahead(wish: Wish) -> None:
    """Send what `read_parties` will ask about contracts."""
    if wish.organisation.pk != wish.instrument.institution_id:
        _AGREEMENTS.ahead(**_between([(wish.organisation.pk, wish.instrument.institution_id)]))


def agreements_between(pairs: Collection[tuple[int, int]]) -> tuple[Agreed, ...]:
    return tuple(Agreed(*row) for row in _AGREEMENTS.rows(**_between(pairs))) if pairs else ()


def _between(pairs: Collection[tuple[int, int]]) -> dict[str, Any]:
    return {
        "customers": sorted({customer for customer, _institution in pairs}),
        "institutions": sorted({institution for _customer, institution in pairs}),
    }


_AGREEMENTS = Prepared(
    lambda: (
        Agreement.objects.filter(among("customer", "customers"), among("institution", "institutions"))
        .annotate(priced=Exists(PriceList.objects.filter(agreement=OuterRef("pk"))))
        .values_list("customer", "institution", "audience", "valid_from", "valid_to", "pk", "priced")
    )
)


def _latest(agreed: Collection[Agreed]) -> date | None:
    """The last day of the longest; None for none, and for one without end."""
    ends = [each.until for each in agreed]
    return None if None in ends else max((end for end in ends if end), default=None)


def flat(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """By dotted names, as requests that are ranked carry them."""
    return {f"{scope}.{name}": value for scope, known in facts.items() for name, value in known.items()}


def _kept(value: Any) -> Any:
    """As JSON keeps it: dates as ISO text, several values as a list."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return as_json(sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)
