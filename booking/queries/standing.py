"""What stands against people now: suspensions in force and how far each ladder is climbed; worked out from events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from backend.accounts.models import Organisation, User
from backend.accounts.queries import Access
from booking.models import Layer, Reached, Violation
from booking.queries.facts import InForce, rules_in_force
from booking.queries.recorded import PARTIES, Recorded, recorded_where
from booking.rules.counters import Counter, counters
from booking.rules.results import Consequence
from booking.rules.standing import LIFTED, standing
from instruments.models import Instrument, InstrumentGroup
from instruments.queries.rights import managed_instruments

BARS = ("suspend", "deny")
MOST = 50
EVER = datetime(2000, 1, 1, tzinfo=UTC)


def place_of(layer: Layer, instrument: Instrument) -> Instrument | InstrumentGroup | Organisation | None:
    """Where the rules of the layer hold; None: in the whole network."""
    match layer:
        case Layer.NETWORK:
            return None
        case Layer.INSTITUTION:
            return instrument.institution
        case Layer.GROUP:
            return instrument.group
    return instrument


@dataclass(frozen=True, slots=True)
class Barred:
    """A suspension or denial in force. ``who`` is the name of whom it bars."""

    consequence: Consequence
    layer: Layer
    instrument: Instrument
    who: str = ""

    @property
    def code(self) -> str:
        return self.consequence.code

    @property
    def place(self) -> Any:
        return place_of(self.layer, self.instrument)

    @property
    def house(self) -> Organisation | None:
        """Who may lift it: the institution, or None for the network."""
        return None if self.layer == Layer.NETWORK else self.instrument.institution

    @property
    def party(self) -> Mapping[str, Any]:
        return self.consequence.party


@dataclass(frozen=True, slots=True)
class Counted:
    counter: Counter
    layer: Layer
    instrument: Instrument

    @property
    def place(self) -> Any:
        return place_of(self.layer, self.instrument)


@dataclass(slots=True)
class Standings:
    barred: list[Barred] = field(default_factory=list)
    counted: list[Counted] = field(default_factory=list)


def standing_of(user: User | None, organisations: Collection[int], now: datetime) -> Standings:
    """Of the person, if one is meant, and of the organisations in whose name they book."""
    people = {user.pk} if user else set()
    found = _standings(Q(person__in=people) | Q(organisation__in=organisations), now)

    def mine(party: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
        return _is_of(party, event, people, set(organisations))

    found.barred = [each for each in found.barred if mine(each.party, each.consequence.event)]
    found.counted = [each for each in found.counted if mine(each.counter.party, {})]
    return found


def _is_of(
    party: Mapping[str, Any], event: Mapping[str, Any], people: Collection[int], organisations: Collection[int]
) -> bool:
    if "person" in party:
        return party["person"] in people
    if "organisation" in party:
        return party["organisation"] in organisations
    return event.get("person") in people


def desk_standing(access: Access, now: datetime) -> list[Barred]:
    """Who is suspended at the person's desk now, the latest first; at most `MOST`, in a constant number of queries."""
    rows = Reached.objects.filter(bars=True).filter(Q(until=None) | Q(until__gt=now))
    if not access.is_operator:
        houses = {pk for pk in access.organisations if access.has(pk)}
        rows = rows.filter(institution__in=houses)
    parties = list(rows.order_by("-at", "-pk").values_list("party", flat=True)[: MOST * 4])
    people = {party["person"] for party in parties if party.get("person")}
    customers = {party["organisation"] for party in parties if party.get("organisation")}
    if not people and not customers:
        return []
    run = None if access.is_operator else set(managed_instruments(access).values_list("pk", flat=True))
    found = _standings(Q(person__in=people) | Q(organisation__in=customers), now).barred
    mine = [
        each
        for each in found
        if _is_of(each.party, each.consequence.event, people, customers)
        and (run is None or each.instrument.pk in run)
        and (access.is_operator or each.layer != Layer.NETWORK)
    ]
    return _named(sorted(mine, key=lambda each: each.consequence.start, reverse=True)[:MOST])


def _named(rows: list[Barred]) -> list[Barred]:
    """With the name of the person or organisation that it bars."""
    people = {each.party["person"] for each in rows if "person" in each.party}
    customers = {each.party["organisation"] for each in rows if "organisation" in each.party}
    names = {("person", row.pk): str(row) for row in User.objects.filter(pk__in=people)}
    names |= {("organisation", row.pk): str(row) for row in Organisation.objects.filter(pk__in=customers)}
    out = []
    for row in rows:
        key = next(((kind, pk) for kind, pk in row.party.items() if (kind, pk) in names), ("", 0))
        out.append(Barred(row.consequence, row.layer, row.instrument, names.get(key, "")))
    return out


def _standings(whose: Q, now: datetime) -> Standings:
    """By the rules in force of every instrument where something happened; equal ones of wider layers once."""
    recorded = recorded_where(whose)
    pks = {row["instrument_id"] for row in recorded.rows if row["instrument_id"]}
    instruments = Instrument.objects.filter(pk__in=pks).select_related("institution", "group").order_by("pk")
    in_force = rules_in_force(instruments, now)
    found, seen = Standings(), set[Any]()
    for instrument in instruments:
        for each in _of_instrument(instrument, in_force[instrument.pk], recorded, now):
            key = _key(each)
            if key not in seen:
                seen.add(key)
                (found.barred if isinstance(each, Barred) else found.counted).append(each)  # type: ignore[arg-type]
    return found


def _of_instrument(
    instrument: Instrument, in_force: InForce, recorded: Recorded, now: datetime
) -> Iterable[Barred | Counted]:
    if not in_force.book.rules.of_kind("ladder"):
        return
    events, rules = recorded.counting(instrument, in_force), in_force.book.rules
    layers = {rule.id: Layer(in_force.layers[rule.layer] or Layer.NETWORK) for rule in rules.of_kind("ladder")}
    for one in standing(rules, events, now=now):
        if one.code in BARS:
            yield Barred(one, layers[one.rule_id], instrument)
    for counter in counters(rules, events, now=now):
        yield Counted(counter, layers[counter.rule_id], instrument)


def _key(each: Barred | Counted) -> tuple[Any, ...]:
    place = getattr(each.place, "pk", None)
    if isinstance(each, Counted):
        return "counted", each.layer, place, each.counter.rule_id, tuple(each.counter.party.values())
    return "barred", each.layer, place, each.code, each.consequence.key


def reached_by(violation: Violation, now: datetime) -> list[tuple[Layer, Consequence]]:
    """What the ladders in force make of this event; three queries, two where there are no ladders."""
    instrument = violation.instrument
    if instrument is None or violation.name == LIFTED:
        return []
    in_force = rules_in_force([instrument], now)[instrument.pk]
    rules = in_force.book.rules
    ladders = {rule.id: rule for rule in rules.of_kind("ladder")}
    if not ladders:
        return []
    counted_by = {
        name for rule in ladders.values() for case in rule.cases for name in getattr(case.parameters, "per", ())
    }
    parties = {name: getattr(violation, f"{name}_id") for name in counted_by & set(PARTIES)}
    whose = Q()
    for name, pk in parties.items():
        whose |= Q(**{name: pk}) if pk is not None else Q()
    events = recorded_where(whose or Q(instrument=instrument)).counting(instrument, in_force)
    found = standing(rules, events, now=max(now, violation.at), since=EVER)
    return [
        (Layer(in_force.layers[ladders[each.rule_id].layer] or Layer.NETWORK), each)
        for each in found
        if each.event.get("id") == violation.pk
    ]
