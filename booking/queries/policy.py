"""The rules of a layer, for those who edit them and for those who must keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Q
from django.utils import timezone, translation

from booking.models import Layer, Policy
from booking.queries.facts import layers_of
from booking.queries.holders import Holder
from booking.rules.cards import Line, Placed, chips, lines, placed
from booking.rules.layers import merge_layers, parse_policy
from booking.rules.model import Rule
from booking.rules.origins import named
from booking.rules.sentences import describe
from instruments.models import Instrument


def policy_in_force(holder: Holder) -> Policy | None:
    """The layer's own version in force today; None where only other layers hold."""
    return holder.policies().filter(valid_from__lte=holder.today).order_by("-valid_from", "-version").first()


def last_version(holder: Holder) -> int:
    """The number of the newest version, in force or planned; 0 before the first."""
    return holder.policies().aggregate(last=Max("version"))["last"] or 0


def versions(holder: Holder) -> list[Policy]:
    return list(holder.policies().select_related("created_by").order_by("-valid_from", "-version")[:50])


def wider_policies(holder: Holder) -> list[Policy]:
    """The versions in force of the layers around it, the widest first; one query."""
    around = Q(layer=Layer.NETWORK)
    if holder.layer > Layer.INSTITUTION:
        around |= Q(layer=Layer.INSTITUTION, organisation=holder.owner)
    if holder.instrument is not None and holder.instrument.group_id:
        around |= Q(layer=Layer.GROUP, group=holder.instrument.group_id)
    if holder.layer == Layer.NETWORK:
        return []
    rows = Policy.objects.filter(around, valid_from__lte=holder.today).order_by("layer", "-valid_from", "-version")
    newest: dict[int, Policy] = {}
    for row in rows.select_related("group", "organisation"):
        newest.setdefault(row.layer, row)
    return [newest[layer] for layer in sorted(newest)]


@dataclass(frozen=True, slots=True)
class Card:
    """A rule of some layer as a card. ``layer`` is its layer, ``by`` the one that overrules it.

    ``replaces``: it stands in the place of a wider layer's rule; ``free``: a wider layer's rule that has an identity,
    by which this layer can replace it or switch it off.
    """

    layer: Layer
    own: bool
    placed: Placed
    by: Layer | None
    by_own: bool
    replaces: bool
    free: bool
    sentence: str
    other: str

    @property
    def rule(self) -> Rule:
        return self.placed.rule

    @property
    def chips(self) -> list[tuple[str, str]]:
        return chips(self.rule)

    @property
    def lines(self) -> list[Line]:
        return lines(self.rule)


def cards(holder: Holder, wider: list[Policy], document: Mapping[str, Any], other_language: str) -> list[Card]:
    """Every rule of this layer and those around it, the widest first; without queries."""
    documents = [row.document for row in wider] + [document]
    layers = [Layer(row.layer) for row in wider] + [holder.layer]
    above = {name for row in wider for name, rule in named(row.document).items() if not rule.get("off")}
    found = []
    for each in placed(documents, tz=str(holder.zone)):
        own = each.place == len(wider)
        with translation.override(other_language):
            other = each.sentence
        found.append(
            Card(
                layer=layers[each.place],
                own=own,
                placed=each,
                by=None if each.by is None else layers[each.by],
                by_own=each.by == len(wider),
                replaces=own and each.rule.id in above,
                free=not own and each.by is None and each.rule.id in above,
                sentence=each.sentence,
                other=other,
            )
        )
    return found


def leftovers(wider: list[Policy], document: Mapping[str, Any]) -> list[str]:
    """Ids that the document switches off although no wider layer has such a rule any more."""
    above = {name for row in wider for name, rule in named(row.document).items() if not rule.get("off")}
    return [name for name, rule in named(document).items() if rule.get("off") is True and name not in above]


def differences(holder: Holder, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The sentences that go and those that come; of the layer's own rules."""
    before, after = ([text for _id, text in describe(parse_policy(each, tz=str(holder.zone)))] for each in (old, new))
    return [text for text in before if text not in after], [text for text in after if text not in before]


def liftable(wider: list[Policy], document: dict[str, Any]) -> list[tuple[str, str]]:
    """Id and sentence of the wider layers' rules that this layer could remove, and of those it removes already."""
    if not wider:
        return []
    sentences = dict(describe(merge_layers([row.document for row in wider])))
    known = {name for row in wider for name, rule in named(row.document).items() if not rule.get("off")}
    gone = [name for name, rule in named(document).items() if rule.get("off") and name not in known]
    return [(name, sentences[name]) for name in sentences if name in known] + [(name, name) for name in gone]


def sentences(instrument: Instrument) -> list[tuple[str, str]]:
    """Id and sentence of every rule that holds now, of all layers."""
    rules = merge_layers(layers_of(instrument, timezone.now()), tz=instrument.timezone)
    return list(describe(rules))


def tell_rules(instrument: Instrument) -> list[str]:
    """The sentences alone, for the room that shows an instrument and knows no rules."""
    return [sentence for _name, sentence in sentences(instrument)]
