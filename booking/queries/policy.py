"""The rules of a layer, for those who edit them and for those who must keep them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from booking.models import Layer, Policy
from booking.queries.facts import layers_of
from booking.queries.holders import Holder
from booking.rules.layers import merge_layers
from booking.rules.origins import named, origins
from booking.rules.presets import PRESETS
from booking.rules.sentences import describe
from instruments.models import Instrument


def policy_in_force(holder: Holder) -> Policy | None:
    """The layer's own version in force today; None where only other layers hold."""
    return holder.policies().filter(valid_from__lte=holder.today).order_by("-valid_from", "-version").first()


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
class Told:
    """A rule in words and where it comes from. ``by`` is the layer that overrules it; ``expert``: no form asks it."""

    layer: Layer
    own: bool
    rule: str
    sentence: str
    by: Layer | None
    removed: bool
    expert: bool


def told(holder: Holder, wider: list[Policy], own: Policy | None) -> list[Told]:
    """What holds, what of it is inherited, and what a narrower layer overrules; without queries."""
    rows = [*wider, own] if own is not None else wider
    found = origins([row.document for row in rows], tz=str(holder.zone))
    return [
        Told(
            layer=Layer(rows[each.place].layer),
            own=rows[each.place] is own,
            rule=each.id,
            sentence=each.sentence,
            by=None if each.by is None else Layer(rows[each.by].layer),
            removed=each.removed,
            expert=each.id not in PRESETS,
        )
        for each in found
    ]


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
